import { readText } from "./blocks";
import { replaceNames } from "./emojis";
import type { Block, Inline } from "./tree";

/**
 * A text with emoji in place of their names. Names in code and in addresses stay: the text is read as those who show
 * it read it, with a mark for each name, and a name is replaced only where its mark comes out as text.
 */
export function withEmojis(text: string, emojiOf: (name: string) => string | undefined): string {
  const mark = unusedIn(text);
  if (mark === undefined) return text;
  const named: string[] = [];
  const marked = replaceNames(text, (name, code) => {
    const emoji = emojiOf(name);
    if (emoji === undefined) return code;
    named.push(emoji);
    return mark + (named.length - 1) + mark;
  });
  if (named.length === 0) return text;
  const marks = new RegExp(`${mark}(\\d+)${mark}`, "g");
  const asText = new Set<number>();
  const asCode = new Set<number>();
  const note = (said: string, where: Set<number>) => {
    for (const [, index] of said.matchAll(marks)) where.add(Number(index));
  };
  const inline = (one: Inline) => {
    if (one.kind === "text") note(one.text, asText);
    else if (one.kind === "code") note(one.text, asCode);
    else if (one.kind === "link") {
      note(decoded(one.href), asCode);
      one.children.forEach(inline);
    } else if (one.kind !== "mention") one.children.forEach(inline);
  };
  const block = (one: Block) => {
    if (one.kind === "code") note(`${one.language}\n${one.text}`, asCode);
    else if (one.kind === "quote") one.children.forEach(block);
    else if (one.kind === "list") for (const item of one.items) item.children.forEach(block);
    else if (one.kind === "table") for (const cells of [one.head, ...one.rows]) cells.flat().forEach(inline);
    else one.children.forEach(inline);
  };
  readText(marked).forEach(block);
  let index = -1;
  return replaceNames(text, (name, code) => {
    if (emojiOf(name) === undefined) return code;
    index++;
    return asText.has(index) && !asCode.has(index) ? (named[index] ?? code) : code;
  });
}

/** A character of nobody's that a text does not have. */
function unusedIn(text: string): string | undefined {
  for (let code = 0xe000; code < 0xe020; code++)
    if (!text.includes(String.fromCharCode(code))) return String.fromCharCode(code);
  return undefined;
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}
