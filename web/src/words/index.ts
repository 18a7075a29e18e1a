import { en, type Words } from "./en";

export * from "./format";

/**
 * What people read, by the part of the client that says it. Texts with numbers or names in them are functions.
 *
 * Each part has its own file in `words/en/`; no other folder has English in it.
 */
export const words: Words = en;
