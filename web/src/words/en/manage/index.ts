import { admin } from "./admin";
import { kit } from "./kit";
import { people } from "./people";
import { rooms } from "./rooms";
import { settings } from "./settings";

export const manage = { kit, settings, rooms, people, admin } as const;
