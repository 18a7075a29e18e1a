export interface SearchTerms {
  readonly terms: string[];
  readonly excludedTerms: string[];
}

/** Most terms that the server takes of each kind. */
const MOST = 16;

/** What somebody looks for: words, "phrases in quotes", and -what must not be there. */
export function searchTerms(written: string): SearchTerms {
  const found: SearchTerms = { terms: [], excludedTerms: [] };
  for (const [, minus, phrase, word] of written.matchAll(/(-?)(?:["“”„]([^"“”„]*)["“”„]?|([^\s"“”„]+))/gu)) {
    const term = (phrase ?? word ?? "").trim();
    if (!term) continue;
    const list = minus ? found.excludedTerms : found.terms;
    if (list.length < MOST) list.push(term);
  }
  return found;
}
