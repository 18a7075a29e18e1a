import { useChat } from "../app/chat";
import { homePath } from "../app/paths";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import { ConversationView } from "./ConversationView";
import { RoomHeader } from "./RoomHeader";
import "./RoomView.css";

interface RoomViewProps {
  readonly params: Readonly<Record<string, string>>;
}

/** A room: its head, its messages, and the place to write. */
export function RoomView({ params }: RoomViewProps) {
  const chat = useChat();
  const roomId = params.roomId ?? "";
  const room = chat.room(roomId).value;
  if (!room)
    return (
      <div class="room-view room-view--empty">
        {chat.ready.value ? (
          <p>
            {words.talk.room.unknown} <a href={homePath}>{words.shell.home}</a>
          </p>
        ) : (
          <Spinner label={words.common.loading} />
        )}
      </div>
    );
  return (
    <div class="room-view">
      <RoomHeader room={room} />
      <ConversationView key={roomId} room={room} seq={numberOf(params.seq)} />
    </div>
  );
}

/** A number of a message in an address. */
export function numberOf(part: string | undefined): number | undefined {
  const number = Number(part);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
