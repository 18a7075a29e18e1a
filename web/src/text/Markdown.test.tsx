// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import hostile from "./corpus/hostile.json";
import { Markdown, plainText } from "./Markdown";
import type { Mentioned } from "./mentions";

/** The elements that a text may become, and what they may carry. */
const ALLOWED: Record<string, RegExp> = {
  A: /^(class=markdown__link|href=(https?:\/\/|mailto:)[^\s<>"]*|target=_blank|rel=noopener noreferrer nofollow)$/s,
  BDI: /^class=(markdown__(place|mention|mention markdown__mention--mine)|code-block__language)$/,
  BLOCKQUOTE: /^(class=markdown__quote|dir=auto)$/,
  BUTTON: /^(type=button|class=icon-button icon-button--small|(title|aria-label)=Copy)$/,
  CODE: /^class=markdown__code$/,
  DIV: /^class=(markdown|code-block__bar)$/,
  EM: /^$/,
  FIGURE: /^class=code-block$/,
  LI: /^class=markdown__item( markdown__item--task)?$/,
  OL: /^(class=markdown__list|dir=auto|start=\d+)$/,
  P: /^(class=markdown__(paragraph|heading markdown__heading--[1-6])|dir=auto)$/,
  PATH: /^d=[-\w. ]+$/i,
  PRE: /^(class=code-block__text|dir=ltr|tabindex=0)$/i,
  S: /^$/,
  SECTION: /^(class=markdown__table|aria-label=Table|tabindex=0)$/i,
  SPAN: /^(class=(markdown__box|code-block__(keyword|string|number|title|comment))|role=img|aria-label=(Done|To do):)$/,
  STRONG: /^$/,
  SVG: /^(width|height|viewBox|fill|stroke|stroke-width|stroke-linecap|stroke-linejoin|aria-hidden)=[-\w. ]+$/i,
  TABLE: /^$/,
  TBODY: /^$/,
  TD: /^(class=markdown__cell--(start|center|end)|dir=auto)$/,
  TH: /^(class=markdown__cell--(start|center|end)|dir=auto)$/,
  THEAD: /^$/,
  TR: /^$/,
  UL: /^(class=markdown__list|dir=auto)$/,
};

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
});

afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(text: string, mentioned?: Mentioned): Promise<HTMLElement> {
  await act(() => render(<Markdown text={text} {...(mentioned && { mentioned })} />, root));
  return root;
}

describe("a hostile text", () => {
  it("becomes no element and no attribute but ours", async () => {
    expect(hostile.length).toBeGreaterThan(500);
    const wrong: string[] = [];
    for (const text of hostile) {
      await show(text, { userIds: ["alice", "__proto__"], room: true, me: "alice" });
      for (const element of root.querySelectorAll("*")) {
        const rule = ALLOWED[element.tagName.toUpperCase()];
        if (!rule) wrong.push(`${element.tagName} of ${JSON.stringify(text.slice(0, 80))}`);
        for (const { name, value } of element.attributes)
          if (rule && !rule.test(`${name}=${value}`))
            wrong.push(
              `${name}=${value.slice(0, 80)} of ${element.tagName} of ${JSON.stringify(text.slice(0, 80))}`,
            );
      }
    }
    expect(wrong).toEqual([]);
    expect("ran" in window).toBe(false);
  });

  it("shows its tags as the letters that they are", async () => {
    for (const text of hostile.filter((each) => /^<[a-z!?/]/i.test(each) && !/\p{Cc}/u.test(each)))
      if (!/https?:|mailto:/.test(text)) expect((await show(text)).textContent).toContain(text.slice(0, 3));
  });

  it("is plain in one line", () => {
    for (const text of hostile) expect(plainText(text)).not.toContain("\n");
  });
});

describe("links", () => {
  it("say where they lead if they pretend another place", async () => {
    for (const text of [
      "[https://bank.example](https://hostile.example)",
      "[bank.example](https://hostile.example)",
      "[my bank (bank.example)](https://hostile.example)",
      "https://bank.example@hostile.example/",
      "[b\u0430nk.example](https://hostile.example)",
      "[www.bank.example](https://bank.example.hostile.example)",
      "[bank\u200b.example](https://hostile.example)",
      "[\uff42ank.example](https://hostile.example)",
      "[bank\u3002example](https://hostile.example)",
      "[a@bank.example](mailto:a@hostile.example)",
      `[${"a".repeat(400)}](https://hostile.example)`,
    ])
      expect((await show(text)).querySelector(".markdown__place")?.textContent, text).toMatch(
        /hostile\.example\)$/,
      );
    expect((await show("https://b\u0430nk.example")).querySelector(".markdown__place")?.textContent).toMatch(
      /xn--/,
    );
  });

  it("say nothing if they are honest", async () => {
    for (const text of [
      "https://www.x.example/readme.md",
      "[x.example](https://www.x.example/a)",
      "[the docs](https://x.example)",
      "<mailto:a@x.example>",
      "http://localhost:8080/a",
      "https://[::1]:8080/",
      "https://x.example:443/",
    ])
      expect((await show(text)).querySelector(".markdown__place")?.textContent, text).toBeUndefined();
  });
});

describe("mentions", () => {
  it("stand out, the reader's own more", async () => {
    await show("@alice @bob @room", { userIds: ["alice", "bob"], room: true, me: "bob" });
    expect(
      [...root.querySelectorAll("bdi")].map((each) => `${each.textContent} ${each.className.length}`),
    ).toEqual(["@alice 17", "@bob 41", "@room 41"]);
  });
});

describe("characters that turn the text", () => {
  it("are shown as escapes", async () => {
    expect((await show("a\u202eb\u0007 `\u202d`")).textContent).toBe("a\\u202eb\\u0007 \\u202d");
  });
});

describe("code", () => {
  it("gets its colours when the languages are there", async () => {
    await show("```py\nreturn 'a'\n```\n```unknown\nreturn\n```");
    await expect.poll(() => root.querySelectorAll("pre span").length).toBe(2);
    expect([...root.querySelectorAll("pre")].map((each) => each.textContent)).toEqual([
      "return 'a'",
      "return",
    ]);
  });
});
