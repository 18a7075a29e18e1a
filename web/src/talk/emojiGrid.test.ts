import { expect, it } from "vitest";
import { step } from "./emojiGrid";

const PARTS = [{ cells: 10 }, { cells: 3 }, { cells: 5 }];
const from = (part: number, cell: number, key: string) => {
  const to = step(PARTS, { part, cell }, key, 4);
  return typeof to === "object" ? [to.part, to.cell] : to;
};

it("moves along a row, and over its ends", () => {
  expect(from(0, 3, "next")).toEqual([0, 4]);
  expect(from(0, 9, "next")).toEqual([1, 0]);
  expect(from(2, 4, "next")).toBeUndefined();
  expect(from(1, 0, "previous")).toEqual([0, 9]);
  expect(from(0, 0, "previous")).toBeUndefined();
  expect(from(0, 6, "Home")).toEqual([0, 4]);
  expect(from(0, 8, "End")).toEqual([0, 9]);
});

it("moves between rows that are not equally long, and parts", () => {
  expect(from(0, 1, "ArrowDown")).toEqual([0, 5]);
  expect(from(0, 7, "ArrowDown")).toEqual([0, 9]);
  expect(from(0, 9, "ArrowDown")).toEqual([1, 1]);
  expect(from(1, 2, "ArrowDown")).toEqual([2, 2]);
  expect(from(2, 4, "ArrowDown")).toBeUndefined();
  expect(from(2, 3, "ArrowUp")).toEqual([1, 2]);
  expect(from(1, 1, "ArrowUp")).toEqual([0, 9]);
  expect(from(0, 2, "ArrowUp")).toBe("out");
  expect(from(0, 7, "PageDown")).toEqual([1, 0]);
  expect(from(1, 2, "PageUp")).toEqual([1, 0]);
  expect(from(1, 0, "PageUp")).toEqual([0, 0]);
  expect(from(0, 0, "x")).toBeUndefined();
});
