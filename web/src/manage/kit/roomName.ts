import type { Room } from "../../wire/chat_pb";

/** What people call a room: a direct one has no name but the other person's. */
export function roomName(room: Pick<Room, "roomId" | "name" | "peer">): string {
  return room.name || room.peer?.displayName || room.peer?.userId || room.roomId;
}
