import { expect, it } from "vitest";
import { diff, patched } from "./diff";

interface Item {
  id: string;
}

const key = (item: Item): string => item.id;
const items = new Map<string, Item>();
const list = (ids: string): Item[] =>
  [...ids].map((id) => {
    const item = items.get(id) ?? { id: id.toLowerCase() };
    items.set(id, item);
    return item;
  });

it("makes the new list of the old one, and sends no object that is in both", () => {
  // A capital letter is a new object with the same key.
  const pairs = [
    "/abc",
    "abc/",
    "abc/abcd",
    "abcd/bcde",
    "abc/aBc",
    "abcdef/fabcde",
    "abc/xyz",
    "abcdef/aCbfxe",
    "abc/cba",
  ];
  for (const pair of pairs) {
    const [before = [], after = []] = pair.split("/").map(list);
    const splices = diff(before, after, key);
    expect(patched(before, splices), pair).toEqual(after);
  }
});

it("sends one object for one that is added, changed or moved up", () => {
  const sent = (pair: string): Item[] => {
    const [before = [], after = []] = pair.split("/").map(list);
    return diff(before, after, key).flatMap(([, , come]) => [...come]);
  };
  expect(sent("abcdefgh/abcdefghi")).toEqual(list("i"));
  expect(sent("abcdefgh/bcdefghi")).toEqual(list("i"));
  expect(sent("abcdefgh/abcDefgh")).toEqual(list("D"));
  expect(sent("abcdefgh/gabcdefh")).toEqual(list("g"));
});

it("survives any change", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const letters = "abcdefghij";
  const some = (): string => {
    const left = [...letters];
    let ids = "";
    for (let count = random(letters.length + 1); count > 0; count -= 1) {
      const [id = ""] = left.splice(random(left.length), 1);
      ids += random(4) === 0 ? id.toUpperCase() : id;
    }
    return ids;
  };
  for (let turn = 0; turn < 2000; turn += 1) {
    const [before, after] = [list(some()), list(some())];
    expect(patched(before, diff(before, after, key))).toEqual(after);
  }
});
