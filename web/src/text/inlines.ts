import { bareAddress, safeAddress, targetAt } from "./links";
import { mentionAt } from "./mentions";
import { type Budget, type Inline, MOST_INLINES_DEEP } from "./tree";

/** A piece of the line: what it is, or a sign whose partner is still looked for. */
interface Piece {
  inline: Inline;
  /** How deep the emphasis in it goes. */
  depth: number;
  sign?: { readonly letter: string; count: number; readonly opens: boolean; readonly closes: boolean };
  before: Piece | undefined;
  after: Piece | undefined;
}

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const SPACE = /[\s\u00a0]/u;
const MARK = /[\p{P}\p{S}]/u;
// Where something may begin that is no plain text.
const SPECIAL = /[\\`*_~[\]!<@hH]/g;
const POINTED = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2048})>/iy;

/**
 * Reads the signs of a paragraph: emphasis, code, links, mentions. Takes time that grows with the length of the text,
 * whatever it is.
 *
 * @param names whom `@name` may call.
 */
export function readInlines(text: string, names: ReadonlySet<string>, budget: Budget): readonly Inline[] {
  return new Line(text, names, budget).read();
}

class Line {
  private first: Piece | undefined;
  private last: Piece | undefined;
  private plain = "";
  /** Open brackets that may become a link. */
  private brackets: Piece[] = [];
  private ticks: Map<number, number[]> | undefined;

  constructor(
    private readonly text: string,
    private readonly names: ReadonlySet<string>,
    private readonly budget: Budget,
  ) {}

  read(): readonly Inline[] {
    const { text } = this;
    let at = 0;
    while (at < text.length) {
      SPECIAL.lastIndex = at;
      const next = this.budget.elements > 0 ? (SPECIAL.exec(text)?.index ?? text.length) : text.length;
      this.plain += text.slice(at, next);
      if (next === text.length) break;
      at = this.special(text.charAt(next), next);
    }
    this.flush();
    this.pair(undefined);
    return this.collect(this.first, undefined);
  }

  /** Reads what begins with a special letter; returns where it ends. */
  private special(letter: string, at: number): number {
    const { text } = this;
    const next = text.charAt(at + 1);
    switch (letter) {
      case "\\":
        if (!PUNCTUATION.test(next)) break;
        this.plain += next;
        return at + 2;
      case "`":
        return this.code(at);
      case "*":
      case "_":
      case "~":
        return this.sign(letter, at);
      case "!":
        if (next !== "[") break;
        this.open("![");
        return at + 2;
      case "[":
        this.open("[");
        return at + 1;
      case "]":
        return this.close(at);
      case "<": {
        POINTED.lastIndex = at;
        const found = POINTED.exec(text);
        const href = found?.[1] === undefined ? undefined : safeAddress(found[1]);
        if (!found?.[1] || href === undefined || !this.budget.take()) break;
        this.push({ kind: "link", href, children: [{ kind: "text", text: found[1] }] });
        return at + found[0].length;
      }
      case "@": {
        const found = this.names.size > 0 ? mentionAt(text, at, this.names) : undefined;
        if (!found || !this.budget.take()) break;
        this.push({ kind: "mention", ...found });
        return at + found.text.length;
      }
      default: {
        if (next !== "t" && next !== "T") break;
        if (/[\p{L}\p{N}]/u.test(text.charAt(at - 1))) break;
        const address = bareAddress(text, at, this.brackets.length > 0);
        if (!address) break;
        const href = safeAddress(address);
        if (href === undefined || !this.budget.take()) this.plain += address;
        else this.push({ kind: "link", href, children: [{ kind: "text", text: address }] });
        return at + address.length;
      }
    }
    this.plain += letter;
    return at + 1;
  }

  /** As many backticks end the code as began it. */
  private code(at: number): number {
    const { text } = this;
    this.ticks ??= runsOfTicks(text);
    let length = 1;
    while (text[at + length] === "`") length++;
    const places = this.ticks.get(length) ?? [];
    while (places.length > 0 && (places.at(-1) ?? 0) <= at) places.pop();
    const end = places.pop();
    if (end === undefined || !this.budget.take()) {
      this.plain += text.slice(at, at + length);
      return at + length;
    }
    let inside = text.slice(at + length, end).replaceAll("\n", " ");
    if (/^ .* $/.test(inside) && inside.trim()) inside = inside.slice(1, -1);
    this.push({ kind: "code", text: inside });
    return end + length;
  }

  private sign(letter: string, at: number): number {
    const { text } = this;
    let end = at;
    while (text[end] === letter) end++;
    const run = text.slice(at, end);
    if (this.budget.signs <= 0 || (letter === "~" && run.length !== 2)) {
      this.plain += run;
      return end;
    }
    this.budget.signs--;
    const before = characterBefore(text, at);
    const after = end < text.length ? String.fromCodePoint(text.codePointAt(end) ?? 32) : " ";
    const follows = !SPACE.test(after) && (!MARK.test(after) || SPACE.test(before) || MARK.test(before));
    const precedes = !SPACE.test(before) && (!MARK.test(before) || SPACE.test(after) || MARK.test(after));
    const opens = letter === "_" ? follows && (!precedes || MARK.test(before)) : follows;
    const closes = letter === "_" ? precedes && (!follows || MARK.test(after)) : precedes;
    this.push({ kind: "text", text: run }).sign = { letter, count: run.length, opens, closes };
    return end;
  }

  private open(text: string): void {
    this.brackets.push(this.push({ kind: "text", text }));
  }

  private close(at: number): number {
    const opener = this.brackets.pop();
    const found = opener && this.text[at + 1] === "(" ? targetAt(this.text, at + 2) : undefined;
    const href = found && safeAddress(found.address);
    if (!opener || !found || href === undefined || !this.budget.take()) {
      this.plain += "]";
      return at + 1;
    }
    this.flush();
    this.pair(opener);
    const inside = this.collect(opener.after, undefined);
    const children = withoutLinks(inside);
    const link: Piece = {
      inline: {
        kind: "link",
        href,
        children: children.length > 0 ? children : [{ kind: "text", text: found.address }],
      },
      depth: 0,
      before: opener.before,
      after: undefined,
    };
    if (opener.before) opener.before.after = link;
    else this.first = link;
    this.last = link;
    // No link is in another; but pictures, which are shown as links, are in links often.
    if (opener.inline.kind === "text" && opener.inline.text === "[") this.brackets = [];
    return found.end;
  }

  /** Pairs the signs of emphasis after a piece, as CommonMark does. */
  private pair(bottom: Piece | undefined): void {
    const floors = new Map<string, Piece | undefined>();
    let closer = bottom ? bottom.after : this.first;
    while (closer) {
      const sign = closer.sign;
      if (!sign?.closes) {
        closer = closer.after;
        continue;
      }
      const key = `${sign.letter}${sign.opens}${sign.count % 3}`;
      const floor = floors.has(key) ? floors.get(key) : bottom;
      let opener = closer.before;
      while (opener && opener !== floor && opener !== bottom && !pairs(opener, closer))
        opener = opener.before;
      if (!opener || opener === floor || opener === bottom) {
        floors.set(key, closer.before);
        closer = closer.after;
        continue;
      }
      closer = this.wrap(opener, closer);
    }
  }

  /** Makes emphasis of what is between two signs; returns the sign to go on with. */
  private wrap(opener: Piece, closer: Piece): Piece | undefined {
    const from = opener.sign;
    const to = closer.sign;
    if (!from || !to) return closer.after;
    const size = to.letter === "~" ? 2 : from.count >= 2 && to.count >= 2 ? 2 : 1;
    let depth = 0;
    for (let piece = opener.after; piece && piece !== closer; piece = piece.after)
      depth = Math.max(depth, piece.depth);
    if (depth < MOST_INLINES_DEEP && this.budget.take()) {
      const kind = to.letter === "~" ? "struck" : size === 2 ? "strong" : "emphasis";
      const made: Piece = {
        inline: { kind, children: this.collect(opener.after, closer) },
        depth: depth + 1,
        before: opener,
        after: closer,
      };
      opener.after = made;
      closer.before = made;
      shorten(opener, size);
      shorten(closer, size);
    } else {
      // Too deep: both stay what they are, and look for no other partner.
      from.count = 0;
      to.count = 0;
      opener.sign = { ...from, opens: false, closes: false };
      closer.sign = { ...to, opens: false, closes: false };
      return closer.after;
    }
    if (from.count === 0) this.drop(opener);
    if (to.count > 0) return closer;
    const after = closer.after;
    this.drop(closer);
    return after;
  }

  private drop(piece: Piece): void {
    if (piece.before) piece.before.after = piece.after;
    else this.first = piece.after;
    if (piece.after) piece.after.before = piece.before;
    else this.last = piece.before;
  }

  private push(inline: Inline): Piece {
    this.flush();
    return this.append(inline);
  }

  private append(inline: Inline): Piece {
    const piece: Piece = { inline, depth: 0, before: this.last, after: undefined };
    if (this.last) this.last.after = piece;
    else this.first = piece;
    this.last = piece;
    return piece;
  }

  private flush(): void {
    if (this.plain) this.append({ kind: "text", text: this.plain });
    this.plain = "";
  }

  /** The inlines from one piece to before another, with neighbouring texts as one. */
  private collect(from: Piece | undefined, to: Piece | undefined): Inline[] {
    const inlines: Inline[] = [];
    let texts: string[] = [];
    const end = () => {
      if (texts.length > 0) inlines.push({ kind: "text", text: texts.join("") });
      texts = [];
    };
    for (let piece = from; piece && piece !== to; piece = piece.after)
      if (piece.inline.kind === "text") texts.push(piece.inline.text);
      else {
        end();
        inlines.push(piece.inline);
      }
    end();
    return inlines;
  }
}

