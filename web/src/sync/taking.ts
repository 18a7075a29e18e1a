/** Applies what the stream brings: to the mirror in one transaction, then to what is in memory. */
import type { Event, SubscribeResponse } from "../wire/chat_pb";
import { about, amend, entryOf } from "./apply";
import { forgetEntries, type Mirror, trimmed } from "./mirror";
import { gap, type Position, type RoomRecord, type Stored, type ThreadRecord } from "./model";
import type { Outbox } from "./outbox";
import { stampOf } from "./read";
import type { Rooms } from "./rooms";
import type { Threads } from "./threads";

/** Most cursors of a request. */
const CURSORS = 4096;

/** An event with what it did. */
export interface Taken {
  event: Event;
  added: Stored | undefined;
  /** What it is about, as it was before; undefined where the mirror does not have it. */
  target: Stored | undefined;
}

export interface Outcome {
  taken: Taken[];
  /** Rooms of which more is to be known than events say: they are new. */
  unknown: Set<string>;
  /** Rooms whose windows have to be read again. */
  broken: Set<string>;
  left: { roomId: string; reason: string }[];
  /** Events between what is known and what came that are gone. */
  gaps: Stored[];
}

export class Taking {
  readonly positions = new Map<string, Position>();
  private epoch = "";

  constructor(
    private readonly mirror: Mirror,
    private readonly rooms: Rooms,
    private readonly threads: Threads,
    private readonly outbox: Outbox,
    private readonly me: () => string,
  ) {}

  async load(): Promise<void> {
    this.positions.clear();
    for (const position of await this.mirror.positions()) this.positions.set(position.roomId, position);
  }

  /** Where the stream is to go on; in more rooms than a request takes, in those that changed last. */
  cursors(): { roomId: string; seq: bigint; epoch: string; stamp: bigint }[] {
    const newest = [...this.positions.values()].sort((one, other) => other.stamp - one.stamp);
    return newest.slice(0, CURSORS).map(({ roomId, seq, epoch, stamp }) => ({
      roomId,
      seq: BigInt(seq),
      epoch: seq > 0 ? epoch : "",
      stamp: BigInt(stamp),
    }));
  }

