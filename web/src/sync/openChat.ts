/** Opens the chat for a page: by the SharedWorker, or by the tab that is elected where there is none. */
import type { Identity } from "../wire/transport";
import type { Chat } from "./api";
import type { ToPage } from "./protocol";
import { type Link, Remote } from "./remote";
import { scriptUrl } from "./scripts";
import workerUrl from "./worker?sharedworker&url";

/** So often a page that is not frozen says nothing; a longer time means that it slept. */
const TICK = 5000;

/**
 * Rejects only where the browser keeps nothing (no IndexedDB). All else, such as no network or no session, is a state of
 * `connection`.
 */
export async function openChat(identity: Identity): Promise<Chat> {
  if (!("indexedDB" in globalThis)) throw new Error("IndexedDB is missing");
  const pageId = `grpc-chat-page-${crypto.randomUUID()}`;
  const end = new AbortController();
  await held(pageId, end.signal);
  const visible = (): boolean => document.visibilityState === "visible";
  // What comes before the page has its link waits for it.
  let remote: Remote | undefined;
  const link = linked(pageId, (message) => remote?.take(message));
  remote = new Remote(
    {
      post: (message) => link.post(message),
      close: () => {
        end.abort();
        link.close();
      },
    },
    identity,
    visible,
  );
  const chat = remote;
  chat.attach();

  const { signal } = end;
  document.addEventListener("visibilitychange", () => chat.page({ visible: visible() }), { signal });
  window.addEventListener("online", () => chat.page({ online: true }), { signal });
  window.addEventListener("offline", () => chat.page({ online: false }), { signal });
  window.addEventListener("pageshow", (event) => event.persisted && chat.page({ asleep: true }), { signal });
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    // Timers of hidden pages run once a minute; a longer silence was a frozen page or a laptop asleep.
    if (now - last > 2 * 60_000) chat.page({ asleep: true });
    last = now;
  }, TICK);
  signal.addEventListener("abort", () => clearInterval(timer));
  return chat;
}

/** Holds a lock for as long as the page lives. */
function held(name: string, signal: AbortSignal): Promise<void> {
  if (!("locks" in navigator)) return Promise.resolve();
  return new Promise((resolve) => {
    void navigator.locks.request(name, () => {
      resolve();
      return new Promise<void>((done) => signal.addEventListener("abort", () => done()));
    });
  });
}

/** The way by the elected tab. Few browsers need it, and it brings all of the engine: it is loaded when it is needed. */
function elected(pageId: string, receive: (message: ToPage) => void): Link {
  const loaded = import("./election").then(({ electedLink }) => electedLink(pageId, receive));
  return {
    post: (message) => void loaded.then((link) => link.post(message)),
    close: () => void loaded.then((link) => link.close()),
  };
}

function linked(pageId: string, receive: (message: ToPage) => void): Link {
  if (!("SharedWorker" in globalThis)) return elected(pageId, receive);
  const worker = new SharedWorker(scriptUrl(workerUrl), { type: "module", name: "grpc-chat" });
  const port = worker.port;
  let fallback: Link | undefined;
  worker.onerror = () => {
    // It could not be loaded or started. The elected tab's greeting has the page attach again.
    fallback ??= elected(pageId, receive);
  };
  port.onmessage = ({ data }) => receive(data);
  port.postMessage({ kind: "lock", name: pageId });
  return {
    post(message) {
      if (fallback) fallback.post(message);
      else port.postMessage(message);
    },
    close() {
      port.close();
      fallback?.close();
    },
  };
}