/** Whether two signs make emphasis; CommonMark's rule of three included. */
function pairs(opener: Piece, closer: Piece): boolean {
  const from = opener.sign;
  const to = closer.sign;
  if (!from?.opens || !to || from.letter !== to.letter || from.count === 0) return false;
  const mixed = (from.closes || to.opens) && (from.count + to.count) % 3 === 0;
  return !mixed || (from.count % 3 === 0 && to.count % 3 === 0);
}

function shorten(piece: Piece, size: number): void {
  if (!piece.sign) return;
  piece.sign.count -= size;
  piece.inline = { kind: "text", text: piece.sign.letter.repeat(piece.sign.count) };
}

/** Where runs of backticks of each length begin, the last ones first. */
function runsOfTicks(text: string): Map<number, number[]> {
  const runs = new Map<number, number[]>();
  for (const match of text.matchAll(/`+/g)) {
    const places = runs.get(match[0].length) ?? [];
    places.push(match.index);
    runs.set(match[0].length, places);
  }
  for (const places of runs.values()) places.reverse();
  return runs;
}

function characterBefore(text: string, at: number): string {
  if (at === 0) return " ";
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff && at > 1 ? text.slice(at - 2, at) : text.charAt(at - 1);
}

function withoutLinks(inlines: readonly Inline[]): Inline[] {
  return inlines.flatMap((inline): Inline[] => {
    if (inline.kind === "link") return [...inline.children];
    if ("children" in inline) return [{ ...inline, children: withoutLinks(inline.children) }];
    return [inline];
  });
}
