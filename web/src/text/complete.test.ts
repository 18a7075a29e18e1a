import { describe, expect, it } from "vitest";
import { begunAt, completed, fitting } from "./complete";

const begun = (text: string) => begunAt(text, text.length);

describe("what is begun", () => {
  it("is the word after a sign", () => {
    expect(begun("hi @al")).toEqual({ kind: "person", query: "al", from: 3, to: 6 });
    expect(begun("#")).toEqual({ kind: "room", query: "", from: 0, to: 1 });
    expect(begun("(:smi")).toEqual({ kind: "emoji", query: "smi", from: 1, to: 5 });
    expect(begunAt("@al and more", 3)).toEqual({ kind: "person", query: "al", from: 0, to: 3 });
    expect(begun("你好 @zoë.b-c")?.query).toBe("zoë.b-c");
  });

  it("is nothing in words, addresses, times and code", () => {
    for (const text of [
      "al",
      "a@al",
      "https://x.example/@al",
      "https://x.example/#al",
      "https:",
      "5:30",
      ":)",
      ":a",
      "@al ",
      "\\@al",
      "`@al",
      "a\n`b @al",
      "```\n@al",
      "~~~py\na\n\n@al",
    ])
      expect(begun(text), text).toBeUndefined();
    for (const text of ["`a` @al", "```\na\n```\n@al", "`a\n\n@al", "\\` @al"])
      expect(begun(text), text).toBeDefined();
  });
});

describe("what fits", () => {
  const people = [
    { insert: "@mallory", words: ["mallory", "Al Mallory"] },
    { insert: "@bob", words: ["bob", "Bob Alder"] },
    { insert: "@alice", words: ["alice", "Alice"] },
    { insert: "@zoe", words: ["zoë", "Zoë"] },
  ];
  const found = (query: string) => fitting(people, query).map(({ insert }) => insert);

  it("begins so, then has a word that does, then contains it", () => {
    expect(found("al")).toEqual(["@alice", "@mallory", "@bob"]);
    expect(found("ZOE")).toEqual(["@zoe"]);
    expect(found("x")).toEqual([]);
    expect(fitting(people, "", 2).length).toBe(2);
  });

  it("is put in with one space after it", () => {
    const choice = { insert: "@alice", words: ["alice"] };
    const at = { kind: "person", query: "al", from: 3, to: 6 } as const;
    expect(completed("hi @al", at, choice)).toEqual({ text: "@alice ", cursor: 10 });
    expect(completed("hi @al there", at, choice)).toEqual({ text: "@alice", cursor: 10 });
  });
});
