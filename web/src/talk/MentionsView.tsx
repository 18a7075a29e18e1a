import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { words } from "../words";
import { FoundCard } from "./FoundCard";
import { foundMessage } from "./found";
import { ListPage, Paged } from "./ListPage";
import { usePages } from "./usePages";

const text = words.talk.lists;

/** Where others called the user. */
export function MentionsView() {
  const calls = useCalls();
  const chat = useChat();
  const mentions = usePages(
    async (pageToken) => {
      const page = await calls.messages.listMentions({ pageSize: 30, pageToken });
      const items = page.mentions.flatMap(({ event, unread }) => {
        const message = foundMessage(event);
        return message ? [{ message, unread }] : [];
      });
      return { items, nextPageToken: page.nextPageToken };
    },
    [chat.totals.value.mentions],
  );
  return (
    <ListPage title={text.mentions}>
      <Paged pages={mentions} empty={text.noMentions}>
        {({ message, unread }) => (
          <FoundCard
            key={`${message.seq} ${message.roomId}`}
            message={message}
            {...(unread && { mark: text.newTitle })}
          />
        )}
      </Paged>
    </ListPage>
  );
}
