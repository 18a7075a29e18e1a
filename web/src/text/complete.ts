/** What somebody has begun to write: a person, a room or an emoji. */
export interface Begun {
  readonly kind: "person" | "room" | "emoji";
  /** What stands after the sign. */
  readonly query: string;
  /** Where the sign is, and where the word ends. */
  readonly from: number;
  readonly to: number;
}

/** Something that may be meant. */
export interface Choice {
  /** What is put into the text, the sign included. */
  readonly insert: string;
  /** What it is found by, the likeliest first: an id, a name, a shortcode. */
  readonly words: readonly string[];
}

const KINDS = { "@": "person", "#": "room", ":": "emoji" } as const;
// As for mentions, a sign within a word, an address or a path begins nothing.
const BEGUN = /(?<![\p{L}\p{N}@#:/\\.+=%&-])([@#:])([\p{L}\p{M}\p{N}_.+-]*)$/u;
const LONGEST = 64;
const FEWEST_OF_EMOJI = 2;

/** What is begun where the cursor is; undefined in code, and where no sign is. */
export function begunAt(text: string, cursor: number): Begun | undefined {
  const found = BEGUN.exec(text.slice(Math.max(0, cursor - LONGEST), cursor));
  const [, sign, query] = found ?? [];
  if (sign === undefined || query === undefined || !(sign in KINDS)) return undefined;
  const kind = KINDS[sign as keyof typeof KINDS];
  // ":)" and "at 5:3" are no emoji.
  if (kind === "emoji" && query.length < FEWEST_OF_EMOJI) return undefined;
  const from = cursor - query.length - 1;
  return inCode(text, from) ? undefined : { kind, query, from, to: cursor };
}

/** The choices that fit what is begun, the best first: those whose first word begins so, then other words, then parts. */
export function fitting<C extends Choice>(choices: readonly C[], query: string, most = 8): readonly C[] {
  const wanted = fold(query);
  const ranked: { choice: C; rank: number; order: number }[] = [];
  choices.forEach((choice, order) => {
    const rank = rankOf(choice.words, wanted);
    if (rank !== undefined) ranked.push({ choice, rank, order });
  });
  ranked.sort((one, other) => one.rank - other.rank || one.order - other.order);
  return ranked.slice(0, most).map(({ choice }) => choice);
}

/** What is put in the place of what is begun, and where the cursor is then: after one space. */
export function completed(text: string, begun: Begun, choice: Choice): { text: string; cursor: number } {
  const space = /^\s/.test(text.slice(begun.to)) ? "" : " ";
  return { text: choice.insert + space, cursor: begun.from + choice.insert.length + 1 };
}

function rankOf(words: readonly string[], wanted: string): number | undefined {
  let best: number | undefined;
  words.forEach((word, at) => {
    const folded = fold(word);
    const place = folded.indexOf(wanted);
    if (place < 0) return;
    const exact = folded === wanted ? 0 : 1;
    const begins = place === 0 ? 0 : /[\s._-]/.test(folded.charAt(place - 1)) ? 1 : 2;
    const rank = begins * 100 + Math.min(at, 9) * 10 + exact;
    if (best === undefined || rank < best) best = rank;
  });
  return best;
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Whether a place is in a fence or between backticks of its paragraph. */
function inCode(text: string, at: number): boolean {
  let fence = "";
  let paragraph = "";
  for (const line of text.slice(0, at).split("\n")) {
    const marks = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/.exec(line)?.[1];
    if (fence) {
      if (marks?.startsWith(fence)) fence = "";
    } else if (marks) fence = marks;
    paragraph = !line.trim() || marks ? "" : `${paragraph}\n${line}`;
  }
  if (fence) return true;
  let open = "";
  for (const [run] of paragraph.matchAll(/(?<!\\)`+/g)) open = open ? (run === open ? "" : open) : run;
  return open !== "";
}
