/** How many messages are unread in a room, counted on from the server's last word (docs/topics/unread.md). */
import { type Marker, NO_MARKER } from "./model";

/** What an event does to the counts. */
export interface Effect {
  seq: number;
  /** +1 for a message of somebody else's, -1 for one that was deleted, 0 for none. */
  unread: number;
  mentions: number;
  /** For a deletion: which message; what is read already is not counted again. */
  target?: number;
  /** A message of the user's own: everything up to it is read. */
  own?: boolean;
}

/** So many effects are remembered, to count again from a marker that is a little behind. */
const REMEMBERED = 400;

/** The counts of one room. */
export class Count {
  marker: Marker;
  /** The newest event that the server had counted when it last said so. */
  private told = -1;
  private effects: Effect[] = [];
  /** After this number, `effects` has everything. */
  private from: number;

  constructor(marker: Marker = NO_MARKER) {
    this.marker = marker;
    this.from = marker.lastSeq;
  }

  /** A new stream: what it says first counts, even if the log went back. */
  restart(): void {
    this.told = -1;
  }

  /** Counts an event, once; returns whether the marker changed in more than how far it counts. */
  add(effect: Effect): boolean {
    if (effect.seq <= this.marker.lastSeq) return false;
    if (effect.own || effect.unread !== 0 || effect.mentions !== 0) {
      this.effects.push(effect);
      if (this.effects.length > REMEMBERED) {
        const dropped = this.effects.splice(0, REMEMBERED / 2);
        this.from = dropped[dropped.length - 1]?.seq ?? this.from;
      }
    }
    const before = this.marker;
    this.marker = after(before, effect);
    return (
      before.unread !== this.marker.unread || before.mentions !== this.marker.mentions || effect.own === true
    );
  }

  /** Takes the server's word; returns whether the server must be asked again, because too much came since. */
  set(marker: Marker): boolean {
    if (marker.lastSeq < this.told) return false;
    this.told = marker.lastSeq;
    if (marker.lastSeq >= this.marker.lastSeq) {
      this.marker = marker;
      this.effects = [];
      this.from = marker.lastSeq;
      return false;
    }
    if (marker.lastSeq < this.from) return true;
    const to = this.marker.lastSeq;
    let counted = marker;
    for (const effect of this.effects) if (effect.seq > marker.lastSeq) counted = after(counted, effect);
    this.marker = { ...counted, lastSeq: to };
    return false;
  }

  /** What would be unread if everything up to `seq` were read; undefined if that is not known. */
  unreadAfter(seq: number): { unread: number; mentions: number } | undefined {
    if (seq < this.from) return undefined;
    let counted: Marker = { seq, unread: 0, mentions: 0, lastSeq: seq };
    for (const effect of this.effects) if (effect.seq > seq) counted = after(counted, effect);
    return counted;
  }
}

function after(marker: Marker, effect: Effect): Marker {
  const lastSeq = Math.max(marker.lastSeq, effect.seq);
  if (effect.own) return { seq: Math.max(marker.seq, effect.seq), unread: 0, mentions: 0, lastSeq };
  if ((effect.target ?? effect.seq) <= marker.seq) return { ...marker, lastSeq };
  return {
    seq: marker.seq,
    unread: Math.max(0, marker.unread + effect.unread),
    mentions: Math.max(0, marker.mentions + effect.mentions),
    lastSeq,
  };
}
