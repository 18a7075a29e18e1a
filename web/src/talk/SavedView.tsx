import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { millis } from "../sync/read";
import { IconButton } from "../ui/IconButton";
import { CloseIcon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";
import { formatMoment, words } from "../words";
import { FoundCard } from "./FoundCard";
import { foundMessage } from "./found";
import { ListPage, Paged } from "./ListPage";
import { usePages } from "./usePages";

const text = words.talk.lists;

/** What the user keeps for later. */
export function SavedView() {
  const calls = useCalls();
  const chat = useChat();
  const saved = usePages(
    async (pageToken) => {
      const page = await calls.personal.listSavedMessages({ pageSize: 30, pageToken });
      const items = page.saved.map(({ roomId, seq, saveTime, event }) => ({
        roomId,
        seq: Number(seq),
        time: saveTime ? millis(saveTime) : 0,
        message: foundMessage(event),
      }));
      return { items, nextPageToken: page.nextPageToken };
    },
    [chat.personal.value],
  );
  const forget = async (roomId: string, seq: number) => {
    try {
      await calls.personal.unsaveMessage({ roomId, seq: BigInt(seq) });
      saved.change((items) => items.filter((item) => item.roomId !== roomId || item.seq !== seq));
      showToast(words.talk.message.unsaved);
    } catch (error) {
      showError(error);
    }
  };
  return (
    <ListPage title={text.saved}>
      <Paged pages={saved} empty={text.noSaved}>
        {({ roomId, seq, time, message }) => {
          const remove = (
            <IconButton
              size="small"
              label={text.unsave}
              icon={<CloseIcon />}
              onClick={() => void forget(roomId, seq)}
            />
          );
          if (message) return <FoundCard key={`${seq} ${roomId}`} message={message} actions={remove} />;
          return (
            <li key={`${seq} ${roomId}`} class="found-card">
              <div class="found-card__body">
                <p class="found-card__about">{formatMoment(time)}</p>
                <p class="found-card__deleted">{text.savedGone}</p>
              </div>
              <div class="found-card__actions">{remove}</div>
            </li>
          );
        }}
      </Paged>
    </ListPage>
  );
}
