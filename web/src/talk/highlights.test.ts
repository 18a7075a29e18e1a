import { expect, it } from "vitest";
import { spansOf } from "./highlights";

const marked = (text: string, ...ranges: [number, number][]) =>
  spansOf(
    text,
    ranges.map(([start, end]) => ({ start, end })),
  ).map((span) => (span.marked ? `[${span.text}]` : span.text));

it("marks what was found, counting code points", () => {
  expect(marked("a coffee, please", [2, 8])).toEqual(["a ", "[coffee]", ", please"]);
  expect(marked("🎉🎉 coffee", [3, 9])).toEqual(["🎉🎉 ", "[coffee]"]);
  expect(marked("coffee", [0, 3], [3, 6])).toEqual(["[cof]", "[fee]"]);
});

it("shows of a long text where something was found", () => {
  const found = marked(`${"x".repeat(1000)}coffee${"y".repeat(1000)}`, [1000, 1006]);
  expect(found).toEqual(["… ", "x".repeat(60), "[coffee]", "y".repeat(334), " …"]);
});

it("survives ranges that a text does not have", () => {
  expect(marked("abc", [1, 99], [200, 300])).toEqual(["a", "[bc]"]);
  expect(marked("", [0, 5])).toEqual([]);
});
