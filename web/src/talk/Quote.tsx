import { useEffect, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import type { MessageEntry } from "../sync/api";
import { ReplyIcon } from "../ui/icons";
import { words } from "../words";
import { useConversation } from "./Conversation";
import { useName } from "./names";
import "./Quote.css";

const text = words.talk.message;

interface QuoteProps {
  readonly roomId: string;
  readonly seq: number;
}

/** What a message replies to, in one line that leads there. */
export function Quote({ roomId, seq }: QuoteProps) {
  const chat = useChat();
  const { timeline, reveal } = useConversation();
  const here = timeline.entries.value.find(
    (entry): entry is MessageEntry => entry.kind === "message" && entry.seq === seq,
  );
  const [fetched, setFetched] = useState<MessageEntry | "gone">();
  useEffect(() => {
    if (here) return;
    let wanted = true;
    chat.message(roomId, seq).then(
      (found) => wanted && setFetched(found ?? "gone"),
      () => wanted && setFetched("gone"),
    );
    return () => {
      wanted = false;
    };
  }, [roomId, seq, here === undefined]);
  const found = here ?? fetched;
  const name = useName(typeof found === "object" ? found.userId : "");
  if (found === "gone") return <p class="quote">{text.quoteGone}</p>;
  if (!found) return <p class="quote">…</p>;
  return (
    <button
      type="button"
      class="quote"
      title={text.goToQuote}
      tabIndex={-1}
      onClick={() => {
        reveal.value = { seq };
      }}
    >
      <ReplyIcon />
      <span class="quote__name" dir="auto">
        {name}
      </span>
      <span class="quote__text truncate" dir="auto">
        {excerpt(found)}
      </span>
    </button>
  );
}

/** A message in a few words. */
export function excerpt(entry: Pick<MessageEntry, "deleted" | "text" | "files">): string {
  if (entry.deleted) return words.talk.list.deleted;
  const line = entry.text.slice(0, 300).replaceAll(/\s+/gu, " ").trim();
  return line || words.talk.list.files(entry.files.length);
}
