import { useLayoutEffect, useRef } from "preact/hooks";
import { lazy } from "../ui/lazy";
import { words } from "../words";
import "./EmojiChoice.css";
import type { EmojiPickerProps } from "./EmojiPicker";

const Picker = lazy<EmojiPickerProps>(() => import("./EmojiPicker").then((module) => module.EmojiPicker));

interface EmojiChoiceProps {
  readonly chosen?: readonly string[];
  readonly onChoose: (emoji: string) => void;
  readonly onClose: () => void;
}

/** The picker of emoji, beside what it is rendered in. Escape closes it, and leads back to what had the focus. */
export function EmojiChoice({ chosen = [], onChoose, onClose }: EmojiChoiceProps) {
  const box = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);

  // Before the picker's own effects, which take the focus.
  useLayoutEffect(() => {
    const element = box.current;
    const anchor = element?.parentElement?.getBoundingClientRect();
    if (!element || !anchor) return;
    before.current = document.activeElement;
    element.showPopover?.();
    const size = element.getBoundingClientRect();
    const under = anchor.bottom + size.height + 8 <= innerHeight;
    const top = under ? anchor.bottom + 4 : anchor.top - size.height - 4;
    const start = getComputedStyle(element).direction === "rtl" ? anchor.left : anchor.right - size.width;
    element.style.top = `${Math.max(8, Math.min(top, innerHeight - size.height - 8))}px`;
    element.style.left = `${Math.max(8, Math.min(start, innerWidth - size.width - 8))}px`;
    element.focus({ preventScroll: true });
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !element.parentElement?.contains(event.target)) onClose();
    };
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, []);

  const back = () => {
    const to = before.current;
    const row = box.current?.closest("article");
    if (to instanceof HTMLElement && to !== document.body && to.isConnected) to.focus();
    else row?.focus();
  };

  return (
    <div
      class="emoji-choice"
      ref={box}
      popover="manual"
      role="dialog"
      aria-label={words.talk.reactions.choose}
      tabIndex={-1}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key !== "Escape") return;
        event.preventDefault();
        back();
        onClose();
      }}
    >
      <Picker
        chosen={chosen}
        onChoose={(emoji) => {
          back();
          onChoose(emoji);
        }}
      />
    </div>
  );
}
