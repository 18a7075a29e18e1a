import type { Entry, MessageEntry, RoomSummary } from "../sync/api";
import { words } from "../words";

const text = words.talk.composer;

/** Until when a member has to wait in a slow room; undefined for not at all. */
export function slowUntil(room: RoomSummary, entries: readonly Entry[], me: string): number | undefined {
  if (!room.slowMode || room.role === "admin" || room.role === "owner") return undefined;
  const last = entries.findLast((entry) => entry.kind === "message" && entry.userId === me);
  return last && "time" in last ? last.time + room.slowMode : undefined;
}

/** The last message that the user may still change; none while a later one is on its way, which is the one that is meant. */
export function lastOwn(entries: readonly Entry[], me: string, room: RoomSummary): MessageEntry | undefined {
  if (entries.some((entry) => entry.kind === "pending" && entry.state !== "failed")) return undefined;
  const window = room.editWindow;
  return entries.findLast(
    (entry): entry is MessageEntry =>
      entry.kind === "message" &&
      entry.userId === me &&
      !entry.deleted &&
      !entry.poll &&
      (window === undefined || Date.now() - entry.time < window),
  );
}

/** Why the user can't write in a room; undefined where they can. */
export function whyNot(room: RoomSummary): string | undefined {
  if (room.canWrite) return undefined;
  if (room.archived) return text.archived;
  if (room.role === "reader") return text.reader;
  return room.adminsWrite ? text.adminsWrite : text.readOnly;
}
