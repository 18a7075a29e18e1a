import { expect, it } from "vitest";
import { isEmoji, isOnlyEmoji, oneSpelling } from "./emoji";

it("is an emoji what the server takes for one", () => {
  for (const text of ["👍", "👍🏽", "❤", "❤️", "🇩🇪", "#️⃣", "1⃣", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈", "©", "☺️"])
    expect(isEmoji(text), text).toBe(true);
  for (const text of ["", "a", "1", "👍👍", " 👍", "👍a", "\u200d", "\ufe0f", "🏽👍a", "🇩", "<b>"])
    expect(isEmoji(text), text).toBe(false);
});

it("is spelled in one way", () => {
  expect(["❤", "❤️", "👍\ufe0f", "1⃣", "☝🏽", "⌚️"].map(oneSpelling)).toEqual([
    "❤️",
    "❤️",
    "👍",
    "1️⃣",
    "☝🏽",
    "⌚",
  ]);
});

it("may be shown large where there is nothing else", () => {
  expect(["👍", " 👍 🎉 ", "👍👍🏽"].map(isOnlyEmoji)).toEqual([true, true, true]);
  expect(["", "👍 ok", "1", "👍".repeat(13)].map(isOnlyEmoji)).toEqual([false, false, false, false]);
});
