import { useChat } from "../app/chat";
import type { RoomSummary } from "../sync/api";
import { harmlessLine } from "../text/characters";

/** What a room is called, also a direct one. */
export function roomName(room: RoomSummary): string {
  const name = room.kind === "direct" ? (room.peer?.displayName ?? room.name) : room.name;
  return harmlessLine(name || room.roomId);
}

/** What somebody is called; the id until the name is known. */
export function useName(userId: string): string {
  return harmlessLine(useChat().person(userId).value?.displayName || userId);
}

/** The names of some people, in the same order. */
export function useNames(userIds: readonly string[]): string[] {
  const chat = useChat();
  return userIds.map((userId) => harmlessLine(chat.person(userId).value?.displayName || userId));
}
