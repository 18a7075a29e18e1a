export interface Span {
  readonly text: string;
  readonly marked: boolean;
}

/** Where something was found, in code points, as the server counts. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** So much is shown before the first place that was found, and in all. */
const BEFORE = 60;
const MOST = 400;

/** A text in pieces, of which some are marked; of a long text the part where something was found. */
export function spansOf(text: string, ranges: readonly Range[]): Span[] {
  const points = [...text];
  const first = ranges[0]?.start ?? 0;
  const from = points.length > MOST ? Math.max(0, Math.min(first - BEFORE, points.length - MOST)) : 0;
  const to = Math.min(points.length, from + MOST);
  const spans: Span[] = [];
  const add = (start: number, end: number, marked: boolean) => {
    const piece = points.slice(Math.max(start, from), Math.min(end, to)).join("");
    if (piece) spans.push({ text: piece, marked });
  };
  let at = from;
  if (from > 0) spans.push({ text: "… ", marked: false });
  for (const { start, end } of ranges) {
    if (end <= at || start >= to) continue;
    add(at, start, false);
    add(Math.max(at, start), end, true);
    at = end;
  }
  add(at, to, false);
  if (to < points.length) spans.push({ text: " …", marked: false });
  return spans;
}
