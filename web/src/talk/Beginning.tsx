import type { RoomSummary } from "../sync/api";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import { useConversation } from "./Conversation";
import { roomName } from "./names";

const text = words.talk.log;

/** What stands above the oldest message. */
export function Beginning() {
  const { timeline, room, threadRoot } = useConversation();
  if (!timeline.atStart.value)
    return (
      <p class="message-log__loading">
        {(timeline.loading.value === "older" || timeline.loading.value === "jump") && (
          <Spinner label={words.common.loading} />
        )}
      </p>
    );
  if (threadRoot !== undefined || timeline.loading.value === "jump") return null;
  return (
    <div class="message-log__beginning">
      <h2 class="message-log__beginning-title" dir="auto">
        {roomName(room.value)}
      </h2>
      {/* What is no longer kept says so itself. */}
      {timeline.entries.value[0]?.kind !== "gap" && <p>{sayingOf(room.value)}</p>}
    </div>
  );
}

function sayingOf(room: RoomSummary): string {
  if (room.sinceJoin) return text.hidden;
  return room.firstSeq > 1 ? text.notKept : text.beginning(roomName(room));
}
