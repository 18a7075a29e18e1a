import "fake-indexeddb/auto";
import { expect, it, vi } from "vitest";
import type { Calls } from "../wire/calls";
import { ChatError, Code } from "../wire/errors";
import { Mirror } from "./mirror";
import { Outbox } from "./outbox";

type Answer = ChatError | "stored" | Promise<void>;

interface Sent {
  text: string;
  id: string;
}

let mirrors = 0;

/** An outbox whose server answers as told, then stores everything. */
async function outbox(answers: Answer[] = [], mirror?: Mirror) {
  const of = mirror ?? (await Mirror.open(`outbox ${mirrors++}`));
  const sent: Sent[] = [];
  const sendMessages = async ({ messages }: { messages: { text: string; clientMessageId: string }[] }) => {
    for (const { text, clientMessageId } of messages) sent.push({ text, id: clientMessageId });
    const answer = answers.shift();
    if (answer instanceof ChatError) throw answer;
    if (answer instanceof Promise) await answer;
    return { messages: [{ seq: BigInt(sent.length) }] };
  };
  const signedOut = vi.fn();
  const calls = { messages: { sendMessages } } as unknown as Calls;
  const box = new Outbox(
    calls,
    of,
    () => undefined,
    signedOut,
    () => -1,
  );
  await box.load();
  const add = (id: string, roomId = "room") => box.add(id, { roomId }, { text: id });
  const texts = () => sent.map((one) => one.text);
  return { box, mirror: of, sent, signedOut, add, texts };
}

const lost = () => new ChatError(Code.Unavailable, "gone");

it("sends a room's messages in order, again with the same id where the outcome is unknown", async () => {
  const { box, add, sent, texts, mirror } = await outbox([lost()]);
  await Promise.all(["a", "b", "c"].map((id) => add(id)));
  await vi.waitFor(() => expect(texts()).toEqual(["a"]));
  expect(box.entries().map((one) => one.state)).toEqual(["waiting", "waiting", "waiting"]);
  await vi.waitFor(() => {
    box.kick();
    expect(texts()).toEqual(["a", "a", "b", "c"]);
  });
  expect(sent[0]).toEqual(sent[1]);
  await vi.waitFor(async () => expect(await mirror.outbox()).toEqual([]));
  // They are shown until their events are here.
  expect(box.entries()).toHaveLength(3);
  box.passed("room", 4);
  expect(box.entries()).toEqual([]);
});

it("keeps a refusal with its reason for the user, and goes on with the next", async () => {
  const refusal = new ChatError(Code.PermissionDenied, "readers don't write", { reason: "NOT_ALLOWED" });
  const { box, add, texts, mirror } = await outbox([refusal]);
  await add("a");
  await add("b");
  await vi.waitFor(() => expect(texts()).toEqual(["a", "b"]));
  const failed = {
    clientMessageId: "a",
    state: "failed",
    error: "readers don't write",
    reason: "NOT_ALLOWED",
  };
  await vi.waitFor(() => expect(box.entries()[0]).toMatchObject(failed));
  await vi.waitFor(async () => expect(await mirror.outbox()).toHaveLength(1));

  // After a restart it is still there, and is sent when the user says so.
  const again = await outbox([], mirror);
  expect(again.box.entries()).toMatchObject([failed]);
  expect(again.texts()).toEqual([]);
  await again.box.resend("a");
  await vi.waitFor(() => expect(again.texts()).toEqual(["a"]));
});

it("waits as long as slow mode says, and does not let others wait", async () => {
  const slow = new ChatError(Code.ResourceExhausted, "wait", { reason: "SLOW_MODE", retryAfter: 60_000 });
  const { box, add, texts } = await outbox([slow]);
  await add("a");
  await vi.waitFor(() => expect(box.entries()[0]?.retryAt).toBeGreaterThan(Date.now() + 50_000));
  await add("b", "other");
  box.kick();
  await vi.waitFor(() => expect(texts()).toEqual(["a", "b"]));
  await box.discard("a");
  expect(box.entries("room")).toEqual([]);
});

it("sends what waited when the engine before it ended, and takes nothing after its end", async () => {
  const first = await outbox([new Promise(() => undefined)]);
  await first.add("a");
  await first.add("b");
  await first.box.stop();
  await expect(first.add("c")).rejects.toBeInstanceOf(ChatError);
  const second = await outbox([], first.mirror);
  second.box.kick();
  await vi.waitFor(() => expect(second.texts()).toEqual(["a", "b"]));
});

it("keeps everything when the session has ended", async () => {
  const { add, signedOut, mirror } = await outbox([new ChatError(Code.Unauthenticated, "log in again")]);
  await add("a");
  await vi.waitFor(() => expect(signedOut).toHaveBeenCalled());
  expect(await mirror.outbox()).toHaveLength(1);
});

it("forgets what was sent once its event is here, whatever the call says", async () => {
  const { box, add, mirror, texts } = await outbox([lost()]);
  await add("a");
  await vi.waitFor(() => expect(texts()).toEqual(["a"]));
  const order = box.arrived("a");
  expect(order).toBe((await mirror.outbox())[0]?.order);
  expect(box.entries()).toEqual([]);
});
