import { expect, it } from "vitest";
import { fitting, rank } from "./matching";

const found = (typed: string, ...names: string[]) => fitting(names, typed, (name) => [name]);

it("puts what begins with it before what has it inside", () => {
  expect(found("gen", "agenda", "the general", "general", "gen", "tea")).toEqual([
    "gen",
    "general",
    "the general",
    "agenda",
  ]);
});

it("looks at letters, not at accents or case", () => {
  expect(found("zoe", "Zoë", "ZOÉ", "z.o.e")).toEqual(["Zoë", "ZOÉ"]);
  expect(found("straße", "Strasse", "Straße")).toEqual(["Straße"]);
  expect(found("日", "日本")).toEqual(["日本"]);
});

it("wants all words that were typed, in any order", () => {
  expect(found("team des", "Design team", "Team", "Design")).toEqual(["Design team"]);
});

it("keeps the order where nothing was typed, and takes signs as they are", () => {
  expect(found(" ", "b", "a")).toEqual(["b", "a"]);
  expect(found("c++ (", "c++ (old)", "cc")).toEqual(["c++ (old)"]);
  expect(rank("a", "b")).toBeUndefined();
});
