import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Calls } from "../wire/calls";
import { type SubscribeResponse, SubscribeResponseSchema } from "../wire/chat_pb";
import { ChatError, Code } from "../wire/errors";
import type { Connection } from "./api";
import { type Reader, Stream } from "./stream";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const response = (part: Parameters<typeof create<typeof SubscribeResponseSchema>>[1]): SubscribeResponse =>
  create(SubscribeResponseSchema, part);
const started = response({ started: { epoch: "e", heartbeatInterval: { seconds: 10n } }, caughtUp: {} });

/** A stream whose server says this, each time that it is opened; `undefined` is silence. */
function stream(...says: (SubscribeResponse | ChatError | undefined)[][]) {
  const states: Connection[] = [];
  let opened = 0;
  async function* subscribe(_: unknown, { signal }: { signal: AbortSignal }) {
    const said = says[Math.min(opened, says.length - 1)] ?? [];
    opened += 1;
    for (const one of said) {
      if (one instanceof ChatError) throw one;
      if (one) yield one;
      else
        await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new ChatError(Code.Canceled, "aborted")));
        });
    }
  }
  const reader: Reader = {
    prepare: async () => undefined,
    cursors: () => [],
    take: async () => undefined,
    forgetPositions: vi.fn(async () => undefined),
    recover: vi.fn(async () => undefined),
    connection: (state) => states.push(state),
  };
  const of = new Stream({ subscribe: { subscribe } } as unknown as Calls, reader);
  of.start();
  return { of, reader, now: () => states[states.length - 1]?.state, states, opened: () => opened };
}

it("takes two and a half intervals of silence for the end", async () => {
  const { now, opened, of } = stream([started, undefined]);
  await vi.advanceTimersByTimeAsync(24_000);
  expect([now(), opened()]).toEqual(["online", 1]);
  await vi.advanceTimersByTimeAsync(1_100);
  expect([now(), opened()]).toEqual(["connecting", 1]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([now(), opened()]).toEqual(["online", 2]);
  await of.close();
});

it("notices at once that the browser slept", async () => {
  const { of, opened } = stream([started, undefined]);
  await vi.advanceTimersByTimeAsync(100);
  // Timers do not run while a page is frozen.
  vi.setSystemTime(Date.now() + 600_000);
  of.retry();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(opened()).toBe(2);
  await of.close();
});

it("waits longer each time, and not at all when the user says so", async () => {
  const { of, opened } = stream([new ChatError(Code.Unavailable, "away")]);
  await vi.advanceTimersByTimeAsync(60_000);
  const tries = opened();
  expect(tries).toBeGreaterThan(4);
  expect(tries).toBeLessThan(12);
  of.retry();
  await vi.advanceTimersByTimeAsync(1);
  expect(opened()).toBe(tries + 1);
  await of.close();
});

it("comes back when a server that stops says so", async () => {
  const draining = response({ draining: { reconnectAfter: { seconds: 3n } } });
  const { of, opened } = stream([started, draining], [started, undefined]);
  await vi.advanceTimersByTimeAsync(2_900);
  expect(opened()).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(opened()).toBe(2);
  await of.close();
});

it("stops where only signing in helps, also where the reason has no details", async () => {
  const details = new ChatError(Code.Unauthenticated, "log in again", { reason: "SESSION_ENDED" });
  const bare = new ChatError(Code.PermissionDenied, "SESSION_ENDED: this session has ended");
  for (const error of [details, bare]) {
    const { now, opened, of } = stream([error]);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect([now(), opened()]).toEqual(["signed-out", 1]);
    await of.close();
  }
});

it("begins anew where the server knows its positions no longer", async () => {
  const changed = new ChatError(Code.FailedPrecondition, "restored", { reason: "EPOCH_CHANGED" });
  const { reader, now, of } = stream([changed], [started, undefined]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(reader.forgetPositions).toHaveBeenCalledOnce();
  expect(now()).toBe("online");
  await of.close();
});

it("begins again from the disk where something could not be kept", async () => {
  const { reader, of, opened } = stream([started, undefined]);
  reader.take = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("the disk is full"));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(reader.recover).toHaveBeenCalledOnce();
  expect(opened()).toBe(2);
  await of.close();
});
