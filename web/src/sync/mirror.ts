/** What this browser keeps of a user's rooms, in IndexedDB: positions and what they cover change together. */
import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import type { Draft, KnownPerson, Mark, Outgoing, Position, RoomRecord, Stored, ThreadRecord } from "./model";

/** So many of the newest entries of each room are kept. */
export const KEPT = 500;
/** How many more there may be before the oldest are taken away, so that not each message does it. */
const SLACK = 100;

interface Schema extends DBSchema {
  meta: { key: string; value: string | number };
  positions: { key: string; value: Position };
  entries: { key: [string, number]; value: Stored; indexes: { thread: [string, number, number] } };
  rooms: { key: string; value: RoomRecord };
  threads: { key: [string, number]; value: ThreadRecord };
  outbox: { key: number; value: Outgoing; indexes: { id: string } };
  drafts: { key: [string, number]; value: Draft };
  people: { key: string; value: KnownPerson };
}

const STORES = ["meta", "positions", "entries", "rooms", "threads", "outbox", "drafts", "people"] as const;
const READ = ["positions", "entries", "rooms", "threads", "people"] as const;
const APPLIED = ["positions", "entries", "rooms", "threads", "outbox"] as const;

export type Applying = IDBPTransaction<Schema, typeof APPLIED, "readwrite">;

const MARK = "mark ";
const markKey = ({ roomId, root }: Mark): string => `${MARK}${root} ${roomId}`;

const VERSION = 1;
const LAST = Number.MAX_SAFE_INTEGER;

const inRoom = (roomId: string, after: number, to: number): IDBKeyRange =>
  IDBKeyRange.bound([roomId, after], [roomId, to], true, false);

export class Mirror {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  static async open(name = "grpc-chat"): Promise<Mirror> {
    const db = await openDB<Schema>(name, VERSION, {
      upgrade(database) {
        // Nothing in here is only in here but the outbox and drafts, and no version before this one had them.
        for (const store of database.objectStoreNames) database.deleteObjectStore(store);
        database.createObjectStore("meta");
        database.createObjectStore("positions", { keyPath: "roomId" });
        const entries = database.createObjectStore("entries", { keyPath: ["roomId", "seq"] });
        entries.createIndex("thread", ["roomId", "root", "seq"]);
        database.createObjectStore("rooms", { keyPath: "roomId" });
        database.createObjectStore("threads", { keyPath: ["roomId", "root"] });
        const outbox = database.createObjectStore("outbox", { keyPath: "order", autoIncrement: true });
        outbox.createIndex("id", "clientMessageId", { unique: true });
        database.createObjectStore("drafts", { keyPath: ["roomId", "root"] });
        database.createObjectStore("people", { keyPath: "userId" });
      },
      blocking(_now, _next, event) {
        // A newer version of the client, in another worker, needs it.
        (event.target as IDBDatabase).close();
      },
    });
    return new Mirror(db);
  }

  close(): void {
    this.db.close();
  }

  /** Makes it the mirror of this user: what it has of another one is wiped. */
  async belongTo(userId: string): Promise<boolean> {
    const owner = await this.owner();
    if (owner === userId) return false;
    await this.wipe();
    await this.db.put("meta", userId, "owner");
    return owner !== undefined;
  }

  async owner(): Promise<string | undefined> {
    const owner = await this.db.get("meta", "owner");
    return owner === undefined ? undefined : String(owner);
  }

  async wipe(): Promise<void> {
    const tx = this.db.transaction(STORES, "readwrite");
    for (const store of STORES) void tx.objectStore(store).clear();
    await tx.done;
  }

  /** Keeps only what the user wrote, and how far the user has read. */
  async forgetRead(): Promise<void> {
    const tx = this.db.transaction(READ, "readwrite");
    for (const store of READ) void tx.objectStore(store).clear();
    await tx.done;
  }

  /** How far rooms and threads were shown, before the server knows; on disk when it resolves. */
  async putMark(mark: Mark): Promise<void> {
    const tx = this.db.transaction("meta", "readwrite", { durability: "relaxed" });
    void tx.store.put(mark.seq, markKey(mark));
    tx.commit();
    await tx.done;
  }

  /** The server knows it, or must not. */
  async deleteMark(mark: Mark): Promise<void> {
    const tx = this.db.transaction("meta", "readwrite", { durability: "relaxed" });
    const kept = await tx.store.get(markKey(mark));
    if (kept !== undefined && Number(kept) <= mark.seq) void tx.store.delete(markKey(mark));
    await tx.done;
  }

  async marks(): Promise<Mark[]> {
    const tx = this.db.transaction("meta");
    const range = IDBKeyRange.bound(MARK, `${MARK}\uffff`);
    const [keys, seqs] = await Promise.all([tx.store.getAllKeys(range), tx.store.getAll(range)]);
    return keys.map((key, at) => {
      const [root = "", roomId = ""] = key.slice(MARK.length).split(" ");
      return { roomId, root: Number(root), seq: Number(seqs[at]) };
    });
  }

  /** The positions, and what they cover, change in one of these or not at all. */
  applying(): Applying {
    return this.db.transaction(APPLIED, "readwrite", { durability: "relaxed" });
  }

  positions(): Promise<Position[]> {
    return this.db.getAll("positions");
  }

  position(roomId: string): Promise<Position | undefined> {
    return this.db.get("positions", roomId);
  }

  rooms(): Promise<RoomRecord[]> {
    return this.db.getAll("rooms");
  }

  threads(): Promise<ThreadRecord[]> {
    return this.db.getAll("threads");
  }

  entry(roomId: string, seq: number): Promise<Stored | undefined> {
    return this.db.get("entries", [roomId, seq]);
  }

