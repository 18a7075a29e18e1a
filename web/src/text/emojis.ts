import type { EmojiTable } from "./EmojiTable";

let table: EmojiTable | undefined;
let loading: Promise<EmojiTable> | undefined;

/** All emoji, once they are loaded: they are as large as half of the client, so this is when somebody needs them. */
export function loadEmojis(): Promise<EmojiTable> {
  loading ??= import("./EmojiTable").then(
    (module) => {
      table = module.emojis;
      return table;
    },
    (error) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

/** All emoji, if they are loaded. */
export const loadedEmojis = (): EmojiTable | undefined => table;

// As for mentions, a sign within a word, an address or a path begins nothing.
const CODES = /(?<![\p{L}\p{N}@#:/\\.=%&_+-])(?::(?:[a-z0-9][a-z0-9_+-]*|[+-]1):)+(?![\p{L}\p{N}:])/gu;

/** Whether a text may hold an emoji by its name, such as `:tada:`. */
export const mayName = (text: string): boolean => text.search(CODES) >= 0;

/** A text with something else in place of what may be names of emoji; `with_` is given each, without its colons. */
export function replaceNames(text: string, with_: (name: string, code: string) => string): string {
  return text.replace(CODES, (run) => run.replace(/:([^:]+):/g, (code, name: string) => with_(name, code)));
}
