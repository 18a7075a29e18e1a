/** Who is typing where, and telling others that the user is. */

import type { Calls } from "../wire/calls";
import type { Signal } from "../wire/chat_pb";
import { threadKey } from "./model";
import { span } from "./read";

/** How often the server is told. */
const INTERVAL = 4000;

export class TypingPeople {
  /** By thread (0: the room) and user. */
  private readonly timers = new Map<string, Map<string, ReturnType<typeof setTimeout>>>();
  private readonly told = new Map<string, number>();

  constructor(
    private readonly calls: Calls,
    private readonly changed: (roomId: string, root: number) => void,
  ) {}

  in(roomId: string, root: number): readonly string[] {
    return [...(this.timers.get(threadKey(roomId, root))?.keys() ?? [])].reverse();
  }

  signal(of: Signal): void {
    if (of.kind.case !== "typing") return;
    const { lifetime, threadRoot } = of.kind.value;
    const { roomId, userId } = of;
    if (!lifetime) {
      this.ended(roomId, userId);
      return;
    }
    const root = Number(threadRoot);
    const key = threadKey(roomId, root);
    const there = this.timers.get(key) ?? new Map<string, ReturnType<typeof setTimeout>>();
    this.timers.set(key, there);
    const before = there.get(userId);
    clearTimeout(before);
    there.set(
      userId,
      setTimeout(() => this.remove(roomId, root, userId), span(lifetime)),
    );
    if (before === undefined) this.changed(roomId, root);
  }

  /** The user has stopped, or their message is there. */
  ended(roomId: string, userId: string): void {
    for (const [key, there] of this.timers)
      if (there.has(userId) && key.endsWith(`:${roomId}`))
        this.remove(roomId, Number.parseInt(key, 10), userId);
  }

  private remove(roomId: string, root: number, userId: string): void {
    const key = threadKey(roomId, root);
    const there = this.timers.get(key);
    clearTimeout(there?.get(userId));
    if (!there?.delete(userId)) return;
    if (there.size === 0) this.timers.delete(key);
    this.changed(roomId, root);
  }

  /** The user has typed something. */
  typed(roomId: string, root: number): void {
    const now = Date.now();
    if (now - (this.told.get(roomId) ?? 0) < INTERVAL) return;
    this.told.set(roomId, now);
    this.calls.presence.sendTyping({ roomId, threadRoot: BigInt(root) }).catch(() => undefined);
  }

  stopped(roomId: string): void {
    if (Date.now() - (this.told.get(roomId) ?? 0) > 2 * INTERVAL) return;
    this.told.delete(roomId);
    this.calls.presence.sendTyping({ roomId, stopped: true }).catch(() => undefined);
  }

  /** A message was sent: the server ends it by itself. */
  sent(roomId: string): void {
    this.told.delete(roomId);
  }

  clear(): void {
    for (const there of this.timers.values()) for (const timer of there.values()) clearTimeout(timer);
    this.timers.clear();
    this.told.clear();
  }
}
