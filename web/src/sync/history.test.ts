import "fake-indexeddb/auto";
import { expect, it } from "vitest";
import type { Calls } from "../wire/calls";
import type { MessageEntry } from "./api";
import { Pages } from "./history";
import { Mirror } from "./mirror";
import type { Threads } from "./threads";

const room = "room";

/** Has the mirror reach this number, with a message for each. */
async function reach(mirror: Mirror, seq: number): Promise<void> {
  const tx = mirror.applying();
  for (let at = 1; at <= seq; at += 1) {
    const entry = { kind: "message", roomId: room, seq: at } as MessageEntry;
    void tx.objectStore("entries").put({ roomId: room, seq: at, entry, root: 0, editSeq: 0 });
  }
  void tx.objectStore("positions").put({ roomId: room, epoch: "e", seq, stamp: 0, after: 0, count: seq });
  await tx.done;
}

it.each([2, 4])(
  "leaves nothing out around a number that the log reaches meanwhile: it is at %i then",
  async (reached) => {
    const mirror = await Mirror.open(`history ${reached}`);
    await reach(mirror, 2);
    const listMessages = async () => {
      await reach(mirror, reached);
      return { events: [], previousPageToken: "", nextPageToken: "", epoch: "e" };
    };
    const calls = { messages: { listMessages } } as unknown as Calls;
    const pages = new Pages(
      calls,
      mirror,
      {} as Threads,
      () => "me",
      () => undefined,
      () => undefined,
    );

    const page = await pages.around(room, 0, 3);

    expect(page.entries.map((one) => one.seq)).toEqual([1, 2, 3, 4].slice(0, reached));
    // What comes next is not taken for something that is here.
    expect(page.to).toBe(reached);
  },
);
