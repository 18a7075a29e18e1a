/**
 * Keeps the client's own files, so that it opens without a network. It answers for nothing else: what the API says never
 * goes through it.
 *
 * Each build has a cache of its own. A new one is filled beside the old one, and takes over when the user says so: the
 * files of two builds are never mixed.
 */

interface Kept {
  readonly build: string;
  readonly files: readonly string[];
}

// What a service worker's global scope has is not among the types of a page.
interface Scope {
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: object): Promise<readonly (Client & { focus(): Promise<unknown> })[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: Happened) => void): void;
}
interface Client {
  postMessage(message: unknown): void;
}
interface Happened {
  readonly request: Request;
  readonly data: unknown;
  readonly notification: Notification;
  respondWith(response: Promise<Response>): void;
  waitUntil(done: Promise<unknown>): void;
}

const scope = globalThis as unknown as Scope;
const PAGE = "/";
const PREFIX = "grpc-chat ";

// The build puts in what it made: plugins/serviceWorker.ts.
const { build, files }: Kept = JSON.parse("__KEPT__");
const NAME = PREFIX + build;
const kept = new Set(files);

scope.addEventListener("install", (event) => {
  // Asked for anew: what is kept must be of one build. Files that are named by their content may come from anywhere.
  const requests = files.map(
    (path) => new Request(path, { cache: path.startsWith("/assets/") ? "default" : "no-cache" }),
  );
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(requests)));
});

scope.addEventListener("activate", (event) => {
  const old = caches
    .keys()
    .then((names) =>
      Promise.all(
        names.filter((name) => name.startsWith(PREFIX) && name !== NAME).map((name) => caches.delete(name)),
      ),
    );
  event.waitUntil(old.then(() => scope.clients.claim()));
});

scope.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(scope.skipWaiting());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  const path = request.mode === "navigate" ? (isPage(url.pathname) ? PAGE : undefined) : url.pathname;
  if (path === undefined || !kept.has(path)) return;
  event.respondWith(found(path, request));
});

async function found(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  // A browser that is short of room may have thrown it away.
  return (await cache.match(path, { ignoreVary: true })) ?? fetch(request);
}

/** Whether the client has a page there; all else that one can go to, as a file for saving, is the server's. */
function isPage(path: string): boolean {
  return !/^\/(files|assets|about|chat\.v1\.)/.test(path) && !/^\/[^/]*\.[a-z]+$/.test(path);
}

scope.addEventListener("notificationclick", (event) => {
  const { notification } = event;
  const path = typeof notification.data === "string" ? notification.data : PAGE;
  notification.close();
  const shown = scope.clients.matchAll({ type: "window" }).then(async ([first]) => {
    if (!first) return scope.clients.openWindow(path);
    first.postMessage({ open: path });
    return first.focus();
  });
  event.waitUntil(shown);
});
