import { manage } from "./en/manage";

/** What people read in pages that manage something. Apart from `words`, because few pages need it. */
export const manageWords: typeof manage = manage;
