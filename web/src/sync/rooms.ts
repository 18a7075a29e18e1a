/** The user's rooms, kept up to date by the events of their logs. */
import type { Event, Notifications } from "../wire/chat_pb";
import { History, MembershipChange, Posting } from "../wire/chat_pb";
import type { MessageEntry, RoomSummary } from "./api";
import { Count } from "./counting";
import type { Marker, RoomRecord, Stored } from "./model";
import { notifications, receipts, role, span } from "./read";

const PREVIEW = 200;

export class Rooms {
  readonly records = new Map<string, RoomRecord>();
  private readonly counts = new Map<string, Count>();
  /** How far the user was shown the room, before the server knows. */
  private readonly shown = new Map<string, number>();

  /**
   * @param changed what becomes of a room's summary has to be looked at again
   * @param stale the server has to be asked about the room: events alone do not say what it is like now
   */
  constructor(
    private readonly changed: (roomId: string) => void,
    private readonly stale: (roomId: string) => void,
  ) {}

  /** A room as the server says that it is now, or as the mirror has it. */
  put(record: RoomRecord, fromMirror = false): void {
    const before = this.records.get(record.roomId);
    let count = this.counts.get(record.roomId);
    if (!count) {
      count = new Count(record.marker);
      this.counts.set(record.roomId, count);
    } else if (!fromMirror && count.set(record.marker)) {
      this.stale(record.roomId);
    }
    // Events may have come while the server answered.
    const ahead = before !== undefined && before.lastSeq > record.lastSeq;
    if (ahead && before.infoSeq > record.infoSeq) this.stale(record.roomId);
    const preview = ahead ? before.preview : record.preview;
    const { preview: _, ...rest } = record;
    this.records.set(record.roomId, {
      ...rest,
      ...(preview ? { preview } : {}),
      lastSeq: Math.max(record.lastSeq, before?.lastSeq ?? 0),
      lastTime: Math.max(record.lastTime, ahead ? before.lastTime : 0),
      marker: count.marker,
    });
    this.changed(record.roomId);
  }

  delete(roomId: string): void {
    this.records.delete(roomId);
    this.counts.delete(roomId);
    this.shown.delete(roomId);
    this.changed(roomId);
  }

  clear(): void {
    for (const roomId of [...this.records.keys()]) this.delete(roomId);
  }

  /** A new stream begins. */
  restart(): void {
    for (const count of this.counts.values()) count.restart();
  }

  /**
   * Takes an event that was not seen before.
   *
   * @param added the entry that it adds
   * @param target the entry that it is about, as it was before
   */
  apply(
    event: Event,
    me: string,
    added: Stored | undefined,
    target: Stored | undefined,
  ): RoomRecord | undefined {
    const record = this.records.get(event.roomId);
    const count = this.counts.get(event.roomId);
    if (!record || !count) return undefined;
    const seq = Number(event.seq);
    let next = { ...record, lastSeq: Math.max(record.lastSeq, seq) };
    const said = added?.entry;
    if (said?.kind === "message") next = this.said(next, said);
    next = this.amended(next, event, target);
    if (seq > record.infoSeq) next = { ...this.info(next, event, me, target), infoSeq: seq };
    this.count(count, event, me, said?.kind === "message" ? said : undefined, target);
    next.marker = count.marker;
    if (next.markedUnread && next.marker.unread === 0) next.markedUnread = false;
    this.records.set(event.roomId, next);
    this.changed(event.roomId);
    return next;
  }

  private said(record: RoomRecord, entry: MessageEntry): RoomRecord {
    if (entry.threadRoot !== undefined || entry.seq < (record.preview?.seq ?? 0)) return record;
    const { seq, userId, text, files, deleted } = entry;
    return {
      ...record,
      lastTime: Math.max(record.lastTime, entry.time),
      preview: {
        seq,
        userId,
        text: [...text.slice(0, 2 * PREVIEW)].slice(0, PREVIEW).join(""),
        files: files.length,
        deleted: deleted !== undefined,
      },
    };
  }

