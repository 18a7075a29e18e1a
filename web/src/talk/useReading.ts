import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import type { Conversation } from "./Conversation";

/** How long it may take, in milliseconds, until rooms show what came while this browser was away. */
const MEANWHILE = 500;

export interface Reading {
  /** What others said after this number is new to the reader: it stays while they look. */
  readonly line: ReadonlySignal<number | undefined>;
  /** Call when other messages may be before their eyes. */
  readonly seen: () => void;
}

/** Marks as read what is shown to somebody who looks. */
export function useReading(conversation: Conversation, last: () => number | undefined): Reading {
  const chat = useChat();
  const { roomId, threadRoot, room, me } = conversation;
  const line = useSignal<number | undefined>(undefined);
  const marked = useRef(0);
  /** The user has marked it as unread, and has not left it since. */
  const held = useRef(false);

  /** What this browser had on disk is up to date. Until then, what was read elsewhere may seem unread. */
  const settled = useRef(false);

  const looks = () => document.visibilityState === "visible" && document.hasFocus();
  const seen = () => {
    if (held.current || !settled.current || !looks()) return;
    const seq = last();
    if (seq === undefined || seq <= marked.current) return;
    const { readSeq, unread, mentions, markedUnread } = room.peek();
    // Nothing waits: what the user has sent, and notes, move nothing.
    if (threadRoot === undefined && (seq <= readSeq || !(unread > 0 || mentions > 0 || markedUnread))) return;
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
    let readSeq = room.peek().readSeq;
    const ended = room.subscribe((now) => {
      if (threadRoot !== undefined) return;
      if (now.readSeq < readSeq) {
        held.current = true;
        marked.current = now.readSeq;
        line.value = now.readSeq;
      }
      // Read elsewhere, or known to be read only now.
      if (now.readSeq > readSeq && now.readSeq > marked.current && now.unread === 0) line.value = undefined;
      readSeq = now.readSeq;
    });
    let atOnce = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      settled.current = true;
      const { unread, readSeq: read } = room.peek();
      line.value = threadRoot === undefined && unread > 0 ? read : undefined;
      seen();
    };
    const connected = chat.connection.subscribe(({ state }) => {
      if (settled.current || timer || state === "connecting" || state === "catching-up") return;
      if (atOnce) settle();
      else timer = setTimeout(settle, MEANWHILE);
    });
    atOnce = false;
    const away = () => {
      // What comes from now on is new to them when they come back.
      if (threadRoot === undefined && room.peek().unread === 0) line.value = room.peek().lastSeq;
    };
    const back = () => {
      if (looks()) seen();
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

  return { line, seen };
}
