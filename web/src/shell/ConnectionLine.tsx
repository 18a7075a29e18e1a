import { useComputed } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import type { Connection } from "../sync/api";
import { words } from "../words";
import "./ConnectionLine.css";

const text = words.connection;

/** So long a connection may take before it is worth a line, in milliseconds: a page that opens has none yet. */
const PATIENCE = 1500;

/** A line over everything for as long as the server is not reached. */
export function ConnectionLine() {
  const chat = useChat();
  const { value: connection } = chat.connection;
  const { value: waiting } = useComputed(() => chat.outbox.value.length);
  const [now, setNow] = useState(Date.now);

  const trouble = connection.state !== "online" && connection.state !== "catching-up";
  useEffect(() => {
    if (!trouble) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [trouble]);

  const line = trouble ? lineOf(connection, now) : undefined;
  return (
    <div class="connection" role="status">
      {line && (
        <p class={`connection__line connection__line--${connection.state}`}>
          <span>{line}</span>
          {waiting > 0 && <span>{text.waiting(waiting)}</span>}
          {connection.state === "connecting" && connection.retryAt !== undefined && (
            <button type="button" class="connection__action" onClick={() => chat.retryNow()}>
              {text.retry}
            </button>
          )}
          {connection.state === "refused" && (
            <button type="button" class="connection__action" onClick={() => location.reload()}>
              {words.shell.reload}
            </button>
          )}
        </p>
      )}
    </div>
  );
}

function lineOf(connection: Connection, now: number): string | undefined {
  switch (connection.state) {
    case "offline":
      return text.offline;
    case "refused":
      return connection.why === "superseded" ? text.superseded : text.refused(connection.why);
    case "connecting":
      if (connection.attempt <= 1 && now - connection.since < PATIENCE) return undefined;
      // Counted down, and not read out again each second: only whole pauses are said.
      return connection.retryAt !== undefined && connection.retryAt - now > 3000
        ? text.lost
        : text.connecting;
    default:
      return undefined;
  }
}

/** The state in a word, with a mark; for a place that is always there. */
export function ConnectionMark() {
  const { state } = useChat().connection.value;
  return (
    <span class={`connection-mark connection-mark--${state}`}>
      <span class="connection-mark__dot" aria-hidden="true" />
      {text.states[state]}
    </span>
  );
}
