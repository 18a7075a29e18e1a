/** The signals of rooms, people and counts; what changes is gathered, and shown together. */
import { batch, type Signal, signal } from "@preact/signals-core";
import type { PendingEntry, Person, RoomSummary, Totals } from "./api";
import { threadKey } from "./model";
import { gathered } from "./timing";

/** How long what changes is gathered before it is shown, in ms. */
const FRAME = 15;

/** Where it is all read from. */
export interface Sources {
  summary(roomId: string): RoomSummary | undefined;
  person(userId: string): Person | undefined;
  typing(roomId: string, root: number): readonly string[];
  pending(): PendingEntry[];
  threads(): number;
  invitations(): number;
  /** These rooms are shown anew. */
  shown(roomIds: ReadonlySet<string>): void;
}

export class Showing {
  readonly me: Signal<Person | undefined> = signal(undefined);
  readonly rooms: Signal<readonly RoomSummary[]> = signal([]);
  readonly totals: Signal<Totals> = signal({ unread: 0, mentions: 0, threads: 0, invitations: 0 });
  readonly outbox: Signal<readonly PendingEntry[]> = signal([]);
  private readonly roomSignals = new Map<string, Signal<RoomSummary | undefined>>();
  private readonly people = new Map<string, Signal<Person | undefined>>();
  private readonly typists = new Map<string, Signal<readonly string[]>>();
  private dirty = new Set<string>();
  /** Shows what has changed, soon. */
  readonly soon = gathered(FRAME, () => batch(() => this.flush()));

  constructor(private readonly sources: Sources) {}

  touch(roomId: string): void {
    this.dirty.add(roomId);
    this.soon();
  }

  private flush(): void {
    const dirty = this.dirty;
    this.dirty = new Set();
    const rooms = new Map(this.rooms.peek().map((one) => [one.roomId, one]));
    for (const roomId of dirty) {
      const summary = this.sources.summary(roomId);
      if (summary) rooms.set(roomId, summary);
      else rooms.delete(roomId);
      const shown = this.roomSignals.get(roomId);
      if (shown) shown.value = summary;
    }
    const list = [...rooms.values()];
    if (dirty.size > 0) {
      list.sort((a, b) => b.lastTime - a.lastTime || (a.roomId < b.roomId ? -1 : 1));
      this.rooms.value = list;
    }
    const totals: Totals = {
      unread: 0,
      mentions: 0,
      threads: this.sources.threads(),
      invitations: this.sources.invitations(),
    };
    for (const one of list) {
      if (!one.muted) totals.unread += one.unread;
      totals.mentions += one.mentions;
    }
    const now = this.totals.peek();
    if (Object.entries(totals).some(([key, value]) => now[key as keyof Totals] !== value))
      this.totals.value = totals;
    const pending = this.sources.pending();
    if (pending.length > 0 || this.outbox.peek().length > 0) this.outbox.value = pending;
    this.sources.shown(dirty);
  }

  room(roomId: string): Signal<RoomSummary | undefined> {
    return known(this.roomSignals, roomId, () => this.sources.summary(roomId));
  }

  person(userId: string): Signal<Person | undefined> {
    return known(this.people, userId, () => this.sources.person(userId));
  }

  typingIn(roomId: string, root: number): Signal<readonly string[]> {
    return known(this.typists, threadKey(roomId, root), () => this.sources.typing(roomId, root));
  }

  setPerson(person: Person, me: string): void {
    const shown = this.people.get(person.userId);
    if (shown) shown.value = person;
    if (person.userId === me) this.me.value = person;
  }

  setTyping(roomId: string, root: number): void {
    const shown = this.typists.get(threadKey(roomId, root));
    if (shown) shown.value = this.sources.typing(roomId, root);
    if (root === 0) this.touch(roomId);
  }
}

function known<T>(signals: Map<string, Signal<T>>, key: string, first: () => T): Signal<T> {
  let shown = signals.get(key);
  if (!shown) {
    shown = signal(first());
    signals.set(key, shown);
  }
  return shown;
}
