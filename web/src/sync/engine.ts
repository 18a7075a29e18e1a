/** All of it together: one of these runs for all tabs of a browser, and is what their pages see. */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { Calls } from "../wire/calls";
import type { ReadMarker, SubscribeResponse } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import { Acting } from "./acting";
import type {
  Chat,
  Connection,
  MessageEntry,
  NewMessage,
  Notice,
  PendingEntry,
  Person,
  RoomSummary,
  SendTo,
  Totals,
} from "./api";
import { Drafts } from "./drafts";
import { Pages, voted } from "./history";
import { Listing } from "./listing";
import { Marks } from "./marks";
import type { Mirror } from "./mirror";
import { type Stored, threadKey } from "./model";
import { Notices } from "./notices";
import { Outbox } from "./outbox";
import { People } from "./people";
import { marker, person } from "./read";
import { type Changes, Rereading } from "./rereading";
import { Rooms } from "./rooms";
import { Showing } from "./showing";
import { type Reader, Stream } from "./stream";
import { type Outcome, type Taken, Taking } from "./taking";
import { Threads } from "./threads";
import { type Surroundings, Window } from "./timeline";
import { Turns } from "./timing";
import { TypingPeople } from "./typing";

export class Engine extends Acting implements Chat {
  readonly connection: Signal<Connection> = signal<Connection>({
    state: "connecting",
    since: Date.now(),
    attempt: 0,
  });
  private readonly showing = new Showing({
    summary: (roomId) => this.summary(roomId),
    person: (userId) => this.people.get(userId),
    typing: (roomId, root) => this.typists.in(roomId, root),
    pending: () => this.out.entries(),
    threads: () => this.threads.waiting(Date.now()),
    invitations: () => this.listing.invited,
    shown: (roomIds) => {
      for (const window of this.windows) if (roomIds.has(window.roomId)) window.show();
    },
  });
  readonly me: Signal<Person | undefined> = this.showing.me;
  readonly rooms: ReadonlySignal<readonly RoomSummary[]> = this.showing.rooms;
  readonly totals: ReadonlySignal<Totals> = this.showing.totals;
  readonly outbox: ReadonlySignal<readonly PendingEntry[]> = this.showing.outbox;
  readonly ready: Signal<boolean> = signal(false);
  readonly personal: Signal<number> = signal(0);

  private readonly windows = new Set<Window>();
  private readonly turns = new Turns();

  private readonly records: Rooms;
  private readonly threads: Threads;
  private readonly people: People;
  private readonly drafts: Drafts;
  private readonly marks: Marks;
  private readonly typists: TypingPeople;
  private readonly out: Outbox;
  private readonly taking: Taking;
  private readonly pages: Pages;
  private readonly listing: Listing;
  private readonly rereading = new Rereading(
    () => this.pages,
    () => this.userId,
    (roomId, changes) => this.change(roomId, changes),
  );
  private readonly notices = new Notices();
  private readonly stream: Stream;
  private userId = "";

  constructor(
    calls: Calls,
    private readonly mirror: Mirror,
  ) {
    super(calls);
    const touch = (roomId: string): void => this.showing.touch(roomId);
    this.records = new Rooms(touch, (roomId) => this.listing.stale(roomId));
    this.threads = new Threads(calls, (records) => {
      for (const { roomId } of records) this.showing.touch(roomId);
      this.kept(this.mirror.putThreads(records));
    });
    this.people = new People(calls, mirror, (of) => this.showing.setPerson(of, this.userId));
    this.drafts = new Drafts(calls, mirror, touch);
    this.marks = new Marks(
      calls,
      mirror,
      (roomId) => this.records.records.get(roomId)?.memberCount ?? 0,
      (of) => this.marked(of),
    );
    this.typists = new TypingPeople(calls, (roomId, root) => this.showing.setTyping(roomId, root));
    this.out = new Outbox(
      calls,
      mirror,
      touch,
      (error) => void this.told({ state: "signed-out", why: error.message }),
      (roomId) => this.taking.positions.get(roomId)?.seq ?? -1,
    );
    this.taking = new Taking(mirror, this.records, this.threads, this.out, () => this.userId);
    this.pages = new Pages(
      calls,
      mirror,
      this.threads,
      () => this.userId,
      (roomId) => this.records.records.get(roomId),
      (roomId, seqs) => this.rereading.told(roomId, seqs),
    );
    this.listing = new Listing(calls, mirror, this.records, this.taking, (roomIds) => this.reload(roomIds));
    this.stream = new Stream(calls, this.reader());
  }

