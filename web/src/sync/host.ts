/** Serves the pages of a browser from its one engine. */
import { effect } from "@preact/signals-core";
import { toChatError } from "../wire/errors";
import type { Identity } from "../wire/transport";
import type { Entry } from "./api";
import { diff } from "./diff";
import type { Engine } from "./engine";
import { failure, type Method, type TimelineState, type ToHost, type ToPage } from "./protocol";
import type { Window } from "./timeline";

export type Post = (message: ToPage) => void;

/** Makes the engine of a user. */
export type Start = (identity: Identity) => Promise<Engine>;

export const keyOf = (entry: Entry): string => {
  if (entry.kind === "pending") return entry.clientMessageId;
  return `${entry.kind === "gap" ? entry.fromSeq : entry.seq}`;
};

interface Page {
  post: Post;
  visible: boolean;
  notified: boolean;
  /** When it was visible last; the one that was last gets notices. */
  seen: number;
  windows: Map<number, { window: Window; end: () => void }>;
  ends: (() => void)[];
  watched: Set<string>;
}

export class Host {
  private readonly pages = new Map<string, Page>();
  private identity = "";
  private engine: Promise<Engine> | undefined;
  private running: Engine | undefined;

  constructor(private readonly start: Start) {}

  /** A message of a page. The first is `attach`. */
  async take(pageId: string, message: ToHost, post: Post): Promise<void> {
    if (message.kind === "attach") {
      await this.attach(pageId, message, post);
      return;
    }
    if (message.kind === "bye") {
      this.detach(pageId);
      return;
    }
    const page = this.pages.get(pageId);
    const engine = await this.engine;
    if (!page || !engine) return;
    switch (message.kind) {
      case "call":
        await this.answer(page, message.id, () => call(engine, message.method, message.args));
        break;
      case "watch":
        this.watch(engine, page, message);
        break;
      case "open":
        this.open(engine, page, message);
        break;
      case "move":
        await this.answer(page, message.id, async () => {
          const window = page.windows.get(message.timeline)?.window;
          if (message.to === "older") await window?.older();
          else if (message.to === "newer") await window?.newer();
          else return await window?.jump(message.to.place);
          return undefined;
        });
        break;
      case "follow":
        page.windows.get(message.timeline)?.window.follow(message.on);
        break;
      case "shut":
        close(page, message.timeline);
        break;
      case "page":
        if (message.notified !== undefined) page.notified = message.notified;
        if (message.visible !== undefined) page.visible = message.visible;
        if (message.visible) page.seen = Date.now();
        if (message.visible === false && ![...this.pages.values()].some((one) => one.visible)) engine.left();
        if (message.online !== undefined) engine.network(message.online);
        if (message.visible || message.asleep) engine.awake();
        break;
    }
  }

  private async attach(pageId: string, message: ToHost & { kind: "attach" }, post: Post): Promise<void> {
    this.detach(pageId);
    const identity = JSON.stringify(message.identity);
    // After a sign-out, it may be another user who has signed in.
    const over = this.running?.connection.peek().state === "signed-out";
    if (identity !== this.identity || !this.engine || over) {
      for (const other of [...this.pages.keys()]) {
        this.pages.get(other)?.post({ kind: "superseded" });
        this.detach(other);
      }
      this.identity = identity;
      this.engine = this.next(this.engine, message.identity);
    }
    const starting = this.engine;
    const page: Page = {
      post,
      visible: message.visible,
      notified: message.notified,
      seen: message.visible ? Date.now() : 0,
      windows: new Map(),
      ends: [],
      watched: new Set(),
    };
    this.pages.set(pageId, page);
    const engine = await starting;
    if (this.pages.get(pageId) !== page) return;
    const mirror = (topic: string, value: () => unknown): void => {
      page.ends.push(effect(() => post({ kind: "set", topic, value: value() })));
    };
    mirror("connection", () => engine.connection.value);
    mirror("me", () => engine.me.value);
    mirror("totals", () => engine.totals.value);
    mirror("personal", () => engine.personal.value);
    mirror("outbox", () => engine.outbox.value);
    page.ends.push(
      spliced(
        post,
        "rooms",
        () => engine.rooms.value,
        (one) => one.roomId,
      ),
    );
    // After the rooms, so that whoever waits for it has them.
    mirror("ready", () => engine.ready.value);
  }

