import { describe, expect, it } from "vitest";
import { readText } from "./blocks";
import type { Mentioned } from "./mentions";
import { type Block, type Inline, MOST_BLOCKS_DEEP } from "./tree";

/** A short form of the tree: `p(one em(two))`. */
function shape(text: string, mentioned?: Mentioned): string {
  return readText(text, mentioned).map(blockShape).join(" ");
}

function blockShape(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return `p(${inlineShape(block.children)})`;
    case "heading":
      return `h${block.level}(${inlineShape(block.children)})`;
    case "code":
      return `pre:${block.language}(${block.text})`;
    case "quote":
      return `quote(${block.children.map(blockShape).join(" ")})`;
    case "list": {
      const items = block.items.map(
        (item) =>
          `${item.done === undefined ? "" : item.done ? "[x]" : "[ ]"}${item.children.map(blockShape).join(" ")}`,
      );
      return `${block.start === undefined ? "ul" : `ol${block.start}`}(${items.join("; ")})`;
    }
    case "table":
      return `table(${[block.head, ...block.rows].map((row) => row.map(inlineShape).join(" | ")).join(" / ")})`;
  }
}

function inlineShape(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      if (inline.kind === "text") return inline.text;
      if (inline.kind === "code") return `code(${inline.text})`;
      if (inline.kind === "mention") return `mention(${inline.name})`;
      if (inline.kind === "link") return `a:${inline.href}(${inlineShape(inline.children)})`;
      return `${inline.kind}(${inlineShape(inline.children)})`;
    })
    .join("");
}

function cases(all: readonly (readonly [string, string])[]): void {
  expect(all.map(([text]) => shape(text))).toEqual(all.map(([, tree]) => tree));
}

describe("blocks", () => {
  it("keep line breaks, and end at blank lines", () =>
    cases([
      ["one\ntwo\n\n\nthree", "p(one\ntwo) p(three)"],
      ["  two  spaces", "p(  two  spaces)"],
      ["a\r\nb\rc", "p(a\nb\nc)"],
      ["", ""],
      [" \n ", ""],
    ]));

  it("show code as it is", () =>
    cases([
      ["```py\nx = **1**\n\n<b>\n```\nafter", "pre:py(x = **1**\n\n<b>) p(after)"],
      ["~~~\n```\n~~~", "pre:(```)"],
      ["```\nno end", "pre:(no end)"],
      ["````\n```\n````", "pre:(```)"],
      ["  ```\n  a\n    b\n  ```", "pre:(a\n  b)"],
      ["```a``` b", "p(code(a) b)"],
      ["    not code", "p(    not code)"],
    ]));

  it("quote lines that begin with the sign, and no others", () =>
    cases([
      ["> a\n> b\nc", "quote(p(a\nb)) p(c)"],
      ["> > a\n> - b", "quote(quote(p(a)) ul(p(b)))"],
      ["a\n> b", "p(a) quote(p(b))"],
      ["a > b", "p(a > b)"],
    ]));

  it("make lists", () =>
    cases([
      ["- a\n- b\nafter", "ul(p(a); p(b)) p(after)"],
      ["* a\n\n* b", "ul(p(a); p(b))"],
      ["3. a\n4. b", "ol3(p(a); p(b))"],
      ["- a\n  - b\n    - c\n- d", "ul(p(a) ul(p(b) ul(p(c))); p(d))"],
      ["1. a\n  - b\n2. c", "ol1(p(a) ul(p(b)); p(c))"],
      ["- [ ] a\n- [x] b", "ul([ ]p(a); [x]p(b))"],
      ["- a\n  b\n\n  c", "ul(p(a\nb) p(c))"],
      ["- ```\n  x\n  ```", "ul(pre:(x))"],
      ["In\n1984. It was", "p(In\n1984. It was)"],
      ["-\n- \n-a\n1.\n* * *\n---", "p(-\n- \n-a\n1.\n* * *\n---)"],
    ]));

  it("make headings and tables", () =>
    cases([
      ["# One\n#two\n## Three ##", "h1(One) p(#two) h2(Three)"],
      ["a | b\n--|:-:\n1 | **2**\n3", "table(a | b / 1 | strong(2)) p(3)"],
      ["| a |\n|---|\n| x \\| y | more |", "table(a / x | y)"],
      ["a | b\n---", "p(a | b\n---)"],
    ]));
});

