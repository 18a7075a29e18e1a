import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { roomPath } from "../app/paths";
import { harmlessLine } from "../text/characters";
import { IconButton } from "../ui/IconButton";
import { CloseIcon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { words } from "../words";
import { FoundCard } from "./FoundCard";
import { foundMessage } from "./found";
import { ListPage, Paged } from "./ListPage";
import { usePages } from "./usePages";

const text = words.talk.lists;

interface PinsPanelProps {
  readonly params: Readonly<Record<string, string>>;
}

/** What is pinned in a room. */
export function PinsPanel({ params }: PinsPanelProps) {
  const calls = useCalls();
  const chat = useChat();
  const roomId = params.roomId ?? "";
  const room = chat.room(roomId).value;
  const pins = usePages(
    async (pageToken) => {
      const page = await calls.messages.listPins({ roomId, pageSize: 50, pageToken });
      const items = page.pins.flatMap(({ event, userId }) => {
        const message = foundMessage(event);
        return message ? [{ message, userId }] : [];
      });
      return { items, nextPageToken: page.nextPageToken };
    },
    [roomId, room?.pins],
  );
  const may =
    room && !room.archived && (room.kind === "direct" || room.role === "admin" || room.role === "owner");
  return (
    <ListPage title={text.pins} closeTo={roomPath(roomId)}>
      <Paged pages={pins} empty={text.noPins}>
        {({ message, userId }) => (
          <FoundCard
            key={message.seq}
            message={message}
            showRoom={false}
            mark={text.pinnedBy(harmlessLine(chat.person(userId).value?.displayName ?? userId))}
            actions={
              may && (
                <IconButton
                  size="small"
                  label={text.unpin}
                  icon={<CloseIcon />}
                  onClick={() => void chat.pin(roomId, message.seq, false).catch(showError)}
                />
              )
            }
          />
        )}
      </Paged>
    </ListPage>
  );
}