  /** The newest entries before a number, the oldest first, with how far the mirror goes: both at the same moment. */
  async before(
    roomId: string,
    before: number,
    limit: number,
    wanted: (stored: Stored) => boolean,
  ): Promise<{ entries: Stored[]; position: Position | undefined }> {
    const tx = this.db.transaction(["positions", "entries"]);
    const position = await tx.objectStore("positions").get(roomId);
    const entries: Stored[] = [];
    const after = position?.after ?? LAST;
    if (after < before - 1) {
      let cursor = await tx.objectStore("entries").openCursor(inRoom(roomId, after, before - 1), "prev");
      while (cursor && entries.length < limit) {
        if (wanted(cursor.value)) entries.push(cursor.value);
        cursor = await cursor.continue();
      }
    }
    await tx.done;
    return { entries: entries.reverse(), position };
  }

  /** The oldest entries after a number. */
  async since(
    roomId: string,
    after: number,
    limit: number,
    wanted: (stored: Stored) => boolean,
  ): Promise<{ entries: Stored[]; position: Position | undefined }> {
    const tx = this.db.transaction(["positions", "entries"]);
    const position = await tx.objectStore("positions").get(roomId);
    const entries: Stored[] = [];
    if (position && after >= position.after) {
      let cursor = await tx.objectStore("entries").openCursor(inRoom(roomId, after, LAST));
      while (cursor && entries.length < limit) {
        if (wanted(cursor.value)) entries.push(cursor.value);
        cursor = await cursor.continue();
      }
    }
    await tx.done;
    return { entries, position };
  }

  /**
   * Keeps a page of history that ends where the mirror begins, as far as there is room for it.
   *
   * `from` is the number after which the page has everything.
   */
  async extend(
    roomId: string,
    epoch: string,
    from: number,
    to: number,
    page: readonly Stored[],
  ): Promise<void> {
    const tx = this.applying();
    const position = await tx.objectStore("positions").get(roomId);
    if (position && position.epoch === epoch && position.after === to && position.count < KEPT) {
      const entries = tx.objectStore("entries");
      for (const stored of page) void entries.put(stored);
      void tx.objectStore("positions").put({ ...position, after: from, count: position.count + page.length });
    }
    await tx.done;
  }

  /** Keeps what is known now of entries that the mirror has. */
  async refresh(page: readonly Stored[]): Promise<void> {
    const tx = this.applying();
    const entries = tx.objectStore("entries");
    for (const stored of page) {
      const key: [string, number] = [stored.roomId, stored.seq];
      if ((await entries.getKey(key)) !== undefined) await entries.put(stored);
    }
    await tx.done;
  }

  async putRooms(rooms: readonly RoomRecord[]): Promise<void> {
    const tx = this.db.transaction("rooms", "readwrite", { durability: "relaxed" });
    for (const room of rooms) void tx.store.put(room);
    await tx.done;
  }

  async putPosition(position: Position): Promise<void> {
    await this.db.put("positions", position);
  }

  async putThreads(threads: readonly ThreadRecord[]): Promise<void> {
    const tx = this.db.transaction("threads", "readwrite", { durability: "relaxed" });
    for (const thread of threads) void tx.store.put(thread);
    await tx.done;
  }

  /** The room is no longer the user's: nothing of it stays, except what the user wrote. */
  async forget(roomId: string): Promise<void> {
    const tx = this.applying();
    await forgetEntries(tx, roomId);
    void tx.objectStore("positions").delete(roomId);
    void tx.objectStore("rooms").delete(roomId);
    void tx.objectStore("threads").delete(IDBKeyRange.bound([roomId, 0], [roomId, LAST]));
    await tx.done;
  }

  outbox(): Promise<Outgoing[]> {
    return this.db.getAll("outbox");
  }

  /** On disk when it resolves, with its place. A second call with the same id changes nothing. */
  async enqueue(message: Outgoing): Promise<Outgoing> {
    const tx = this.db.transaction("outbox", "readwrite", { durability: "strict" });
    const known = await tx.store.index("id").get(message.clientMessageId);
    const order = known?.order ?? (await tx.store.add(message));
    await tx.done;
    return known ?? { ...message, order };
  }

  async putOutgoing(message: Outgoing): Promise<void> {
    await this.db.put("outbox", message);
  }

  async dequeue(order: number): Promise<void> {
    await this.db.delete("outbox", order);
  }

  drafts(): Promise<Draft[]> {
    return this.db.getAll("drafts");
  }

  async putDraft(draft: Draft): Promise<void> {
    if (draft.text === "" && !draft.dirty) await this.db.delete("drafts", [draft.roomId, draft.root]);
    else await this.db.put("drafts", draft);
  }

  person(userId: string): Promise<KnownPerson | undefined> {
    return this.db.get("people", userId);
  }

  async putPerson(person: KnownPerson): Promise<void> {
    await this.db.put("people", person);
  }
}

export async function forgetEntries(tx: Applying, roomId: string, after = 0): Promise<void> {
  await tx.objectStore("entries").delete(inRoom(roomId, after, LAST));
}

/** Takes the oldest entries away where a room has too many; returns its position. */
export async function trimmed(tx: Applying, position: Position): Promise<Position> {
  if (position.count <= KEPT + SLACK) return position;
  const store = tx.objectStore("entries");
  const drop = position.count - KEPT;
  const keys = await store.getAllKeys(inRoom(position.roomId, 0, LAST), drop);
  const last = keys[keys.length - 1];
  if (!last) return position;
  await store.delete(inRoom(position.roomId, 0, last[1]));
  return { ...position, after: Math.max(position.after, last[1]), count: position.count - keys.length };
}
