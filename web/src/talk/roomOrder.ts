import type { RoomSummary } from "../sync/api";
import { roomName } from "./names";

export interface Section {
  readonly key: "favourites" | "rooms" | "direct" | "archived";
  readonly rooms: readonly RoomSummary[];
}

/** What comes first in a section. */
export const ORDERS = ["unread", "newest", "name"] as const;

export interface Sorting {
  readonly order: (typeof ORDERS)[number];
  /** The ids of rooms that come before all others. */
  readonly favourites: readonly string[];
}

/** Whether somebody waits for the user there. */
export function waits(room: RoomSummary): boolean {
  return room.mentions > 0 || room.markedUnread || (room.unread > 0 && !room.muted);
}

/**
 * The user's rooms as the list shows them: favourites, rooms, people, and what is archived. In each, those that are muted
 * come last, unless somebody waits there for the user all the same.
 */
export function sectionsOf(rooms: readonly RoomSummary[], { order, favourites }: Sorting): Section[] {
  const starred = new Set(favourites);
  const compare = comparing(order);
  const of = (key: Section["key"]) => rooms.filter((room) => sectionOf(room, starred) === key).sort(compare);
  return (["favourites", "rooms", "direct", "archived"] as const)
    .map((key) => ({ key, rooms: of(key) }))
    .filter((section) => section.rooms.length > 0);
}

/** The room above or below another one in the list; around its end if only unread ones are wanted. */
export function neighbour(
  rooms: readonly RoomSummary[],
  roomId: string | undefined,
  step: 1 | -1,
  unread: boolean,
): RoomSummary | undefined {
  const at = rooms.findIndex((room) => room.roomId === roomId);
  const from = at < 0 && step < 0 ? rooms.length : at;
  for (let index = from + step; index >= 0 && index < rooms.length; index += step) {
    const room = rooms[index];
    if (room && (!unread || waits(room))) return room;
  }
  if (!unread) return undefined;
  return (step > 0 ? rooms : [...rooms].reverse()).find((room) => room.roomId !== roomId && waits(room));
}

function sectionOf(room: RoomSummary, starred: ReadonlySet<string>): Section["key"] {
  if (starred.has(room.roomId)) return "favourites";
  if (room.archived) return "archived";
  return room.kind === "direct" ? "direct" : "rooms";
}

/** Mentions before what is unread, and that before all else. */
function rank(room: RoomSummary): number {
  if (room.mentions > 0) return 0;
  return waits(room) ? 1 : 2;
}

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function comparing(order: Sorting["order"]): (a: RoomSummary, b: RoomSummary) => number {
  const low = (room: RoomSummary) => Number(room.muted && !waits(room));
  const newest = (a: RoomSummary, b: RoomSummary) => b.lastTime - a.lastTime;
  const first = {
    unread: (a: RoomSummary, b: RoomSummary) => rank(a) - rank(b) || newest(a, b),
    newest,
    name: (a: RoomSummary, b: RoomSummary) => names.compare(roomName(a), roomName(b)),
  }[order];
  return (a, b) => low(a) - low(b) || first(a, b) || (a.roomId < b.roomId ? -1 : 1);
}
