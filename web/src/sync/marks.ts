/** Tells the server what was shown: the newest of each room, rarely (docs/topics/unread.md). */
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import type { ReadMarker } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import type { Mirror } from "./mirror";
import { type Mark, threadKey } from "./model";

/** Time between two calls for a room, for each of its members. */
const FOR_MEMBER = 60;
const LEAST = 2000;
const MOST = 60_000;

export class Marks {
  private readonly waiting = new Map<string, Mark>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly called = new Map<string, number>();

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Pick<Mirror, "putMark" | "deleteMark" | "marks">,
    private readonly members: (roomId: string) => number,
    private readonly marked: (marker: ReadMarker) => void,
  ) {}

  /** What was shown just before the browser was closed: `retry()` tells the server. */
  async load(): Promise<Mark[]> {
    const marks = await this.mirror.marks();
    for (const mark of marks) this.waiting.set(threadKey(mark.roomId, mark.root), mark);
    return marks;
  }

  /** When it resolves, it is on disk: the page may go away before the server is told. */
  async shown(mark: Mark): Promise<void> {
    const key = threadKey(mark.roomId, mark.root);
    const before = this.waiting.get(key);
    if (before && before.seq >= mark.seq) return;
    this.waiting.set(key, mark);
    this.soon(mark.roomId, key);
    // Without a disk, the server is told all the same.
    await this.mirror.putMark(mark).catch(() => undefined);
  }

  private soon(roomId: string, key: string): void {
    const now = Date.now();
    const apart = Math.min(MOST, Math.max(LEAST, FOR_MEMBER * this.members(roomId)));
    const earliest = (this.called.get(key) ?? 0) + apart;
    const quiet = now + 500 + Math.random() * 1000;
    // While messages stream in there is no quiet moment: then it is time when `apart` is over.
    if (this.timers.has(key) && now >= earliest) return;
    this.plan(key, Math.max(quiet, earliest) - now);
  }

  private plan(key: string, delay: number): void {
    clearTimeout(this.timers.get(key));
    this.timers.set(
      key,
      setTimeout(() => void this.mark(key), delay),
    );
  }

  private async mark(key: string): Promise<void> {
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    const shown = this.waiting.get(key);
    if (!shown) return;
    this.called.set(key, Date.now());
    this.waiting.delete(key);
    const { roomId, root, seq } = shown;
    try {
      const answer = await this.calls.messages.markRead({
        markers: [{ roomId, seq: BigInt(seq), threadRoot: BigInt(root) }],
      });
      for (const marker of answer.markers) this.marked(marker);
      this.forget(shown);
    } catch (thrown) {
      const { code } = toChatError(thrown);
      const never = [Code.InvalidArgument, Code.NotFound, Code.PermissionDenied, Code.Unauthenticated];
      if (never.includes(code)) this.forget(shown);
      if (never.includes(code) || this.waiting.has(key)) return;
      // The server is away: it is told when it is back.
      this.waiting.set(key, shown);
    }
  }

  /** What was to be told while the server was away. */
  retry(): void {
    for (const key of this.waiting.keys()) if (!this.timers.has(key)) this.plan(key, Math.random() * 1000);
  }

  /** The user leaves the room, or everything. */
  flush(roomId?: string): void {
    for (const [key, shown] of this.waiting) if (!roomId || shown.roomId === roomId) void this.mark(key);
  }

  /** The user marks it as unread: what was shown before counts no longer. */
  drop(roomId: string): void {
    const key = threadKey(roomId, 0);
    const shown = this.waiting.get(key);
    if (shown) this.forget(shown);
    this.waiting.delete(key);
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
  }

  private forget(mark: Mark): void {
    this.mirror.deleteMark(mark).catch(() => undefined);
  }

  clear(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.waiting.clear();
  }
}
