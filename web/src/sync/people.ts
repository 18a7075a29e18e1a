/** Who people are: kept for a day, asked for when somebody looks. */
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import { type Presence as PresenceMessage, PresenceState } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import type { Person } from "./api";
import type { Mirror } from "./mirror";
import { millis, person } from "./read";
import { gathered } from "./timing";

const FRESH = 24 * 3600 * 1000;
/** Calls at once. */
const AT_ONCE = 4;
/** Users in one GetPresence. */
const BATCH = 100;

export class People {
  private readonly known = new Map<string, Person>();
  private readonly asked = new Set<string>();
  private readonly queue: string[] = [];
  private busy = 0;
  private readonly presence = new Set<string>();
  private readonly askPresence = gathered(100, () => void this.loadPresence());

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Mirror,
    private readonly changed: (person: Person) => void,
  ) {}

  get(userId: string): Person | undefined {
    return this.known.get(userId);
  }

  /** Somebody looks at this person: what is not known is loaded. */
  want(userId: string): void {
    if (!userId || this.asked.has(userId)) return;
    this.asked.add(userId);
    if (!this.known.has(userId)) this.merge({ userId, displayName: userId, bot: false });
    this.presence.add(userId);
    this.askPresence();
    void this.fromMirror(userId);
  }

  private async fromMirror(userId: string): Promise<void> {
    const kept = await this.mirror.person(userId).catch(() => undefined);
    if (kept) this.merge({ userId, displayName: kept.displayName, bot: kept.bot });
    if (kept && Date.now() - kept.asked < FRESH) return;
    this.queue.push(userId);
    this.next();
  }

  private next(): void {
    while (this.busy < AT_ONCE) {
      const userId = this.queue.shift();
      if (userId === undefined) return;
      this.busy += 1;
      void this.load(userId).finally(() => {
        this.busy -= 1;
        this.next();
      });
    }
  }

  private async load(userId: string): Promise<void> {
    try {
      const { user } = await this.calls.auth.getUser({ userId });
      if (user) this.put(person(user));
    } catch (thrown) {
      // Somebody whom the user may not find stays an id. Anything else is tried again when somebody looks again.
      if (toChatError(thrown).code !== Code.NotFound) this.asked.delete(userId);
    }
  }

  /** What the server says of a person. */
  put(of: Person): void {
    this.asked.add(of.userId);
    this.merge(of);
    const { userId, displayName, bot } = of;
    void this.mirror.putPerson({ userId, displayName, bot, asked: Date.now() }).catch(() => undefined);
  }

  private merge(part: Person): void {
    const person = { ...this.known.get(part.userId), ...part };
    this.known.set(part.userId, person);
    this.changed(person);
  }

  setPresence(of: PresenceMessage): void {
    const before = this.known.get(of.userId) ?? { userId: of.userId, displayName: of.userId, bot: false };
    const { presence: _p, lastSeen: _l, status: _s, ...rest } = before;
    const presence =
      of.state === PresenceState.ONLINE ? "active" : of.state === PresenceState.AWAY ? "away" : "offline";
    const person: Person = {
      ...rest,
      presence,
      ...(of.lastSeenTime ? { lastSeen: millis(of.lastSeenTime) } : {}),
      ...(of.status
        ? {
            status: {
              emoji: of.status.emoji,
              text: of.status.text,
              ...(of.status.expireTime ? { until: millis(of.status.expireTime) } : {}),
            },
          }
        : {}),
    };
    this.known.set(of.userId, person);
    this.changed(person);
  }

  /** A new stream: changes of presence may have been missed. */
  restart(): void {
    for (const userId of this.asked) this.presence.add(userId);
    if (this.presence.size > 0) this.askPresence();
  }

  private async loadPresence(): Promise<void> {
    const userIds = [...this.presence].slice(0, BATCH);
    for (const userId of userIds) this.presence.delete(userId);
    if (userIds.length === 0) return;
    try {
      const answer = await this.calls.presence.getPresence({ userIds });
      for (const one of answer.presences) this.setPresence(one);
      if (this.presence.size > 0) this.askPresence();
    } catch {
      // The next stream asks again.
    }
  }

  clear(): void {
    this.known.clear();
    this.asked.clear();
    this.queue.length = 0;
    this.presence.clear();
  }
}
