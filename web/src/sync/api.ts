/**
 * What views see of the synchronisation: plain objects that can be cloned, signals that change, and calls.
 *
 * Numbers are never bigint (a log's numbers stay below 2^53); times are milliseconds since 1970. Each object is
 * replaced when it changes, and never written to, so `===` says whether something is as it was.
 */
import type { ReadonlySignal } from "@preact/signals-core";

export type { Identity } from "../wire/transport";

/** How this browser is connected. All tabs share it. */
export type Connection =
  | { state: "connecting"; since: number; attempt: number; retryAt?: number; why?: string }
  /** Connected, and what happened meanwhile arrives. */
  | { state: "catching-up" }
  | { state: "online" }
  /** The browser says that there is no network. */
  | { state: "offline" }
  /** The session has ended: only signing in helps. */
  | { state: "signed-out"; why?: string }
  /** The server will not let this client connect, and trying again does not help until somebody changes something. */
  | { state: "refused"; why: string };

export type Presence = "active" | "away" | "offline";

export interface PersonStatus {
  emoji: string;
  text: string;
  until?: number;
}

export interface Person {
  userId: string;
  /** Never empty: the user id until the name is known. */
  displayName: string;
  bot: boolean;
  /** Absent where it is not known (yet). */
  presence?: Presence;
  lastSeen?: number;
  status?: PersonStatus;
}

export type Role = "reader" | "member" | "admin" | "owner";
export type RoomKind = "public" | "private" | "direct";
export type Level = "all" | "mentions" | "nothing";

/** One room of the user's. */
export interface RoomSummary {
  roomId: string;
  /** Empty in direct rooms: show `peer`. */
  name: string;
  topic: string;
  kind: RoomKind;
  /** In direct rooms: the other one. */
  peer?: Person;
  role: Role;
  archived: boolean;
  memberCount: number;
  /** Whether the user may send messages to it now, as far as the role, the rules and the archive say. */
  canWrite: boolean;
  /** Only admins and owners write. */
  adminsWrite: boolean;
  /** Members read only what came after they joined. */
  sinceJoin: boolean;
  /** Who sees how far members have read. */
  receipts: "off" | "members" | "senders";
  /** The number of the oldest event that the user may read. */
  firstSeq: number;
  lastSeq: number;
  readSeq: number;
  /** Unread messages that are in no thread. */
  unread: number;
  /** Unread messages that mention the user, those in threads included. */
  mentions: number;
  /** The user moved the marker back, to come back to this. */
  markedUnread: boolean;
  level: Level;
  muted: boolean;
  /** Absent if it is not muted, or without an end. */
  mutedUntil?: number;
  /** When the newest message came; when the newest event did, where no message is known. Sort by it. */
  lastTime: number;
  /** The newest message that is in no thread. */
  preview?: { seq: number; userId: string; text: string; files: number; deleted: boolean };
  /** What the user has begun to write (in the room, not in its threads). */
  draft?: string;
  /** Who is typing in the room (not in its threads), those who began last first. */
  typing: readonly string[];
  pins: number;
  /** How long, in ms, a member has to wait between two messages. */
  slowMode?: number;
  /** How long, in ms, a message may be edited and deleted by its sender. */
  editWindow?: number;
  keepEdits: boolean;
}

export interface FileView {
  fileId: string;
  name: string;
  mediaType: string;
  size: number;
  /** Of images that the server could read. */
  width?: number;
  height?: number;
  /** Whether DownloadFile with `preview` returns a WebP image of at most 512 by 512 pixels. */
  preview: boolean;
}

export interface LinkCardView {
  url: string;
  title: string;
  description: string;
  /** One of the message's files. */
  imageFileId?: string;
}

export interface PollView {
  options: readonly string[];
  multiple: boolean;
  anonymous: boolean;
  closeTime?: number;
  closed: boolean;
  /** One for each option; empty while nobody is told (an anonymous poll that is open), or while it is not known yet. */
  counts: readonly number[];
  voters: number;
  /** The options that the user has chosen, by index. */
  mine: readonly number[];
}

export interface NewPoll {
  options: readonly string[];
  multiple: boolean;
  anonymous: boolean;
  closeTime?: number;
}

