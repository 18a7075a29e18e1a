import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import type { RoomSummary } from "../sync/api";
import { Composer } from "./Composer";
import { beginConversation, ConversationContext } from "./Conversation";
import "./ConversationView.css";
import { MessageLog } from "./MessageLog";

interface ConversationViewProps {
  readonly room: RoomSummary;
  readonly threadRoot?: number | undefined;
  /** The message to show first; without it the first that is unread, or the newest. */
  readonly seq?: number | undefined;
}

/** The messages of a room or a thread, and the place to write in it. Give it a key: it stays with its room. */
export function ConversationView({ room, threadRoot, seq }: ConversationViewProps) {
  const chat = useChat();
  const me = useSession().userId;
  const { roomId } = room;
  const summary = useSignal(room);
  summary.value = room;
  const conversation = useMemo(
    () =>
      beginConversation({
        roomId,
        threadRoot,
        me,
        room: summary,
        timeline: chat.timeline(roomId, threadRoot),
      }),
    [chat, roomId, threadRoot, me],
  );
  useEffect(() => () => conversation.timeline.close(), [conversation]);
  useEffect(() => {
    if (seq) conversation.reveal.value = { seq };
  }, [conversation, seq]);

  return (
    <ConversationContext.Provider value={conversation}>
      <div class="conversation">
        <MessageLog />
        <Composer />
      </div>
    </ConversationContext.Provider>
  );
}
