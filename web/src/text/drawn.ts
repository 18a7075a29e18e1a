/** How wide a text is, in any unit. */
export type Measure = (text: string) => number;

// A character that there will never be, and emoji that every font of emoji has; other fonts have a few faces at most.
const NEVER = "\u{1fffd}";
const KNOWN = ["😀", "🎉", "🚀", "🦊"];
const FLAG = /^[\u{1f1e6}-\u{1f1ff}]{2}$/u;

/**
 * Tells whether a browser has a picture for an emoji, by its width: those of a font are equally wide; a sequence that
 * is not known falls into its parts, and a character that is not known has the width of no other.
 */
export function drawer(measure: Measure): (emoji: string) => boolean {
  const widths = KNOWN.map(measure);
  const known = Math.max(...widths);
  const never = measure(NEVER);
  // Without any font of emoji there is nothing to tell them by.
  if (!(known > 0) || widths.includes(never)) return () => true;
  return (emoji) => {
    const width = measure(emoji);
    if (FLAG.test(emoji)) return width < 1.6 * measure(emoji.slice(0, 2));
    return width < 1.6 * known && width !== never;
  };
}

let draws: ((emoji: string) => boolean) | undefined;

export function canDraw(emoji: string): boolean {
  draws ??= drawer(inCanvas());
  return draws(emoji);
}

function inCanvas(): Measure {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return () => 0;
  const family = getComputedStyle(document.documentElement).getPropertyValue("--emoji").trim();
  context.font = `32px ${family || "sans-serif"}`;
  return (text) => context.measureText(text).width;
}
