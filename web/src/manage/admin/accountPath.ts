import { adminPath } from "../../app/paths";

/** The page of an account, for administrators. */
export const accountPath = (userId: string): string => `${adminPath("users")}/${encodeURIComponent(userId)}`;
