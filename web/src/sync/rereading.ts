/** Reactions whose events may be in an answer that has just come already: they are read again instead of counted twice. */
import type { PollView } from "./api";
import { type Pages, voted } from "./history";
import { type Stored, threadKey } from "./model";
import { reaction } from "./read";
import { gathered } from "./timing";

/** An event about a message may be in an answer that came so short a time ago, in ms. */
const AMBIGUOUS = 3000;

export type Changes = ReadonlyMap<number, (stored: Stored) => Stored>;

export class Rereading {
  private readonly answered = new Map<string, number>();
  private readonly uncertain = new Map<string, Set<number>>();
  private readonly polls = new Map<string, Set<number>>();
  private readonly soon = gathered(AMBIGUOUS / 2, () => void this.read());

  constructor(
    private readonly pages: () => Pages,
    private readonly me: () => string,
    private readonly change: (roomId: string, changes: Changes) => Promise<void>,
  ) {}

  /** An answer says what the reactions to these are. */
  told(roomId: string, seqs: readonly number[]): void {
    for (const seq of seqs) this.answered.set(threadKey(roomId, seq), Date.now());
  }

  /** A reaction to this message has come. */
  came(roomId: string, seq: number): void {
    const at = this.answered.get(threadKey(roomId, seq));
    if (at === undefined || Date.now() - at > AMBIGUOUS) return;
    const seqs = this.uncertain.get(roomId) ?? new Set();
    this.uncertain.set(roomId, seqs.add(seq));
    this.soon();
  }

  /** Somebody has voted in an anonymous poll that is shown: it may have been this user, in another session. */
  voted(roomId: string, seq: number): void {
    const seqs = this.polls.get(roomId) ?? new Set();
    this.polls.set(roomId, seqs.add(seq));
    this.soon();
  }

  private async readPolls(): Promise<void> {
    const rooms = [...this.polls];
    this.polls.clear();
    for (const [roomId, seqs] of rooms) {
      const states = await this.pages()
        .polls(roomId, [...seqs])
        .catch(() => new Map<number, Partial<PollView>>());
      const changes = new Map<number, (stored: Stored) => Stored>();
      for (const [seq, state] of states)
        changes.set(seq, (stored) => voted(stored, { mine: state.mine ?? [] }));
      await this.change(roomId, changes);
    }
  }

  private async read(): Promise<void> {
    await this.readPolls();
    const rooms = [...this.uncertain];
    this.uncertain.clear();
    for (const [key, at] of this.answered) if (Date.now() - at > AMBIGUOUS) this.answered.delete(key);
    for (const [roomId, seqs] of rooms) {
      const found = await this.pages()
        .reactions(roomId, [...seqs])
        .catch(() => undefined);
      if (!found) continue;
      const changes = new Map<number, (stored: Stored) => Stored>();
      for (const [seq, { reactions }] of found)
        changes.set(seq, (stored) => {
          const entry = stored.entry;
          if (entry.kind !== "message" || entry.deleted) return stored;
          const known = reactions.map((one) => reaction(one, entry.reactions, this.me()));
          return { ...stored, entry: { ...entry, reactions: known } };
        });
      await this.change(roomId, changes);
    }
  }
}