  /** Shows what the mirror has, and connects. */
  async start(): Promise<void> {
    this.userId = (await this.mirror.owner()) ?? "";
    await this.fromMirror();
    this.stream.start();
  }

  private async fromMirror(): Promise<void> {
    await this.taking.load();
    for (const record of await this.mirror.rooms()) this.records.put(record, true);
    for (const record of await this.mirror.threads())
      this.threads.records.set(threadKey(record.roomId, record.root), record);
    await this.drafts.load();
    await this.out.load();
    for (const { roomId, root, seq } of await this.marks.load())
      if (root === 0) this.records.show(roomId, seq);
    if (this.userId) this.people.want(this.userId);
    if (this.records.records.size > 0) this.ready.value = true;
    this.showing.soon();
  }

  private reader(): Reader {
    return {
      prepare: () => this.prepare(),
      cursors: () => this.taking.cursors(),
      take: (response) => this.turns.take(() => this.take(response)),
      forgetPositions: async () => {
        await this.taking.forgetPositions();
        this.listing.expire();
        this.reload();
      },
      recover: async () => {
        this.records.clear();
        this.threads.clear();
        await this.fromMirror();
        this.listing.expire();
        this.reload();
      },
      connection: (state) => void this.told(state),
    };
  }

  /** Of a session that has ended, only what its user wrote is kept, for when the same one signs in again. */
  private async told(state: Connection): Promise<void> {
    if (state.state === "signed-out")
      await this.turns.take(() => this.mirror.forgetRead()).catch(() => undefined);
    this.connection.value = state;
    if (state.state === "online") this.online();
  }

  private async prepare(): Promise<void> {
    if (!this.listing.identified) {
      const answer = await this.calls.auth.getMe({});
      const user = answer.user;
      const userId = user?.userId ?? "";
      if (await this.mirror.belongTo(userId)) this.reset();
      this.userId = userId;
      this.listing.identified = true;
      if (user) this.people.put(person(user));
      this.people.want(userId);
    }
    await this.listing.rooms();
    this.ready.value = true;
    this.out.kick();
  }

  /** It was another user's: nothing of that stays in memory either. */
  private reset(): void {
    for (const part of [
      this.records,
      this.threads,
      this.people,
      this.drafts,
      this.marks,
      this.typists,
      this.out,
    ])
      part.clear();
    this.taking.positions.clear();
    this.listing.expire();
    this.reload();
  }

  private online(): void {
    this.out.kick();
    this.marks.retry();
    for (const window of this.windows) window.retry();
    this.people.restart();
    this.drafts.exchange().catch(() => undefined);
    void this.listing.invitations().then(() => this.showing.soon());
  }

  private async take(response: SubscribeResponse): Promise<void> {
    if (response.started) {
      this.records.restart();
      this.pages.pinsChanged();
      for (const window of this.windows) this.threads.unlist(window.roomId);
    }
    const outcome = await this.taking.take(response);
    for (const roomId of outcome.unknown) this.listing.stale(roomId);
    this.show(outcome);
    for (const of of response.readMarkers) this.marked(of);
    for (const of of response.notifications) this.records.setNotifications(of.roomId, of.notifications);
    for (const of of response.threads) this.threads.told(of);
    for (const of of response.signals)
      if (of.kind.case === "presence") this.people.setPresence(of.kind.value);
      else this.typists.signal(of);
    if (response.invitations.length > 0) void this.listing.invitations().then(() => this.showing.soon());
    if (response.personal.length > 0) {
      this.personal.value += 1;
      const drafts = response.personal.some(
        (one) => one.what.case === "draft" || one.what.case === undefined,
      );
      if (drafts) this.drafts.exchange().catch(() => undefined);
      // A scheduled message moves no marker, and looks like one that the user sent.
      for (const { what } of response.personal)
        if (what.case === "scheduled" && what.value.seq > 0n) this.listing.stale(what.value.roomId);
    }
  }