export interface ReactionView {
  emoji: string;
  count: number;
  mine: boolean;
  /** Those who are known to have chosen it: not always all of them. ListReactions returns all. */
  userIds: readonly string[];
}

export interface ThreadView {
  replies: number;
  lastTime: number;
  unread: number;
  /** How far the user has read it, where they follow it. */
  readSeq: number;
  following: boolean;
  muted: boolean;
}

/** How far the user has read a room, or a thread that they follow, and how many messages wait after that. */
export interface ReadState {
  readSeq: number;
  unread: number;
}

export interface MessageEntry {
  kind: "message";
  roomId: string;
  seq: number;
  clientMessageId: string;
  userId: string;
  time: number;
  text: string;
  editTime?: number;
  edits: number;
  deleted?: { userId: string; reason: string };
  files: readonly FileView[];
  replyTo?: number;
  threadRoot?: number;
  mentions?: { userIds: readonly string[]; room: boolean; mine: boolean };
  cards: readonly LinkCardView[];
  poll?: PollView;
  reactions: readonly ReactionView[];
  pinned: boolean;
  /** Where it is the root of a thread. */
  thread?: ThreadView;
}

/** A message of this browser's that is not stored on the server yet. */
export interface PendingEntry {
  kind: "pending";
  roomId: string;
  clientMessageId: string;
  time: number;
  text: string;
  files: readonly string[];
  replyTo?: number;
  threadRoot?: number;
  poll?: NewPoll;
  cards: readonly LinkCardView[];
  /** `failed` waits for the user: resend() or discard(). What was written later in the room waits behind it no longer. */
  state: "waiting" | "sending" | "failed";
  /** What the server said. */
  error?: string;
  /** The stable reason, such as NOT_A_MEMBER. */
  reason?: string;
  /** When it is tried again by itself, as in slow mode. */
  retryAt?: number;
}

/** Something that happened in a room and is no message. */
export type Note =
  | "created"
  | "renamed"
  | "topic"
  | "settings"
  | "archived"
  | "unarchived"
  | "joined"
  | "added"
  | "left"
  | "removed"
  | "banned"
  | "unbanned"
  | "role"
  | "invited"
  | "pinned"
  | "unpinned";

export interface NoteEntry {
  kind: "note";
  roomId: string;
  seq: number;
  time: number;
  /** Who did it. */
  userId: string;
  what: Note;
  /** The person whom it was done to, if that is somebody else. */
  target?: string;
  /** The new name or topic, the reason, the new role. */
  text?: string;
  /** For `pinned` and `unpinned`: which message. */
  messageSeq?: number;
}

/** Events that are gone (retention), or were never readable. */
export interface GapEntry {
  kind: "gap";
  roomId: string;
  fromSeq: number;
  toSeq: number;
}

export type Entry = MessageEntry | NoteEntry | GapEntry | PendingEntry;

/** Where to go in a timeline. `unread`: the first message that is unread; the end, if none is. */
export type Place = { seq: number } | { time: number } | "end" | "unread";

/**
 * A window on a room's log, or on a thread: its entries in order, what is pending last. It opens at the end and follows it
 * while `atEnd`. At most some hundreds of entries are held: those at the far end go when others are loaded.
 *
 * A room's has the messages that are in no thread. A thread's begins with the root itself, where it can be read.
 */
export interface Timeline {
  readonly roomId: string;
  readonly threadRoot?: number;
  readonly entries: ReadonlySignal<readonly Entry[]>;
  /** Nothing older can be read. */
  readonly atStart: ReadonlySignal<boolean>;
  /** The newest entry is in the window, and new ones come by themselves. */
  readonly atEnd: ReadonlySignal<boolean>;
  readonly loading: ReadonlySignal<"older" | "newer" | "jump" | undefined>;
  /** Why the last load failed; the next one clears it. */
  readonly error: ReadonlySignal<string | undefined>;
  /** How many messages came below the window since it left the end. */
  readonly behind: ReadonlySignal<number>;
  /** Undefined for a thread that the user does not follow. */
  readonly reading: ReadonlySignal<ReadState | undefined>;
  /**
   * Whether the reader looks at the end, and nothing else: then what is far above may go when more comes. Otherwise the
   * window leaves the end when it is full.
   */
  follow(on: boolean): void;
  /** Loads a page of older entries. */
  older(): Promise<void>;
  /** Loads a page of newer entries. */
  newer(): Promise<void>;
  /** Moves the window; returns the number of the entry to show, undefined for the end. */
  jump(to: Place): Promise<number | undefined>;
  close(): void;
}

