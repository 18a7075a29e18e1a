import { messagePath, threadPath } from "../app/paths";
import type { FileView } from "../sync/api";
import { file, timeOf } from "../sync/read";
import type { Event } from "../wire/chat_pb";

/** A message that a list has, apart from its room. */
export interface FoundMessage {
  readonly roomId: string;
  readonly seq: number;
  readonly userId: string;
  readonly time: number;
  readonly text: string;
  readonly files: readonly FileView[];
  readonly deleted: boolean;
  readonly threadRoot?: number;
}

/** The message of an event; undefined if it has none. */
export function foundMessage(event: Event | undefined): FoundMessage | undefined {
  if (event?.kind.case !== "message") return undefined;
  const { text, files, deleted, threadRoot } = event.kind.value;
  return {
    roomId: event.roomId,
    seq: Number(event.seq),
    userId: event.userId,
    time: timeOf(event),
    text,
    files: files.map(file),
    deleted: deleted !== undefined,
    ...(threadRoot > 0n && { threadRoot: Number(threadRoot) }),
  };
}

/** Where a message can be seen among those around it. */
export function placeOf(message: Pick<FoundMessage, "roomId" | "seq" | "threadRoot">): string {
  return message.threadRoot === undefined
    ? messagePath(message.roomId, message.seq)
    : `${threadPath(message.roomId, message.threadRoot)}?message=${message.seq}`;
}
