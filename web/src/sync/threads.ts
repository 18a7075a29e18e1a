/** The threads that are known: those that the user follows, and those of the rooms that are open. */

import type { Calls } from "../wire/calls";
import type { Event, Thread } from "../wire/chat_pb";
import type { ThreadView } from "./api";
import { NO_MARKER, type Stored, type ThreadRecord, threadKey } from "./model";
import { marker, millis, thread as read } from "./read";
import { gathered } from "./timing";

/** How many threads a page of the server's list has. */
const PAGE = 200;

/** How far a room's list of threads has been read, the newest first. */
interface Listed {
  pageToken: string;
  /** All threads in which something was said at this time or later are known. */
  since: number;
  loading: Promise<void> | undefined;
}

export class Threads {
  readonly records = new Map<string, ThreadRecord>();
  private readonly listed = new Map<string, Listed>();
  private readonly wanted = new Map<string, { roomId: string; root: number }>();
  private readonly ask = gathered(300, () => void this.load());

  constructor(
    private readonly calls: Calls,
    private readonly changed: (records: readonly ThreadRecord[]) => void,
  ) {}

  get(roomId: string, root: number): ThreadRecord | undefined {
    return this.records.get(threadKey(roomId, root));
  }

  view(roomId: string, root: number): ThreadView | undefined {
    const record = this.get(roomId, root);
    if (!record || record.replies === 0) return undefined;
    const over = record.mutedUntil !== undefined && record.mutedUntil <= Date.now();
    return {
      replies: record.replies,
      lastTime: record.lastTime,
      unread: record.following ? record.marker.unread : 0,
      readSeq: record.following ? record.marker.seq : 0,
      following: record.following,
      muted: record.muted && !over,
    };
  }

  put(...records: readonly ThreadRecord[]): void {
    for (const record of records) this.records.set(threadKey(record.roomId, record.root), record);
    this.changed(records);
  }

  /** In how many threads something waits. */
  waiting(now: number): number {
    let count = 0;
    for (const record of this.records.values()) {
      const muted = record.muted && !(record.mutedUntil !== undefined && record.mutedUntil <= now);
      if (record.following && !muted && record.marker.unread > 0) count += 1;
    }
    return count;
  }

  /** The server's word on a thread, as streams and calls bring it. */
  told(...threads: readonly Thread[]): void {
    this.put(
      ...threads.map((of) => {
        const record = read(of);
        const known = this.get(record.roomId, record.root);
        if (!known || known.lastSeq <= record.lastSeq) return record;
        // Messages came after that was read: it must be read again.
        this.want(record.roomId, record.root);
        const { replies, lastSeq, lastTime } = known;
        return { ...record, replies, lastSeq, lastTime };
      }),
    );
  }

  apply(
    event: Event,
    me: string,
    added: Stored | undefined,
    target: Stored | undefined,
  ): ThreadRecord | undefined {
    const said = added?.entry;
    const seq = Number(event.seq);
    if (said?.kind === "message" && said.threadRoot !== undefined) {
      const known = this.get(event.roomId, said.threadRoot);
      if (!known) {
        this.want(event.roomId, said.threadRoot);
        return undefined;
      }
      if (seq <= known.lastSeq) return undefined;
      const next = { ...known, lastSeq: seq, lastTime: said.time };
      if (!said.deleted) next.replies += 1;
      if (said.userId === me) {
        next.following = true;
        next.marker = { ...NO_MARKER, seq, lastSeq: seq };
      } else if (next.following && !said.deleted && seq > next.marker.lastSeq)
        next.marker = { ...next.marker, unread: next.marker.unread + 1, lastSeq: seq };
      this.put(next);
      return next;
    }
    if (event.kind.case !== "messageDeleted") return undefined;
    const gone = target?.entry;
    if (!target || gone?.kind !== "message" || gone.deleted || gone.threadRoot === undefined)
      return undefined;
    const known = this.get(event.roomId, gone.threadRoot);
    if (!known) return undefined;
    const next = { ...known, replies: Math.max(0, known.replies - 1) };
    if (gone.seq > next.marker.seq && gone.userId !== me && seq > next.marker.lastSeq)
      next.marker = { ...next.marker, unread: Math.max(0, next.marker.unread - 1) };
    this.put(next);
    return next;
  }

  setMarker(of: Parameters<typeof marker>[0]): void {
    const known = this.get(of.roomId, Number(of.threadRoot));
    if (known) this.put({ ...known, marker: marker(of) });
  }

  /** Asks the server about a thread that is not known. */
  want(roomId: string, root: number): void {
    this.wanted.set(threadKey(roomId, root), { roomId, root });
    this.ask();
  }

  private async load(): Promise<void> {
    const wanted = [...this.wanted.values()];
    this.wanted.clear();
    for (const { roomId, root } of wanted) {
      try {
        const page = await this.calls.messages.listThreadMessages({
          roomId,
          threadRoot: BigInt(root),
          pageSize: 1,
        });
        if (page.thread) this.told(page.thread);
      } catch {
        // It is hidden, or the server is away: the next message asks again.
      }
    }
  }

  /**
   * Learns of the threads of a room whose messages since a time are shown.
   *
   * The server lists those first in which something was said last. A thread's messages come after its root, so the roots of
   * all that are listed later are older.
   */
  async list(roomId: string, since: number): Promise<void> {
    let listed = this.listed.get(roomId);
    if (!listed) {
      listed = { pageToken: "", since: Number.POSITIVE_INFINITY, loading: undefined };
      this.listed.set(roomId, listed);
    }
    const mine = listed;
    while (mine.since > since && this.listed.get(roomId) === mine) {
      mine.loading ??= this.page(roomId, mine).finally(() => {
        mine.loading = undefined;
      });
      try {
        await mine.loading;
      } catch {
        // The next page of messages asks again.
        return;
      }
    }
  }

  private async page(roomId: string, listed: Listed): Promise<void> {
    const { pageToken } = listed;
    const { threads, nextPageToken } = await this.calls.messages.listThreads({
      roomId,
      pageSize: PAGE,
      pageToken,
    });
    this.told(...threads);
    const last = threads.at(-1)?.lastTime;
    listed.pageToken = nextPageToken;
    listed.since = nextPageToken && last ? millis(last) : Number.NEGATIVE_INFINITY;
  }

  /** After a pause in which messages may have been missed, or when the room is lost. */
  unlist(roomId: string): void {
    this.listed.delete(roomId);
  }

  forget(roomId: string): void {
    this.listed.delete(roomId);
    for (const [key, record] of this.records) if (record.roomId === roomId) this.records.delete(key);
  }

  clear(): void {
    this.records.clear();
    this.listed.clear();
    this.wanted.clear();
  }
}