  private show(outcome: Outcome): void {
    for (const missing of outcome.gaps) {
      for (const window of this.windows) if (window.roomId === missing.roomId) window.miss(missing);
      this.showing.touch(missing.roomId);
    }
    for (const taken of outcome.taken) this.showOne(taken);
    for (const window of this.windows) {
      const left = outcome.left.find((one) => one.roomId === window.roomId);
      if (left) window.empty(left.reason);
      // A room that is new was left, perhaps, and is the user's again.
      else if (outcome.broken.has(window.roomId) || outcome.unknown.has(window.roomId)) void window.reload();
    }
  }

  private showOne({ event, added }: Taken): void {
    const { roomId, kind } = event;
    for (const window of this.windows) if (window.roomId === roomId) window.apply(event, added);
    this.showing.touch(roomId);
    if (kind.case === "reactionChanged") this.rereading.came(roomId, Number(kind.value.seq));
    if (kind.case === "pollVoted" && !event.userId) this.maybeMine(roomId, Number(kind.value.seq));
    if (kind.case === "pinChanged") this.pages.pinsChanged(roomId);
    const entry = added?.entry;
    if (entry?.kind !== "message") {
      if (kind.case === "membershipChanged" && kind.value.userId === this.userId)
        void this.listing.invitations();
      return;
    }
    this.typists.ended(roomId, entry.userId);
    if (this.connection.peek().state !== "online" && this.connection.peek().state !== "catching-up") return;
    const thread = entry.threadRoot === undefined ? undefined : this.threads.view(roomId, entry.threadRoot);
    this.notices.message(entry, this.userId, this.records.summary(roomId, Date.now()), thread);
  }

  private maybeMine(roomId: string, seq: number): void {
    for (const window of this.windows)
      if (window.roomId === roomId && window.has(seq)) this.rereading.voted(roomId, seq);
  }

  /** What a call says of messages, for the mirror and the windows. */
  private async change(roomId: string, changes: Changes): Promise<void> {
    await this.turns.take(async () => {
      for (const window of this.windows) if (window.roomId === roomId) window.refresh(changes);
      const page: Stored[] = [];
      for (const [seq, change] of changes) {
        const kept = await this.mirror.entry(roomId, seq);
        if (kept) page.push(change(kept));
      }
      await this.mirror.refresh(page);
    });
  }

  private marked(of: ReadMarker): void {
    if (of.threadRoot > 0n) this.threads.setMarker(of);
    else this.records.setMarker(of.roomId, marker(of));
  }

  private reload(roomIds?: ReadonlySet<string>): void {
    for (const window of this.windows) if (!roomIds || roomIds.has(window.roomId)) void window.reload();
  }

  private kept(writing: Promise<unknown>): void {
    // What is not kept comes again with the next stream.
    writing.catch(() => undefined);
  }

  private summary(roomId: string): RoomSummary | undefined {
    const part = this.records.summary(roomId, Date.now());
    if (!part) return undefined;
    const draft = this.drafts.text(roomId);
    return { ...part, typing: this.typists.in(roomId, 0), ...(draft ? { draft } : {}) };
  }

  room(roomId: string): ReadonlySignal<RoomSummary | undefined> {
    return this.showing.room(roomId);
  }

  person(userId: string): ReadonlySignal<Person | undefined> {
    const shown = this.showing.person(userId);
    this.people.want(userId);
    return shown;
  }

  typingIn(roomId: string, threadRoot: number): ReadonlySignal<readonly string[]> {
    return this.showing.typingIn(roomId, threadRoot);
  }

  timeline(roomId: string, threadRoot?: number): Window {
    const window = new Window(roomId, threadRoot, this.surroundings);
    // Whoever comes back to a room reads it.
    const first = ![...this.windows].some((one) => one.roomId === roomId);
    if (first && threadRoot === undefined) this.records.patch(roomId, { markedUnread: false });
    this.windows.add(window);
    void window.open();
    return window;
  }

  private readonly surroundings: Surroundings = {
    me: () => this.userId,
    pages: (): Pages => this.pages,
    pending: (roomId, root) => this.out.entries(roomId, root),
    thread: (roomId, root) => this.threads.view(roomId, root),
    listThreads: (roomId, since) => void this.threads.list(roomId, since),
    room: (roomId) => this.records.summary(roomId, Date.now()),
    closed: (window) => {
      this.windows.delete(window);
      this.marks.flush(window.roomId);
    },
  };

