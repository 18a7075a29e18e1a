import { canDraw } from "./drawn";
import source from "./emojis.txt?raw";
import { withEmojis } from "./shortcodes";

export interface Emoji {
  readonly emoji: string;
  /** What Unicode calls it. */
  readonly label: string;
  /** What it is called between colons, the best known first. */
  readonly names: readonly string[];
  readonly group: string;
  /** How many of its parts have a tone of skin. */
  readonly parts: 0 | 1 | 2;
  /** All words that it is found by, each after a space: those of its names, a line break, and the others. */
  readonly found: string;
}

export interface EmojiGroup {
  readonly key: string;
  readonly emojis: readonly Emoji[];
}

/** The tones of skin, from light to dark. */
export const TONES = ["🏻", "🏼", "🏽", "🏾", "🏿"] as const;

/** All emoji of Unicode that are meant to be used by themselves. */
export class EmojiTable {
  private readonly named = new Map<string, Emoji>();
  private readonly spelled = new Map<string, Emoji>();
  private shown: readonly EmojiGroup[] | undefined;

  constructor(private readonly groups: readonly EmojiGroup[]) {
    for (const one of groups.flatMap(({ emojis }) => emojis)) {
      this.spelled.set(plain(one.emoji), one);
      for (const name of one.names) this.named.set(name, one);
    }
  }

  /** Those that this browser can draw, by their groups. */
  drawn(): readonly EmojiGroup[] {
    this.shown ??= this.groups
      .map(({ key, emojis }) => ({ key, emojis: emojis.filter(({ emoji }) => canDraw(emoji)) }))
      .filter(({ emojis }) => emojis.length > 0);
    return this.shown;
  }

  byName(name: string): Emoji | undefined {
    return this.named.get(name);
  }

  /** What an emoji is, whichever tone it has. */
  of(emoji: string): Emoji | undefined {
    return this.spelled.get(plain(emoji));
  }

  /** An emoji with a tone of skin, 1 to 5, if it has skin. */
  withTone(emoji: Emoji, tone: number): string {
    return toned(emoji, tone);
  }

  /**
   * Those that fit what somebody typed, the likeliest first.
   *
   * @param liked what this person uses, which comes before others that are called so.
   */
  search(
    typed: string,
    { most = Number.POSITIVE_INFINITY, liked = [] }: { most?: number; liked?: readonly string[] } = {},
  ): readonly Emoji[] {
    const whole = typed.trim().toLowerCase().replaceAll(/^:|:$/g, "");
    const terms = whole.split(/[\s_]+/).filter((term) => term !== "");
    if (terms.length === 0) return [];
    const pasted = this.of(whole);
    if (pasted) return [pasted];
    const favourites = new Set(liked.map((one) => this.of(one)));
    const found: { emoji: Emoji; rank: number }[] = [];
    for (const { emojis } of this.drawn())
      for (const emoji of emojis) {
        const rank = rankOf(emoji, whole.replaceAll(/\s+/g, "_"), terms);
        if (rank !== undefined) found.push({ emoji, rank: favourites.has(emoji) ? Math.min(rank, 1) : rank });
      }
    // Sorting keeps the order of those that are alike.
    found.sort((one, other) => one.rank - other.rank);
    return found.slice(0, most).map(({ emoji }) => emoji);
  }

  /** A text with the emoji that it names, such as `:tada:`, outside of its code. */
  replaced(text: string, tone = 0): string {
    return withEmojis(text, (name) => {
      const emoji = this.named.get(name);
      return emoji && toned(emoji, tone);
    });
  }
}

/** An emoji with a tone of skin, 1 to 5; as it is with none, and where it has no skin. */
export function toned({ emoji, parts }: Emoji, tone: number): string {
  const sign = TONES[tone - 1];
  if (!sign || parts === 0) return emoji;
  const [first = "", ...rest] = emoji;
  return `${first}${sign}${rest.join("").replace(/^\ufe0f/, "")}${parts === 2 ? sign : ""}`;
}

/** Without its tone of skin, and without the choice of its look, which goes with the tone. */
function plain(emoji: string): string {
  return emoji.replaceAll(/[\u{1f3fb}-\u{1f3ff}\ufe0f]/gu, "");
}

/** The name itself, its beginning, words of its names, other words, and parts of words. */
function rankOf({ names, found }: Emoji, name: string, terms: readonly string[]): number | undefined {
  if (names.includes(name)) return names[0] === name ? 0 : 1;
  const at = names.findIndex((one) => one.startsWith(name));
  if (at >= 0) return at === 0 ? 2 : 3;
  const others = found.indexOf("\n");
  let rank = 4;
  for (const term of terms) {
    const begins = found.indexOf(` ${term}`);
    if (begins >= 0) rank = Math.max(rank, begins < others ? 4 : 5);
    else if (term.length > 2 && found.includes(term)) rank = 6;
    else return undefined;
  }
  return rank;
}

function read(lines: readonly string[]): EmojiGroup[] {
  const groups: { key: string; emojis: Emoji[] }[] = [];
  for (const line of lines) {
    if (line === "" || line.startsWith("# ")) continue;
    const [emoji = "", label, called = "", words = "", parts = ""] = line.split("\t");
    if (label === undefined) groups.push({ key: emoji, emojis: [] });
    else {
      const group = groups[groups.length - 1];
      const own = `${label} ${called} ${called.replaceAll(/[_-]/g, " ")}`;
      group?.emojis.push({
        emoji,
        label,
        names: called.split(" "),
        group: group.key,
        parts: parts === "1" ? 1 : parts === "2" ? 2 : 0,
        found: ` ${own.toLowerCase()}\n ${words.toLowerCase()}`,
      });
    }
  }
  return groups;
}

export const emojis = new EmojiTable(read(source.split("\n")));
