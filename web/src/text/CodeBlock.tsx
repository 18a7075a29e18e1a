import { useEffect, useState } from "preact/hooks";
import { IconButton } from "../ui/IconButton";
import { CheckIcon, CopyIcon } from "../ui/icons";
import { words } from "../words";
import { harmless } from "./characters";
import { type CodePiece, piecesNow, piecesOf } from "./highlight";
import "./CodeBlock.css";

interface CodeBlockProps {
  readonly language: string;
  readonly text: string;
}

/** How long a button says that it has copied, in milliseconds. */
const SAY = 2000;

/** Which of the five colours of tokens.css a scope of highlight.js has. */
const COLOURS: Record<string, string> = {
  addition: "string",
  attr: "title",
  attribute: "title",
  built_in: "title",
  "built-in": "title",
  bullet: "number",
  char: "string",
  comment: "comment",
  deletion: "keyword",
  doctag: "comment",
  keyword: "keyword",
  literal: "number",
  meta: "comment",
  name: "keyword",
  number: "number",
  property: "title",
  quote: "comment",
  regexp: "string",
  section: "title",
  "selector-class": "title",
  "selector-id": "title",
  "selector-tag": "keyword",
  string: "string",
  symbol: "number",
  tag: "keyword",
  title: "title",
  type: "title",
  variable: "number",
};

/** Code as it is, in colours once the languages have loaded. */
export function CodeBlock({ language, text }: CodeBlockProps) {
  const [pieces, setPieces] = useState<readonly CodePiece[] | undefined>(() => piecesNow(language, text));
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    let wanted = true;
    const now = piecesNow(language, text);
    setPieces(now);
    if (!now && language) void piecesOf(language, text).then((found) => wanted && setPieces(found));
    return () => {
      wanted = false;
    };
  }, [language, text]);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAY);
    return () => clearTimeout(timer);
  }, [copied]);

  return (
    <figure class="code-block">
      <div class="code-block__bar">
        <bdi class="code-block__language">{harmless(language)}</bdi>
        <IconButton
          size="small"
          label={copied ? words.text.copied : words.text.copy}
          icon={copied ? <CheckIcon /> : <CopyIcon />}
          onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
        />
      </div>
      {/* A keyboard must be able to scroll it. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: see above */}
      <pre class="code-block__text" dir="ltr" tabIndex={0}>
        <code>
          {(pieces ?? [{ scope: "", text }]).map((piece, index) => {
            const colour = COLOURS[piece.scope];
            const shown = harmless(piece.text);
            return colour ? (
              <span key={index} class={`code-block__${colour}`}>
                {shown}
              </span>
            ) : (
              shown
            );
          })}
        </code>
      </pre>
    </figure>
  );
}
