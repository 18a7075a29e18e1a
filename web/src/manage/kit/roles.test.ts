import { expect, it } from "vitest";
import { Role } from "../../wire/chat_pb";
import { givable, outranks } from "./roles";

const { READER, MEMBER, ADMIN, OWNER } = Role;

it("lets admins act on lower roles, and owners on everyone", () => {
  const acts = (mine: Role) => [READER, MEMBER, ADMIN, OWNER].filter((theirs) => outranks(mine, theirs));
  expect([READER, MEMBER, ADMIN, OWNER].map(acts)).toEqual([
    [],
    [],
    [READER, MEMBER],
    [READER, MEMBER, ADMIN, OWNER],
  ]);
});

it("lets admins give lower roles, and owners all", () => {
  expect([MEMBER, ADMIN, OWNER].map(givable)).toEqual([
    [READER],
    [READER, MEMBER],
    [READER, MEMBER, ADMIN, OWNER],
  ]);
});
