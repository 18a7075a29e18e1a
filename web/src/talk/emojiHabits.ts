import { keep, kept } from "../app/kept";

/** What people choose most; shown until they have chosen others. */
const OFTEN = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀", "✅", "❌", "🚀", "💯", "🔥", "👏", "🤔", "😄"];
const MOST = 16;

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];

/** The emoji that somebody chose last, the last one first. */
export function recentEmojis(userId: string): readonly string[] {
  return [...new Set([...strings(kept(userId, "emoji")), ...OFTEN])].slice(0, MOST);
}

export function rememberEmoji(userId: string, emoji: string): void {
  const before = strings(kept(userId, "emoji")).filter((one) => one !== emoji);
  keep(userId, "emoji", [emoji, ...before].slice(0, MOST));
}

/** The tone of skin that somebody chose, 1 to 5; 0 for none. */
export function emojiTone(userId: string): number {
  const tone = kept(userId, "tone");
  return typeof tone === "number" && Number.isInteger(tone) && tone >= 0 && tone <= 5 ? tone : 0;
}

export const chooseTone = (userId: string, tone: number): void => keep(userId, "tone", tone);