export interface Totals {
  /** Unread messages in rooms that are not muted. */
  unread: number;
  mentions: number;
  /** Threads that the user follows with unread messages. */
  threads: number;
  invitations: number;
}

export interface Notice {
  roomId: string;
  seq: number;
  threadRoot?: number;
  userId: string;
  text: string;
  mention: boolean;
}

export interface SendTo {
  roomId: string;
  threadRoot?: number;
  replyTo?: number;
}

export interface NewMessage {
  text: string;
  /** Ids of files that were uploaded. */
  files?: readonly string[];
  poll?: NewPoll;
  cards?: readonly LinkCardView[];
}

export interface Chat {
  readonly connection: ReadonlySignal<Connection>;
  readonly me: ReadonlySignal<Person | undefined>;
  /** The newest first. */
  readonly rooms: ReadonlySignal<readonly RoomSummary[]>;
  /** Whether `rooms` is complete: from this browser's disk, or from the server. */
  readonly ready: ReadonlySignal<boolean>;
  readonly totals: ReadonlySignal<Totals>;
  /** Grows when a draft, a saved or a scheduled message may have changed elsewhere: lists of them load again. */
  readonly personal: ReadonlySignal<number>;
  /** The same signal for the same id. */
  room(roomId: string): ReadonlySignal<RoomSummary | undefined>;
  /** The same signal for the same id; it has at least the id at once, and loads the rest on first use. */
  person(userId: string): ReadonlySignal<Person | undefined>;
  /** Who is typing in a thread. */
  typingIn(roomId: string, threadRoot: number): ReadonlySignal<readonly string[]>;
  /** All messages of this browser's that wait or failed, in all rooms. */
  readonly outbox: ReadonlySignal<readonly PendingEntry[]>;

  timeline(roomId: string, threadRoot?: number): Timeline;
  /** A message by its number, from the mirror or the server; undefined where there is none or it is hidden. */
  message(roomId: string, seq: number): Promise<MessageEntry | undefined>;

  /** Resolves with the client message id as soon as the message is on disk: from then on it is sent exactly once. */
  send(to: SendTo, what: NewMessage): Promise<string>;
  resend(clientMessageId: string): Promise<void>;
  discard(clientMessageId: string): Promise<void>;

  edit(roomId: string, seq: number, text: string): Promise<void>;
  remove(roomId: string, seqs: readonly number[], reason?: string): Promise<void>;
  react(roomId: string, seq: number, emoji: string, on: boolean): Promise<void>;
  pin(roomId: string, seq: number, on: boolean): Promise<void>;
  vote(roomId: string, seq: number, options: readonly number[]): Promise<void>;
  closePoll(roomId: string, seq: number): Promise<void>;

  /** Says that everything up to `seq` was shown. May be called for each message: calls are gathered. */
  markRead(roomId: string, seq: number, threadRoot?: number): Promise<void>;
  /** Makes `seq` and what follows unread again. */
  markUnread(roomId: string, seq: number): Promise<void>;
  follow(roomId: string, threadRoot: number, on: boolean): Promise<void>;

  /** May be called for each key. */
  typing(roomId: string, threadRoot?: number): void;
  stopTyping(roomId: string): void;
  /** On disk at once, on the server after a pause. An empty text deletes it. */
  saveDraft(roomId: string, text: string, threadRoot?: number): Promise<void>;
  draft(roomId: string, threadRoot?: number): Promise<string>;

  /** Connects at once instead of waiting. */
  retryNow(): void;
  /** Ends the session and wipes what this browser keeps. */
  signOut(): Promise<void>;
  /** Called in one tab only, for messages that the user wants to be notified of. Returns what ends it. */
  onNotification(handler: (notice: Notice) => void): () => void;
  /** Detaches this page. */
  close(): void;
}

/*
 * `openChat(identity): Promise<Chat>` is in openChat.ts. It rejects only where there is no IndexedDB; everything else,
 * such as no network or no session, is a state of `connection`.
 */
