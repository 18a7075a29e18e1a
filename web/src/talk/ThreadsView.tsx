import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls } from "../app/context";
import { roomPath, threadPath } from "../app/paths";
import { millis } from "../sync/read";
import { Avatar } from "../ui/Avatar";
import { Checkbox } from "../ui/Field";
import type { Thread } from "../wire/chat_pb";
import { formatMoment, words } from "../words";
import "./FoundCard.css";
import { ListPage, Paged } from "./ListPage";
import { roomName, useName } from "./names";
import "./ThreadsView.css";
import { usePages } from "./usePages";

const text = words.talk.thread;

interface ThreadsViewProps {
  readonly params: Readonly<Record<string, string>>;
}

/** The threads that the user follows in all rooms; or, beside a room, all of that room. */
export function ThreadsView({ params }: ThreadsViewProps) {
  const calls = useCalls();
  const chat = useChat();
  const roomId = params.roomId ?? "";
  const [unread, setUnread] = useState(false);
  const threads = usePages(
    async (pageToken) => {
      const page = await calls.messages.listThreads({ roomId, unread, pageSize: 30, pageToken });
      return { items: page.threads, nextPageToken: page.nextPageToken };
    },
    // What is unread changes the list.
    [roomId, unread, chat.totals.value.threads],
  );
  return (
    <ListPage
      title={text.listTitle}
      {...(roomId && { closeTo: roomPath(roomId) })}
      head={
        <div class="threads-view__filter">
          <Checkbox label={text.unreadOnly} checked={unread} onChecked={setUnread} />
        </div>
      }
    >
      <Paged pages={threads} empty={unread ? text.noUnread : roomId ? text.emptyRoom : text.empty}>
        {(thread) => (
          <ThreadCard key={`${thread.threadRoot} ${thread.roomId}`} thread={thread} showRoom={!roomId} />
        )}
      </Paged>
    </ListPage>
  );
}

function ThreadCard({ thread, showRoom }: { readonly thread: Thread; readonly showRoom: boolean }) {
  const chat = useChat();
  const name = useName(thread.root?.userId ?? "");
  const room = chat.room(thread.roomId).value;
  const unread = Number(thread.readMarker?.unreadCount ?? 0n);
  return (
    <li class="found-card">
      <a class="found-card__link" href={threadPath(thread.roomId, Number(thread.threadRoot))}>
        <span class="visually-hidden">{words.talk.message.replies(Number(thread.replyCount))}</span>
      </a>
      <Avatar userId={thread.root?.userId ?? ""} name={name} size="small" />
      <div class="found-card__body">
        <p class="found-card__about">
          <span class="found-card__name" dir="auto">
            {name}
          </span>
          {showRoom && (
            <span class="found-card__room truncate" dir="auto">
              {room ? roomName(room) : thread.roomId}
            </span>
          )}
        </p>
        <p class="truncate" dir="auto">
          {!thread.root && text.gone}
          {thread.root?.deleted && words.talk.list.deleted}
          {thread.root?.text.replaceAll(/\s+/gu, " ")}
        </p>
        <p class="found-card__about">
          {words.talk.message.replies(Number(thread.replyCount))}
          {thread.lastTime && (
            <span>{words.talk.message.lastReply(formatMoment(millis(thread.lastTime)))}</span>
          )}
          {unread > 0 && <span class="found-card__mark">{words.talk.message.unreadReplies(unread)}</span>}
        </p>
      </div>
    </li>
  );
}
