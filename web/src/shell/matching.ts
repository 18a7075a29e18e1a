/** A text as one looks for it: without accents and case. */
export function folded(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{M}+/gu, "")
    .toLocaleLowerCase();
}

/**
 * How well a name fits what was typed: the smaller the better; nothing where it does not fit at all. Each word that was
 * typed must be in it; names that begin with it come first, then those with words that do.
 */
export function rank(name: string, typed: string): number | undefined {
  const text = folded(name);
  const wanted = folded(typed).trim();
  if (!wanted) return 0;
  if (text === wanted) return 0;
  if (text.startsWith(wanted)) return 1;
  const parts = wanted.split(/\s+/);
  const begins = (part: string) => new RegExp(`(^|[^\\p{L}\\p{N}])${escaped(part)}`, "u").test(text);
  if (parts.every(begins)) return 2;
  return parts.every((part) => text.includes(part)) ? 3 : undefined;
}

/** Those that fit, the best first, and otherwise in the order that they had. */
export function fitting<T>(all: readonly T[], typed: string, namesOf: (one: T) => readonly string[]): T[] {
  return all
    .flatMap((one) => {
      const ranks = namesOf(one).flatMap((name) => rank(name, typed) ?? []);
      return ranks.length > 0 ? [{ one, best: Math.min(...ranks) }] : [];
    })
    .sort((a, b) => a.best - b.best)
    .map(({ one }) => one);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
