/** Where there is no SharedWorker: one tab has the host, and the others reach it by a BroadcastChannel. */
import { Host } from "./host";
import type { ToHost, ToPage } from "./protocol";
import type { Link } from "./remote";
import { alone, startEngine } from "./starting";

const LOCK = "grpc-chat-host";
const CHANNEL = "grpc-chat-host";

type Letter = { to: "host"; from: string; message: ToHost } | { to: string; message: ToPage };

/**
 * A way to the host, which may be this tab and may change: `take` gets `hello` for each new one.
 *
 * @param pageId also the name of the lock by which others know that this page lives
 */
export function electedLink(pageId: string, take: (message: ToPage) => void): Link {
  const channel = new BroadcastChannel(CHANNEL);
  const end = new AbortController();
  let host: Host | undefined;

  const deliver = (message: ToPage): void => {
    // As if it came from another tab: later, and no object is shared.
    queueMicrotask(() => take(structuredClone(message)));
  };
  const serve = (from: string, message: ToHost): void => {
    if (!host) return;
    if (message.kind === "attach" && from !== pageId) {
      const served = host;
      void navigator.locks.request(from, () => served.detach(from));
    }
    const post = (answer: ToPage): void => {
      if (from === pageId) deliver(answer);
      else channel.postMessage({ to: from, message: answer } satisfies Letter);
    };
    void host.take(from, message, post);
  };
  channel.onmessage = ({ data }: MessageEvent<Letter>) => {
    if (data.to === "host") serve((data as { from: string }).from, data.message as ToHost);
    else if (data.to === pageId || data.to === "pages") take(data.message as ToPage);
  };

  const lead = async (): Promise<void> => {
    let stop: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      stop = resolve;
    });
    end.signal.addEventListener("abort", () => stop());
    const elected = new Host(async (identity) => {
      await alone(() => elected.supersede());
      return await startEngine(identity);
    });
    host = elected;
    channel.postMessage({ to: "pages", message: { kind: "hello" } } satisfies Letter);
    deliver({ kind: "hello" });
    await over;
    host = undefined;
    await elected.supersede();
  };
  // Without locks, this tab has its own: two tabs then share nothing, and the server's answers keep them right.
  if ("locks" in navigator)
    void navigator.locks.request(LOCK, { signal: end.signal }, lead).catch(() => undefined);
  else void lead();

  return {
    post(message) {
      if (host) queueMicrotask(() => serve(pageId, structuredClone(message)));
      else channel.postMessage({ to: "host", from: pageId, message } satisfies Letter);
    },
    close() {
      end.abort();
      channel.close();
    },
  };
}
