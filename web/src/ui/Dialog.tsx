import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";
import "./Dialog.css";
import { IconButton } from "./IconButton";
import { CloseIcon } from "./icons";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at its end. */
  readonly actions?: ComponentChildren;
  readonly size?: "small" | "large";
}

/** What takes the focus when it opens. */
const FIRST = ".dialog__body :is(input, textarea, select):not(:disabled), .dialog__actions button";

/** A window over the page, for as long as it is rendered. The browser keeps the focus in it. */
export function Dialog({ title, onClose, children, actions, size = "small" }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    // The first of what it is about, and not the button that closes it.
    element?.querySelector<HTMLElement>(FIRST)?.focus();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog dialog--${size}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // The dialog itself is under the pointer only outside of what it holds: on its backdrop.
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog__content">
        <div class="dialog__header">
          <h2 class="dialog__title" id={id}>
            {title}
          </h2>
          <IconButton label={words.common.close} icon={<CloseIcon />} onClick={onClose} />
        </div>
        <div class="dialog__body">{children}</div>
        {actions && <div class="dialog__actions">{actions}</div>}
      </div>
    </dialog>
  );
}
