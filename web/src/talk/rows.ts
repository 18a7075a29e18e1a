import type { Entry, GapEntry, MessageEntry, NoteEntry, PendingEntry } from "../sync/api";

/** What stands in the list of messages, one below the other. Keys stay the same while a message is being sent. */
export type Row =
  | { readonly kind: "day"; readonly key: string; readonly time: number }
  | { readonly kind: "new"; readonly key: string }
  | {
      readonly kind: "said";
      readonly key: string;
      readonly entry: MessageEntry | PendingEntry;
      readonly first: boolean;
    }
  | { readonly kind: "note"; readonly key: string; readonly entry: NoteEntry }
  | {
      readonly kind: "gap";
      readonly key: string;
      readonly entry: GapEntry;
      /** When the entries before and after it came, where they are there. */
      readonly since: number | undefined;
      readonly until: number | undefined;
    };

/** Messages of the same person within this time stand together, under one name. */
const TOGETHER = 5 * 60 * 1000;

export interface RowOptions {
  readonly me: string;
  /** The marker as it was when the reader came: what others said after it is new. */
  readonly readSeq?: number | undefined;
  /** Whether nothing older can be read; otherwise, what is new begins in the part that is here only if something read does. */
  readonly atStart?: boolean;
  /** In a thread: its root, under which a line says how many replies follow. */
  readonly threadRoot?: number | undefined;
}

/** What to show of a timeline. */
export function rowsOf(
  entries: readonly Entry[],
  { me, readSeq, threadRoot, atStart = true }: RowOptions,
): Row[] {
  const rows: Row[] = [];
  let day = "";
  let before: MessageEntry | PendingEntry | undefined;
  let divided = readSeq === undefined;
  let begun = atStart;
  for (const [at, entry] of entries.entries()) {
    if (entry.kind === "gap") {
      const [since, until] = [entries[at - 1], entries[at + 1]].map(
        (one) => one && "time" in one && one.time,
      );
      rows.push({
        kind: "gap",
        key: `gap-${entry.fromSeq}`,
        entry,
        since: since || undefined,
        until: until || undefined,
      });
      before = undefined;
      continue;
    }
    const itsDay = new Date(entry.time).toDateString();
    if (itsDay !== day) {
      day = itsDay;
      rows.push({ kind: "day", key: `day-${itsDay}`, time: entry.time });
      before = undefined;
    }
    if (entry.kind === "note") {
      rows.push({ kind: "note", key: `note-${entry.seq}`, entry });
      before = undefined;
      continue;
    }
    if (readSeq !== undefined && entry.kind === "message" && entry.seq <= readSeq) begun = true;
    if (!divided && readSeq !== undefined && isNew(entry, readSeq, me)) {
      divided = true;
      if (begun) {
        rows.push({ kind: "new", key: "new" });
        before = undefined;
      }
    }
    rows.push({ kind: "said", key: keyOf(entry, me), entry, first: !continues(before, entry, me) });
    before = entry.kind === "message" && entry.seq === threadRoot ? undefined : entry;
  }
  return rows;
}

/** The same for a message that waits and for what becomes of it on the server. */
export function keyOf(entry: MessageEntry | PendingEntry, me: string): string {
  const id = entry.clientMessageId || (entry.kind === "message" ? entry.seq : entry.time);
  // Two people may use the same id.
  return `said-${authorOf(entry, me)}-${id}`;
}

function isNew(entry: MessageEntry | PendingEntry, readSeq: number, me: string): boolean {
  return entry.kind === "message" && entry.seq > readSeq && entry.userId !== me && !entry.deleted;
}

function continues(
  before: MessageEntry | PendingEntry | undefined,
  entry: MessageEntry | PendingEntry,
  me: string,
): boolean {
  if (!before || entry.replyTo !== undefined) return false;
  return authorOf(before, me) === authorOf(entry, me) && entry.time - before.time < TOGETHER;
}

function authorOf(entry: MessageEntry | PendingEntry, me: string): string {
  return entry.kind === "message" ? entry.userId : me;
}
