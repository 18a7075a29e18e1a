import type { EmojiTable } from "../text/EmojiTable";
import { loadEmojis, loadedEmojis, mayName } from "../text/emojis";
import { emojiTone } from "./emojiHabits";

/** A text with the emoji that it names; at once if their names are loaded, or if it has none. */
export function withNames(text: string, userId: string): string | Promise<string> {
  if (!mayName(text)) return text;
  const replaced = (emojis: EmojiTable) => emojis.replaced(text, emojiTone(userId));
  const loaded = loadedEmojis();
  // Where they can't be loaded it says what it said.
  return loaded ? replaced(loaded) : loadEmojis().then(replaced, () => text);
}
