/** What the user does to messages that are there: calls whose effect comes on the stream. */
import type { Calls } from "../wire/calls";
import type { MessageEntry } from "./api";

export abstract class Acting {
  constructor(protected readonly calls: Calls) {}

  abstract message(roomId: string, seq: number): Promise<MessageEntry | undefined>;

  /** Cards of links that the new text still has stay: the server takes those of an edit for all that there are. */
  async edit(roomId: string, seq: number, text: string): Promise<void> {
    const before = await this.message(roomId, seq);
    const cards = before?.cards.filter((card) => text.includes(card.url)) ?? [];
    await this.calls.messages.editMessage({
      roomId,
      seq: BigInt(seq),
      text,
      cards: cards.map((card) => ({ ...card })),
    });
  }

  async remove(roomId: string, seqs: readonly number[], reason = ""): Promise<void> {
    await this.calls.messages.deleteMessages({ roomId, seqs: seqs.map(BigInt), reason });
  }

  async react(roomId: string, seq: number, emoji: string, on: boolean): Promise<void> {
    const what = { roomId, seq: BigInt(seq), emoji };
    if (on) await this.calls.messages.addReaction(what);
    else await this.calls.messages.removeReaction(what);
  }

  async pin(roomId: string, seq: number, on: boolean): Promise<void> {
    const what = { roomId, seq: BigInt(seq) };
    if (on) await this.calls.messages.pinMessage(what);
    else await this.calls.messages.unpinMessage(what);
  }

  async closePoll(roomId: string, seq: number): Promise<void> {
    await this.calls.polls.closePoll({ roomId, seq: BigInt(seq) });
  }
}
