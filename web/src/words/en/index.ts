import { common } from "./common";
import { manage } from "./manage";
import { shell } from "./shell";
import { signIn } from "./signIn";
import { text } from "./text";

/** Everything in the client that people read. A translation has the same shape. */
export const en = { common, manage, shell, signIn, text };

export type Words = typeof en;
