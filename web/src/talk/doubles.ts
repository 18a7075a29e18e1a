/** Rooms and messages for tests: whatever a test does not care for has a plain value. */
import type { MessageEntry, NoteEntry, RoomSummary } from "../sync/api";

export function room(more: Partial<RoomSummary> = {}): RoomSummary {
  return {
    roomId: "general",
    name: more.roomId ?? "General",
    topic: "",
    kind: "public",
    role: "member",
    archived: false,
    memberCount: 2,
    canWrite: true,
    adminsWrite: false,
    sinceJoin: false,
    receipts: "off",
    firstSeq: 1,
    lastSeq: 0,
    readSeq: 0,
    unread: 0,
    mentions: 0,
    markedUnread: false,
    level: "all",
    muted: false,
    lastTime: 0,
    typing: [],
    pins: 0,
    keepEdits: false,
    ...more,
  };
}

export function message(more: Partial<MessageEntry> & { seq: number }): MessageEntry {
  return {
    kind: "message",
    roomId: "general",
    clientMessageId: `client-${more.seq}`,
    userId: "ada",
    time: 0,
    text: "",
    edits: 0,
    files: [],
    cards: [],
    reactions: [],
    pinned: false,
    ...more,
  };
}

export function note(more: Partial<NoteEntry> & { seq: number }): NoteEntry {
  return { kind: "note", roomId: "general", time: 0, userId: "ada", what: "joined", ...more };
}
