/** The heights of many rows: sums and places in them take the logarithm of their number (a Fenwick tree). */
export class Heights {
  private readonly own: Float64Array;
  private readonly sums: Float64Array;
  private readonly top: number;

  constructor(heights: ArrayLike<number>) {
    const { length } = heights;
    this.own = Float64Array.from(heights);
    this.sums = new Float64Array(length + 1);
    for (let at = 1; at <= length; at++) {
      this.sums[at] = (this.sums[at] ?? 0) + (this.own[at - 1] ?? 0);
      const parent = at + (at & -at);
      if (parent <= length) this.sums[parent] = (this.sums[parent] ?? 0) + (this.sums[at] ?? 0);
    }
    this.top = length === 0 ? 0 : 2 ** Math.floor(Math.log2(length));
  }

  get count(): number {
    return this.own.length;
  }

  get total(): number {
    return this.offset(this.count);
  }

  of(index: number): number {
    return this.own[index] ?? 0;
  }

  set(index: number, height: number): void {
    const more = height - (this.own[index] ?? height);
    if (more === 0) return;
    this.own[index] = height;
    for (let at = index + 1; at <= this.count; at += at & -at) this.sums[at] = (this.sums[at] ?? 0) + more;
  }

  /** How far from the top a row begins. */
  offset(index: number): number {
    let sum = 0;
    for (let at = Math.min(index, this.count); at > 0; at -= at & -at) sum += this.sums[at] ?? 0;
    return sum;
  }

  /** The row at a distance from the top; the first or the last one beyond the ends. */
  indexAt(distance: number): number {
    let at = 0;
    let rest = distance;
    for (let step = this.top; step >= 1; step /= 2)
      if (at + step <= this.count && (this.sums[at + step] ?? 0) <= rest) {
        at += step;
        rest -= this.sums[at] ?? 0;
      }
    return Math.max(0, Math.min(at, this.count - 1));
  }
}
