// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { readText } from "./blocks";
import hostile from "./corpus/hostile.json";
import { drawer } from "./drawn";
import { type Emoji, emojis, TONES, toned } from "./EmojiTable";
import { isEmoji, oneSpelling } from "./emoji";
import { mayName } from "./emojis";

const NONE: Emoji = { emoji: "", label: "", names: [], group: "", parts: 0, found: "" };
const all = emojis.drawn().flatMap((group) => group.emojis);
const found = (typed: string, most = 3) => emojis.search(typed, { most }).map(({ names }) => names[0]);

describe("the emoji", () => {
  it("are all that may be a reaction, in one spelling", () => {
    expect(all.length).toBeGreaterThan(1900);
    for (const one of all)
      for (const emoji of [0, 1, 2, 3, 4, 5].map((tone) => toned(one, tone))) {
        expect(isEmoji(emoji), emoji).toBe(true);
        expect(oneSpelling(emoji), emoji).toBe(emoji);
        expect(emojis.of(emoji)?.label, emoji).toBe(one.label);
      }
  });

  it("have names, each of one emoji", () => {
    const names = all.flatMap((one) => one.names);
    expect(names.length).toBe(new Set(names).size);
    expect(all.filter((one) => one.names.length === 0)).toEqual([]);
    expect(names.filter((name) => !mayName(`:${name}:`))).toEqual([]);
    expect(
      ["tada", "+1", "thumbsup", "heart", "joy", "de", "eyes"].map((name) => emojis.byName(name)?.emoji),
    ).toEqual(["🎉", "👍", "👍", "❤️", "😂", "🇩🇪", "👀"]);
  });

  it("have tones of skin where people are in them", () => {
    const wave = emojis.byName("wave");
    const holding = emojis.of("🧑‍🤝‍🧑");
    expect(wave && [0, 1, 5].map((tone) => toned(wave, tone))).toEqual(["👋", "👋🏻", "👋🏿"]);
    expect(holding && toned(holding, 3)).toBe("🧑🏽‍🤝‍🧑🏽");
    expect(toned(emojis.byName("point_up") ?? NONE, 2)).toBe(`☝${TONES[1]}`);
    expect(toned(emojis.byName("tada") ?? NONE, 2)).toBe("🎉");
  });

  it("are found as one types", () => {
    expect(found("tada")[0]).toBe("tada");
    expect(found(":na")).toContain("nail_care");
    expect(found("thumbs up")[0]).toBe("+1");
    expect(found("HELLO")[0]).toBe("wave");
    expect(found("german")[0]).toBe("de");
    expect(emojis.search("th", { most: 1, liked: ["👍🏽"] })[0]?.emoji).toBe("👍");
    expect(found("👋🏽")).toEqual(["wave"]);
    expect(found("")).toEqual([]);
    expect(found("zzzz")).toEqual([]);
    expect(found("|")).toEqual([]);
  });
});

describe("their names in texts", () => {
  const replaced = (text: string) => emojis.replaced(text);

  it("become emoji", () => {
    expect(replaced("well done :tada: **:+1:** (:heart:)")).toBe("well done 🎉 **👍** (❤️)");
    expect(replaced(":tada::tada:")).toBe("🎉🎉");
    expect(replaced("> quoted :wave:\n\n- item :wave:\n\n| a | b |\n|---|---|\n| :wave: | c |")).toBe(
      "> quoted 👋\n\n- item 👋\n\n| a | b |\n|---|---|\n| 👋 | c |",
    );
    expect(emojis.replaced(":wave:", 3)).toBe("👋🏽");
  });

  it("stay in code, in addresses, and where there is no such emoji", () => {
    for (const text of [
      "`:tada:`",
      "a ``b ` :tada:`` c",
      "```\n:tada:\n```",
      "> ~~~\n> :tada:\n> ~~~",
      "- ```\n  :tada:\n  ```",
      "at 10:30:20",
      "std::tada::x",
      "a:tada:",
      "https://example.com/a,:tada:b",
      "<https://example.com/,:tada:>",
      "[x](https://example.com/?q=(:tada:)",
      ":no_such_emoji:",
      "::",
      ": tada :",
    ])
      expect(replaced(text), text).toBe(text);
    expect(replaced("`open :tada:")).toBe("`open 🎉");
  });

  it("change no code, whatever surrounds it", () => {
    const code = (text: string) =>
      JSON.stringify(readText(text), (_, value) => (value?.kind === "code" ? { code: value.text } : value))
        .match(/"code":"(?:[^"\\]|\\.)*"/g)
        ?.join("\n");
    for (const text of hostile as string[]) {
      const whole = `${text} :tada:\n\`:tada:\` ${text}`;
      const after = replaced(whole);
      expect(code(after), whole).toBe(code(whole));
    }
  });
});

it("leaves out what has no picture", () => {
  const widths: Record<string, number> = {
    "😀": 40,
    "🚀": 40,
    "🦊": 40,
    "\u{1fffd}": 20,
    "👨‍👩‍👧": 120,
    "🪎": 20,
    "🎉": 41,
    "🇩🇪": 40,
    "🇩": 38,
    "🇫🇷": 40,
    "🇫": 20,
  };
  const draws = drawer((text) => widths[text] ?? 0);
  expect(["👨‍👩‍👧", "🪎", "🎉", "🇩🇪", "🇫🇷"].map(draws)).toEqual([false, false, true, true, false]);
  // No font of emoji, and one that has a few faces among its letters.
  expect(drawer(() => 20)("🪎")).toBe(true);
  expect(drawer((text) => (text === "😀" ? 30 : 20))("🪎")).toBe(true);
});
