import { describe, expect, it } from "vitest";
import { Heights } from "./Heights";
import { LogRows } from "./LogRows";

describe("Heights", () => {
  it("sum and find as counting one by one does", () => {
    const plain = Array.from({ length: 137 }, (_, at) => 20 + ((at * 7919) % 90));
    const heights = new Heights(plain);
    for (const [index, height] of [
      [0, 5],
      [64, 300],
      [136, 41.5],
    ] as const) {
      plain[index] = height;
      heights.set(index, height);
    }
    let sum = 0;
    plain.forEach((height, index) => {
      expect(heights.offset(index)).toBeCloseTo(sum);
      expect([heights.indexAt(sum), heights.indexAt(sum + height - 0.25)]).toEqual([index, index]);
      sum += height;
    });
    expect(heights.total).toBeCloseTo(sum);
    expect([heights.indexAt(-1), heights.indexAt(sum + 1)]).toEqual([0, 136]);
  });

  it("may be those of no rows", () => {
    const heights = new Heights([]);
    expect([heights.total, heights.count, heights.indexAt(10)]).toEqual([0, 0, 0]);
  });
});

describe("LogRows", () => {
  const rowsOf = (...keys: string[]) => ({ rows: keys, keyOf: (key: string) => key, heightOf: () => 100 });

  it("keep what was measured when rows come and go", () => {
    const rows = new LogRows<string>();
    rows.take(rowsOf("a", "b", "c"));
    rows.measure(1, 250);
    rows.measure(2, 0);
    rows.take(rowsOf("z", "b", "c", "d"));
    expect(rows.heights.offset(4)).toBe(550);
  });

  it("are never too many at once, however low they are", () => {
    const rows = new LogRows<string>();
    rows.take({ ...rowsOf(...Array.from({ length: 5000 }, (_, at) => String(at))), heightOf: () => 1 });
    const { from, to } = rows.between(1000, 3000);
    expect([from, to]).toEqual([1880, 2120]);
  });

  it("find the first that is left, and what came after one", () => {
    const rows = new LogRows<string>();
    rows.take(rowsOf("b", "c", "d", "e"));
    expect(
      rows.survivor([
        { key: "a", top: 1 },
        { key: "d", top: 3 },
        { key: "c", top: 2 },
      ]),
    ).toEqual({
      anchor: { key: "d", top: 3 },
      index: 2,
    });
    expect(rows.survivor([{ key: "x", top: 1 }])).toBeUndefined();
    expect([rows.after("c"), rows.after("x")]).toEqual([["d", "e"], []]);
  });
});
