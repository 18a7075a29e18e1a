/** What changed in a list of plain objects, so that pages get that alone. */

/** At an index of the list as it is by then: so many go, and these come. */
export type Splice<T> = readonly [at: number, gone: number, come: readonly T[]];

/** The splices that make `after` of `before`; objects that are the same in both are not in them. */
export function diff<T>(before: readonly T[], after: readonly T[], key: (item: T) => string): Splice<T>[] {
  let start = 0;
  const least = Math.min(before.length, after.length);
  while (start < least && before[start] === after[start]) start += 1;
  let oldEnd = before.length;
  let newEnd = after.length;
  while (oldEnd > start && newEnd > start && before[oldEnd - 1] === after[newEnd - 1]) {
    oldEnd -= 1;
    newEnd -= 1;
  }
  if (oldEnd === start && newEnd === start) return [];
  const splices: Splice<T>[] = [];
  const coming = new Set<string>();
  for (let at = start; at < newEnd; at += 1) coming.add(key(after[at] as T));
  const left = new Set<string>();
  for (let at = start; at < oldEnd; at += 1) left.add(key(before[at] as T));
  let old = start;
  let at = start;
  // Those of the old list that have been put further up already.
  const moved = new Set<string>();
  const add = (gone: number, come: readonly T[]): void => {
    const last = splices[splices.length - 1];
    if (last && last[0] + last[2].length === at)
      splices[splices.length - 1] = [last[0], last[1] + gone, [...last[2], ...come]];
    else splices.push([at, gone, come]);
  };
  while (old < oldEnd || at < newEnd) {
    const from = old < oldEnd ? (before[old] as T) : undefined;
    const to = at < newEnd ? (after[at] as T) : undefined;
    if (from !== undefined && from === to) {
      old += 1;
      at += 1;
      continue;
    }
    const fromKey = from === undefined ? undefined : key(from);
    if (fromKey !== undefined && (moved.has(fromKey) || !coming.has(fromKey))) {
      add(1, []);
      old += 1;
      continue;
    }
    if (to === undefined) {
      add(1, []);
      old += 1;
      continue;
    }
    const toKey = key(to);
    if (fromKey === toKey) {
      add(1, [to]);
      old += 1;
    } else {
      if (left.has(toKey)) moved.add(toKey);
      add(0, [to]);
    }
    at += 1;
  }
  return splices;
}

export function patched<T>(before: readonly T[], splices: readonly Splice<T>[]): T[] {
  const list = [...before];
  for (const [at, gone, come] of splices) list.splice(at, gone, ...come);
  return list;
}