  async message(roomId: string, seq: number): Promise<MessageEntry | undefined> {
    for (const window of this.windows) {
      const entry = window.roomId === roomId ? window.has(seq)?.entry : undefined;
      if (entry?.kind === "message") return entry;
    }
    const entry = (await this.pages.one(roomId, seq))?.entry;
    return entry?.kind === "message" ? entry : undefined;
  }

  async send(to: SendTo, what: NewMessage, clientMessageId: string = crypto.randomUUID()): Promise<string> {
    await this.out.add(clientMessageId, to, what);
    this.typists.sent(to.roomId);
    this.kept(this.drafts.save(to.roomId, to.threadRoot ?? 0, ""));
    return clientMessageId;
  }

  resend(clientMessageId: string): Promise<void> {
    return this.out.resend(clientMessageId);
  }

  discard(clientMessageId: string): Promise<void> {
    return this.out.discard(clientMessageId);
  }

  async vote(roomId: string, seq: number, options: readonly number[]): Promise<void> {
    const { poll } = await this.calls.polls.votePoll({ roomId, seq: BigInt(seq), choices: [...options] });
    if (!poll) return;
    // The event of an anonymous poll does not say whose vote it is.
    const mine = (stored: Stored): Stored => voted(stored, { mine: poll.choices });
    await this.change(roomId, new Map([[seq, mine]]));
  }

  async markRead(roomId: string, seq: number, threadRoot = 0): Promise<void> {
    if (threadRoot > 0) {
      const thread = this.threads.get(roomId, threadRoot);
      if (!thread?.following || seq <= thread.marker.seq) return;
      if (seq >= thread.lastSeq)
        this.threads.put({ ...thread, marker: { ...thread.marker, seq, unread: 0 } });
    } else {
      const record = this.records.records.get(roomId);
      if (!record || record.markedUnread || seq <= record.marker.seq) return;
    }
    await this.marks.shown({ roomId, root: threadRoot, seq });
    if (threadRoot === 0) this.records.show(roomId, seq);
  }

  async markUnread(roomId: string, seq: number): Promise<void> {
    this.marks.drop(roomId);
    this.records.unshow(roomId);
    const markers = [{ roomId, seq: BigInt(Math.max(0, seq - 1)) }];
    const answer = await this.calls.messages.markRead({ markers, back: true });
    for (const of of answer.markers) this.marked(of);
    this.records.patch(roomId, { markedUnread: true });
  }

  async follow(roomId: string, threadRoot: number, on: boolean): Promise<void> {
    const { thread } = await this.calls.messages.updateThread({
      roomId,
      threadRoot: BigInt(threadRoot),
      following: on,
      updateMask: { paths: ["following"] },
    });
    if (thread) this.threads.told(thread);
  }

  typing(roomId: string, threadRoot = 0): void {
    this.typists.typed(roomId, threadRoot);
  }

  stopTyping(roomId: string): void {
    this.typists.stopped(roomId);
  }

  saveDraft(roomId: string, text: string, threadRoot = 0): Promise<void> {
    return this.drafts.save(roomId, threadRoot, text);
  }

  async draft(roomId: string, threadRoot = 0): Promise<string> {
    return this.drafts.text(roomId, threadRoot);
  }

  onNotification(handler: (notice: Notice) => void): () => void {
    return this.notices.on(handler);
  }

  retryNow(): void {
    this.listing.expire();
    this.stream.retry();
    this.out.kick();
  }

  /** A page became visible, or the browser woke up. */
  awake(): void {
    this.stream.retry();
    this.out.kick();
  }

  /** Nobody looks any more: what waited for a quiet moment is done now. */
  left(): void {
    this.marks.flush();
  }

  network(online: boolean): void {
    this.stream.network(online);
    if (online) this.out.kick();
  }

  async signOut(): Promise<void> {
    this.drafts.flush();
    this.marks.flush();
    try {
      await this.calls.auth.logOut({});
    } catch (thrown) {
      // A session that has ended already is as good; without the server, the cookie would stay.
      if (!toChatError(thrown).signedOut) throw thrown;
    }
    await this.shut();
    await this.mirror.wipe();
    this.reset();
    this.ready.value = false;
    this.me.value = undefined;
    this.connection.value = { state: "signed-out" };
  }

  /** Ends everything; what was written is on disk. */
  async shut(): Promise<void> {
    this.marks.flush();
    this.drafts.flush();
    await this.out.stop();
    await this.stream.close();
    await this.turns.take(async () => undefined);
  }

  close(): void {
    void this.shut();
  }
}
