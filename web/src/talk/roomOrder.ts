import type { RoomSummary } from "../sync/api";

export interface Section {
  readonly key: "rooms" | "direct" | "archived";
  readonly rooms: readonly RoomSummary[];
}

/** Whether somebody waits for the user there. */
export function waits(room: RoomSummary): boolean {
  return room.mentions > 0 || room.markedUnread || (room.unread > 0 && !room.muted);
}

/**
 * The user's rooms as the list shows them: rooms, people, and what is archived. In each, what mentions the user comes
 * first, then what is unread, then the newest.
 */
export function sectionsOf(rooms: readonly RoomSummary[]): Section[] {
  const of = (key: Section["key"]) => rooms.filter((room) => sectionOf(room) === key).sort(compare);
  return (["rooms", "direct", "archived"] as const)
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

function sectionOf(room: RoomSummary): Section["key"] {
  if (room.archived) return "archived";
  return room.kind === "direct" ? "direct" : "rooms";
}

function rank(room: RoomSummary): number {
  if (room.mentions > 0) return 0;
  return waits(room) ? 1 : 2;
}

function compare(a: RoomSummary, b: RoomSummary): number {
  return rank(a) - rank(b) || b.lastTime - a.lastTime || (a.roomId < b.roomId ? -1 : 1);
}
