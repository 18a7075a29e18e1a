import type { MessageEntry, RoomSummary } from "../sync/api";

/** What the user may do with a message, as far as this browser knows: the server decides. */
export interface Abilities {
  readonly react: boolean;
  readonly reply: boolean;
  readonly thread: boolean;
  readonly edit: boolean;
  readonly remove: boolean;
  readonly pin: boolean;
  readonly report: boolean;
  readonly showEdits: boolean;
  readonly markUnread: boolean;
  readonly closePoll: boolean;
}

export function abilitiesOf(
  entry: MessageEntry,
  room: RoomSummary,
  me: string,
  now: number = Date.now(),
): Abilities {
  const there = !entry.deleted;
  const mine = entry.userId === me;
  const moderates = room.role === "admin" || room.role === "owner";
  const inTime = room.editWindow === undefined || now - entry.time < room.editWindow;
  const open = !room.archived;
  return {
    react: there && open && room.role !== "reader",
    reply: room.canWrite,
    thread: room.canWrite && entry.threadRoot === undefined,
    edit: there && mine && open && inTime && !entry.poll && room.role !== "reader",
    remove: there && open && ((mine && inTime) || moderates),
    pin: there && open && (moderates || room.kind === "direct"),
    report: there && !mine,
    showEdits: there && entry.edits > 0 && room.keepEdits,
    markUnread: entry.threadRoot === undefined && !mine,
    closePoll: there && open && (mine || moderates) && entry.poll !== undefined && !entry.poll.closed,
  };
}