  private amended(record: RoomRecord, event: Event, target: Stored | undefined): RoomRecord {
    const preview = record.preview;
    if (!preview) return record;
    if (event.kind.case === "messageEdited" && Number(event.kind.value.seq) === preview.seq) {
      const { text, emptied } = event.kind.value;
      if (preview.deleted || (text === "" && !emptied)) return record;
      if (target && Number(event.seq) <= target.editSeq) return record;
      return { ...record, preview: { ...preview, text: [...text].slice(0, PREVIEW).join("") } };
    }
    if (event.kind.case === "messageDeleted" && Number(event.kind.value.seq) === preview.seq)
      return { ...record, preview: { ...preview, text: "", files: 0, deleted: true } };
    return record;
  }

  private info(record: RoomRecord, event: Event, me: string, target: Stored | undefined): RoomRecord {
    switch (event.kind.case) {
      case "roomUpdated": {
        const of = event.kind.value;
        const next = { ...record };
        if (of.name !== undefined) next.name = of.name;
        if (of.topic !== undefined) next.topic = of.topic;
        if (of.history !== undefined) {
          next.sinceJoin = of.history === History.SINCE_JOIN;
          // What may be read, and what waits, is another thing now.
          this.stale(record.roomId);
        }
        if (of.posting !== undefined) next.adminsWrite = of.posting === Posting.ADMINS;
        if (of.archived !== undefined) next.archived = of.archived;
        if (of.keepEdits !== undefined) next.keepEdits = of.keepEdits;
        if (of.receipts !== undefined) next.receipts = receipts(of.receipts);
        if (of.editWindow) {
          delete next.editWindow;
          if (span(of.editWindow) > 0) next.editWindow = span(of.editWindow);
        }
        if (of.slowMode) {
          delete next.slowMode;
          if (span(of.slowMode) > 0) next.slowMode = span(of.slowMode);
        }
        return next;
      }
      case "membershipChanged": {
        const { change, userId, role: given } = event.kind.value;
        const next = { ...record };
        if (change === MembershipChange.JOINED || change === MembershipChange.ADDED) next.memberCount += 1;
        if (change === MembershipChange.LEFT || change === MembershipChange.REMOVED) next.memberCount -= 1;
        // It does not say whether they were a member.
        if (change === MembershipChange.BANNED) this.stale(record.roomId);
        const theirs = change !== MembershipChange.INVITED && change !== MembershipChange.UNBANNED;
        if (userId === me && theirs && given) next.role = role(given);
        return next;
      }
      case "pinChanged":
        return { ...record, pins: Math.max(0, record.pins + (event.kind.value.pinned ? 1 : -1)) };
      case "messageDeleted":
        if (target?.entry.kind === "message") {
          if (target.entry.pinned) return { ...record, pins: Math.max(0, record.pins - 1) };
        } else if (record.pins > 0) this.stale(record.roomId);
        return record;
      default:
        return record;
    }
  }

  private count(
    count: Count,
    event: Event,
    me: string,
    said: MessageEntry | undefined,
    target: Stored | undefined,
  ): void {
    const seq = Number(event.seq);
    const nothing = { seq, unread: 0, mentions: 0 };
    if (said) {
      const inThread = said.threadRoot !== undefined;
      if (said.userId === me) count.add(inThread ? nothing : { ...nothing, own: true });
      else if (said.deleted) count.add(nothing);
      else count.add({ seq, unread: inThread ? 0 : 1, mentions: said.mentions?.mine ? 1 : 0 });
      return;
    }
    const counted = count.marker.lastSeq;
    const about = event.kind.case === "messageDeleted" || event.kind.case === "messageEdited";
    const at = about ? Number((event.kind.value as { seq: bigint }).seq) : 0;
    if (!about || seq <= counted || at <= count.marker.seq) {
      count.add(nothing);
      return;
    }
    const entry = target?.entry;
    if (event.kind.case === "messageEdited") {
      const had = entry?.kind === "message" && entry.mentions?.mine === true;
      const calls = event.kind.value.mentions;
      // An edit that calls the user, or no longer does, is counted by the server.
      if (!entry || had || (calls && (calls.room || calls.userIds.includes(me)))) this.stale(event.roomId);
      count.add(nothing);
      return;
    }
    if (entry?.kind !== "message" || (entry.deleted && entry.userId !== me)) {
      // Whether it was counted is not known: it may have been deleted before it came.
      count.add(nothing);
      this.stale(event.roomId);
    } else if (entry.userId === me) count.add(nothing);
    else {
      const inThread = entry.threadRoot !== undefined;
      count.add({ seq, target: at, unread: inThread ? 0 : -1, mentions: entry.mentions?.mine ? -1 : 0 });
    }
  }

