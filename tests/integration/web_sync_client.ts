// Two people's web clients without their pages: the engine of web/src/sync, told by JSON on lines what to do.
import "fake-indexeddb/auto";
import { createInterface } from "node:readline";
import { Engine } from "../../web/src/sync/engine";
import { Mirror } from "../../web/src/sync/mirror";
import { Taking } from "../../web/src/sync/taking";
import { createCalls } from "../../web/src/wire/calls";

interface Person {
  engine: Engine;
  begun?: Promise<void>;
  taken: [string, number][];
  shown: string[];
}

const people = new Map<string, Person>();

/** `new 1` is user 1 in a browser that has nothing yet. */
async function begin(user: string, url: string, room: string): Promise<void> {
  const mirror = await Mirror.open(`mirror of ${user}`);
  const userId = user.replace("new ", "");
  const engine = new Engine(createCalls({ kind: "trusted", userId }, url), mirror);
  const person = people.get(user) ?? { engine, taken: [], shown: [] };
  person.engine = engine;
  people.set(user, person);
  // What is committed to the mirror, and so is never asked for again.
  const taking = (engine as unknown as { taking: Taking }).taking;
  const take = taking.take.bind(taking);
  taking.take = async (response) => {
    const outcome = await take(response);
    for (const { event } of outcome.taken) person.taken.push([event.roomId, Number(event.seq)]);
    return outcome;
  };
  await engine.start();
  const timeline = engine.timeline(room);
  timeline.entries.subscribe((entries) => {
    person.shown = entries.map((one) => (one.kind === "message" ? one.clientMessageId : one.kind));
  });
}

function counts(engine: Engine, room: string): unknown {
  const of = engine.room(room).value;
  return of && { lastSeq: of.lastSeq, readSeq: of.readSeq, unread: of.unread, mentions: of.mentions };
}

async function walk(engine: Engine, room: string): Promise<string[]> {
  const timeline = engine.timeline(room);
  await timeline.jump("end");
  const read: string[] = [];
  const seen = () => timeline.entries.value.flatMap((one) => (one.kind === "message" ? [one.clientMessageId] : []));
  while (!timeline.atStart.value) await timeline.older();
  read.push(...seen());
  while (!timeline.atEnd.value) {
    await timeline.newer();
    const now = seen();
    const last = now.indexOf(read[read.length - 1] ?? "");
    read.push(...now.slice(last + 1));
  }
  timeline.close();
  return read;
}

// biome-ignore lint/suspicious/noExplicitAny: what the test says
async function obey(order: any): Promise<unknown> {
  const person = people.get(order.user);
  if (order.do === "begin") return await begin(order.user, order.url, order.room);
  if (!person) throw new Error(`nobody is called ${order.user}`);
  const { engine } = person;
  switch (order.do) {
    case "send": {
      const ids: string[] = [];
      for (const text of order.texts) {
        await person.begun;
        ids.push(await person.engine.send({ roomId: order.room }, { text }));
      }
      return ids;
    }
    case "again":
      person.begun = engine.shut().then(() => begin(order.user, order.url, order.room));
      return await person.begun;
    case "retry":
      return engine.retryNow();
    case "state":
      return {
        connection: engine.connection.value.state,
        waiting: engine.outbox.value.length,
        counts: counts(engine, order.room),
        taken: person.taken.length,
        last: person.shown[person.shown.length - 1],
      };
    case "told":
      return { taken: person.taken, shown: person.shown };
    case "walk":
      return await walk(engine, order.room);
    case "call": {
      const of = (engine as unknown as Record<string, (...args: unknown[]) => unknown>)[order.method];
      return await of?.apply(engine, order.args);
    }
    case "kept": {
      const mirror = await Mirror.open(`mirror of ${order.user}`);
      const { entries } = await mirror.before(order.room, Number.MAX_SAFE_INTEGER, 1000, () => true);
      const known = [...(await mirror.rooms()), ...(await mirror.threads())];
      return entries.length + known.filter((one) => one.roomId === order.room).length;
    }
    case "away":
      return await engine.shut();
    case "entries": {
      const timeline = engine.timeline(order.room, order.root);
      await timeline.jump("end");
      while (!timeline.atStart.value) await timeline.older();
      const entries = timeline.entries.value;
      timeline.close();
      return entries;
    }
    default:
      throw new Error(order.do);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  obey(order).then(
    (value) => process.stdout.write(`${JSON.stringify({ id: order.id, value: value ?? null })}\n`),
    (error) => process.stdout.write(`${JSON.stringify({ id: order.id, error: String(error) })}\n`),
  );
}
process.exit(0);
