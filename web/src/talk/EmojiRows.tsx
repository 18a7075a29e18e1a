// biome-ignore-all lint/a11y/useSemanticElements: a table lays out its rows itself, and these are few of many
// biome-ignore-all lint/a11y/useFocusableInteractive: the cells have the focus, and not their rows
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Emoji } from "../text/EmojiTable";
import "./EmojiRows.css";
import type { Place } from "./emojiGrid";

/** An emoji as it is offered: with the tone of skin that was chosen. */
export interface Offered {
  readonly emoji: Emoji;
  readonly spelled: string;
}

export interface Shown {
  readonly key: string;
  readonly label: string;
  readonly cells: readonly Offered[];
}

interface EmojiRowsProps {
  readonly parts: readonly Shown[];
  readonly columns: number;
  /** The cell that Tab leads to. */
  readonly at: Place;
  readonly wanted: { readonly part: number } | undefined;
  readonly chosen: readonly string[];
  readonly onChoose: (spelled: string) => void;
  /** Called with what is under the pointer, or has the focus and is at a place then. */
  readonly onAbout: (emoji: Emoji, at?: Place) => void;
}

/** Heights as in EmojiRows.css, in rem. */
const ROW = 2.25;
const HEADING = 1.75;
/** Rows above and below what is seen that are rendered, too. */
const MORE = 4;

/** The emoji in rows, of which only those that are seen are rendered: there are 1,900. */
export function EmojiRows({ parts, columns, at, wanted, chosen, onChoose, onAbout }: EmojiRowsProps) {
  const list = useRef<HTMLDivElement>(null);
  const [rem, setRem] = useState(16);
  const [view, setView] = useState({ top: 0, height: 400 });

  useLayoutEffect(() => {
    setRem(Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16);
    const element = list.current;
    if (element) setView({ top: element.scrollTop, height: element.clientHeight || 400 });
  }, []);

  const rows = (part: Shown) => Math.ceil(part.cells.length / columns);
  const tops: number[] = [];
  let whole = 0;
  for (const part of parts) {
    tops.push(whole);
    whole += (HEADING + rows(part) * ROW) * rem;
  }

  useEffect(() => {
    if (wanted && list.current) list.current.scrollTop = tops[wanted.part] ?? 0;
  }, [wanted]);

  useLayoutEffect(() => {
    const element = list.current;
    if (
      !element?.contains(document.activeElement) &&
      !element?.parentElement?.contains(document.activeElement)
    )
      return;
    // As far as is needed to see the row under the heading, which stays at the top.
    const top = (tops[at.part] ?? 0) + Math.floor(at.cell / columns) * ROW * rem;
    const bottom = top + (HEADING + ROW) * rem;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight)
      element.scrollTop = bottom - element.clientHeight;
  }, [at]);

  return (
    <div
      class="emoji-rows"
      ref={list}
      onScroll={({ currentTarget }) =>
        setView({ top: currentTarget.scrollTop, height: currentTarget.clientHeight })
      }
    >
      {parts.map((part, index) => {
        const first = Math.floor((view.top - (tops[index] ?? 0)) / (ROW * rem)) - MORE;
        const last = first + Math.ceil(view.height / (ROW * rem)) + 2 * MORE;
        const shown = Array.from({ length: rows(part) }, (_, row) => row).filter(
          (row) =>
            (row >= first && row <= last) || (index === at.part && row === Math.floor(at.cell / columns)),
        );
        return (
          <section key={part.key} class="emoji-rows__part">
            <h3 class="emoji-rows__heading" id={`emoji-${part.key}`}>
              {part.label}
            </h3>
            <div
              class="emoji-rows__grid"
              role="grid"
              aria-labelledby={`emoji-${part.key}`}
              aria-rowcount={rows(part)}
              aria-colcount={columns}
              ref={(element) => {
                if (element) element.style.blockSize = `${rows(part) * ROW}rem`;
              }}
            >
              {shown.map((row) => (
                <div
                  key={row}
                  class="emoji-rows__row"
                  role="row"
                  aria-rowindex={row + 1}
                  ref={(element) => {
                    if (element) element.style.insetBlockStart = `${row * ROW}rem`;
                  }}
                >
                  {part.cells.slice(row * columns, (row + 1) * columns).map(({ emoji, spelled }, column) => {
                    const cell = row * columns + column;
                    return (
                      <button
                        key={spelled}
                        type="button"
                        role="gridcell"
                        class="emoji-rows__cell"
                        aria-label={emoji.label}
                        aria-selected={chosen.includes(spelled)}
                        tabIndex={index === at.part && cell === at.cell ? 0 : -1}
                        onClick={() => onChoose(spelled)}
                        onFocus={() => onAbout(emoji, { part: index, cell })}
                        onPointerEnter={() => onAbout(emoji)}
                      >
                        {spelled}
                      </button>
                    );
                  })}
                </div>
              ))}
            </div>
          </section>
        );
      })}
    </div>
  );
}
