import type { ComponentChildren, JSX } from "preact";
import "./Button.css";
import { Spinner } from "./Spinner";

export type ButtonVariant = "primary" | "plain" | "quiet" | "danger";

interface ButtonProps extends Omit<JSX.ButtonHTMLAttributes<HTMLButtonElement>, "type" | "disabled"> {
  readonly variant?: ButtonVariant;
  readonly size?: "small" | "normal";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  /** What it does is under way: it can't be pressed again, and says so. */
  readonly busy?: boolean;
  readonly children?: ComponentChildren;
}

export function Button({
  variant = "plain",
  size = "normal",
  type = "button",
  busy = false,
  disabled = false,
  class: more,
  children,
  ...rest
}: ButtonProps) {
  const names = ["button", `button--${variant}`, size === "small" && "button--small", more];
  return (
    <button
      {...rest}
      type={type}
      class={names.filter(Boolean).join(" ")}
      // Not `disabled` while busy, which would take the focus away.
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : rest.onClick}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}
