/** The SharedWorker: the host of all tabs. */
import { Host } from "./host";
import type { ToHost } from "./protocol";
import { alone, startEngine } from "./starting";

// What a SharedWorker's global scope has is not among the types of a page.
const scope = globalThis as unknown as {
  onconnect: (event: MessageEvent) => void;
  addEventListener(type: string, listener: () => void): void;
};

const ready = alone(() => host.supersede());
const host = new Host(async (identity) => {
  await ready;
  return await startEngine(identity);
});
let pages = 0;

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  pages += 1;
  const pageId = `${pages}`;
  port.onmessage = ({ data }: MessageEvent<ToHost | { kind: "lock"; name: string }>) => {
    if (data.kind === "lock") {
      // The page holds it for as long as it lives.
      void navigator.locks?.request(data.name, () => host.detach(pageId));
      return;
    }
    void host.take(pageId, data, (message) => port.postMessage(message));
  };
};

for (const [type, online] of [
  ["online", true],
  ["offline", false],
] as const)
  scope.addEventListener(type, () => host.network(online));
