/** A window on a room's log or on a thread. It takes the events that come meanwhile, whatever it is loading. */
import { batch, type ReadonlySignal, signal } from "@preact/signals-core";
import type { Event } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import type { Entry, PendingEntry, Place, ReadState, ThreadView, Timeline } from "./api";
import { about, amend } from "./apply";
import type { Page, Pages } from "./history";
import { endOf, type Stored } from "./model";
import { Turns } from "./timing";

/** Most entries in a window. */
export const MOST = 500;
/** How many go at once when there are too many. */
const CHUNK = 100;

/** What a window has to know of the rest. */
export interface Surroundings {
  me(): string;
  pages(): Pages;
  pending(roomId: string, root: number): PendingEntry[];
  thread(roomId: string, root: number): ThreadView | undefined;
  /** Messages since a time are shown: their threads are to be known. */
  listThreads(roomId: string, since: number): void;
  room(roomId: string): { readSeq: number; unread: number; firstSeq: number; lastSeq: number } | undefined;
  closed(window: Window): void;
}

type Loading = "older" | "newer" | "jump" | undefined;

interface Decorated {
  stored: Stored;
  thread: ThreadView | undefined;
  entry: Entry;
}

export class Window implements Timeline {
  private readonly shown = signal<readonly Entry[]>([]);
  private readonly start = signal(false);
  private readonly end = signal(false);
  private readonly load = signal<Loading>("jump");
  private readonly failure = signal<string | undefined>(undefined);
  private readonly below = signal(0);
  readonly entries: ReadonlySignal<readonly Entry[]> = this.shown;
  readonly atStart: ReadonlySignal<boolean> = this.start;
  readonly atEnd: ReadonlySignal<boolean> = this.end;
  readonly loading: ReadonlySignal<Loading> = this.load;
  readonly error: ReadonlySignal<string | undefined> = this.failure;
  readonly behind: ReadonlySignal<number> = this.below;
  private readonly read = signal<ReadState | undefined>(undefined);
  readonly reading: ReadonlySignal<ReadState | undefined> = this.read;

  private stored: Stored[] = [];
  /** What `show()` makes visible together with the entries: whoever sees the end must see its entries. */
  private reaches = { start: false, end: false, behind: 0 };
  private from = 0;
  private to = 0;
  private following = true;
  private readonly turns = new Turns();
  /** Events that came while something is being loaded. */
  private late: (() => void)[] | undefined;
  private decorated = new Map<number, Decorated>();
  private gone = false;
  private filled = false;
  readonly threadRoot?: number;
  private readonly root: number;

  constructor(
    readonly roomId: string,
    threadRoot: number | undefined,
    private readonly around: Surroundings,
  ) {
    if (threadRoot !== undefined) this.threadRoot = threadRoot;
    this.root = threadRoot ?? 0;
  }

  /** Loads the newest page. */
  open(): Promise<void> {
    return this.turn("jump", async () => {
      this.set(await this.around.pages().before(this.roomId, this.root, undefined));
      this.following = true;
    });
  }

  /** The server is there again: what could not be opened without it is opened. */
  retry(): void {
    if (!this.filled && !this.gone) void this.open();
  }

  follow(on: boolean): void {
    this.following = on;
  }

  older(): Promise<void> {
    return this.turn("older", async () => {
      if (this.reaches.start) return;
      const page = await this.around.pages().before(this.roomId, this.root, this.from + 1);
      this.stored = [...page.entries, ...this.stored];
      this.from = page.from;
      this.reaches.start = page.atStart;
      if (this.stored.length > MOST) {
        this.stored.length = MOST;
        this.left();
      }
    });
  }

  newer(): Promise<void> {
    return this.turn("newer", async () => {
      if (this.reaches.end) return;
      const page = await this.around.pages().after(this.roomId, this.root, this.to);
      this.stored = [...this.stored, ...page.entries];
      this.to = page.to;
      this.reaches.end = page.atEnd;
      if (page.atEnd) this.reaches.behind = 0;
      this.dropHead();
    });
  }