  private async next(before: Promise<Engine> | undefined, identity: Identity): Promise<Engine> {
    this.running = undefined;
    await (await before)?.shut();
    const engine = await this.start(identity);
    engine.onNotification((notice) => this.audience()?.post({ kind: "notice", notice }));
    this.running = engine;
    await engine.start();
    return engine;
  }

  /** The page that shows notifications. */
  private audience(): Page | undefined {
    let best: Page | undefined;
    for (const page of this.pages.values()) {
      if (!page.notified) continue;
      const better = !best || (page.visible === best.visible ? page.seen > best.seen : page.visible);
      if (better) best = page;
    }
    return best;
  }

  private watch(engine: Engine, page: Page, message: ToHost & { kind: "watch" }): void {
    const topic =
      message.what === "person" ? `person ${message.userId}` : `typing ${message.root} ${message.roomId}`;
    if (page.watched.has(topic)) return;
    page.watched.add(topic);
    const shown =
      message.what === "person"
        ? engine.person(message.userId)
        : engine.typingIn(message.roomId, message.root);
    page.ends.push(effect(() => page.post({ kind: "set", topic, value: shown.value })));
  }

  private open(engine: Engine, page: Page, message: ToHost & { kind: "open" }): void {
    const window = engine.timeline(message.roomId, message.threadRoot);
    let before: readonly Entry[] = [];
    const end = effect(() => {
      const { entries, atStart, atEnd, loading, error, behind, reading } = window;
      const state: TimelineState = {
        atStart: atStart.value,
        atEnd: atEnd.value,
        loading: loading.value,
        error: error.value,
        behind: behind.value,
        reading: reading.value,
      };
      const splices = diff(before, entries.value, keyOf);
      before = entries.value;
      page.post({ kind: "timeline", timeline: message.timeline, state, splices });
    });
    page.windows.set(message.timeline, { window, end });
  }

  private async answer(page: Page, id: number, task: () => Promise<unknown>): Promise<void> {
    try {
      const value = await task();
      page.post({ kind: "done", id, value });
    } catch (error) {
      page.post({ kind: "failed", id, error: failure(toChatError(error)) });
    }
  }

  /** The page is gone. */
  detach(pageId: string): void {
    const page = this.pages.get(pageId);
    if (!page) return;
    this.pages.delete(pageId);
    for (const timeline of [...page.windows.keys()]) close(page, timeline);
    for (const end of page.ends) end();
  }

  /** What the browser says of the network. */
  network(online: boolean): void {
    void this.engine?.then((engine) => engine.network(online));
  }

  /** Another host takes over. */
  async supersede(): Promise<void> {
    for (const pageId of [...this.pages.keys()]) {
      this.pages.get(pageId)?.post({ kind: "superseded" });
      this.detach(pageId);
    }
    await (await this.engine)?.shut();
    this.engine = undefined;
    this.running = undefined;
    this.identity = "";
  }
}

function close(page: Page, timeline: number): void {
  const open = page.windows.get(timeline);
  page.windows.delete(timeline);
  open?.end();
  open?.window.close();
}

/** Posts what changes in a list; the whole list once. */
function spliced<T>(
  post: Post,
  topic: string,
  list: () => readonly T[],
  key: (item: T) => string,
): () => void {
  let before: readonly T[] = [];
  let first = true;
  return effect(() => {
    const after = list();
    const splices = diff(before, after, key);
    before = after;
    if (splices.length > 0 || first) post({ kind: "splice", topic, splices });
    first = false;
  });
}

async function call(engine: Engine, method: Method, args: readonly unknown[]): Promise<unknown> {
  const of = engine[method] as (...args: unknown[]) => unknown;
  return await of.apply(engine, [...args]);
}
