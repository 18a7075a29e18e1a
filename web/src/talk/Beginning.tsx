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
      <p>{room.value.sinceJoin ? text.hidden : text.beginning(roomName(room.value))}</p>
    </div>
  );
}
