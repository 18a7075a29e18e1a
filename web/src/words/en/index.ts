import { common } from "./common";
import { connection } from "./connection";
import { keys } from "./keys";
import { shell } from "./shell";
import { signIn } from "./signIn";
import { switcher } from "./switcher";
import { talk } from "./talk";
import { text } from "./text";

/** What people read in the client; with ./manage, everything. A translation has the same shape. */
export const en = {
  common,
  connection,
  keys,
  shell,
  signIn,
  switcher,
  talk,
  text,
};

export type Words = typeof en;
