import { useEffect, useRef, useState } from "preact/hooks";
import { isEmoji, oneSpelling } from "../text/emoji";
import { words } from "../words";
import "./EmojiChoice.css";

/** What people choose most. */
const OFTEN = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "✅", "❌", "🚀", "💯", "🔥", "👏", "🤔", "😄"];

interface EmojiChoiceProps {
  readonly chosen?: readonly string[];
  readonly onChoose: (emoji: string) => void;
  readonly onClose: () => void;
}

/** Some emoji to choose from, and a field for all others. */
export function EmojiChoice({ chosen = [], onChoose, onClose }: EmojiChoiceProps) {
  const box = useRef<HTMLDivElement>(null);
  const [other, setOther] = useState("");

  useEffect(() => {
    const element = box.current;
    const anchor = element?.parentElement?.getBoundingClientRect();
    if (!element || !anchor) return;
    element.showPopover?.();
    const size = element.getBoundingClientRect();
    const above = anchor.bottom + size.height + 8 > innerHeight;
    element.style.top = `${Math.max(8, above ? anchor.top - size.height - 4 : anchor.bottom + 4)}px`;
    element.style.left = `${Math.max(8, Math.min(anchor.right - size.width, innerWidth - size.width - 8))}px`;
    element.querySelector("button")?.focus();
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !element.parentElement?.contains(event.target)) onClose();
    };
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, []);

  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      event.preventDefault();
      box.current?.closest("article")?.focus();
      onClose();
      return;
    }
    const buttons = [...(box.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const step: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 };
    const by = step[event.key];
    if (by === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(buttons.length - 1, at + by))]?.focus();
  };

  return (
    <div
      class="emoji-choice"
      ref={box}
      popover="manual"
      role="dialog"
      aria-label={words.talk.reactions.choose}
      tabIndex={-1}
      onKeyDown={onKeyDown}
    >
      <div class="emoji-choice__grid">
        {OFTEN.map((emoji) => (
          <button
            key={emoji}
            type="button"
            class="emoji-choice__emoji"
            aria-pressed={chosen.includes(emoji)}
            onClick={() => onChoose(emoji)}
          >
            {emoji}
          </button>
        ))}
      </div>
      <input
        class="emoji-choice__other"
        aria-label={words.talk.reactions.choose}
        value={other}
        maxLength={32}
        onInput={(event) => setOther(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && isEmoji(other.trim())) onChoose(oneSpelling(other.trim()));
        }}
        placeholder={words.talk.reactions.choose}
      />
    </div>
  );
}
