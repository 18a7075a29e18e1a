import { expect, it } from "vitest";
import { room } from "./doubles";
import { neighbour, type Sorting, sectionsOf } from "./roomOrder";

const ROOMS = [
  room({ roomId: "quiet", lastTime: 9 }),
  room({ roomId: "busy", unread: 3, lastTime: 1 }),
  room({ roomId: "muted", unread: 3, muted: true, lastTime: 2 }),
  room({ roomId: "called", mentions: 1, muted: true, lastTime: 0 }),
  room({ roomId: "marked", markedUnread: true, lastTime: 0 }),
  room({ roomId: "old", archived: true }),
  room({ roomId: "ada", kind: "direct" }),
];

const UNREAD: Sorting = { order: "unread", favourites: [] };
const ids = (sorting: Sorting, rooms = ROOMS) =>
  sectionsOf(rooms, sorting).map(({ key, rooms }) => [key, rooms.map(({ roomId }) => roomId)]);

it("shows first who waits for the user", () => {
  expect(sectionsOf(ROOMS, UNREAD).map(({ key, rooms }) => [key, rooms.map(({ roomId }) => roomId)])).toEqual(
    [
      ["rooms", ["called", "busy", "marked", "quiet", "muted"]],
      ["direct", ["ada"]],
      ["archived", ["old"]],
    ],
  );
  expect(sectionsOf([], UNREAD)).toEqual([]);
});

it("finds the next room, and the next that is unread from anywhere", () => {
  const all = sectionsOf(ROOMS, UNREAD).flatMap(({ rooms }) => rooms);
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

it("goes by what somebody has chosen, and has what is muted last", () => {
  expect(ids({ order: "newest", favourites: [] })[0]).toEqual([
    "rooms",
    ["quiet", "busy", "called", "marked", "muted"],
  ]);
  const named = ["Ölpest", "room 10", "room 9", "Oben", "äpfel"].map((name) => room({ roomId: name, name }));
  const muted = room({ roomId: "a", name: "a", muted: true });
  expect(ids({ order: "name", favourites: [] }, [...named, muted])[0]?.[1]).toEqual([
    "äpfel",
    "Oben",
    "Ölpest",
    "room 9",
    "room 10",
    "a",
  ]);
});

it("has favourites above all, whatever they are", () => {
  expect(ids({ order: "unread", favourites: ["ada", "old", "busy", "gone"] })).toEqual([
    ["favourites", ["busy", "ada", "old"]],
    ["rooms", ["called", "marked", "quiet", "muted"]],
  ]);
});
