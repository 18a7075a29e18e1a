import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { words } from "../words";
import { readText } from "./blocks";
import { CodeBlock } from "./CodeBlock";
import { harmless } from "./characters";
import { realPlace } from "./links";
import type { Mentioned } from "./mentions";
import { type Align, type Block, type Inline, type Item, wordsOf } from "./tree";
import "./Markdown.css";

interface MarkdownProps {
  readonly text: string;
  /** Whom it calls, as the server counted; without it, no `@name` stands out. */
  readonly mentioned?: Mentioned;
  /** Makes the names of people buttons. */
  readonly onPerson?: (userId: string) => void;
}

/**
 * The text of a message, a topic or whatever else people wrote in several lines. It becomes elements that this file
 * names and no others, and loads nothing.
 */
export function Markdown({ text, mentioned, onPerson }: MarkdownProps) {
  const who = mentioned ? `${mentioned.me} ${mentioned.room} ${mentioned.userIds.join(" ")}` : "";
  // `who` says what `mentioned` does, which may be another object each time.
  const blocks = useMemo(() => readText(text, mentioned), [text, who]);
  const people: People = {
    ...(mentioned?.me !== undefined && { me: mentioned.me }),
    ...(onPerson && { onPerson }),
  };
  return <div class="markdown">{blocks.map((block, index) => blockOf(block, index, people))}</div>;
}

/** The text in one line, for lists and notifications: what it says, without any signs. */
export function plainText(text: string): string {
  return readText(text.slice(0, 1000)).map(blockWords).join(" ").replace(/\s+/g, " ").trim();
}

interface People {
  readonly me?: string;
  readonly onPerson?: (userId: string) => void;
}

function blockOf(block: Block, key: number, people: People): ComponentChildren {
  switch (block.kind) {
    case "paragraph":
      return (
        <p key={key} class="markdown__paragraph" dir="auto">
          {inlinesOf(block.children, people)}
        </p>
      );
    case "heading":
      // No <h1>: the headings of a page are its own, not those of its messages.
      return (
        <p key={key} class={`markdown__heading markdown__heading--${block.level}`} dir="auto">
          <strong>{inlinesOf(block.children, people)}</strong>
        </p>
      );
    case "code":
      return <CodeBlock key={key} language={block.language} text={block.text} />;
    case "quote":
      return (
        <blockquote key={key} class="markdown__quote" dir="auto">
          {block.children.map((child, index) => blockOf(child, index, people))}
        </blockquote>
      );
    case "list":
      return block.start === undefined ? (
        <ul key={key} class="markdown__list" dir="auto">
          {block.items.map((item, index) => itemOf(item, index, people))}
        </ul>
      ) : (
        <ol key={key} class="markdown__list" start={block.start} dir="auto">
          {block.items.map((item, index) => itemOf(item, index, people))}
        </ol>
      );
    case "table":
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must be able to scroll it
        <section key={key} class="markdown__table" aria-label={words.text.table} tabIndex={0}>
          <table>
            <thead>
              <tr>{block.head.map((cell, column) => cellOf("th", cell, column, block.align, people))}</tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => cellOf("td", cell, column, block.align, people))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      );
  }
}

function itemOf(item: Item, key: number, people: People): ComponentChildren {
  const task = item.done !== undefined;
  return (
    <li key={key} class={task ? "markdown__item markdown__item--task" : "markdown__item"}>
      {task && (
        <span class="markdown__box" role="img" aria-label={item.done ? words.text.done : words.text.toDo}>
          {item.done ? "☑" : "☐"}
        </span>
      )}
      {item.children.map((child, index) => blockOf(child, index, people))}
    </li>
  );
}

function cellOf(
  Cell: "td" | "th",
  inlines: readonly Inline[],
  column: number,
  align: readonly Align[],
  people: People,
): ComponentChildren {
  return (
    <Cell key={column} class={`markdown__cell--${align[column] ?? "start"}`} dir="auto">
      {inlinesOf(inlines, people)}
    </Cell>
  );
}

function inlinesOf(inlines: readonly Inline[], people: People): ComponentChildren {
  return inlines.map((inline, key) => inlineOf(inline, key, people));
}

function inlineOf(inline: Inline, key: number, people: People): ComponentChildren {
  switch (inline.kind) {
    case "text":
      return harmless(inline.text);
    case "emphasis":
      return <em key={key}>{inlinesOf(inline.children, people)}</em>;
    case "strong":
      return <strong key={key}>{inlinesOf(inline.children, people)}</strong>;
    case "struck":
      return <s key={key}>{inlinesOf(inline.children, people)}</s>;
    case "code":
      return (
        <code key={key} class="markdown__code">
          {harmless(inline.text)}
        </code>
      );
    case "mention":
      return <Mention key={key} name={inline.name} text={inline.text} people={people} />;
    case "link": {
      const place = realPlace(inline.href, inline.children);
      return (
        <a
          key={key}
          class="markdown__link"
          href={inline.href}
          target="_blank"
          rel="noopener noreferrer nofollow"
        >
          <bdi>{inlinesOf(inline.children, people)}</bdi>
          {place !== undefined && <bdi class="markdown__place"> ({harmless(place)})</bdi>}
        </a>
      );
    }
  }
}

function Mention({
  name,
  text,
  people,
}: {
  readonly name: string;
  readonly text: string;
  readonly people: People;
}) {
  const mine = name === people.me || name === "room";
  const looks = mine ? "markdown__mention markdown__mention--mine" : "markdown__mention";
  const { onPerson } = people;
  return onPerson && name !== "room" ? (
    <button type="button" class={looks} onClick={() => onPerson(name)}>
      <bdi>{text}</bdi>
    </button>
  ) : (
    <bdi class={looks}>{text}</bdi>
  );
}

function blockWords(block: Block): string {
  switch (block.kind) {
    case "code":
      return block.text;
    case "quote":
      return block.children.map(blockWords).join(" ");
    case "list":
      return block.items.flatMap((item) => item.children.map(blockWords)).join(" ");
    case "table":
      return [block.head, ...block.rows].map((row) => row.map(wordsOf).join(" ")).join(" ");
    default:
      return wordsOf(block.children);
  }
}
