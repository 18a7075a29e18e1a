/**
 * What a message's text says, as a tree: see "Formatting" in docs/topics/messages.md for what is read and what stays
 * text. Texts may contain line breaks; who shows them keeps those.
 */
export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "emphasis" | "strong" | "struck"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "link"; readonly href: string; readonly children: readonly Inline[] }
  | { readonly kind: "mention"; readonly name: string; readonly text: string };

export type Align = "start" | "center" | "end" | undefined;

export interface Item {
  /** Of a task: whether it is done. */
  readonly done?: boolean;
  readonly children: readonly Block[];
}

export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "heading"; readonly level: number; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "quote"; readonly children: readonly Block[] }
  | { readonly kind: "list"; readonly start?: number; readonly items: readonly Item[] }
  | {
      readonly kind: "table";
      readonly align: readonly Align[];
      readonly head: readonly (readonly Inline[])[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    };

/** How deep quotes and lists go; what is deeper stays text. */
export const MOST_BLOCKS_DEEP = 8;
/** How deep emphasis goes. */
export const MOST_INLINES_DEEP = 8;

/** What the reading of one text may still cost. */
export class Budget {
  /** Elements that it may become. The rest of the text is one text. */
  elements = 3000;
  /** Signs of emphasis that are paired: pairing looks back, so this bounds it. */
  signs = 2000;

  take(count = 1): boolean {
    if (this.elements < count) return false;
    this.elements -= count;
    return true;
  }
}

/** The words of some inlines, without their looks. */
export function wordsOf(inlines: readonly Inline[]): string {
  return inlines.map((inline) => ("children" in inline ? wordsOf(inline.children) : inline.text)).join("");
}
