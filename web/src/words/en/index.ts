import { common } from "./common";
import { manage } from "./manage";
import { shell } from "./shell";
import { signIn } from "./signIn";

/** Everything in the client that people read. A translation has the same shape. */
export const en = { common, manage, shell, signIn };

export type Words = typeof en;
