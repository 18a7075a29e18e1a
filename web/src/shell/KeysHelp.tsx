import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { actionOf, isWriting } from "../app/keys";
import { lazy } from "../ui/lazy";

const Keys = lazy(() => import("./KeysDialog").then((module) => module.KeysDialog), { over: true });
const shown = signal(false);

export function openKeys(): void {
  shown.value = true;
}

/** The help for keys, by a key of its own. Once in the page. */
export function KeysHelp() {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (actionOf(event, "anywhere") !== "help" || isWriting(event)) return;
      event.preventDefault();
      shown.value = true;
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  return shown.value ? <Keys onClose={() => (shown.value = false)} /> : null;
}
