import { readInlines } from "./inlines";
import { type Mentioned, namesOf } from "./mentions";
import { type Align, type Block, Budget, type Inline, type Item, MOST_BLOCKS_DEEP } from "./tree";

// Fences and quotes are those in which the server counts no mention (core/mention_names.py).
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])([ \t]+)(?=\S)/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(\S.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const TASK = /^\[([ xX])\][ \t]+(?=\S)/;
// Without its spaces.
const DELIMITERS = /^\|?:?-+:?(?:\|:?-+:?)*\|?$/;
const INDENT = /^[ \t]*/;
const MOST_COLUMNS = 32;
const LONGEST_LANGUAGE = 32;
const NOBODY: ReadonlySet<string> = new Set();

/** Reads the text of a message. It takes time that grows with the length of the text, whatever it says. */
export function readText(text: string, mentioned?: Mentioned): readonly Block[] {
  return new Reader(namesOf(mentioned)).read(text.split(/\r\n|[\n\r]/), 0, false);
}

class Reader {
  private readonly budget = new Budget();

  constructor(private readonly names: ReadonlySet<string>) {}

  read(lines: readonly string[], depth: number, quoted: boolean): Block[] {
    const blocks: Block[] = [];
    let paragraph: string[] = [];
    const end = () => {
      const text = paragraph.join("\n").trimEnd();
      if (text) {
        this.budget.take();
        blocks.push({ kind: "paragraph", children: this.inlines(text, quoted) });
      }
      paragraph = [];
    };
    let at = 0;
    while (at < lines.length) {
      const line = lines[at] ?? "";
      if (!line.trim()) {
        end();
        at++;
        continue;
      }
      const found = this.budget.take()
        ? this.block(lines, at, depth, quoted, paragraph.length > 0)
        : undefined;
      if (this.budget.elements <= 0) {
        // The rest is one text, as it was written.
        blocks.push({
          kind: "paragraph",
          children: [{ kind: "text", text: [...paragraph, ...lines.slice(at)].join("\n") }],
        });
        return blocks;
      }
      if (!found) {
        // A line of text costs nothing: only what begins something does.
        this.budget.elements++;
        paragraph.push(line);
        at++;
        continue;
      }
      end();
      blocks.push(found.block);
      at = found.end;
    }
    end();
    return blocks;
  }

  /** What begins at a line, and the line after it; undefined for a line of text. */
  private block(
    lines: readonly string[],
    at: number,
    depth: number,
    quoted: boolean,
    inParagraph: boolean,
  ): { block: Block; end: number } | undefined {
    const line = lines[at] ?? "";
    const fence = FENCE.exec(line);
    if (fence) return fenced(lines, at, fence);
    const heading = HEADING.exec(line);
    if (heading) {
      const text = (heading[2] ?? "")
        .trimEnd()
        .replace(/[ \t]#+$/, "")
        .trimEnd();
      const children = this.inlines(text, quoted);
      return { block: { kind: "heading", level: heading[1]?.length ?? 1, children }, end: at + 1 };
    }
    if (depth < MOST_BLOCKS_DEEP) {
      if (QUOTE.test(line)) return this.quote(lines, at, depth);
      const item = RULE.test(line) ? null : ITEM.exec(line);
      // "In\n1984. It was" is no list.
      if (item && !(inParagraph && item[3] !== undefined && Number(item[3]) !== 1))
        return this.list(lines, at, depth, quoted);
    }
    return inParagraph ? undefined : this.table(lines, at, quoted);
  }

  private quote(lines: readonly string[], at: number, depth: number): { block: Block; end: number } {
    const inside: string[] = [];
    let end = at;
    for (; end < lines.length && QUOTE.test(lines[end] ?? ""); end++)
      inside.push((lines[end] ?? "").replace(QUOTE, ""));
    return { block: { kind: "quote", children: this.read(inside, depth + 1, true) }, end };
  }

  private list(
    lines: readonly string[],
    at: number,
    depth: number,
    quoted: boolean,
  ): { block: Block; end: number } {
    const items: Item[] = [];
    const first = ITEM.exec(lines[at] ?? "");
    const sign = signOf(first);
    let place = at;
    do {
      this.budget.take();
      const match = ITEM.exec(lines[place] ?? "");
      if (!match || signOf(match) !== sign || RULE.test(lines[place] ?? "")) break;
      const begin = (match[1]?.length ?? 0) + (match[2]?.length ?? 0) + Math.min(4, match[4]?.length ?? 1);
      const inside = [(lines[place] ?? "").slice(match[0].length)];
      place++;
      for (; place < lines.length; place++) {
        const line = lines[place] ?? "";
        const indent = INDENT.exec(line.replaceAll("\t", "    "))?.[0].length ?? 0;
        // A blank line belongs to the item if what follows it does.
        if (!line.trim() ? indentAfter(lines, place) < 2 : indent < Math.min(2, begin)) break;
        inside.push(unindented(line, begin));
      }
      const task = TASK.exec(inside[0] ?? "");
      if (task) inside[0] = (inside[0] ?? "").slice(task[0].length);
      const children = this.read(inside, depth + 1, quoted);
      items.push(task ? { done: task[1] !== " ", children } : { children });
      // The next item of the same list may stand after one blank line.
      if (
        place + 1 < lines.length &&
        !(lines[place] ?? "").trim() &&
        signOf(ITEM.exec(lines[place + 1] ?? "")) === sign
      )
        place++;
    } while (place < lines.length && this.budget.elements > 0);
    const number = first?.[3];
    const block: Block =
      number === undefined ? { kind: "list", items } : { kind: "list", start: Number(number), items };
    return { block, end: place };
  }

  private table(
    lines: readonly string[],
    at: number,
    quoted: boolean,
  ): { block: Block; end: number } | undefined {
    const line = lines[at] ?? "";
    const under = lines[at + 1] ?? "";
    if (!line.includes("|") || !under.includes("-") || !DELIMITERS.test(under.replace(/[ \t]/g, "")))
      return undefined;
    const head = cellsOf(line);
    const align = cellsOf(under).map(alignOf);
    if (head.length !== align.length || head.length > MOST_COLUMNS) return undefined;
    const read = (cells: readonly string[]) => {
      this.budget.take(head.length);
      return head.map((_, column) => this.inlines(cells[column] ?? "", quoted));
    };
    const top = read(head);
    const rows: Inline[][][] = [];
    let end = at + 2;
    for (
      ;
      end < lines.length && (lines[end] ?? "").includes("|") && this.budget.elements > head.length;
      end++
    )
      rows.push(read(cellsOf(lines[end] ?? "")).map((cell) => [...cell]));
    return { block: { kind: "table", align, head: top, rows }, end };
  }

  private inlines(text: string, quoted: boolean): readonly Inline[] {
    return readInlines(text, quoted ? NOBODY : this.names, this.budget);
  }
}

function fenced(lines: readonly string[], at: number, fence: RegExpExecArray): { block: Block; end: number } {
  const indent = fence[1]?.length ?? 0;
  const marks = fence[2] ?? "```";
  const language = ((lines[at] ?? "").slice(fence[0].length).trim().split(/\s/, 1)[0] ?? "").slice(
    0,
    LONGEST_LANGUAGE,
  );
  const inside: string[] = [];
  let end = at + 1;
  for (; end < lines.length; end++) {
    const line = lines[end] ?? "";
    const close = FENCE.exec(line);
    if (close?.[2]?.startsWith(marks) && !line.slice(close[0].length).trim()) break;
    inside.push(unindented(line, indent));
  }
  return { block: { kind: "code", language, text: inside.join("\n") }, end: end + 1 };
}

/** What the items of one list have in common: its kind of bullet, or of stop after its numbers. */
function signOf(item: RegExpExecArray | null): string {
  return item?.[2]?.at(-1) ?? "";
}

function indentAfter(lines: readonly string[], at: number): number {
  const next = lines[at + 1] ?? "";
  return next.trim() ? (INDENT.exec(next.replaceAll("\t", "    "))?.[0].length ?? 0) : 0;
}

function unindented(line: string, most: number): string {
  let at = 0;
  for (let width = 0; at < line.length && width < most; at++) {
    if (line[at] === " ") width++;
    else if (line[at] === "\t") width += 4;
    else break;
  }
  return line.slice(at);
}

function cellsOf(line: string): string[] {
  const cells: string[] = [];
  let cell = "";
  const row = line.trim().replace(/^\|/, "");
  for (let at = 0; at < row.length; at++) {
    if (row[at] === "\\" && row[at + 1] === "|") {
      cell += "|";
      at++;
    } else if (row[at] === "|") {
      cells.push(cell.trim());
      cell = "";
      if (cells.length > MOST_COLUMNS) return cells;
    } else cell += row[at];
  }
  if (cell.trim() || cells.length === 0) cells.push(cell.trim());
  return cells;
}

function alignOf(cell: string): Align {
  const start = cell.startsWith(":");
  const end = cell.endsWith(":");
  if (start && end) return "center";
  return end ? "end" : start ? "start" : undefined;
}
