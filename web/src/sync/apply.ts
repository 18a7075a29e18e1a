/** What the events of a room's log mean for its entries. Nothing here knows where entries are kept. */
import { type Event, MembershipChange, type Message, Role } from "../wire/chat_pb";
import type { MessageEntry, Note, NoteEntry, PollView, ReactionView } from "./api";
import type { Stored } from "./model";
import { card, file, mentions, millis, role, timeOf } from "./read";

/** The number of the message that an event is about; 0 for an event of its own. */
export function about(event: Event): number {
  switch (event.kind.case) {
    case "messageEdited":
    case "messageDeleted":
    case "reactionChanged":
    case "pinChanged":
    case "pollVoted":
    case "pollClosed":
      return Number(event.kind.value.seq);
    default:
      return 0;
  }
}

/** The entry that an event adds to its room, if it adds one. */
export function entryOf(event: Event, me: string): Stored | undefined {
  const entry = event.kind.case === "message" ? message(event, event.kind.value, me) : note(event);
  if (!entry) return undefined;
  const root = entry.kind === "message" ? (entry.threadRoot ?? 0) : 0;
  const editSeq = event.kind.case === "message" ? Number(event.kind.value.editSeq) : 0;
  return { roomId: event.roomId, seq: entry.seq, entry, root, editSeq };
}

function message(event: Event, of: Message, me: string): MessageEntry {
  return {
    kind: "message",
    roomId: event.roomId,
    seq: Number(event.seq),
    clientMessageId: of.clientMessageId,
    userId: event.userId,
    time: timeOf(event),
    text: of.text,
    ...(of.editTime ? { editTime: millis(of.editTime) } : {}),
    edits: of.edits,
    ...(of.deleted ? { deleted: { userId: of.deleted.userId, reason: of.deleted.reason } } : {}),
    files: of.files.map(file),
    ...(of.replyTo ? { replyTo: Number(of.replyTo) } : {}),
    ...(of.threadRoot ? { threadRoot: Number(of.threadRoot) } : {}),
    ...(of.mentions ? { mentions: mentions(of.mentions, me, event.userId) } : {}),
    cards: of.cards.map(card),
    ...(of.poll ? { poll: poll(of.poll) } : {}),
    reactions: [],
    pinned: false,
  };
}

function poll(of: NonNullable<Message["poll"]>): PollView {
  const closed = of.result !== undefined;
  return {
    options: of.options,
    multiple: of.multiple,
    anonymous: of.anonymous,
    ...(of.closeTime ? { closeTime: millis(of.closeTime) } : {}),
    closed,
    counts: of.result?.counts ?? (of.anonymous ? [] : of.options.map(() => 0)),
    voters: of.result?.voterCount ?? 0,
    mine: [],
  };
}

const MEMBERSHIPS: Partial<Record<MembershipChange, Note>> = {
  [MembershipChange.JOINED]: "joined",
  [MembershipChange.ADDED]: "added",
  [MembershipChange.LEFT]: "left",
  [MembershipChange.REMOVED]: "removed",
  [MembershipChange.BANNED]: "banned",
  [MembershipChange.UNBANNED]: "unbanned",
  [MembershipChange.ROLE]: "role",
  [MembershipChange.INVITED]: "invited",
};

function note(event: Event): NoteEntry | undefined {
  const one = (what: Note, rest: Partial<NoteEntry> = {}): NoteEntry => ({
    kind: "note",
    roomId: event.roomId,
    seq: Number(event.seq),
    time: timeOf(event),
    userId: event.userId,
    what,
    ...rest,
  });
  switch (event.kind.case) {
    case "roomCreated":
      return one("created", event.kind.value.name ? { text: event.kind.value.name } : {});
    case "roomUpdated": {
      const { name, topic, archived } = event.kind.value;
      if (archived !== undefined) return one(archived ? "archived" : "unarchived");
      if (name !== undefined) return one("renamed", { text: name });
      return topic === undefined ? one("settings") : one("topic", { text: topic });
    }
    case "membershipChanged": {
      const { change, userId, reason, role: given } = event.kind.value;
      const what = MEMBERSHIPS[change];
      if (!what) return undefined;
      const target = userId === event.userId ? {} : { target: userId };
      const text = what === "role" && given !== Role.UNSPECIFIED ? role(given) : reason;
      return one(what, text ? { ...target, text } : target);
    }
    case "pinChanged": {
      const { pinned, seq } = event.kind.value;
      return one(pinned ? "pinned" : "unpinned", { messageSeq: Number(seq) });
    }
    default:
      return undefined;
  }
}

