import { useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import type { Entry, MessageEntry } from "../sync/api";
import { words } from "../words";
import { useConversation } from "./Conversation";

/** Reads to screen readers what others say while the end is shown. */
export function Heard({ entries, live }: { readonly entries: readonly Entry[]; readonly live: boolean }) {
  const { me } = useConversation();
  const chat = useChat();
  const last = entries.findLast((entry): entry is MessageEntry => entry.kind === "message");
  const before = useRef<number>();
  const said = useRef("");
  if (live && last && before.current !== undefined && last.seq > before.current && last.userId !== me)
    said.current = words.talk.log.heard(
      chat.person(last.userId).peek()?.displayName ?? last.userId,
      last.text,
    );
  if (last && (before.current === undefined || last.seq > before.current)) before.current = last.seq;
  return (
    <div class="visually-hidden" role="log" aria-live="polite">
      {said.current}
    </div>
  );
}