describe("inlines", () => {
  it("pair signs as CommonMark does", () =>
    cases([
      [
        "*a* _b_ **c** __d__ ***e*** ~~f~~",
        "p(emphasis(a) emphasis(b) strong(c) strong(d) emphasis(strong(e)) struck(f))",
      ],
      ["snake_case_name 2*3*4 a * b * c", "p(snake_case_name 2emphasis(3)4 a * b * c)"],
      ["**a *b* c**", "p(strong(a emphasis(b) c))"],
      ["*a **b*", "p(*a *emphasis(b))"],
      ["*a **b", "p(*a **b)"],
      ["~5 to ~6, ~~~no~~~", "p(~5 to ~6, ~~~no~~~)"],
      ["**你好**。", "p(strong(你好)。)"],
      ["\\*a\\* \\a", "p(*a* \\a)"],
    ]));

  it("keep code apart", () =>
    cases([
      ["`a *b*` ``c ` d`` `e", "p(code(a *b*) code(c ` d) `e)"],
      ["` `` `", "p(code(``))"],
      ["*a `b* c`", "p(*a code(b* c))"],
      ["\\`a`", "p(`a`)"],
    ]));

  it("leave HTML and its entities as they are", () =>
    cases([
      ["<b>a</b> &amp; &#60; &copy;", "p(<b>a</b> &amp; &#60; &copy;)"],
      ["<!-- a -->", "p(<!-- a -->)"],
    ]));

  it("link what may be followed", () =>
    cases([
      ["[a *b*](https://x.example/c)", "p(a:https://x.example/c(a emphasis(b)))"],
      ['[a](<https://x.example> "title")', "p(a:https://x.example/(a))"],
      [
        "![alt](https://x.example/i.png) ![](https://x.example)",
        "p(a:https://x.example/i.png(alt) a:https://x.example/(https://x.example))",
      ],
      ["[![b](https://x.example/i)](https://x.example)", "p(a:https://x.example/(b))"],
      [
        "[a [b](https://x.example) c](https://y.example)",
        "p([a a:https://x.example/(b) c](a:https://y.example/(https://y.example)))",
      ],
      [
        "<https://x.example> <mailto:a@x.example>",
        "p(a:https://x.example/(https://x.example) a:mailto:a@x.example(mailto:a@x.example))",
      ],
      [
        "See https://x.example/a_b_(c). (https://x.example)",
        "p(See a:https://x.example/a_b_(c)(https://x.example/a_b_(c)). (a:https://x.example/(https://x.example)))",
      ],
      ["**https://x.example**", "p(strong(a:https://x.example/(https://x.example)))"],
      ["[https://x.example](https://x.example/y)", "p(a:https://x.example/y(https://x.example))"],
      ["xhttps://x.example http://", "p(xhttps://x.example http://)"],
    ]));

  it("link nothing else", () =>
    cases(
      [
        "[a](javascript:alert)",
        "[a](data:text/html,x)",
        "[a](//x.example)",
        "[a](/rooms)",
        "[a](ftp://x.example)",
        "<javascript:alert>",
        "[a]: https",
        "[a][b]",
        "[a]()",
        "[a](https://x.example\u202e)".replace("https", "hxxps"),
      ].map((text) => [text, `p(${text})`] as const),
    ));
});

describe("mentions", () => {
  const alice = { userIds: ["alice", "alice.bot", "zoë"], room: true };
  const count = (text: string) => shape(text, alice).match(/mention\([^)]*\)/g) ?? [];

  it("are those that the server counted", () => {
    for (const text of [
      "@alice",
      "hi @alice!",
      "(@alice)",
      "**@alice**",
      "@Alice.",
      "@alice's",
      "thanks,@alice",
      "line\n@alice",
      "- @alice",
      "谢谢@alice",
      "@alice你好",
      "@aliceさん、こんにちは",
      "ขอบคุณ@alice",
      "👍@alice👍",
      "@alice-",
      "\\`@alice`",
      "`` @alice `",
      "~~@alice~~",
      "> quoted\n\n@alice",
      "[@alice](https://x.example)",
    ])
      expect(count(text), text).toEqual(["mention(alice)"]);
    expect(count("@alice.bot @room @Room @bob @zoe\u0308")).toEqual([
      "mention(alice.bot)",
      "mention(room)",
      "mention(room)",
      "mention(zoë)",
    ]);
  });

  it("are in no code, quote, word, address or path", () => {
    for (const text of [
      "alice@example.org",
      "élodie@alice",
      "a_@alice",
      "first.last@alice.example",
      "https://example.org/@alice",
      "https://example.org?u=@alice",
      "@alice@example.org",
      "@alice/node",
      "\\@alice",
      "@@alice",
      "@ alice",
      "@rooms",
      "`@alice`",
      "run `mail @alice\nnow`",
      "```\n@alice\n```",
      "~~~\n@alice",
      "> @alice said",
    ])
      expect(count(text), text).toEqual([]);
  });
});

describe("the cost", () => {
  const LENGTH = 65_536;
  const fill = (piece: string) => piece.repeat(Math.ceil(LENGTH / piece.length)).slice(0, LENGTH);

  it("is bounded, whatever the text is", () => {
    const pieces = [
      ..."[]()<>*_~`!#|\\-> \n\t:.@a",
      ..."[a]( ![a]( *a _a **a ~~a ~~a~~ `a ``a a` a* *a* **a* *a** ***a ***a*** [[a]](".split(" "),
      ..."https:// https://a]( [https://a] <https:// a@a. @a @a. @a@ http://[ (((( )))) ]( [](".split(" "),
      "> ",
      "- ",
      "- a\n",
      "  - a\n",
      "1. ",
      "a\n\n",
      "```\n",
      "~~~\n```\n",
      "|a",
      "a|b\n-|-\n",
      "- - - -a",
      "> - ",
      "# a\n",
      "\u202e",
      "a\u0301",
      "👍",
      "`` ` ```",
      "[a](https://a.example)",
      "![[a](https://a.example)](b)",
      "_a*",
      "*_a ",
      "https://a.example/)",
      "@alice ",
    ];
    const names = { userIds: ["a", "alice"], room: true };
    for (const piece of pieces) {
      const counted = count(readText(fill(piece), names));
      expect(counted.elements, piece).toBeLessThan(20_000);
      expect(counted.depth, piece).toBeLessThan(MOST_BLOCKS_DEEP * 4);
    }
  });
});

/** How many elements a tree has, and how deep they are. */
function count(nodes: readonly (Block | Inline)[]): { elements: number; depth: number } {
  let elements = nodes.length;
  let depth = 0;
  for (const node of nodes) {
    const children: (Block | Inline)[] =
      node.kind === "list"
        ? node.items.flatMap((item) => [...item.children])
        : node.kind === "table"
          ? [node.head, ...node.rows].flat(2)
          : "children" in node
            ? [...node.children]
            : [];
    const inside = count(children);
    elements += inside.elements;
    depth = Math.max(depth, inside.depth + 1);
  }
  return { elements, depth };
}
