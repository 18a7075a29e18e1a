import { expect, it } from "vitest";
import { abilitiesOf } from "./abilities";
import { message, room } from "./doubles";

const mine = message({ seq: 1, userId: "me", time: 1000 });
const theirs = message({ seq: 2, userId: "ada", time: 1000 });

it("lets people edit what is theirs, for as long as the room allows it", () => {
  const strict = room({ editWindow: 500 });
  expect(abilitiesOf(mine, strict, "me", 1400)).toMatchObject({ edit: true, remove: true });
  expect(abilitiesOf(mine, strict, "me", 1600)).toMatchObject({ edit: false, remove: false });
  expect(abilitiesOf(theirs, room(), "me")).toMatchObject({ edit: false, remove: false, report: true });
});

it("lets admins delete and pin, but not edit, what others said", () => {
  expect(abilitiesOf(theirs, room({ role: "admin", editWindow: 1 }), "me")).toMatchObject({
    edit: false,
    remove: true,
    pin: true,
  });
});

it("offers nothing for what is deleted but an answer to it", () => {
  const deleted = message({ seq: 1, userId: "me", deleted: { userId: "me", reason: "" } });
  expect(abilitiesOf(deleted, room({ role: "owner" }), "me")).toMatchObject({
    react: false,
    edit: false,
    remove: false,
    pin: false,
    reply: true,
  });
});

it("offers no changes in rooms that are archived, nor to those who only read", () => {
  for (const closed of [
    room({ archived: true, canWrite: false }),
    room({ role: "reader", canWrite: false }),
  ]) {
    const offered = abilitiesOf(mine, closed, "me");
    expect([offered.react, offered.reply, offered.thread, offered.edit]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  }
});
