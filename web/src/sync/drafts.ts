/** What the user has begun to write: on this disk at once, on the server when the user pauses. */
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import { toChatError } from "../wire/errors";
import type { Mirror } from "./mirror";
import { type Draft, threadKey } from "./model";
import { millis } from "./read";

/** How long after the last key the server gets it. */
const PAUSE = 1500;

export class Drafts {
  private readonly drafts = new Map<string, Draft>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Mirror,
    private readonly changed: (roomId: string) => void,
  ) {}

  async load(): Promise<void> {
    for (const draft of await this.mirror.drafts()) this.keep(draft);
  }

  text(roomId: string, root = 0): string {
    return this.drafts.get(threadKey(roomId, root))?.text ?? "";
  }

  async save(roomId: string, root: number, text: string): Promise<void> {
    if (this.text(roomId, root) === text) return;
    const draft = { roomId, root, text, time: Date.now(), dirty: true };
    this.keep(draft);
    this.later(draft);
    await this.mirror.putDraft(draft);
  }

  private keep(draft: Draft): void {
    this.drafts.set(threadKey(draft.roomId, draft.root), draft);
    if (draft.root === 0) this.changed(draft.roomId);
  }

  private later(draft: Draft): void {
    const key = threadKey(draft.roomId, draft.root);
    clearTimeout(this.timers.get(key));
    this.timers.set(
      key,
      setTimeout(() => void this.push(key), PAUSE),
    );
  }

  private async push(key: string): Promise<void> {
    this.timers.delete(key);
    const draft = this.drafts.get(key);
    if (!draft?.dirty) return;
    try {
      await this.calls.personal.saveDraft({
        roomId: draft.roomId,
        threadRoot: BigInt(draft.root),
        text: draft.text,
      });
    } catch (thrown) {
      const { code } = toChatError(thrown);
      // One that the server never takes stays here alone; the others go when it is back.
      const never = [Code.InvalidArgument, Code.NotFound, Code.PermissionDenied].includes(code);
      if (!never) return;
    }
    if (this.drafts.get(key) !== draft) return;
    const saved = { ...draft, dirty: false };
    this.drafts.set(key, saved);
    await this.mirror.putDraft(saved).catch(() => undefined);
  }

  /** The server is there: it gets what it has not, and says what other sessions wrote. */
  async exchange(roomId = ""): Promise<void> {
    const found = new Set<string>();
    let pageToken = "";
    do {
      const page = await this.calls.personal.listDrafts({ roomId, pageSize: 200, pageToken });
      for (const of of page.drafts) {
        const root = Number(of.threadRoot);
        const key = threadKey(of.roomId, root);
        found.add(key);
        if (this.drafts.get(key)?.dirty) continue;
        const time = of.updateTime ? millis(of.updateTime) : 0;
        await this.take({ roomId: of.roomId, root, text: of.text, time, dirty: false });
      }
      pageToken = page.nextPageToken;
    } while (pageToken);
    for (const [key, draft] of this.drafts) {
      if (draft.dirty) this.later(draft);
      else if (!found.has(key) && draft.text && (!roomId || draft.roomId === roomId))
        await this.take({ ...draft, text: "" });
    }
  }

  private async take(draft: Draft): Promise<void> {
    if (this.text(draft.roomId, draft.root) === draft.text) return;
    this.keep(draft);
    await this.mirror.putDraft(draft).catch(() => undefined);
  }

  /** Everything that waits for a pause goes now. */
  flush(): void {
    for (const [key, timer] of this.timers) {
      clearTimeout(timer);
      void this.push(key);
    }
  }

  clear(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.drafts.clear();
  }
}
