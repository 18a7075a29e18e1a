import { effect, type ReadonlySignal, untracked, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import type { Conversation } from "./Conversation";

/** How long it may take, in milliseconds, until rooms show what came while this browser was away. */
const MEANWHILE = 500;

export interface Reading {
  /** What others said after this number is new to the reader: it stays while they look. */
  readonly line: ReadonlySignal<number | undefined>;
  /** How many messages that was when they came. */
  readonly waited: ReadonlySignal<number>;
  /** Call when other messages may be before their eyes. */
  readonly seen: () => void;
}

/** Whether somebody has the page before their eyes, as far as can be told. */
export const looks = () => document.visibilityState === "visible" && document.hasFocus();

/** Marks as read what is shown to somebody who looks. */
export function useReading(conversation: Conversation, last: () => number | undefined): Reading {
  const chat = useChat();
  const { roomId, threadRoot, room, timeline, me } = conversation;
  const waited = useSignal(0);
  const line = useSignal<number | undefined>(undefined);
  const marked = useRef(0);
  /** The user has marked it as unread, and has not left it since. */
  const held = useRef(false);

  /** What this browser had on disk is up to date. Until then, what was read elsewhere may seem unread. */
  const settled = useRef(false);

  /** Undefined where nothing is ever unread: in a thread that the user does not follow. */
  const state = () => (threadRoot === undefined ? room.value : timeline.reading.value);
  const now = () => untracked(state);

  const seen = () => {
    if (held.current || !settled.current || !looks()) return;
    const seq = last();
    if (seq === undefined || seq <= marked.current) return;
    const { mentions, markedUnread } = room.peek();
    const read = now();
    const waits = threadRoot === undefined && (mentions > 0 || markedUnread);
    // Nothing waits: what the user has sent, and notes, move nothing.
    if (!read || seq <= read.readSeq || !(read.unread > 0 || waits)) return;
    marked.current = seq;
    void chat.markRead(roomId, seq, threadRoot).catch(() => {
      marked.current = 0;
    });
  };

  useEffect(() => {
    settled.current = false;
    line.value = undefined;
    marked.current = 0;
    held.current = false;
    waited.value = 0;
    let readSeq = now()?.readSeq ?? 0;
    const ended = effect(() => {
      const read = state();
      if (!read) return;
      if (read.readSeq < readSeq) {
        held.current = true;
        marked.current = read.readSeq;
        line.value = read.readSeq;
        waited.value = read.unread;
      }
      // Read elsewhere, or known to be read only now.
      if (read.readSeq > readSeq && read.readSeq > marked.current && read.unread === 0)
        line.value = undefined;
      readSeq = read.readSeq;
      // A message may have been shown before it was known to be unread.
      untracked(seen);
    });
    let atOnce = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      settled.current = true;
      const read = now();
      line.value = read && read.unread > 0 ? read.readSeq : undefined;
      waited.value = read?.unread ?? 0;
      seen();
    };
    const connected = effect(() => {
      const { state } = chat.connection.value;
      // How far a thread was read comes with its first page.
      const loads = threadRoot !== undefined && timeline.loading.value !== undefined;
      if (settled.current || timer || loads || state === "connecting" || state === "catching-up") return;
      if (atOnce || threadRoot !== undefined) settle();
      else timer = setTimeout(settle, MEANWHILE);
    });
    atOnce = false;
    const away = () => {
      // What comes from now on is new to them when they come back.
      const last = timeline.entries.peek().findLast((entry) => "seq" in entry);
      if (now()?.unread !== 0 || !last) return;
      line.value = threadRoot === undefined ? room.peek().lastSeq : last.seq;
      waited.value = 0;
    };
    const back = () => {
      if (!looks()) return;
      const read = now();
      if (read && read.unread > 0) waited.value = read.unread;
      seen();
    };
    const visibility = () => (document.visibilityState === "visible" ? back() : away());
    addEventListener("blur", away);
    addEventListener("focus", back);
    document.addEventListener("visibilitychange", visibility);
    return () => {
      ended();
      connected();
      clearTimeout(timer);
      removeEventListener("blur", away);
      removeEventListener("focus", back);
      document.removeEventListener("visibilitychange", visibility);
    };
  }, [conversation, me]);

  return { line, waited, seen };
}
