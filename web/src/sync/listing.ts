/** Asks the server about rooms where events alone do not say what they are like. */
import { Code } from "@connectrpc/connect";
import type { Calls } from "../wire/calls";
import type { Room } from "../wire/chat_pb";
import { toChatError } from "../wire/errors";
import type { Mirror } from "./mirror";
import type { RoomRecord } from "./model";
import { room as read, stampOf } from "./read";
import type { Rooms } from "./rooms";
import type { Taking } from "./taking";
import { gathered } from "./timing";

/** How long a list of the rooms is taken for right, in ms; the events of streams keep it so meanwhile. */
const LISTED_FOR = 5 * 60_000;
/** A room that is further behind is read anew, instead of every event that was missed. */
const TOO_FAR = 2000;

export class Listing {
  identified = false;
  /** How many invitations wait. */
  invited = 0;
  private listed = 0;
  private readonly asked = new Set<string>();
  private readonly ask = gathered(200, () => void this.refresh());

  constructor(
    private readonly calls: Calls,
    private readonly mirror: Mirror,
    private readonly known: Rooms,
    private readonly taking: Taking,
    private readonly broken: (roomIds: ReadonlySet<string>) => void,
  ) {}

  /** The next stream begins with a new list. */
  expire(): void {
    this.listed = 0;
    this.identified = false;
  }

  /** All of the user's rooms, where what is known may be old. No stream is open meanwhile. */
  async rooms(): Promise<void> {
    if (Date.now() - this.listed < LISTED_FOR) return;
    const found = new Set<string>();
    const records: RoomRecord[] = [];
    const broken = new Set<string>();
    let pageToken = "";
    do {
      const page = await this.calls.rooms.listRooms({ pageSize: 1000, pageToken });
      for (const of of page.rooms) {
        found.add(of.roomId);
        const record = this.put(of);
        if (record) records.push(record);
        if (await this.skip(of)) broken.add(of.roomId);
      }
      pageToken = page.nextPageToken;
    } while (pageToken);
    for (const roomId of [...this.known.records.keys()])
      if (!found.has(roomId)) await this.taking.forget(roomId);
    await this.mirror.putRooms(records);
    this.listed = Date.now();
    if (broken.size > 0) this.broken(broken);
  }

  private put(of: Room): RoomRecord | undefined {
    this.known.put(read(of, this.known.records.get(of.roomId)));
    return this.known.records.get(of.roomId);
  }

  /** Where very much was missed, or nothing is known, the stream begins at the newest event. */
  private async skip(of: Room): Promise<boolean> {
    const position = this.taking.positions.get(of.roomId);
    const seq = Number(of.lastSeq);
    const far = position !== undefined && position.epoch === of.epoch && seq - position.seq > TOO_FAR;
    if (!far) return false;
    await this.taking.begin(of.roomId, of.epoch, seq, stampOf(of.lastEventTime));
    return true;
  }

  /** This room has to be asked about. */
  stale(roomId: string): void {
    this.asked.add(roomId);
    this.ask();
  }

  private async refresh(): Promise<void> {
    const asked = [...this.asked];
    this.asked.clear();
    for (const roomId of asked) {
      try {
        const { room } = await this.calls.rooms.getRoom({ roomId });
        if (!room || room.role === 0) continue;
        const record = this.put(room);
        if (record) await this.mirror.putRooms([record]);
      } catch (thrown) {
        if (toChatError(thrown).code !== Code.NotFound) this.listed = 0;
      }
    }
  }

  async invitations(): Promise<void> {
    try {
      const inbox = await this.calls.rooms.listInbox({ pageSize: 1 });
      this.invited = inbox.invitations;
    } catch {
      // The next stream asks again.
    }
  }
}
