import { expect, it } from "vitest";
import { searchTerms } from "./searchTerms";

it("reads words, phrases and what is excluded", () => {
  expect(searchTerms('coffee "in the pot" -tea -"green tea"')).toEqual({
    terms: ["coffee", "in the pot"],
    excludedTerms: ["tea", "green tea"],
  });
  expect(searchTerms("“in the pot”").terms).toEqual(["in the pot"]);
  expect(searchTerms("well-known e-mail").terms).toEqual(["well-known", "e-mail"]);
});

it("makes something of whatever is written", () => {
  expect(searchTerms("")).toEqual({ terms: [], excludedTerms: [] });
  expect(searchTerms('" " - ""')).toEqual({ terms: ["-"], excludedTerms: [] });
  expect(searchTerms('"open').terms).toEqual(["open"]);
  expect(searchTerms(Array.from({ length: 40 }, (_, index) => `w${index}`).join(" ")).terms).toHaveLength(16);
});
