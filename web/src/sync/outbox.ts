/**
 * What the user sends: on disk first, then to the server, in order for each room, until the answer is definite.
 *
 * The `client_message_id` never changes, so a message that is sent again is stored once, whatever became of the first call.
 */
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import { ChatError, toChatError } from "../wire/errors";
import type { NewMessage, PendingEntry, SendTo } from "./api";
import type { Mirror } from "./mirror";
import type { Outgoing } from "./model";
import { toTimestamp } from "./read";
import { backoff, Pause } from "./timing";

interface Item {
  message: Outgoing;
  state: PendingEntry["state"];
  retryAt?: number;
  /** Stored as this number; it stays until its event is here, so that nothing flickers. */
  seq?: number;
}

/** These answers say that the call stored nothing and never will. */
const DEFINITE: readonly Code[] = [
  Code.InvalidArgument,
  Code.PermissionDenied,
  Code.NotFound,
  Code.AlreadyExists,
  Code.FailedPrecondition,
];

export class Outbox {
  private readonly items = new Map<string, Item>();
  private readonly rooms = new Map<string, Pause>();
  private readonly adding = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Mirror,
    private readonly changed: (roomId: string) => void,
    private readonly signedOut: (error: ChatError) => void,
    /** Up to where the room's log has been read. */
    private readonly position: (roomId: string) => number,
  ) {}

  async load(): Promise<void> {
    for (const message of await this.mirror.outbox())
      if (!this.items.has(message.clientMessageId))
        this.items.set(message.clientMessageId, { message, state: message.failed ? "failed" : "waiting" });
    for (const roomId of new Set([...this.items.values()].map((item) => item.message.roomId)))
      this.changed(roomId);
  }

  entries(roomId?: string, root?: number): PendingEntry[] {
    const found: PendingEntry[] = [];
    for (const item of this.items.values()) {
      const { order: _, failed, ...message } = item.message;
      if (roomId !== undefined && message.roomId !== roomId) continue;
      if (root !== undefined && (message.threadRoot ?? 0) !== root) continue;
      found.push({
        kind: "pending",
        ...message,
        state: item.state,
        ...(item.retryAt !== undefined ? { retryAt: item.retryAt } : {}),
        ...(failed ? { error: failed.error, reason: failed.reason } : {}),
      });
    }
    return found;
  }

  /** On disk when it resolves. The same id again changes nothing. */
  async add(clientMessageId: string, to: SendTo, what: NewMessage): Promise<void> {
    if (this.items.has(clientMessageId)) return;
    // Another engine has read the outbox by then, and would not send it before it is started again.
    if (this.stopped) throw new ChatError(Code.Unavailable, "this client has stopped");
    const adding = this.enqueue(clientMessageId, to, what);
    this.adding.add(adding);
    await adding.finally(() => this.adding.delete(adding));
  }

  private async enqueue(clientMessageId: string, to: SendTo, what: NewMessage): Promise<void> {
    const message = await this.mirror.enqueue({
      roomId: to.roomId,
      clientMessageId,
      time: Date.now(),
      text: what.text,
      files: what.files ?? [],
      ...(to.replyTo ? { replyTo: to.replyTo } : {}),
      ...(to.threadRoot ? { threadRoot: to.threadRoot } : {}),
      ...(what.poll ? { poll: what.poll } : {}),
      cards: what.cards ?? [],
    });
    if (this.items.has(clientMessageId)) return;
    this.items.set(clientMessageId, { message, state: "waiting" });
    this.changed(to.roomId);
    void this.run(to.roomId);
  }

  async resend(clientMessageId: string): Promise<void> {
    const item = this.items.get(clientMessageId);
    if (item?.state !== "failed") return;
    const { failed: _, ...message } = item.message;
    await this.mirror.putOutgoing(message);
    item.message = message;
    item.state = "waiting";
    this.changed(message.roomId);
    void this.run(message.roomId);
  }

  /** Takes back what is not under way. Where an earlier call had no answer, it may be stored all the same. */
  async discard(clientMessageId: string): Promise<void> {
    const item = this.items.get(clientMessageId);
    if (!item || item.state === "sending") return;
    await this.drop(item);
  }

  /** Its event has come: whatever the calls said, it is stored. Returns its place, for the caller to delete it on disk. */
  arrived(clientMessageId: string): number | undefined {
    const item = this.items.get(clientMessageId);
    if (!item) return undefined;
    this.items.delete(clientMessageId);
    this.changed(item.message.roomId);
    return item.message.order;
  }

  /** The room's log has been read up to here: the events of what was stored before do not come any more. */
  passed(roomId: string, seq: number): void {
    for (const [clientMessageId, item] of this.items)
      if (item.message.roomId === roomId && item.seq !== undefined && item.seq <= seq) {
        this.items.delete(clientMessageId);
        this.changed(roomId);
      }
  }

  private async drop(item: Item): Promise<void> {
    this.items.delete(item.message.clientMessageId);
    this.changed(item.message.roomId);
    if (item.message.order !== undefined) await this.mirror.dequeue(item.message.order);
  }

  /** The server may be there again: what waits for a pause goes at once. */
  kick(): void {
    const rooms = new Set<string>();
    for (const item of this.items.values()) if (item.state === "waiting") rooms.add(item.message.roomId);
    for (const roomId of rooms) {
      const item = this.next(roomId);
      // What the server told to wait waits.
      if (item?.retryAt === undefined) this.rooms.get(roomId)?.skip();
      void this.run(roomId);
    }
  }

  private next(roomId: string): Item | undefined {
    let first: Item | undefined;
    for (const item of this.items.values())
      if (
        item.message.roomId === roomId &&
        item.state !== "failed" &&
        item.seq === undefined &&
        (first === undefined || (item.message.order ?? 0) < (first.message.order ?? 0))
      )
        first = item;
    return first;
  }

  private async run(roomId: string): Promise<void> {
    if (this.rooms.has(roomId) || this.stopped) return;
    const pause = new Pause();
    this.rooms.set(roomId, pause);
    let attempt = 0;
    try {
      for (let item = this.next(roomId); item && !this.stopped; item = this.next(roomId)) {
        this.state(item, "sending");
        const error = await this.send(item);
        if (this.stopped) return;
        if (!error) {
          attempt = 0;
          continue;
        }
        if (error.code === Code.Unauthenticated) {
          this.state(item, "waiting");
          this.signedOut(error);
          return;
        }
        const waits = error.code === Code.ResourceExhausted && error.retryAfter !== undefined;
        if (DEFINITE.includes(error.code) || (error.code === Code.ResourceExhausted && !waits)) {
          await this.fail(item, error);
          continue;
        }
        const delay = Math.max(error.retryAfter ?? 0, waits ? 50 : backoff(attempt));
        attempt += 1;
        item.retryAt = Date.now() + delay;
        if (!waits) delete item.retryAt;
        this.state(item, "waiting");
        await pause.wait(delay);
        delete item.retryAt;
      }
    } finally {
      this.rooms.delete(roomId);
    }
  }

  private state(item: Item, state: PendingEntry["state"]): void {
    if (!this.items.has(item.message.clientMessageId)) return;
    item.state = state;
    this.changed(item.message.roomId);
  }

  private async send(item: Item): Promise<ChatError | undefined> {
    const { roomId, clientMessageId, text, files, replyTo, threadRoot, cards, poll } = item.message;
    try {
      const answer = await this.calls.messages.sendMessages({
        messages: [
          {
            roomId,
            clientMessageId,
            text,
            fileIds: [...files],
            replyTo: BigInt(replyTo ?? 0),
            threadRoot: BigInt(threadRoot ?? 0),
            cards: cards.map((card) => ({ ...card })),
            ...(poll
              ? {
                  poll: {
                    options: [...poll.options],
                    multiple: poll.multiple,
                    anonymous: poll.anonymous,
                    ...(poll.closeTime !== undefined ? { closeTime: toTimestamp(poll.closeTime) } : {}),
                  },
                }
              : {}),
          },
        ],
      });
      item.seq = Number(answer.messages[0]?.seq ?? 0n);
      if (item.message.order !== undefined) await this.mirror.dequeue(item.message.order);
      this.passed(roomId, this.position(roomId));
      return undefined;
    } catch (thrown) {
      return toChatError(thrown);
    }
  }

  private async fail(item: Item, error: ChatError): Promise<void> {
    if (!this.items.has(item.message.clientMessageId)) return;
    item.message = { ...item.message, failed: { error: error.message, reason: error.reason } };
    this.state(item, "failed");
    await this.mirror.putOutgoing(item.message).catch(() => undefined);
  }

  /** Whatever was taken is on disk when it resolves. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const pause of this.rooms.values()) pause.skip();
    await Promise.allSettled(this.adding);
  }

  clear(): void {
    this.items.clear();
  }
}
