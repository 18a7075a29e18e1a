/** Limits that every server has unless its settings say otherwise; it refuses what goes beyond its own. */
export const TEXT_BYTES = 65_536;
export const FILES = 10;
export const POLL_OPTIONS = 20;

const encoder = new TextEncoder();

/** How long a text is in UTF-8, which is how the server counts. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
