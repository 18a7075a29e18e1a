import { signal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useSession } from "../app/context";
import { type Emoji, emojis, toned } from "../text/EmojiTable";
import { words } from "../words";
import { EmojiFoot } from "./EmojiFoot";
import "./EmojiPicker.css";
import { EmojiRows, type Shown } from "./EmojiRows";
import { type Place, step } from "./emojiGrid";
import { chooseTone, emojiTone, recentEmojis, rememberEmoji } from "./emojiHabits";

const text = words.talk.emoji;
/** Signs of the groups, in the order of Unicode. */
const SIGNS: Record<string, string> = {
  recent: "🕘",
  smileys: "😀",
  people: "👋",
  nature: "🐻",
  food: "🍎",
  travel: "🚗",
  activities: "⚽",
  objects: "💡",
  symbols: "💠",
  flags: "🏁",
};
const COLUMNS = 8;

export interface EmojiPickerProps {
  readonly chosen: readonly string[];
  readonly onChoose: (emoji: string) => void;
}

/** All emoji, by what they are called and by their groups. */
export function EmojiPicker({ chosen, onChoose }: EmojiPickerProps) {
  const { userId } = useSession();
  const id = useId();
  const [typed, setTyped] = useState("");
  const [tone, setTone] = useState(() => emojiTone(userId));
  const [at, setAt] = useState<Place>({ part: 0, cell: 0 });
  /** Where the list is to show a part from its beginning; another object each time. */
  const [wanted, setWanted] = useState<{ readonly part: number }>();
  const field = useRef<HTMLInputElement>(null);
  const root = useRef<HTMLDivElement>(null);
  /** Whether the focus goes along with `at`. */
  const moves = useRef(false);
  /** What is under the pointer, or has the focus; a signal, so that only what shows it is rendered again. */
  const about = useMemo(() => signal<Emoji | undefined>(undefined), []);
  const recent = useMemo(() => recentEmojis(userId), []);

  useEffect(() => {
    // The keyboard of a phone would cover the emoji.
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus({ preventScroll: true });
  }, []);

  const parts = useMemo<readonly Shown[]>(() => {
    const withTone = (emoji: Emoji) => ({ emoji, spelled: toned(emoji, tone) });
    if (typed.trim()) {
      const found = emojis.search(typed, { liked: recent }).map(withTone);
      return found.length > 0 ? [{ key: "found", label: text.found, cells: found }] : [];
    }
    const used = recent.flatMap((spelled) => {
      const emoji = emojis.of(spelled);
      return emoji ? [{ emoji, spelled }] : [];
    });
    return [
      { key: "recent", label: text.groups.recent, cells: used },
      ...emojis.drawn().map((group) => ({
        key: group.key,
        label: text.groups[group.key as keyof typeof text.groups],
        cells: group.emojis.map(withTone),
      })),
    ];
  }, [typed, tone]);

  const choose = (spelled: string) => {
    rememberEmoji(userId, spelled);
    onChoose(spelled);
  };

  const focusAt = (place: Place) => {
    setAt(place);
    moves.current = true;
  };

  // Once it was rendered, because rows that are far away are not there before; and before the next key, which is for it.
  useLayoutEffect(() => {
    if (!moves.current) return;
    moves.current = false;
    const cell = root.current?.querySelector<HTMLElement>(".emoji-rows__cell[tabindex='0']");
    cell?.focus({ preventScroll: true });
  }, [at]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = event.target as HTMLElement;
    if (target === field.current) {
      if (event.key === "ArrowDown" && parts.length > 0) focusAt({ part: 0, cell: 0 });
      else if (event.key === "Enter") {
        const first = typed.trim() ? parts[0]?.cells[0] : undefined;
        if (first) choose(first.spelled);
      } else return;
      event.preventDefault();
    } else if (target.matches(".emoji-rows__cell")) {
      const forward = getComputedStyle(target).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
      const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
      const key = event.key === forward ? "next" : event.key === back ? "previous" : event.key;
      const counts = parts.map(({ cells }) => ({ cells: cells.length }));
      const to = step(counts, at, key, COLUMNS);
      if (to === "out") field.current?.focus();
      else if (to) focusAt(to);
      else if (event.key.length === 1 && event.key !== " ") {
        // The letter is the field's.
        field.current?.focus();
        return;
      } else if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
    }
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrows move between the emoji in it
    <div class="emoji-picker" ref={root} onKeyDown={onKeyDown}>
      <input
        ref={field}
        class="emoji-picker__search"
        type="search"
        dir="auto"
        aria-label={text.search}
        placeholder={text.search}
        aria-describedby={`${id}-found`}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setAt({ part: 0, cell: 0 });
          setWanted({ part: 0 });
          about.value = undefined;
        }}
      />
      {!typed.trim() && (
        <div class="emoji-picker__groups" role="toolbar" aria-label={text.groupsLabel}>
          {parts.map((part, index) => (
            <button
              key={part.key}
              type="button"
              class="emoji-picker__group"
              aria-label={part.label}
              title={part.label}
              tabIndex={index === at.part ? 0 : -1}
              onClick={() => {
                setAt({ part: index, cell: 0 });
                setWanted({ part: index });
              }}
              onKeyDown={alongside}
            >
              {SIGNS[part.key]}
            </button>
          ))}
        </div>
      )}
      <EmojiRows
        parts={parts}
        columns={COLUMNS}
        at={at}
        wanted={wanted}
        chosen={chosen}
        onChoose={choose}
        onAbout={(emoji, place) => {
          about.value = emoji;
          if (place) setAt(place);
        }}
      />
      <p class="visually-hidden" id={`${id}-found`} role="status">
        {typed.trim() ? text.count(parts[0]?.cells.length ?? 0) : ""}
      </p>
      {parts.length === 0 && <p class="emoji-picker__nothing">{text.nothing}</p>}
      <EmojiFoot
        about={about}
        tone={tone}
        onTone={(chosenTone) => {
          chooseTone(userId, chosenTone);
          setTone(chosenTone);
        }}
      />
    </div>
  );
}

/** Arrows move between the buttons of a bar. */
function alongside(event: KeyboardEvent): void {
  const button = event.currentTarget as HTMLElement;
  const forward = getComputedStyle(button).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
  const to =
    event.key === forward
      ? button.nextElementSibling
      : event.key === back
        ? button.previousElementSibling
        : undefined;
  if (to === undefined) return;
  event.preventDefault();
  if (to instanceof HTMLElement) to.focus();
}