  async jump(place: Place): Promise<number | undefined> {
    let found: number | undefined;
    await this.turn("jump", async () => {
      found = await this.go(place);
    });
    return found;
  }

  private async go(place: Place): Promise<number | undefined> {
    const room = this.around.room(this.roomId);
    let seq: number;
    const reading = this.readState();
    if (place === "end" || (place === "unread" && !reading?.unread)) {
      this.following = true;
      if (!this.reaches.end) this.set(await this.around.pages().before(this.roomId, this.root, undefined));
      return undefined;
    }
    if (place === "unread") seq = (reading?.readSeq ?? 0) + 1;
    else if ("seq" in place) seq = place.seq;
    else seq = await this.around.pages().at(this.roomId, room?.firstSeq ?? 1, room?.lastSeq ?? 1, place.time);
    this.following = false;
    if (seq <= this.from || seq > this.to)
      this.set(await this.around.pages().around(this.roomId, this.root, seq));
    const later = this.stored.find(
      (one) => one.seq >= seq && (place !== "unread" || one.entry.kind === "message"),
    );
    return (later ?? this.stored[this.stored.length - 1])?.seq;
  }

  private readState(): ReadState | undefined {
    const room = this.around.room(this.roomId);
    if (this.root === 0) return room && { readSeq: room.readSeq, unread: room.unread };
    const thread = this.around.thread(this.roomId, this.root);
    return thread?.following ? { readSeq: thread.readSeq, unread: thread.unread } : undefined;
  }

  close(): void {
    this.gone = true;
    this.around.closed(this);
  }

  private turn(kind: Exclude<Loading, undefined>, task: () => Promise<void>): Promise<void> {
    return this.turns.take(async () => {
      if (this.gone) return;
      this.load.value = kind;
      this.failure.value = undefined;
      this.late = [];
      try {
        await task();
      } catch (thrown) {
        this.failure.value = toChatError(thrown).message;
      } finally {
        const late = this.late;
        this.late = undefined;
        for (const again of late) again();
        batch(() => {
          this.load.value = undefined;
          this.show();
        });
        const oldest = this.stored[0]?.entry;
        if (this.root === 0 && oldest)
          this.around.listThreads(this.roomId, "time" in oldest ? oldest.time : 0);
      }
    });
  }

  private set(page: Page): void {
    this.filled = true;
    this.stored = page.entries;
    this.from = page.from;
    this.to = page.to;
    this.reaches.start = page.atStart;
    this.reaches.end = page.atEnd;
    this.reaches.behind = 0;
  }

  /** An event of the room, in order. `show()` makes it visible. */
  apply(event: Event, added: Stored | undefined): void {
    // What is being loaded may be older than this event.
    this.late?.push(() => this.take(event, added));
    this.take(event, added);
  }

  /** Events are gone that were to come. */
  miss(missing: Stored): void {
    this.late?.push(() => this.take(undefined, missing));
    this.take(undefined, missing);
  }

  private take(event: Event | undefined, added: Stored | undefined): void {
    const target = event ? about(event) : 0;
    if (event && target > 0) {
      const at = this.index(target);
      const found = at < 0 ? undefined : this.stored[at];
      if (found) this.stored[at] = amend(found, event, this.around.me());
    }
    const seq = event ? Number(event.seq) : added ? endOf(added) : 0;
    if (seq <= this.to) return;
    if (!this.reaches.end) {
      if (added && this.belongs(added) && added.entry.kind === "message" && this.late === undefined)
        this.reaches.behind += 1;
      return;
    }
    if (added && this.belongs(added)) {
      if (!this.following && this.stored.length >= MOST) {
        this.left();
        this.reaches.behind = 1;
        return;
      }
      this.stored.push(added);
      if (this.following) this.dropHead();
    }
    this.to = seq;
  }

