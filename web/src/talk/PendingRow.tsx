import { useEffect, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import type { PendingEntry } from "../sync/api";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/Button";
import { ClockIcon, WarningIcon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { formatTime, words } from "../words";
import { useConversation } from "./Conversation";
import { MessageText } from "./MessageText";
import { useName } from "./names";
import { Quote } from "./Quote";

const text = words.talk.message;

interface PendingRowProps {
  readonly id: string;
  readonly entry: PendingEntry;
  readonly first: boolean;
}

/** A message of this browser's that the server does not have yet. */
export function PendingRow({ id, entry, first }: PendingRowProps) {
  const { me } = useConversation();
  const name = useName(me);
  return (
    <article
      class={`message-row message-row--pending${first ? " message-row--first" : ""}`}
      data-key={id}
      aria-label={text.by(name, entry.time)}
      tabIndex={-1}
    >
      <div class="message-row__gutter">{first && <Avatar userId={me} name={name} />}</div>
      <div class="message-row__body">
        {entry.replyTo !== undefined && <Quote roomId={entry.roomId} seq={entry.replyTo} />}
        {first && (
          <header class="message-row__header">
            <span class="message-row__name" dir="auto">
              {name}
            </span>
            <span class="message-row__badge">{words.common.you}</span>
            <span class="message-row__time">{formatTime(entry.time)}</span>
          </header>
        )}
        {entry.text && (
          <div class="message-row__text">
            <MessageText text={entry.text} />
          </div>
        )}
        {entry.poll && <p class="message-row__state">{words.talk.poll.poll}</p>}
        {entry.files.length > 0 && (
          <p class="message-row__state">{words.talk.list.files(entry.files.length)}</p>
        )}
        <State entry={entry} />
      </div>
    </article>
  );
}

function State({ entry }: { readonly entry: PendingEntry }) {
  const chat = useChat();
  const left = useSecondsUntil(entry.retryAt);
  if (entry.state === "failed")
    return (
      <div class="message-row__state message-row__state--failed" role="alert">
        <WarningIcon />
        <span>
          {text.failed}
          {entry.error && `: ${entry.error}`}
        </span>
        <Button size="small" onClick={() => void chat.resend(entry.clientMessageId).catch(showError)}>
          {text.resend}
        </Button>
        <Button
          size="small"
          variant="quiet"
          onClick={() => void chat.discard(entry.clientMessageId).catch(showError)}
        >
          {text.discard}
        </Button>
      </div>
    );
  // Most are sent in a moment, and need no words.
  const said = left > 0 ? text.retryIn(left) : entry.state === "waiting" ? text.waiting : text.sending;
  return (
    <p class="message-row__state message-row__state--waits" title={said}>
      <ClockIcon />
      <span class={left > 0 || entry.state === "waiting" ? "" : "visually-hidden"}>{said}</span>
    </p>
  );
}

/** How many seconds there are until a moment, live. */
export function useSecondsUntil(time: number | undefined): number {
  const seconds = () => Math.max(0, Math.ceil(((time ?? 0) - Date.now()) / 1000));
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    setLeft(seconds());
    if (!time || seconds() === 0) return;
    const timer = setInterval(() => setLeft(seconds()), 500);
    return () => clearInterval(timer);
  }, [time]);
  return left;
}
