import { Role } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";

/** From the least to the most that a member may do. */
export const ROLES = [Role.READER, Role.MEMBER, Role.ADMIN, Role.OWNER] as const;

export function roleName(role: Role): string {
  const { reader, member, admin, owner } = manageWords.rooms.roles;
  const names: Partial<Record<Role, string>> = {
    [Role.READER]: reader,
    [Role.MEMBER]: member,
    [Role.ADMIN]: admin,
    [Role.OWNER]: owner,
  };
  return names[role] ?? "";
}

/** Whether somebody with one role may remove, ban and change a member with another: owners may with everyone. */
export function outranks(mine: Role, theirs: Role): boolean {
  return mine === Role.OWNER || (mine === Role.ADMIN && theirs < Role.ADMIN);
}

/** The roles that somebody with a role may give to others; ownership is an offer. */
export function givable(mine: Role): readonly Role[] {
  return mine === Role.OWNER ? ROLES : ROLES.filter((role) => role < mine);
}

/** What a role allows, in a sentence. */
export function roleHint(role: Role): string {
  const { reader, member, admin, owner } = manageWords.rooms.roleHints;
  const hints: Partial<Record<Role, string>> = {
    [Role.READER]: reader,
    [Role.MEMBER]: member,
    [Role.ADMIN]: admin,
    [Role.OWNER]: owner,
  };
  return hints[role] ?? "";
}