  async take(response: SubscribeResponse): Promise<Outcome> {
    const outcome: Outcome = { taken: [], unknown: new Set(), broken: new Set(), left: [], gaps: [] };
    for (const left of response.left) {
      const roomId = left.roomId;
      outcome.left.push({ roomId, reason: left.reason });
      await this.forget(roomId);
    }
    if (response.started) this.epoch = response.started.epoch;
    const anything =
      response.started ||
      response.events.length > 0 ||
      response.gaps.length > 0 ||
      response.passed.length > 0;
    if (!anything) return outcome;
    const tx = this.mirror.applying();
    const next = new Map<string, Position>();
    const rooms = new Map<string, RoomRecord>();
    const threads = new Map<ThreadRecord["root"] | string, ThreadRecord>();
    const at = (roomId: string): Position | undefined => next.get(roomId) ?? this.positions.get(roomId);

    for (const changed of response.historyChanged) {
      const position = at(changed.roomId);
      const seq = Number(changed.lastCommonSeq);
      await forgetEntries(tx, changed.roomId, seq);
      // What the mirror has of it was so, up to there; how many entries that are is counted anew.
      const kept = await tx
        .objectStore("entries")
        .count(IDBKeyRange.bound([changed.roomId, 0], [changed.roomId, seq]));
      next.set(changed.roomId, {
        roomId: changed.roomId,
        epoch: this.epoch,
        seq,
        stamp: Number(changed.stamp),
        after: Math.min(position?.after ?? seq, seq),
        count: kept,
      });
      this.rooms.historyChanged(changed.roomId, seq);
      this.threads.forget(changed.roomId);
      outcome.broken.add(changed.roomId);
    }
    for (const cursor of response.started?.cursors ?? []) {
      const position = at(cursor.roomId);
      const seq = Number(cursor.seq);
      if (!this.rooms.records.has(cursor.roomId)) outcome.unknown.add(cursor.roomId);
      if (position && position.seq === seq) continue;
      // Nothing is known of what came between: the mirror begins anew.
      if (position) outcome.broken.add(cursor.roomId);
      await forgetEntries(tx, cursor.roomId);
      next.set(cursor.roomId, this.fresh(cursor.roomId, seq, Number(cursor.stamp)));
    }
    for (const { roomId, toSeq, stamp } of response.gaps) {
      const known = at(roomId);
      const position = known ?? this.fresh(roomId, 0, 0);
      const seq = Math.max(position.seq, Number(toSeq));
      let { count } = position;
      // Where nothing is known of what came before, the room begins after it.
      if (known && known.seq > 0 && seq > known.seq) {
        const missing = gap(roomId, known.seq + 1, seq);
        void tx.objectStore("entries").put(missing);
        outcome.gaps.push(missing);
        count += 1;
      }
      next.set(roomId, { ...position, seq, stamp: Number(stamp), count });
    }
    for (const event of response.events) {
      const seq = Number(event.seq);
      let position = at(event.roomId);
      if (!position) {
        position = this.fresh(event.roomId, seq - 1, 0);
        if (!this.rooms.records.has(event.roomId)) outcome.unknown.add(event.roomId);
      }
      // Once is enough: a stream never goes back, but nothing here relies on that.
      if (seq <= position.seq) continue;
      const added = entryOf(event, this.me());
      const entries = tx.objectStore("entries");
      const target = about(event);
      let before: Stored | undefined;
      if (target > 0) {
        before = await entries.get([event.roomId, target]);
        const after = before && amend(before, event, this.me());
        if (after && after !== before) void entries.put(after);
      }
      if (added) void entries.put(added);
      if (added?.entry.kind === "message" && added.entry.userId === this.me()) {
        const order = this.outbox.arrived(added.entry.clientMessageId);
        if (order !== undefined) void tx.objectStore("outbox").delete(order);
      }
      next.set(event.roomId, {
        ...position,
        epoch: this.epoch || position.epoch,
        seq,
        stamp: stampOf(event.createTime),
        count: position.count + (added ? 1 : 0),
      });
      const room = this.rooms.apply(event, this.me(), added, before);
      if (room) rooms.set(event.roomId, room);
      const thread = this.threads.apply(event, this.me(), added, before);
      if (thread) threads.set(`${thread.root}:${thread.roomId}`, thread);
      outcome.taken.push({ event, added, target: before });
    }
    for (const passed of response.passed) {
      const position = at(passed.roomId);
      if (position && position.seq < Number(passed.seq))
        next.set(passed.roomId, { ...position, seq: Number(passed.seq), stamp: Number(passed.stamp) });
    }
    for (const [roomId, position] of next) {
      const kept = await trimmed(tx, position);
      next.set(roomId, kept);
      void tx.objectStore("positions").put(kept);
    }
    for (const room of rooms.values()) void tx.objectStore("rooms").put(room);
    for (const thread of threads.values()) void tx.objectStore("threads").put(thread);
    await tx.done;
    for (const [roomId, position] of next) {
      this.positions.set(roomId, position);
      this.outbox.passed(roomId, position.seq);
    }
    return outcome;
  }

  private fresh(roomId: string, seq: number, stamp: number): Position {
    return { roomId, epoch: this.epoch, seq, stamp, after: seq, count: 0 };
  }

  /** Goes on in a room from here, without what came before. */
  async begin(roomId: string, epoch: string, seq: number, stamp: number): Promise<void> {
    const position = { roomId, epoch, seq, stamp, after: seq, count: 0 };
    const tx = this.mirror.applying();
    await forgetEntries(tx, roomId);
    void tx.objectStore("positions").put(position);
    await tx.done;
    this.positions.set(roomId, position);
    this.outbox.passed(roomId, seq);
  }

  /** The room is no longer the user's, or what is known of it is of no use. */
  async forget(roomId: string): Promise<void> {
    this.positions.delete(roomId);
    this.rooms.delete(roomId);
    this.threads.forget(roomId);
    await this.mirror.forget(roomId);
  }

  /** All logs are read anew, from now on. */
  async forgetPositions(): Promise<void> {
    const tx = this.mirror.applying();
    void tx.objectStore("positions").clear();
    void tx.objectStore("entries").clear();
    await tx.done;
    this.positions.clear();
  }
}
