import { signal } from "@preact/signals";
import { words } from "../words";
import { IconButton } from "./IconButton";
import { CloseIcon } from "./icons";
import "./toasts.css";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "danger";
  readonly action?: { readonly label: string; readonly onAction: () => void };
}

/** How long what asks for nothing stays, in milliseconds. */
const STAY = 6000;

const toasts = signal<readonly Toast[]>([]);
let last = 0;

const forget = (id: number) => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};

/** Say something in a corner of the page. Failures and what has an action stay until they are closed. */
export function showToast(text: string, more: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const id = ++last;
  const toast: Toast = { id, text, tone: "plain", ...more };
  toasts.value = [...toasts.value.filter((other) => other.text !== text), toast].slice(-4);
  if (toast.tone === "plain" && !toast.action) setTimeout(() => forget(id), STAY);
}

/** What went wrong, in a corner of the page. */
export function showError(error: unknown): void {
  showToast(error instanceof Error && error.message ? error.message : String(error), { tone: "danger" });
}

/** Where toasts appear; once in the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, tone, action }) => (
        <div key={id} class={`toasts__toast toasts__toast--${tone}`}>
          <span class="toasts__text" dir="auto">
            {text}
          </span>
          {action && (
            <button
              type="button"
              class="toasts__action"
              onClick={() => {
                forget(id);
                action.onAction();
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton
            label={words.common.close}
            size="small"
            icon={<CloseIcon />}
            onClick={() => forget(id)}
          />
        </div>
      ))}
    </div>
  );
}
