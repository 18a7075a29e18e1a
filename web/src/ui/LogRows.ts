import { Heights } from "./Heights";

/** A part of the rows: from one to before another. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A row, and how far below the upper edge of what one sees it is. */
export interface Anchor {
  readonly key: string;
  readonly top: number;
}

/** What a log's rows are and how high. */
export interface RowsOf<Row> {
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly heightOf?: (row: Row) => number;
}

/** Rows in the page at once, whatever the heights are. */
const MOST_ROWS = 240;
const GUESS = 60;

/** The rows of a log as heights: those that were measured, and guesses for the rest. */
export class LogRows<Row> {
  /** How far the rows are from where the sum of the heights above them puts them. */
  drift = 0;
  heights = new Heights([]);
  private of: RowsOf<Row> = { rows: [], keyOf: () => "" };
  private readonly measured = new Map<string, number>();

  take(of: RowsOf<Row>): void {
    this.of = of;
    const heights = new Float64Array(of.rows.length);
    of.rows.forEach((row, index) => {
      heights[index] = this.measured.get(of.keyOf(row)) ?? of.heightOf?.(row) ?? GUESS;
    });
    this.heights = new Heights(heights);
  }

  keyAt(index: number): string | undefined {
    const row = this.of.rows[index];
    return row === undefined ? undefined : this.of.keyOf(row);
  }

  indexOf(key: string): number {
    return this.of.rows.findIndex((row) => this.of.keyOf(row) === key);
  }

  measure(index: number, height: number): void {
    const key = this.keyAt(index);
    if (key === undefined || height === 0) return;
    this.heights.set(index, height);
    this.measured.set(key, height);
  }

  /** The rows between two distances from the top, but not too many. */
  between(top: number, bottom: number): Range {
    if (this.heights.count === 0) return { from: 0, to: 0 };
    const from = this.heights.indexAt(top);
    const to = this.heights.indexAt(bottom) + 1;
    const over = Math.max(0, to - from - MOST_ROWS);
    return { from: from + Math.floor(over / 2), to: to - Math.ceil(over / 2) };
  }

  last(viewport: number): Range {
    const { total } = this.heights;
    return this.between(total - viewport * 2, total);
  }

  around(anchor: Anchor, viewport: number): Range {
    const y = this.heights.offset(Math.max(0, this.indexOf(anchor.key))) - anchor.top;
    return this.between(y - viewport, y + viewport * 2);
  }

  /** The first of some rows that is still there, and its index. */
  survivor(anchors: readonly Anchor[]): { anchor: Anchor; index: number } | undefined {
    const orders = new Map(anchors.map(({ key }, order) => [key, order]));
    let best: { order: number; index: number } | undefined;
    this.of.rows.forEach((row, index) => {
      const order = orders.get(this.of.keyOf(row));
      if (order !== undefined && (!best || order < best.order)) best = { order, index };
    });
    const anchor = best && anchors[best.order];
    return best && anchor && { anchor, index: best.index };
  }

  /** The rows after one; none if it is not there, because then nobody knows. */
  after(key: string): readonly Row[] {
    const { rows, keyOf } = this.of;
    let at = rows.length - 1;
    for (; at >= 0; at--) {
      const row = rows[at];
      if (row !== undefined && keyOf(row) === key) return rows.slice(at + 1);
    }
    return [];
  }
}
