import { type Inline, wordsOf } from "./tree";

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
/** Longer addresses stay text. */
export const LONGEST_LINK = 2048;
// What cannot be seen, or turns the direction of what follows, is in no address that means well.
const HIDDEN =
  "\\u0000-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180e\\u2000-\\u200f" +
  "\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb";
const ADDRESS = new RegExp(`^(?:https?://|mailto:)[^${HIDDEN}<>"\\\\\`]+$`, "iu");
// Bounded: many may begin in one run of letters.
const BARE = new RegExp(`https?://[^${HIDDEN}<>"\\\\\`|]{1,${LONGEST_LINK}}`, "iuy");
const LABELLED = new RegExp(`[^${HIDDEN}<>]`, "u");
const UNSEEN = new RegExp(`(?![ \\n])[${HIDDEN}]`, "gu");
const HOST = /(?:[\p{L}\p{N}\p{M}_-]+[.\u3002])+[\p{L}\p{N}\p{M}-]{2,}/gu;
/** With longer words, nobody looks for the place in them: it is shown. */
const LONGEST_WORDS = 300;

/** The address, as browsers write it, if it is one that people may follow; undefined otherwise. */
export function safeAddress(text: string): string | undefined {
  if (text.length > LONGEST_LINK || !ADDRESS.test(text)) return undefined;
  try {
    const url = new URL(text);
    return SCHEMES.has(url.protocol) && (url.protocol === "mailto:" || url.host) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The bare address that begins at a place of a text; the empty string if none does.
 *
 * @param bracketed whether the text before it has an open bracket, which then ends the address.
 */
export function bareAddress(text: string, at: number, bracketed: boolean): string {
  BARE.lastIndex = at;
  let found = BARE.exec(text)?.[0] ?? "";
  if (bracketed && found.includes("]")) found = found.slice(0, found.indexOf("]"));
  // The full stop of the sentence, its emphasis, and the bracket around the address do not belong to it.
  let open = 0;
  for (const letter of found) open += letter === "(" ? 1 : letter === ")" ? -1 : 0;
  let end = found.length;
  for (; end > 0; end--) {
    const last = found.charAt(end - 1);
    if (last === ")" && open < 0) open++;
    else if (!".,;:!?'*_~\u2019\u201d\u3002\uff0c\uff01\uff1f".includes(last)) break;
  }
  return found.slice(0, end);
}

export interface Target {
  readonly address: string;
  readonly end: number;
}

/** What stands in the parentheses of `[text](address "title")`; `at` is the place after the first of them. */
export function targetAt(text: string, at: number): Target | undefined {
  let place = at;
  const most = Math.min(text.length, at + LONGEST_LINK);
  while (place < most && (text[place] === " " || text[place] === "\n")) place++;
  let address: string;
  if (text[place] === "<") {
    const end = text.slice(place, most).search(/[>\n]/);
    if (end < 0 || text[place + end] !== ">") return undefined;
    address = text.slice(place + 1, place + end);
    place += end + 1;
  } else {
    const start = place;
    let depth = 0;
    for (; place < most; place++) {
      const letter = text.charAt(place);
      if (!LABELLED.test(letter)) break;
      if (letter === "(" && ++depth > 32) return undefined;
      if (letter === ")" && --depth < 0) break;
    }
    address = text.slice(start, place);
  }
  while (place < most && (text[place] === " " || text[place] === "\n")) place++;
  const quote = text[place];
  if (quote === '"' || quote === "'") {
    const end = text.slice(place + 1, most).indexOf(quote);
    if (end < 0) return undefined;
    place += end + 2;
    while (place < most && text[place] === " ") place++;
  }
  return text[place] === ")" ? { address, end: place + 1 } : undefined;
}

/** Where a link really leads, if its words say otherwise or say it in letters that could be others; else undefined. */
export function realPlace(href: string, children: readonly Inline[]): string | undefined {
  const url = new URL(href);
  const shown = wordsOf(children);
  const place = url.protocol === "mailto:" ? url.pathname : url.host;
  if (url.username || url.password) return place;
  if (shown.length > LONGEST_WORDS) return shown.startsWith(href) ? undefined : place;
  const words = shown.normalize("NFKC").replace(UNSEEN, "").trim();
  if (url.protocol === "mailto:")
    return /[@.]/.test(words) && words.replace(/^mailto:/i, "").split("?")[0] !== place ? place : undefined;
  // "https://[::1]/" and "https://localhost/" are no names with dots.
  const address = /^[a-z]+:\/\/([^/?#]*)/i.exec(words)?.[1];
  const said = address === undefined ? words.match(HOST) : [address];
  return said?.some((host) => plainHost(host) !== plainHost(url.host)) ? place : undefined;
}

function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^www\./, "")
    .replace(/:(?:80|443)$/, "");
}
