import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { IconButton } from "./IconButton";
import "./Menu.css";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ComponentChildren;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  /** Whether it is chosen, in a menu of choices. */
  readonly checked?: boolean;
  readonly onSelect: () => void;
}

interface MenuProps {
  /** What the button is for. */
  readonly label: string;
  readonly icon: ComponentChildren;
  /** `separator` draws a line. */
  readonly items: readonly (MenuItem | "separator")[];
  readonly size?: "small" | "normal";
}

/** A button that opens a list of things to do: arrows move, Enter does, Escape closes. */
export function Menu({ label, icon, items, size = "normal" }: MenuProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = () => root.current?.querySelector<HTMLElement>(".icon-button");

  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button()?.focus();
  };

  return (
    <div
      class="menu"
      ref={root}
      onFocusOut={(event) => {
        const next = event.relatedTarget;
        if (next instanceof Node && !root.current?.contains(next)) setOpen(false);
      }}
    >
      <IconButton
        label={label}
        icon={icon}
        size={size}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      />
      {open && <MenuList id={id} label={label} items={items} anchor={root} onClose={close} />}
    </div>
  );
}

interface MenuListProps {
  readonly id: string;
  readonly label: string;
  readonly items: MenuProps["items"];
  readonly anchor: { readonly current: HTMLElement | null };
  readonly onClose: (refocus: boolean) => void;
}

function MenuList({ id, label, items, anchor, onClose }: MenuListProps) {
  const list = useRef<HTMLDivElement>(null);

  // Before the next key comes, which is for the list.
  useLayoutEffect(() => {
    const element = list.current;
    const around = anchor.current?.getBoundingClientRect();
    if (!element || !around) return;
    // In the top layer nothing cuts it off; where it goes has to be said, then.
    element.showPopover?.();
    const size = element.getBoundingClientRect();
    const below = around.bottom + size.height + 8 <= innerHeight || around.top < size.height + 8;
    const start = getComputedStyle(element).direction === "rtl" ? around.left : around.right - size.width;
    element.style.top = `${Math.max(8, below ? around.bottom + 4 : around.top - size.height - 4)}px`;
    element.style.left = `${Math.min(Math.max(8, start), innerWidth - size.width - 8)}px`;
    entries(element)[0]?.focus();
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !anchor.current?.contains(event.target)) onClose(false);
    };
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    if (!list.current) return;
    const all = entries(list.current);
    const at = all.findIndex((entry) => entry.matches(":focus"));
    const to: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const next = to[event.key];
    if (event.key === "Escape") onClose(true);
    else if (event.key === "Tab") return onClose(false);
    else if (next !== undefined) all.at(next % all.length)?.focus();
    else if (event.key.length === 1) byLetter(all, at, event.key)?.focus();
    else return;
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== " ") event.preventDefault();
  };

  return (
    <div
      class="menu__list"
      id={id}
      ref={list}
      role="menu"
      aria-label={label}
      popover="manual"
      tabIndex={-1}
      onKeyDown={onKeyDown}
    >
      {items.map((item, index) =>
        item === "separator" ? (
          <hr key={`line-${index}`} class="menu__line" />
        ) : (
          <button
            key={item.label}
            type="button"
            class={item.danger ? "menu__item menu__item--danger" : "menu__item"}
            {...(item.checked === undefined
              ? { role: "menuitem" }
              : { role: "menuitemradio", "aria-checked": item.checked })}
            disabled={item.disabled ?? false}
            tabIndex={-1}
            onClick={() => {
              onClose(true);
              item.onSelect();
            }}
          >
            <span class="menu__icon">{item.icon}</span>
            {item.label}
          </button>
        ),
      )}
    </div>
  );
}

function entries(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>(".menu__item:not(:disabled)")];
}

function byLetter(all: readonly HTMLElement[], at: number, letter: string): HTMLElement | undefined {
  const after = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  return after.find((entry) => entry.textContent?.trim().toLowerCase().startsWith(letter.toLowerCase()));
}
