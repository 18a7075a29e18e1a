import { expect, it } from "vitest";
import { room } from "./doubles";
import { neighbour, sectionsOf } from "./roomOrder";

const ROOMS = [
  room({ roomId: "quiet", lastTime: 9 }),
  room({ roomId: "busy", unread: 3, lastTime: 1 }),
  room({ roomId: "muted", unread: 3, muted: true, lastTime: 2 }),
  room({ roomId: "called", mentions: 1, muted: true, lastTime: 0 }),
  room({ roomId: "marked", markedUnread: true, lastTime: 0 }),
  room({ roomId: "old", archived: true }),
  room({ roomId: "ada", kind: "direct" }),
];

it("shows first who waits for the user", () => {
  expect(sectionsOf(ROOMS).map(({ key, rooms }) => [key, rooms.map(({ roomId }) => roomId)])).toEqual([
    ["rooms", ["called", "busy", "marked", "quiet", "muted"]],
    ["direct", ["ada"]],
    ["archived", ["old"]],
  ]);
  expect(sectionsOf([])).toEqual([]);
});

it("finds the next room, and the next that is unread from anywhere", () => {
  const all = sectionsOf(ROOMS).flatMap(({ rooms }) => rooms);
  const at = (from: string | undefined, step: 1 | -1, unread = false) =>
    neighbour(all, from, step, unread)?.roomId;
  expect(at("called", 1)).toBe("busy");
  expect(at("called", -1)).toBeUndefined();
  expect(at(undefined, 1)).toBe("called");
  expect(at(undefined, -1)).toBe("old");
  expect(at("marked", 1, true)).toBe("called");
  expect(at("quiet", -1, true)).toBe("marked");
  expect(neighbour([], "x", 1, true)).toBeUndefined();
});
