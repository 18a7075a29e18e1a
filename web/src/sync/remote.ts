/** The chat as a page sees it: the engine is elsewhere, and what it shows is mirrored here. */
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { Identity } from "../wire/transport";
import type {
  Chat,
  Connection,
  Entry,
  MessageEntry,
  NewMessage,
  Notice,
  PendingEntry,
  Person,
  Place,
  ReadState,
  RoomSummary,
  SendTo,
  Timeline,
  Totals,
} from "./api";
import { patched, type Splice } from "./diff";
import { type Method, type TimelineState, type ToHost, type ToPage, thrown } from "./protocol";

/** A way to the host. */
export interface Link {
  post(message: ToHost): void;
  close(): void;
}

interface Waiting {
  message: ToHost & { id: number };
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export class Remote implements Chat {
  readonly connection: Signal<Connection> = signal<Connection>({
    state: "connecting",
    since: Date.now(),
    attempt: 0,
  });
  readonly me: Signal<Person | undefined> = signal(undefined);
  readonly rooms: Signal<readonly RoomSummary[]> = signal([]);
  readonly ready: Signal<boolean> = signal(false);
  readonly totals: Signal<Totals> = signal({ unread: 0, mentions: 0, threads: 0, invitations: 0 });
  readonly personal: Signal<number> = signal(0);
  readonly outbox: Signal<readonly PendingEntry[]> = signal([]);

  private readonly roomSignals = new Map<string, Signal<RoomSummary | undefined>>();
  private readonly watched = new Map<string, { shown: Signal<unknown>; message: ToHost }>();
  private readonly timelines = new Map<number, RemoteTimeline>();
  private readonly handlers = new Set<(notice: Notice) => void>();
  private readonly waiting = new Map<number, Waiting>();
  private ids = 0;
  private closed = false;

  constructor(
    private readonly link: Link,
    private readonly identity: Identity,
    private readonly visible: () => boolean,
  ) {}

  /** Says who this page is, and what it looks at; again where the host is another one. */
  attach(): void {
    if (this.closed) return;
    this.link.post({
      kind: "attach",
      identity: this.identity,
      visible: this.visible(),
      notified: this.handlers.size > 0,
    });
    // A new host posts lists from their beginning.
    this.rooms.value = [];
    for (const { message } of this.watched.values()) this.link.post(message);
    for (const timeline of this.timelines.values()) timeline.reopen();
    for (const { message } of this.waiting.values()) this.link.post(message);
  }

  take(message: ToPage): void {
    if (this.closed) return;
    switch (message.kind) {
      case "hello":
        this.attach();
        break;
      case "set":
        this.set(message.topic, message.value);
        break;
      case "splice":
        if (message.topic === "rooms") this.splice(message.splices);
        break;
      case "timeline":
        this.timelines.get(message.timeline)?.take(message.state, message.splices);
        break;
      case "done":
        this.waiting.get(message.id)?.resolve(message.value);
        this.waiting.delete(message.id);
        break;
      case "failed":
        this.waiting.get(message.id)?.reject(thrown(message.error));
        this.waiting.delete(message.id);
        break;
      case "notice":
        for (const handler of this.handlers) handler(message.notice);
        break;
      case "superseded":
        this.connection.value = { state: "refused", why: "superseded" };
        break;
    }
  }

  private set(topic: string, value: unknown): void {
    const own = {
      connection: this.connection,
      me: this.me,
      totals: this.totals,
      personal: this.personal,
      outbox: this.outbox,
      ready: this.ready,
    }[topic] as Signal<unknown> | undefined;
    if (own) own.value = value;
    else {
      const watched = this.watched.get(topic);
      if (watched) watched.shown.value = value;
    }
  }

  private splice(splices: readonly Splice<unknown>[]): void {
    const before = new Map(this.rooms.peek().map((one) => [one.roomId, one]));
    const list = patched(this.rooms.peek(), splices as readonly Splice<RoomSummary>[]);
    batch(() => {
      this.rooms.value = list;
      for (const one of list) {
        const shown = this.roomSignals.get(one.roomId);
        if (shown && shown.peek() !== one) shown.value = one;
        before.delete(one.roomId);
      }
      for (const roomId of before.keys()) {
        const shown = this.roomSignals.get(roomId);
        if (shown) shown.value = undefined;
      }
    });
  }

  /** Asks the host; the answer may be another host's. */
  ask(message: { kind: "call"; method: Method; args: readonly unknown[] }): Promise<unknown>;
  ask(message: {
    kind: "move";
    timeline: number;
    to: "older" | "newer" | { place: Place };
  }): Promise<unknown>;
  ask(message: Omit<ToHost & { id: number }, "id">): Promise<unknown> {
    this.ids += 1;
    const asked = { ...message, id: this.ids } as ToHost & { id: number };
    return new Promise((resolve, reject) => {
      this.waiting.set(asked.id, { message: asked, resolve, reject });
      this.link.post(asked);
    });
  }

  private async call(method: Method, ...args: readonly unknown[]): Promise<void> {
    await this.ask({ kind: "call", method, args });
  }

  private tell(method: Method, ...args: readonly unknown[]): void {
    this.call(method, ...args).catch(() => undefined);
  }

  room(roomId: string): ReadonlySignal<RoomSummary | undefined> {
    let shown = this.roomSignals.get(roomId);
    if (!shown) {
      shown = signal(this.rooms.peek().find((one) => one.roomId === roomId));
      this.roomSignals.set(roomId, shown);
    }
    return shown;
  }

  private watch<T>(topic: string, message: ToHost, first: T): ReadonlySignal<T> {
    let known = this.watched.get(topic);
    if (!known) {
      known = { shown: signal<unknown>(first), message };
      this.watched.set(topic, known);
      this.link.post(message);
    }
    return known.shown as Signal<T>;
  }

  person(userId: string): ReadonlySignal<Person | undefined> {
    const first: Person | undefined = userId ? { userId, displayName: userId, bot: false } : undefined;
    return this.watch(`person ${userId}`, { kind: "watch", what: "person", userId }, first);
  }

  typingIn(roomId: string, threadRoot: number): ReadonlySignal<readonly string[]> {
    const message: ToHost = { kind: "watch", what: "typing", roomId, root: threadRoot };
    return this.watch<readonly string[]>(`typing ${threadRoot} ${roomId}`, message, []);
  }

  timeline(roomId: string, threadRoot?: number): Timeline {
    this.ids += 1;
    const id = this.ids;
    const timeline = new RemoteTimeline(this, this.link, id, roomId, threadRoot, () =>
      this.timelines.delete(id),
    );
    this.timelines.set(id, timeline);
    timeline.reopen();
    return timeline;
  }

  async message(roomId: string, seq: number): Promise<MessageEntry | undefined> {
    return (await this.ask({ kind: "call", method: "message", args: [roomId, seq] })) as
      | MessageEntry
      | undefined;
  }

  async send(to: SendTo, what: NewMessage): Promise<string> {
    // The id is made here, so that asking another host again sends nothing twice.
    const clientMessageId = crypto.randomUUID();
    await this.call("send", to, what, clientMessageId);
    return clientMessageId;
  }

  resend(clientMessageId: string): Promise<void> {
    return this.call("resend", clientMessageId);
  }

  discard(clientMessageId: string): Promise<void> {
    return this.call("discard", clientMessageId);
  }

  edit(roomId: string, seq: number, text: string): Promise<void> {
    return this.call("edit", roomId, seq, text);
  }

  remove(roomId: string, seqs: readonly number[], reason?: string): Promise<void> {
    return this.call("remove", roomId, seqs, reason);
  }

  react(roomId: string, seq: number, emoji: string, on: boolean): Promise<void> {
    return this.call("react", roomId, seq, emoji, on);
  }

  pin(roomId: string, seq: number, on: boolean): Promise<void> {
    return this.call("pin", roomId, seq, on);
  }

  vote(roomId: string, seq: number, options: readonly number[]): Promise<void> {
    return this.call("vote", roomId, seq, options);
  }

  closePoll(roomId: string, seq: number): Promise<void> {
    return this.call("closePoll", roomId, seq);
  }

  markRead(roomId: string, seq: number, threadRoot?: number): Promise<void> {
    return this.call("markRead", roomId, seq, threadRoot);
  }

  markUnread(roomId: string, seq: number): Promise<void> {
    return this.call("markUnread", roomId, seq);
  }

  follow(roomId: string, threadRoot: number, on: boolean): Promise<void> {
    return this.call("follow", roomId, threadRoot, on);
  }

  typing(roomId: string, threadRoot?: number): void {
    this.tell("typing", roomId, threadRoot);
  }

  stopTyping(roomId: string): void {
    this.tell("stopTyping", roomId);
  }

  saveDraft(roomId: string, text: string, threadRoot?: number): Promise<void> {
    return this.call("saveDraft", roomId, text, threadRoot);
  }

  async draft(roomId: string, threadRoot?: number): Promise<string> {
    return (await this.ask({ kind: "call", method: "draft", args: [roomId, threadRoot] })) as string;
  }

  retryNow(): void {
    this.tell("retryNow");
  }

  signOut(): Promise<void> {
    return this.call("signOut");
  }

  onNotification(handler: (notice: Notice) => void): () => void {
    this.handlers.add(handler);
    this.link.post({ kind: "page", notified: true });
    return () => {
      this.handlers.delete(handler);
      this.link.post({ kind: "page", notified: this.handlers.size > 0 });
    };
  }

  /** What the browser says of this page. */
  page(state: { visible?: boolean; online?: boolean; asleep?: boolean }): void {
    this.link.post({ kind: "page", ...state });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.link.post({ kind: "bye" });
    this.link.close();
  }
}

class RemoteTimeline implements Timeline {
  readonly entries: Signal<readonly Entry[]> = signal([]);
  readonly atStart: Signal<boolean> = signal(false);
  readonly atEnd: Signal<boolean> = signal(false);
  readonly loading: Signal<TimelineState["loading"]> = signal("jump");
  readonly error: Signal<string | undefined> = signal(undefined);
  readonly behind: Signal<number> = signal(0);
  readonly reading: Signal<ReadState | undefined> = signal(undefined);
  readonly threadRoot?: number;
  private fresh = true;
  private following = true;

