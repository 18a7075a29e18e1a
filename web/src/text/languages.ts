import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import makefile from "highlight.js/lib/languages/makefile";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import protobuf from "highlight.js/lib/languages/protobuf";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import type { CodePiece } from "./highlight";

const lowlight = createLowlight({
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  dockerfile,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  makefile,
  markdown,
  php,
  protobuf,
  python,
  ruby,
  rust,
  shell,
  sql,
  swift,
  typescript,
  xml,
  yaml,
});

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly Node[];
}

/** The pieces of some code; undefined if nobody here knows the language. */
export function highlight(language: string, code: string): readonly CodePiece[] | undefined {
  if (!lowlight.registered(language)) return undefined;
  const pieces: CodePiece[] = [];
  const walk = (node: Node, scope: string): void => {
    if (node.type === "text" && node.value) {
      const last = pieces.at(-1);
      if (last?.scope === scope) pieces[pieces.length - 1] = { scope, text: last.text + node.value };
      else pieces.push({ scope, text: node.value });
    }
    const inner = node.type === "element" ? (scopeOf(node) ?? scope) : scope;
    for (const child of node.children ?? []) walk(child, inner);
  };
  walk(lowlight.highlight(language, code) as Node, "");
  return pieces;
}

/** `hljs-keyword` is "keyword"; further names of classes only refine it. */
function scopeOf(node: Node): string | undefined {
  const names = node.properties?.className;
  const first = Array.isArray(names) ? String(names[0]) : "";
  return /^hljs-([a-z-]+)$/.exec(first)?.[1];
}
