/** A piece of code, with what it is to its language. */
export interface CodePiece {
  /** Of `highlight.js`: "keyword", "string"; empty for the rest. */
  readonly scope: string;
  readonly text: string;
}

/** Longer code is shown without colours: grammars are patterns, and some take long. */
export const LONGEST_CODE = 8000;

type Highlight = (language: string, code: string) => readonly CodePiece[] | undefined;
let loaded: Highlight | undefined;
let loading: Promise<Highlight> | undefined;

/** The pieces of some code, if the languages are here already; undefined for code that has no colours (yet). */
export function piecesNow(language: string, code: string): readonly CodePiece[] | undefined {
  return code.length > LONGEST_CODE ? undefined : loaded?.(language.toLowerCase(), code);
}

/** The pieces of some code; undefined if its language is not known. Loads the languages at its first call. */
export async function piecesOf(language: string, code: string): Promise<readonly CodePiece[] | undefined> {
  if (code.length > LONGEST_CODE) return undefined;
  loading ??= import("./languages").then((module) => module.highlight);
  try {
    loaded = await loading;
  } catch {
    // Without the network there are no colours; the next code tries again.
    loading = undefined;
    return undefined;
  }
  return loaded(language.toLowerCase(), code);
}
