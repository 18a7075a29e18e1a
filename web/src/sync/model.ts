/** What the mirror keeps: plain objects, as IndexedDB stores them. */
import type {
  GapEntry,
  LinkCardView,
  MessageEntry,
  NewPoll,
  NoteEntry,
  Person,
  RoomKind,
  RoomSummary,
} from "./api";

/** An entry of a room's log with what later events about it have to be compared with. */
export interface Stored {
  roomId: string;
  seq: number;
  /** A gap has the number of the first event that is missing. */
  entry: MessageEntry | NoteEntry | GapEntry;
  /** The number of the thread's root; 0 for none. An index of the store. */
  root: number;
  /** The event that edited it last. */
  editSeq: number;
}

/** The last number that an entry stands for. */
export const endOf = ({ seq, entry }: Stored): number => (entry.kind === "gap" ? entry.toSeq : seq);

/** Events that are gone, as an entry. */
export function gap(roomId: string, fromSeq: number, toSeq: number): Stored {
  return { roomId, seq: fromSeq, entry: { kind: "gap", roomId, fromSeq, toSeq }, root: 0, editSeq: 0 };
}

/** Where a room's log has been read up to, and from where on the mirror has all of it. */
export interface Position {
  roomId: string;
  epoch: string;
  /** All events up to this one have been applied. */
  seq: number;
  /** Its time in microseconds; 0 where it is not known. */
  stamp: number;
  /** The mirror has every entry after this number. */
  after: number;
  /** How many entries it has. */
  count: number;
}

export interface Marker {
  seq: number;
  unread: number;
  mentions: number;
  /** What is later is not counted. */
  lastSeq: number;
}

export const NO_MARKER: Marker = { seq: 0, unread: 0, mentions: 0, lastSeq: 0 };

/** Everything up to a number was shown; `root` is a thread's, 0 for the room. */
export interface Mark {
  roomId: string;
  root: number;
  seq: number;
}

/** A room of the user's, as the server and the events since then say. */
export interface RoomRecord {
  roomId: string;
  /** The newest event that is in here: those up to it change nothing any more. */
  infoSeq: number;
  name: string;
  topic: string;
  kind: RoomKind;
  peer?: Person;
  role: RoomSummary["role"];
  archived: boolean;
  memberCount: number;
  adminsWrite: boolean;
  sinceJoin: boolean;
  receipts: RoomSummary["receipts"];
  firstSeq: number;
  lastSeq: number;
  lastTime: number;
  marker: Marker;
  markedUnread: boolean;
  level: RoomSummary["level"];
  muted: boolean;
  mutedUntil?: number;
  preview?: NonNullable<RoomSummary["preview"]>;
  pins: number;
  slowMode?: number;
  editWindow?: number;
  keepEdits: boolean;
}

export interface ThreadRecord {
  roomId: string;
  root: number;
  replies: number;
  /** Its newest message. */
  lastSeq: number;
  lastTime: number;
  following: boolean;
  muted: boolean;
  mutedUntil?: number;
  marker: Marker;
}

/** A message that waits to be sent. */
export interface Outgoing {
  /** The place in the outbox: what was written first is sent first. */
  order?: number;
  roomId: string;
  clientMessageId: string;
  time: number;
  text: string;
  files: readonly string[];
  replyTo?: number;
  threadRoot?: number;
  poll?: NewPoll;
  cards: readonly LinkCardView[];
  failed?: { error: string; reason: string };
}

export interface Draft {
  roomId: string;
  root: number;
  text: string;
  time: number;
  /** The server does not have it yet. */
  dirty: boolean;
}

export interface KnownPerson {
  userId: string;
  displayName: string;
  bot: boolean;
  /** When the server said so. */
  asked: number;
}

export const threadKey = (roomId: string, root: number): string => `${root}:${roomId}`;
