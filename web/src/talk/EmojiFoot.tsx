import type { ReadonlySignal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Emoji, emojis, toned } from "../text/EmojiTable";
import { words } from "../words";
import "./EmojiFoot.css";

const text = words.talk.emoji;
const HAND = emojis.byName("raised_hand");

interface EmojiFootProps {
  readonly about: ReadonlySignal<Emoji | undefined>;
  readonly tone: number;
  readonly onTone: (tone: number) => void;
}

/** What an emoji is called, and which tone of skin all have that have one. */
export function EmojiFoot({ about, tone, onTone }: EmojiFootProps) {
  const [choosing, setChoosing] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const chose = useRef(false);
  // Before the next key: until then, nothing has the focus.
  useLayoutEffect(() => {
    if (chose.current && !choosing) opener.current?.focus();
    chose.current = choosing;
  }, [choosing]);
  if (!HAND) return null;
  const tones = [0, 1, 2, 3, 4, 5] as const;
  return (
    <div class="emoji-foot">
      {choosing ? (
        <div
          class="emoji-foot__tones"
          role="radiogroup"
          aria-label={text.tone}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            // One step back: the picker stays.
            event.stopPropagation();
            event.preventDefault();
            setChoosing(false);
          }}
        >
          {tones.map((one) => (
            <label key={one} class="emoji-foot__tone" title={text.tones[one]}>
              <input
                type="radio"
                name="emoji-tone"
                aria-label={text.tones[one]}
                checked={one === tone}
                ref={(element) => {
                  if (
                    element &&
                    one === tone &&
                    !element.parentElement?.parentElement?.contains(document.activeElement)
                  )
                    element.focus();
                }}
                onInput={() => onTone(one)}
                onKeyDown={(event) => {
                  if (event.key === "Enter" || event.key === " ") {
                    event.preventDefault();
                    setChoosing(false);
                  }
                }}
                onClick={(event) => {
                  // Arrows click, too, but at no place.
                  if (event.clientX !== 0 || event.clientY !== 0) setChoosing(false);
                }}
              />
              {toned(HAND, one)}
            </label>
          ))}
        </div>
      ) : (
        <>
          <About about={about} tone={tone} />
          <button
            ref={opener}
            type="button"
            class="emoji-foot__choose"
            aria-label={text.toneChosen(text.tones[tone] ?? "")}
            title={text.tone}
            aria-expanded={false}
            onClick={() => setChoosing(true)}
          >
            {toned(HAND, tone)}
          </button>
        </>
      )}
    </div>
  );
}

function About({ about, tone }: Pick<EmojiFootProps, "about" | "tone">) {
  const emoji = about.value;
  if (!emoji) return <p class="emoji-foot__about emoji-foot__about--none">{text.hint}</p>;
  return (
    <p class="emoji-foot__about">
      <span class="emoji-foot__sign" aria-hidden="true">
        {toned(emoji, tone)}
      </span>
      <span class="emoji-foot__names">
        <span class="truncate">{emoji.label}</span>
        <code class="emoji-foot__code truncate">{emoji.names.map((name) => `:${name}:`).join(" ")}</code>
      </span>
    </p>
  );
}
