/** What the user does to messages that are there: calls whose effect comes on the stream. */
import type { Calls } from "../wire/calls";

export class Acting {
  constructor(protected readonly calls: Calls) {}

  async edit(roomId: string, seq: number, text: string): Promise<void> {
    await this.calls.messages.editMessage({ roomId, seq: BigInt(seq), text });
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
