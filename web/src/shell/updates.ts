import { signal } from "@preact/signals";
import { scriptUrl } from "../sync/scripts";
import { navigate } from "../ui/location";

/** So often a page that stays open looks for a newer version, in milliseconds. */
const LOOK = 60 * 60 * 1000;

/** A newer version waits: call it to reload with that. */
export const newVersion = signal<(() => void) | undefined>(undefined);

/** Keep the client in the browser, and notice newer versions of it. Once for the page. */
export async function keepClient(): Promise<void> {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    if (typeof data === "object" && data !== null && "open" in data && typeof data.open === "string")
      navigate(data.open);
  });
  let registration: ServiceWorkerRegistration;
  try {
    registration = await serviceWorker.register(scriptUrl("/sw.js"), { updateViaCache: "none" });
  } catch {
    // Without it, all works but opening without a network.
    return;
  }
  const offer = (waiting: ServiceWorker | null) => {
    // The first one is no newer version.
    if (!waiting || !serviceWorker.controller) return;
    newVersion.value = () => {
      serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      waiting.postMessage("take over");
    };
  };
  offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const coming = registration.installing;
    coming?.addEventListener("statechange", () => coming.state === "installed" && offer(coming));
  });
  let looked = Date.now();
  const look = () => {
    if (document.visibilityState !== "visible" || Date.now() - looked < LOOK) return;
    looked = Date.now();
    registration.update().catch(() => undefined);
  };
  document.addEventListener("visibilitychange", look);
  setInterval(look, LOOK);
}
