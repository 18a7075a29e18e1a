/** From protobuf's types to plain ones. */
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type Event,
  type File,
  History,
  type LinkCard,
  type Mentions,
  NotificationLevel,
  type Notifications,
  Posting,
  type ReactionCount,
  type ReadMarker,
  Receipts,
  Role,
  type Room,
  RoomKind,
  type Thread,
  type User,
  UserKind,
} from "../wire/chat_pb";
import type { FileView, Level, LinkCardView, MessageEntry, Person, ReactionView, RoomSummary } from "./api";
import { type Marker, NO_MARKER, type RoomRecord, type ThreadRecord } from "./model";

export const millis = (time: Timestamp): number => Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6);

/** An event's stamp: its time in whole microseconds. */
export const stampOf = (time: Timestamp | undefined): number =>
  time ? Number(time.seconds) * 1_000_000 + Math.floor(time.nanos / 1000) : 0;

export const span = (duration: Duration): number => Number(duration.seconds) * 1000 + duration.nanos / 1e6;

export const toTimestamp = (time: number): { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(time / 1000)),
  nanos: Math.floor(time % 1000) * 1_000_000,
});

export function timeOf(event: Event): number {
  return event.createTime ? millis(event.createTime) : 0;
}

export function person(user: User): Person {
  return {
    userId: user.userId,
    displayName: user.displayName || user.userId,
    bot: user.kind === UserKind.BOT,
  };
}

export function file(of: File): FileView {
  return {
    fileId: of.fileId,
    name: of.name,
    mediaType: of.contentType,
    size: Number(of.size),
    ...(of.width > 0 && of.height > 0 ? { width: of.width, height: of.height } : {}),
    preview: of.hasPreview,
  };
}

export function card(of: LinkCard): LinkCardView {
  return {
    url: of.url,
    title: of.title,
    description: of.description,
    ...(of.imageFileId ? { imageFileId: of.imageFileId } : {}),
  };
}

export function mentions(of: Mentions, me: string, sender: string): NonNullable<MessageEntry["mentions"]> {
  return {
    userIds: of.userIds,
    room: of.room,
    mine: sender !== me && (of.room || of.userIds.includes(me)),
  };
}

export function reaction(
  of: Pick<ReactionCount, "emoji" | "count" | "mine">,
  known: readonly ReactionView[] = [],
  me = "",
): ReactionView {
  const before = known.find((one) => one.emoji === of.emoji);
  const others = (before?.userIds ?? []).filter((userId) => userId !== me);
  const userIds = of.mine && me ? [...others, me] : others;
  return { emoji: of.emoji, count: of.count, mine: of.mine, userIds: userIds.slice(0, of.count) };
}

export function role(of: Role): RoomSummary["role"] {
  if (of === Role.OWNER) return "owner";
  if (of === Role.ADMIN) return "admin";
  return of === Role.READER ? "reader" : "member";
}

export function kind(of: RoomKind): RoomSummary["kind"] {
  if (of === RoomKind.PUBLIC) return "public";
  return of === RoomKind.DIRECT ? "direct" : "private";
}

export function receipts(of: Receipts): RoomSummary["receipts"] {
  if (of === Receipts.MEMBERS) return "members";
  return of === Receipts.SENDERS ? "senders" : "off";
}

export function marker(of: ReadMarker): Marker {
  return {
    seq: Number(of.seq),
    unread: Number(of.unreadCount),
    mentions: Number(of.unreadMentions),
    lastSeq: Number(of.lastSeq),
  };
}

export function notifications(of: Notifications | undefined): {
  level: Level;
  muted: boolean;
  mutedUntil?: number;
} {
  let level: Level = "all";
  if (of?.level === NotificationLevel.MENTIONS) level = "mentions";
  if (of?.level === NotificationLevel.NOTHING) level = "nothing";
  return {
    level,
    muted: of?.muted ?? false,
    ...(of?.muteEndTime ? { mutedUntil: millis(of.muteEndTime) } : {}),
  };
}

/** A room as ListRooms and GetRoom return it. */
export function room(of: Room, before: RoomRecord | undefined): RoomRecord {
  const preview = of.lastMessage;
  const said = preview?.createTime ?? of.lastEventTime ?? of.createTime;
  return {
    roomId: of.roomId,
    infoSeq: Number(of.lastSeq),
    name: of.name,
    topic: of.topic,
    kind: kind(of.kind),
    ...(of.peer ? { peer: person(of.peer) } : {}),
    role: role(of.role),
    archived: of.archiveTime !== undefined,
    memberCount: of.memberCount,
    adminsWrite: of.posting === Posting.ADMINS,
    sinceJoin: of.history === History.SINCE_JOIN,
    receipts: of.kind === RoomKind.DIRECT ? "members" : receipts(of.receipts),
    firstSeq: Number(of.firstSeq),
    lastSeq: Number(of.lastSeq),
    lastTime: said ? millis(said) : 0,
    marker: of.readMarker ? marker(of.readMarker) : (before?.marker ?? NO_MARKER),
    markedUnread: (before?.markedUnread && Number(of.readMarker?.unreadCount ?? 0n) > 0) ?? false,
    ...notifications(of.notifications),
    ...(preview
      ? {
          preview: {
            seq: Number(preview.seq),
            userId: preview.userId,
            text: preview.text,
            files: preview.files,
            deleted: preview.deleted,
          },
        }
      : {}),
    pins: of.pins,
    ...(of.slowMode ? { slowMode: span(of.slowMode) } : {}),
    ...(of.editWindow ? { editWindow: span(of.editWindow) } : {}),
    keepEdits: of.keepEdits,
  };
}

export function thread(of: Thread): ThreadRecord {
  return {
    roomId: of.roomId,
    root: Number(of.threadRoot),
    replies: Number(of.replyCount),
    lastSeq: Number(of.lastSeq),
    lastTime: of.lastTime ? millis(of.lastTime) : 0,
    following: of.following,
    muted: of.muted,
    ...(of.muteEndTime ? { mutedUntil: millis(of.muteEndTime) } : {}),
    marker: of.readMarker ? marker(of.readMarker) : NO_MARKER,
  };
}
