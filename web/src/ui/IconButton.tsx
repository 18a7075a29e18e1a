import type { ComponentChildren, JSX } from "preact";
import "./IconButton.css";

interface IconButtonProps extends Omit<JSX.HTMLAttributes<HTMLButtonElement>, "icon" | "label"> {
  /** What it does, for screen readers and as its tooltip. */
  readonly label: string;
  readonly icon: ComponentChildren;
  /** Whether what it turns on is on; leave it out for buttons that turn nothing on. */
  readonly pressed?: boolean;
  readonly size?: "small" | "normal";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
}

export function IconButton({
  label,
  icon,
  pressed,
  size = "normal",
  class: more,
  type = "button",
  ...rest
}: IconButtonProps) {
  const names = ["icon-button", size === "small" && "icon-button--small", more];
  return (
    <button
      title={label}
      {...rest}
      type={type}
      class={names.filter(Boolean).join(" ")}
      aria-label={label}
      aria-pressed={pressed}
    >
      {icon}
    </button>
  );
}