  /** How far the user has read, as the server says. */
  setMarker(roomId: string, marker: Marker): void {
    const record = this.records.get(roomId);
    const count = this.counts.get(roomId);
    if (!record || !count) return;
    if (count.set(marker)) this.stale(roomId);
    if ((this.shown.get(roomId) ?? 0) <= count.marker.seq) this.shown.delete(roomId);
    this.patch(roomId, { marker: count.marker });
    if (count.marker.unread === 0) this.patch(roomId, { markedUnread: false });
  }

  /** The log went back: what was counted counts for nothing. */
  historyChanged(roomId: string, lastCommon: number): void {
    const record = this.records.get(roomId);
    if (!record) return;
    const seq = Math.min(record.marker.seq, lastCommon);
    const count = new Count({ seq, unread: 0, mentions: 0, lastSeq: lastCommon });
    this.counts.set(roomId, count);
    this.shown.delete(roomId);
    const { preview, ...rest } = record;
    this.records.set(roomId, {
      ...rest,
      ...(preview && preview.seq <= lastCommon ? { preview } : {}),
      infoSeq: Math.min(record.infoSeq, lastCommon),
      lastSeq: lastCommon,
      marker: count.marker,
    });
    this.changed(roomId);
    this.stale(roomId);
  }

  setNotifications(roomId: string, of: Notifications | undefined): void {
    const record = this.records.get(roomId);
    if (!record) return;
    const { mutedUntil: _, ...rest } = record;
    this.records.set(roomId, { ...rest, ...notifications(of) });
    this.changed(roomId);
  }

  patch(roomId: string, part: Partial<RoomRecord>): void {
    const record = this.records.get(roomId);
    if (!record) return;
    this.records.set(roomId, { ...record, ...part });
    this.changed(roomId);
  }

  /** The user was shown everything up to a number; the counts say so before the server does. */
  show(roomId: string, seq: number): void {
    if (seq <= (this.shown.get(roomId) ?? 0)) return;
    this.shown.set(roomId, seq);
    this.changed(roomId);
  }

  unshow(roomId: string): void {
    if (this.shown.delete(roomId)) this.changed(roomId);
  }

  /** What views see of a room, without what others keep: typing and drafts. */
  summary(roomId: string, now: number): Omit<RoomSummary, "typing" | "draft"> | undefined {
    const record = this.records.get(roomId);
    if (!record) return undefined;
    const { infoSeq: _, marker, preview, ...rest } = record;
    const over = rest.mutedUntil !== undefined && rest.mutedUntil <= now;
    let { seq: readSeq, unread, mentions } = marker;
    const shown = this.shown.get(roomId);
    if (shown !== undefined && shown > readSeq) {
      readSeq = shown;
      const left = this.counts.get(roomId)?.unreadAfter(shown);
      if (left) ({ unread, mentions } = left);
    }
    return {
      ...rest,
      muted: rest.muted && !over,
      ...(preview ? { preview } : {}),
      readSeq,
      unread,
      mentions,
      canWrite:
        !rest.archived &&
        rest.role !== "reader" &&
        (!rest.adminsWrite || rest.role === "admin" || rest.role === "owner"),
    };
  }
}