  private belongs(stored: Stored): boolean {
    return stored.root === this.root;
  }

  private index(seq: number): number {
    let low = 0;
    let high = this.stored.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.stored[middle]?.seq ?? 0;
      if (at === seq) return middle;
      if (at < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The end is no longer in the window. */
  private left(): void {
    const last = this.stored[this.stored.length - 1];
    this.to = last ? endOf(last) : this.to;
    this.reaches.end = false;
  }

  private dropHead(): void {
    if (this.stored.length <= MOST) return;
    const dropped = this.stored.splice(0, Math.max(CHUNK, this.stored.length - MOST));
    const last = dropped[dropped.length - 1];
    this.from = last ? endOf(last) : this.from;
    this.reaches.start = false;
  }

  /** What other calls say now of some entries. */
  refresh(seqs: ReadonlyMap<number, (stored: Stored) => Stored>): void {
    for (const [seq, change] of seqs) {
      const at = this.index(seq);
      const found = at < 0 ? undefined : this.stored[at];
      if (found) this.stored[at] = change(found);
    }
    this.show();
  }

  has(seq: number): Stored | undefined {
    const at = this.index(seq);
    return at < 0 ? undefined : this.stored[at];
  }

  /** Everything that it shows may be wrong: the log went back, or there is a hole before what came last. */
  async reload(): Promise<void> {
    this.filled = false;
    this.decorated.clear();
    await this.open();
  }

  /** The room is no longer the user's. */
  empty(why: string): void {
    this.filled = true;
    this.stored = [];
    this.reaches.start = true;
    this.reaches.end = true;
    this.failure.value = why;
    this.show();
  }

  /** Shows what has changed; entries that have not stay the same objects. */
  show(): void {
    const decorated = new Map<number, Decorated>();
    const entries: Entry[] = [];
    const own = new Set<string>();
    const me = this.around.me();
    for (const stored of this.stored) {
      const before = this.decorated.get(stored.seq);
      const message = stored.entry.kind === "message" ? stored.entry : undefined;
      if (message?.userId === me) own.add(message.clientMessageId);
      const thread = message && stored.root === 0 ? this.around.thread(this.roomId, stored.seq) : undefined;
      const same = before?.stored === stored && alike(before.thread, thread);
      const one: Decorated = same
        ? before
        : { stored, thread, entry: message && thread ? { ...message, thread } : stored.entry };
      decorated.set(stored.seq, one);
      entries.push(one.entry);
    }
    this.decorated = decorated;
    if (this.reaches.end)
      for (const pending of this.around.pending(this.roomId, this.root))
        if (!own.has(pending.clientMessageId)) entries.push(this.pending(pending));
    const now = this.shown.peek();
    batch(() => {
      if (now.length !== entries.length || entries.some((entry, at) => entry !== now[at]))
        this.shown.value = entries;
      this.start.value = this.reaches.start;
      this.end.value = this.reaches.end;
      this.below.value = this.reaches.behind;
      const reading = this.readState();
      const { value } = this.read;
      if (reading?.readSeq !== value?.readSeq || reading?.unread !== value?.unread) this.read.value = reading;
    });
  }

  private waiting = new Map<string, PendingEntry>();

  private pending(entry: PendingEntry): PendingEntry {
    const before = this.waiting.get(entry.clientMessageId);
    if (
      before &&
      before.state === entry.state &&
      before.error === entry.error &&
      before.retryAt === entry.retryAt
    )
      return before;
    this.waiting.set(entry.clientMessageId, entry);
    if (this.waiting.size > MOST) this.waiting.clear();
    return entry;
  }
}

function alike(one: ThreadView | undefined, other: ThreadView | undefined): boolean {
  if (!one || !other) return one === other;
  return (
    one.replies === other.replies &&
    one.lastTime === other.lastTime &&
    one.unread === other.unread &&
    one.readSeq === other.readSeq &&
    one.following === other.following &&
    one.muted === other.muted
  );
}
