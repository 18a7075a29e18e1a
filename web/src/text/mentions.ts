/** Whom a message calls, as the server counted it; and who reads it. */
export interface Mentioned {
  readonly userIds: readonly string[];
  readonly room: boolean;
  readonly me?: string;
}

// The server's rule (core/mention_names.py): the name is as long as it can be, and an @ in a word, an address or a
// path calls nobody. Scripts without spaces between words may touch a name.
const UNSPACED =
  "\\u0e00-\\u0eff\\u1000-\\u109f\\u1100-\\u11ff\\u1780-\\u17ff\\u2e80-\\u9fff\\ua960-\\ua97f\\uac00-\\ud7ff" +
  "\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
const WORD = "[\\p{L}\\p{N}_]";
const LETTER = `(?:(?![${UNSPACED}])${WORD})`;
// Marks: names are compared in NFC, where a letter and its mark are one; here they may be two.
const MARKED = `${WORD}\\p{M}*`;
const NAME = new RegExp(`@(?=((?:${MARKED})+(?:[._-](?:${MARKED})+)*))\\1(?!@|/${WORD})`, "uy");
const PLAIN = new RegExp(`^(?:${LETTER}\\p{M}*)+(?:[._-](?:${LETTER}\\p{M}*)+)*(?=[${UNSPACED}])`, "u");
const BEFORE = new RegExp(`(?:${LETTER}\\p{M}*|[@/\\\\.+=%&#-])$`, "u");

export interface MentionAt {
  readonly name: string;
  /** What stands in the text, with the @. */
  readonly text: string;
}

/** The mention that begins at a place of a text, where an @ is; undefined if it calls nobody. */
export function mentionAt(text: string, at: number, names: ReadonlySet<string>): MentionAt | undefined {
  if (BEFORE.test(text.slice(Math.max(0, at - 4), at))) return undefined;
  NAME.lastIndex = at;
  const name = NAME.exec(text)?.[1];
  if (name === undefined || name.length > 512) return undefined;
  for (const candidate of [name, PLAIN.exec(name)?.[0]]) {
    if (candidate === undefined) continue;
    const composed = candidate.normalize("NFC");
    for (const spelled of [composed, composed.toLowerCase()])
      if (names.has(spelled)) return { name: spelled, text: `@${candidate}` };
  }
  return undefined;
}

/** The names to look for in a text. */
export function namesOf(mentioned: Mentioned | undefined): ReadonlySet<string> {
  const names = new Set(mentioned?.userIds);
  if (mentioned?.room) names.add("room");
  return names;
}
