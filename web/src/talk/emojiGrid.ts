/** A part of the grid: under a heading, cells in rows of so many. */
export interface Part {
  readonly cells: number;
}

/** A cell: which part, and which of its cells. */
export interface Place {
  readonly part: number;
  readonly cell: number;
}

/**
 * Where a key leads in a grid of several parts.
 *
 * @param parts each with one cell at least.
 * @returns `undefined` if it leads nowhere, and "out" above the first row.
 */
export function step(
  parts: readonly Part[],
  { part, cell }: Place,
  key: string,
  columns: number,
): Place | "out" | undefined {
  const cells = parts[part]?.cells ?? 0;
  const column = cell % columns;
  const row = cell - column;
  const last = (at: number): number => (parts[at]?.cells ?? 1) - 1;
  switch (key) {
    case "next":
      if (cell + 1 < cells) return { part, cell: cell + 1 };
      return part + 1 < parts.length ? { part: part + 1, cell: 0 } : undefined;
    case "previous":
      if (cell > 0) return { part, cell: cell - 1 };
      return part > 0 ? { part: part - 1, cell: last(part - 1) } : undefined;
    case "ArrowDown":
      if (row + columns < cells) return { part, cell: Math.min(cell + columns, cells - 1) };
      return part + 1 < parts.length ? { part: part + 1, cell: Math.min(column, last(part + 1)) } : undefined;
    case "ArrowUp": {
      if (row > 0) return { part, cell: cell - columns };
      if (part === 0) return "out";
      const end = last(part - 1);
      return { part: part - 1, cell: Math.min(end - (end % columns) + column, end) };
    }
    case "Home":
      return { part, cell: row };
    case "End":
      return { part, cell: Math.min(row + columns, cells) - 1 };
    case "PageDown":
      return { part: Math.min(part + 1, parts.length - 1), cell: 0 };
    case "PageUp":
      return { part: Math.max(0, cell === 0 ? part - 1 : part), cell: 0 };
    default:
      return undefined;
  }
}
