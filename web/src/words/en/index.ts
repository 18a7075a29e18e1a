import { common } from "./common";
import { connection } from "./connection";
import { manage } from "./manage";
import { shell } from "./shell";
import { signIn } from "./signIn";
import { switcher } from "./switcher";
import { talk } from "./talk";
import { text } from "./text";

/** Everything in the client that people read. A translation has the same shape. */
export const en = {
  common,
  connection,
  manage,
  shell,
  signIn,
  switcher,
  talk,
  text,
};

export type Words = typeof en;
