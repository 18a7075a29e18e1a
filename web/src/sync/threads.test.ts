import { describe, expect, it } from "vitest";
import type { Calls } from "../wire/calls";
import { Threads } from "./threads";

/** A server with a room of so many threads, in pages of three; thread N was written to last N seconds after 1970. */
function server(count: number): { calls: Calls; asked: string[] } {
  const asked: string[] = [];
  const listThreads = async ({ pageToken }: { pageToken: string }) => {
    asked.push(pageToken);
    const start = pageToken === "" ? count : Number(pageToken);
    const numbers = [start, start - 1, start - 2].filter((number) => number > 0);
    const threads = numbers.map((number) => ({
      roomId: "kitchen",
      threadRoot: BigInt(number),
      replyCount: 1n,
      lastSeq: BigInt(number + 1000),
      lastTime: { seconds: BigInt(number), nanos: 0 },
      following: false,
      muted: false,
    }));
    return { threads, nextPageToken: start > 3 ? String(start - 3) : "" };
  };
  return { calls: { messages: { listThreads } } as unknown as Calls, asked };
}

describe("Threads", () => {
  it("lists those of a room as far back as its messages are shown", async () => {
    const { calls, asked } = server(10);
    const told: number[] = [];
    const threads = new Threads(calls, (records) => told.push(records.length));
    await threads.list("kitchen", 7500);
    // The second page is the first that reaches back so far.
    expect(asked).toEqual(["", "7"]);
    expect(told).toEqual([3, 3]);
    expect(threads.view("kitchen", 5)?.replies).toBe(1);
    expect(threads.view("kitchen", 4)).toBeUndefined();

    await threads.list("kitchen", 6000);
    expect(asked).toHaveLength(2);
    await Promise.all([threads.list("kitchen", 0), threads.list("kitchen", 3000)]);
    expect(asked).toEqual(["", "7", "4", "1"]);
    expect(threads.view("kitchen", 1)?.replies).toBe(1);
    await threads.list("kitchen", 0);
    expect(asked).toHaveLength(4);

    threads.unlist("kitchen");
    await threads.list("kitchen", 9000);
    expect(asked.slice(4)).toEqual([""]);
  });
});
