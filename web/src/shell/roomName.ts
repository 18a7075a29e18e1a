import type { RoomSummary } from "../sync/api";

/** What a room is called: direct rooms by the other one. */
export function roomName(room: RoomSummary): string {
  return room.name || room.peer?.displayName || room.roomId;
}
