/** Pages of a room's log or of a thread: from the mirror as far as it goes, else from the server. */

import type { Calls } from "../wire/calls";
import type { Event } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import type { MessageEntry, PollView } from "./api";
import { entryOf } from "./apply";
import { KEPT, type Mirror } from "./mirror";
import { gap, type RoomRecord, type Stored } from "./model";
import { reaction } from "./read";
import type { Threads } from "./threads";

/** Entries in a page. */
export const PAGE = 100;
/** So many pages of the server's are read for one of ours: they have events that are no entries. */
const TRIES = 5;

export interface Page {
  entries: Stored[];
  /** Everything after this number, and up to `to`, is in the page. */
  from: number;
  to: number;
  atStart: boolean;
  atEnd: boolean;
}

export class Pages {
  private readonly pinned = new Map<string, Promise<ReadonlySet<number>>>();

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Mirror,
    private readonly threads: Threads,
    private readonly me: () => string,
    private readonly room: (roomId: string) => RoomRecord | undefined,
    /** Reactions and polls of these were read just now. */
    private readonly read: (roomId: string, seqs: readonly number[]) => void,
  ) {}

  /** The page that ends just before a number; the newest for `undefined`. */
  async before(roomId: string, root: number, before: number | undefined): Promise<Page> {
    if (root > 0) return await this.thread(roomId, root, before === undefined ? {} : { before });
    let to = before === undefined ? undefined : before - 1;
    const kept = await this.mirror.before(roomId, before ?? Number.MAX_SAFE_INTEGER, PAGE, inRoom);
    const position = kept.position;
    let entries = kept.entries;
    // A page of the server's may be ahead of the stream: the mirror has nothing there.
    const ahead = position !== undefined && before !== undefined && before - 1 > position.seq;
    const known = position !== undefined && !ahead && position.after < (before ?? position.seq + 1) - 1;
    if (!known) entries = [];
    if (position) to ??= position.seq;
    const atEnd = before === undefined;
    const first = entries[0];
    entries = await this.withVotes(roomId, entries);
    if (position && known && entries.length === PAGE && first)
      return { entries, from: first.seq - 1, to: to ?? 0, atStart: false, atEnd };
    const start = this.room(roomId)?.firstSeq ?? 1;
    if (position && known && position.after < start)
      return { entries, from: position.after, to: to ?? 0, atStart: true, atEnd };
    let next = position && known ? position.after + 1 : to === undefined ? undefined : to + 1;
    const complete = next;
    let from = (next ?? 1) - 1;
    let atStart = false;
    try {
      for (let tries = 0; tries < TRIES && entries.length < PAGE / 2 && !atStart; tries += 1) {
        const answer = await this.calls.messages.listMessages({
          roomId,
          pageSize: PAGE,
          ...(next === undefined ? {} : { position: { case: "beforeSeq", value: BigInt(next) } }),
        });
        const last = answer.events[answer.events.length - 1];
        to ??= last ? Number(last.seq) : 0;
        atStart = answer.previousPageToken === "";
        const missing = this.missing(roomId, answer.events, atStart ? start : undefined, next);
        const page = merged(await this.enriched(roomId, answer.events), missing);
        const oldest = answer.events[0];
        from = oldest ? Number(oldest.seq) - 1 : atStart ? 0 : from;
        if (atStart) from = Math.min(from, Math.max(0, start - 1));
        if (
          position &&
          position.epoch === answer.epoch &&
          next !== undefined &&
          next - 1 === (await this.edge(roomId))
        )
          await this.mirror.extend(roomId, answer.epoch, from, next - 1, page);
        entries = [...page.filter(inRoom), ...entries];
        next = from + 1;
        if (!oldest) break;
      }
    } catch (thrown) {
      // Without a server, what is here is better than nothing.
      if (kept.entries.length === 0 || !toChatError(thrown).unreachable) throw thrown;
      from = Math.max((complete ?? 1) - 1, from);
    }
    return { entries, from, to: to ?? 0, atStart, atEnd };
  }

  /**
   * What is gone of a part of the log: each number has an event, unless it is about a message that is hidden.
   *
   * @param first the number that comes first, if that is known
   * @param before the number after the last one, if that is known
   */
  private missing(roomId: string, events: readonly Event[], first?: number, before?: number): Stored[] {
    if (this.room(roomId)?.sinceJoin ?? true) return [];
    const found: Stored[] = [];
    let next = first;
    const step = (seq: number): void => {
      if (next !== undefined && seq > next) found.push(gap(roomId, next, seq - 1));
      next = seq + 1;
    };
    for (const { seq } of events) step(Number(seq));
    if (before !== undefined) step(before);
    return found;
  }

  private async edge(roomId: string): Promise<number | undefined> {
    const position = await this.mirror.position(roomId);
    return position && position.count < KEPT ? position.after : undefined;
  }

  /** The page that starts just after a number. */
  async after(roomId: string, root: number, after: number): Promise<Page> {
    if (root > 0) return await this.thread(roomId, root, { after });
    const kept = await this.mirror.since(roomId, after, PAGE, inRoom);
    if (kept.position && after >= kept.position.after) {
      const last = kept.entries[kept.entries.length - 1];
      const more = kept.entries.length === PAGE && last !== undefined;
      const to = more ? last.seq : Math.max(kept.position.seq, after);
      return {
        entries: await this.withVotes(roomId, kept.entries),
        from: after,
        to,
        atStart: false,
        atEnd: !more,
      };
    }
    const entries: Stored[] = [];
    let to = after;
    let atEnd = false;
    for (let tries = 0; tries < TRIES && entries.length < PAGE / 2 && !atEnd; tries += 1) {
      const answer = await this.calls.messages.listMessages({
        roomId,
        pageSize: PAGE,
        position: { case: "afterSeq", value: BigInt(to) },
      });
      const last = answer.events[answer.events.length - 1];
      const missing = this.missing(roomId, answer.events, Math.max(to + 1, this.room(roomId)?.firstSeq ?? 1));
      entries.push(...merged(await this.enriched(roomId, answer.events), missing).filter(inRoom));
      to = last ? Number(last.seq) : to;
      atEnd = answer.nextPageToken === "";
      if (!last) break;
    }
    return { entries, from: after, to, atStart: false, atEnd };
  }

  /** A page with a number in its middle. */
  async around(roomId: string, root: number, seq: number): Promise<Page> {
    const older = await this.before(roomId, root, seq + 1);
    // The log may not have reached that number yet, and go on before the next call: nothing is left out between the two.
    const edge = Math.min(seq, older.entries[older.entries.length - 1]?.seq ?? older.from);
    const newer = await this.after(roomId, root, edge);
    return {
      entries: [...older.entries, ...newer.entries],
      from: older.from,
      to: newer.to,
      atStart: older.atStart,
      atEnd: newer.atEnd,
    };
  }

  private async thread(
    roomId: string,
    root: number,
    place: { before?: number; after?: number },
  ): Promise<Page> {
    const { before, after } = place;
    const answer = await this.calls.messages.listThreadMessages({
      roomId,
      threadRoot: BigInt(root),
      pageSize: PAGE,
      ...(before !== undefined ? { position: { case: "beforeSeq", value: BigInt(before) } } : {}),
      ...(after !== undefined ? { position: { case: "afterSeq", value: BigInt(after) } } : {}),
    });
    if (answer.thread) this.threads.told(answer.thread);
    const atStart = answer.previousPageToken === "" && after === undefined;
    const atEnd = answer.nextPageToken === "" && before === undefined;
    const first = answer.events[0];
    const last = answer.events[answer.events.length - 1];
    const entries = await this.enriched(roomId, answer.events);
    if (atStart) {
      const head = await this.one(roomId, root);
      if (head) entries.unshift(head);
    }
    const edge = Math.max(root, (before ?? 1) - 1);
    return {
      entries,
      from: after ?? (atStart ? 0 : first ? Number(first.seq) - 1 : edge),
      to: before !== undefined ? before - 1 : last ? Number(last.seq) : Math.max(after ?? 0, edge),
      atStart,
      atEnd,
    };
  }

  /** One message as it is now; undefined where there is none, or it is hidden. */
  async one(roomId: string, seq: number): Promise<Stored | undefined> {
    const kept = await this.mirror.entry(roomId, seq);
    if (kept) return (await this.withVotes(roomId, [kept]))[0];
    try {
      const answer = await this.calls.messages.getMessage({ roomId, seq: BigInt(seq) });
      if (!answer.event) return undefined;
      const [stored] = await this.enriched(roomId, [answer.event]);
      return stored;
    } catch (thrown) {
      if (toChatError(thrown).reason === "MESSAGE_NOT_FOUND") return undefined;
      throw thrown;
    }
  }

  /** The first event at or after a time. */
  async at(roomId: string, first: number, last: number, time: number): Promise<number> {
    let low = Math.max(1, first);
    let high = Math.max(low, last);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const answer = await this.calls.messages.listMessages({
        roomId,
        pageSize: 1,
        position: { case: "afterSeq", value: BigInt(middle - 1) },
      });
      const event = answer.events[0];
      const then = event?.createTime;
      if (!event || !then || Number(then.seconds) * 1000 + then.nanos / 1e6 >= time) high = middle;
      else low = Math.max(middle, Number(event.seq)) + 1;
    }
    return low;
  }

  /** Which messages of a room are pinned; asked for once. */
  private pins(roomId: string): Promise<ReadonlySet<number>> {
    const known = this.pinned.get(roomId);
    if (known) return known;
    const load = async (): Promise<ReadonlySet<number>> => {
      const answer = await this.calls.messages.listPins({ roomId, pageSize: 100 });
      return new Set(answer.pins.map((pin) => Number(pin.event?.seq ?? 0n)));
    };
    const loading = load();
    this.pinned.set(roomId, loading);
    loading.catch(() => this.pinned.delete(roomId));
    return loading;
  }

  /** A pin came or went, or many may have. */
  pinsChanged(roomId?: string): void {
    if (roomId === undefined) this.pinned.clear();
    else this.pinned.delete(roomId);
  }

  /** The entries of events that did not come on the stream, with what other calls say of them. */
  private async enriched(roomId: string, events: readonly Event[]): Promise<Stored[]> {
    const entries: Stored[] = [];
    for (const event of events) {
      const stored = entryOf(event, this.me());
      if (stored) entries.push(stored);
    }
    const live = entries.filter(({ entry }) => entry.kind === "message" && !entry.deleted);
    const polls = live.filter(({ entry }) => entry.kind === "message" && entry.poll);
    const [reactions, states, pins] = await Promise.all([
      this.reactions(
        roomId,
        live.map((one) => one.seq),
      ),
      this.polls(
        roomId,
        polls.map((one) => one.seq),
      ),
      live.length > 0 ? this.pins(roomId).catch(() => new Set<number>()) : new Set<number>(),
    ]);
    return entries.map((stored) => {
      if (stored.entry.kind !== "message") return stored;
      const part: Partial<MessageEntry> = { ...reactions.get(stored.seq) };
      if (pins.has(stored.seq)) part.pinned = true;
      return voted({ ...stored, entry: { ...stored.entry, ...part } }, states.get(stored.seq));
    });
  }

  async reactions(
    roomId: string,
    seqs: readonly number[],
  ): Promise<Map<number, { reactions: MessageEntry["reactions"] }>> {
    const found = new Map<number, { reactions: MessageEntry["reactions"] }>();
    for (let at = 0; at < seqs.length; at += 100) {
      const some = seqs.slice(at, at + 100);
      const answer = await this.calls.messages.getReactions({ roomId, seqs: some.map(BigInt) });
      for (const seq of some) found.set(seq, { reactions: [] });
      for (const one of answer.messages)
        found.set(Number(one.seq), { reactions: one.counts.map((count) => reaction(count, [], this.me())) });
      this.read(roomId, some);
    }
    return found;
  }

  /** Events do not say whose vote it was in an anonymous poll: it may be this user's, by another session. */
  private async withVotes(roomId: string, entries: Stored[]): Promise<Stored[]> {
    const seqs = entries.flatMap(({ seq, entry }) =>
      entry.kind === "message" && entry.poll?.anonymous && !entry.poll.closed ? [seq] : [],
    );
    const states = await this.polls(roomId, seqs).catch(() => undefined);
    if (!states?.size) return entries;
    return entries.map((stored) => voted(stored, states.get(stored.seq)));
  }

  async polls(
    roomId: string,
    seqs: readonly number[],
  ): Promise<Map<number, { counts: number[]; voters: number; mine: number[]; closed: boolean }>> {
    const found = new Map<number, { counts: number[]; voters: number; mine: number[]; closed: boolean }>();
    if (seqs.length === 0) return found;
    const answer = await this.calls.polls.getPolls({ roomId, seqs: seqs.slice(0, 100).map(BigInt) });
    for (const { seq, counts, voterCount, choices, closed } of answer.polls)
      found.set(Number(seq), { counts, voters: voterCount, mine: choices, closed });
    return found;
  }
}

/** A poll with what the server says of it. */
export function voted(stored: Stored, state: Partial<PollView> | undefined): Stored {
  const entry = stored.entry;
  if (!state || entry.kind !== "message" || !entry.poll) return stored;
  return { ...stored, entry: { ...entry, poll: { ...entry.poll, ...state } } };
}

/** Entries and gaps in their order. */
function merged(entries: Stored[], gaps: readonly Stored[]): Stored[] {
  return gaps.length === 0 ? entries : [...entries, ...gaps].sort((one, other) => one.seq - other.seq);
}

const inRoom = (stored: Stored): boolean => stored.root === 0;