  constructor(
    private readonly remote: Remote,
    private readonly link: Link,
    private readonly id: number,
    readonly roomId: string,
    threadRoot: number | undefined,
    private readonly closed: () => void,
  ) {
    if (threadRoot !== undefined) this.threadRoot = threadRoot;
  }

  reopen(): void {
    // What the last host showed stays until this one has something.
    this.fresh = true;
    const root = this.threadRoot === undefined ? {} : { threadRoot: this.threadRoot };
    this.link.post({ kind: "open", timeline: this.id, roomId: this.roomId, ...root });
    if (!this.following) this.link.post({ kind: "follow", timeline: this.id, on: false });
  }

  take(now: TimelineState, splices: readonly Splice<Entry>[]): void {
    const before = this.fresh ? [] : this.entries.peek();
    batch(() => {
      if (this.fresh || splices.length > 0) this.entries.value = patched(before, splices);
      this.fresh = false;
      this.atStart.value = now.atStart;
      this.atEnd.value = now.atEnd;
      this.loading.value = now.loading;
      this.error.value = now.error;
      this.behind.value = now.behind;
      this.reading.value = now.reading;
    });
  }

  follow(on: boolean): void {
    if (on === this.following) return;
    this.following = on;
    this.link.post({ kind: "follow", timeline: this.id, on });
  }

  async older(): Promise<void> {
    await this.remote.ask({ kind: "move", timeline: this.id, to: "older" });
  }

  async newer(): Promise<void> {
    await this.remote.ask({ kind: "move", timeline: this.id, to: "newer" });
  }

  async jump(place: Place): Promise<number | undefined> {
    // As the window has it then.
    this.following = place === "end";
    return (await this.remote.ask({ kind: "move", timeline: this.id, to: { place } })) as number | undefined;
  }

  close(): void {
    this.closed();
    this.link.post({ kind: "shut", timeline: this.id });
  }
}
