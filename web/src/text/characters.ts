// Characters that make the ones after them read backwards, and those that have no business in a line of text.
const TURNS = /(?![\t\n\r])\p{Cc}|[\u202a-\u202e]/gu;
const HIDDEN =
  /\p{Cc}|[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\u{e0000}-\u{e001f}]/gu;

const escaped = (character: string) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;

/** Text of several lines, with what turns its direction or controls devices shown as escapes. */
export function harmless(text: string): string {
  return text.replace(TURNS, escaped);
}

/**
 * A name, a topic or the name of a file, with all that cannot be seen shown as escapes (`\u202e`), so that no name
 * looks like another. Put it into a `<bdi>`, so that its direction does not turn what is beside it.
 */
export function harmlessLine(text: string): string {
  return text.replace(HIDDEN, escaped);
}

/** A name or a topic for a sentence: its own direction, whatever that is, orders it and nothing else. */
export function isolated(text: string): string {
  return `\u2068${harmlessLine(text)}\u2069`;
}