/**
 * The entry after an event about it, or the same object if it stays as it is.
 *
 * An event that is applied again changes nothing, and neither does one whose effect the entry has because it was read later.
 */
export function amend(stored: Stored, event: Event, me: string): Stored {
  const entry = stored.entry;
  if (entry.kind !== "message" || entry.deleted) return stored;
  const changed = (part: Partial<MessageEntry>): Stored => ({ ...stored, entry: { ...entry, ...part } });
  switch (event.kind.case) {
    case "messageEdited": {
      const edit = event.kind.value;
      const seq = Number(event.seq);
      if (seq <= stored.editSeq) return stored;
      // Without a text, a later event says what became of it.
      if (edit.text === "" && !edit.emptied) return { ...changed({ edits: entry.edits + 1 }), editSeq: seq };
      const { mentions: _, ...rest } = entry;
      const edited: MessageEntry = {
        ...rest,
        text: edit.text,
        editTime: timeOf(event),
        edits: entry.edits + 1,
        cards: edit.cards.map(card),
        ...(edit.mentions ? { mentions: mentions(edit.mentions, me, entry.userId) } : {}),
      };
      return { ...stored, entry: edited, editSeq: seq };
    }
    case "messageDeleted": {
      const { mentions: _m, poll: _p, replyTo: _r, editTime: _e, ...rest } = entry;
      const deleted = { userId: event.userId, reason: event.kind.value.reason };
      const left: MessageEntry = {
        ...rest,
        text: "",
        edits: 0,
        deleted,
        files: [],
        cards: [],
        reactions: [],
        pinned: false,
      };
      return { ...stored, entry: left };
    }
    case "reactionChanged": {
      const { emoji, removed } = event.kind.value;
      if (!emoji) return stored;
      const reactions = react(entry.reactions, emoji, event.userId, !removed, me);
      return reactions === entry.reactions ? stored : changed({ reactions });
    }
    case "pinChanged": {
      const { pinned } = event.kind.value;
      return pinned === entry.pinned ? stored : changed({ pinned });
    }
    case "pollVoted": {
      const { counts, choices, voterCount } = event.kind.value;
      if (!entry.poll || entry.poll.closed) return stored;
      const now = { ...entry.poll, voters: voterCount };
      if (!entry.poll.anonymous && counts.length > 0) now.counts = counts;
      if (event.userId === me) now.mine = choices;
      return changed({ poll: now });
    }
    case "pollClosed": {
      const { counts, voterCount } = event.kind.value;
      if (!entry.poll) return stored;
      const known = counts.length > 0 ? { counts, voters: voterCount } : {};
      return changed({ poll: { ...entry.poll, ...known, closed: true } });
    }
    default:
      return stored;
  }
}

function react(
  reactions: readonly ReactionView[],
  emoji: string,
  userId: string,
  on: boolean,
  me: string,
): readonly ReactionView[] {
  const found = reactions.find((one) => one.emoji === emoji);
  if (!found)
    return on ? [...reactions, { emoji, count: 1, mine: userId === me, userIds: [userId] }] : reactions;
  const has = userId === me ? found.mine : found.userIds.includes(userId);
  // Who chose it is not always known: then it must be one of the unknown who takes it back.
  if (on ? has : !has && (userId === me || found.userIds.length >= found.count)) return reactions;
  const others = found.userIds.filter((one) => one !== userId);
  const next: ReactionView = {
    emoji,
    count: found.count + (on ? 1 : -1),
    mine: userId === me ? on : found.mine,
    userIds: on ? [...others, userId] : others,
  };
  if (next.count <= 0) return reactions.filter((one) => one !== found);
  return reactions.map((one) => (one === found ? next : one));
}
