/** Which messages the user wants to be notified of. */
import type { MessageEntry, Notice, RoomSummary, ThreadView } from "./api";

/** A message that was on its way longer than this is no news. */
const NEWS = 5 * 60_000;

export class Notices {
  private readonly handlers = new Set<(notice: Notice) => void>();

  on(handler: (notice: Notice) => void): () => void {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  /** A message that has just come. */
  message(
    entry: MessageEntry,
    me: string,
    room: Pick<RoomSummary, "level" | "muted"> | undefined,
    thread: ThreadView | undefined,
  ): void {
    if (this.handlers.size === 0 || !room || !wanted(entry, me, room, thread)) return;
    if (Date.now() - entry.time > NEWS) return;
    const notice: Notice = {
      roomId: entry.roomId,
      seq: entry.seq,
      ...(entry.threadRoot !== undefined ? { threadRoot: entry.threadRoot } : {}),
      userId: entry.userId,
      text: entry.text,
      mention: entry.mentions?.mine === true,
    };
    for (const handler of this.handlers) handler(notice);
  }
}

export function wanted(
  entry: MessageEntry,
  me: string,
  room: Pick<RoomSummary, "level" | "muted">,
  thread: ThreadView | undefined,
): boolean {
  if (entry.userId === me || entry.deleted || room.muted || room.level === "nothing") return false;
  if (entry.threadRoot !== undefined && thread?.muted) return false;
  if (entry.mentions?.mine) return true;
  if (room.level === "mentions") return false;
  return entry.threadRoot === undefined || thread?.following === true;
}
