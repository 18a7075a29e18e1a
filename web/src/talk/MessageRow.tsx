import { type Signal, useComputed } from "@preact/signals";
import { useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { messagePath, personPath } from "../app/paths";
import type { MessageEntry } from "../sync/api";
import { harmlessLine } from "../text/characters";
import { Avatar } from "../ui/Avatar";
import { PinIcon } from "../ui/icons";
import { formatMoment, formatTime, words } from "../words";
import { Attachments } from "./Attachments";
import { useConversation } from "./Conversation";
import { LinkCards } from "./LinkCards";
import "./MessageRow.css";
import { MessageText } from "./MessageText";
import { MessageToolbar } from "./MessageToolbar";
import { useName } from "./names";
import { PollCard } from "./PollCard";
import { Quote } from "./Quote";
import { Reactions } from "./Reactions";
import { ThreadSummary } from "./ThreadSummary";
import { useMessageActions } from "./useMessageActions";

const text = words.talk.message;

interface MessageRowProps {
  readonly id: string;
  readonly entry: MessageEntry;
  /** Whether it begins a group: with the name and the time. */
  readonly first: boolean;
  /** The message that Tab leads to. */
  readonly current: Signal<string | undefined>;
}

/** A message as it stands in the list. */
export function MessageRow({ id, entry, first, current }: MessageRowProps) {
  const chat = useChat();
  const conversation = useConversation();
  const name = useName(entry.userId);
  const reachable = useComputed(() => current.value === id).value;
  const [active, setActive] = useState(false);
  const actions = useMessageActions(entry);
  const own = entry.userId === conversation.me;
  const names = [
    "message-row",
    first && "message-row--first",
    entry.mentions?.mine && !entry.deleted && "message-row--mine",
  ];

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || !actions.byKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <article
      class={names.filter(Boolean).join(" ")}
      data-key={id}
      data-seq={entry.seq}
      aria-label={text.by(name, entry.time)}
      tabIndex={reachable ? 0 : -1}
      onKeyDown={onKeyDown}
      onFocusIn={() => {
        current.value = id;
        setActive(true);
      }}
      onFocusOut={(event) => {
        if (!(event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)))
          setActive(false);
      }}
      onPointerEnter={() => setActive(true)}
      onPointerLeave={(event) => {
        if (!event.currentTarget.contains(document.activeElement)) setActive(false);
      }}
    >
      <div class="message-row__gutter">
        {first ? <Avatar userId={entry.userId} name={name} /> : <Time entry={entry} />}
      </div>
      <div class="message-row__body">
        {/* What a thread is about stands at its top. */}
        {entry.replyTo !== undefined && entry.replyTo !== conversation.threadRoot && !entry.deleted && (
          <Quote roomId={entry.roomId} seq={entry.replyTo} />
        )}
        {first && (
          <header class="message-row__header">
            <a class="message-row__name" href={personPath(entry.userId)} dir="auto" tabIndex={-1}>
              {name}
            </a>
            {own && <span class="message-row__badge">{words.common.you}</span>}
            {chat.person(entry.userId).value?.bot && (
              <span class="message-row__badge">{words.common.bot}</span>
            )}
            <Time entry={entry} />
          </header>
        )}
        {entry.deleted ? (
          <Deleted entry={entry} author={name} />
        ) : (
          <>
            {entry.text && (
              <div class="message-row__text">
                <MessageText text={entry.text} mentions={entry.mentions} />
                {entry.editTime !== undefined && (
                  <span class="message-row__edited" title={text.editedAt(entry.editTime)}>
                    {" "}
                    ({text.edited})
                  </span>
                )}
              </div>
            )}
            {entry.poll && (
              <PollCard entry={entry} poll={entry.poll} canClose={actions.abilities().closePoll} />
            )}
            {entry.files.length > 0 && (
              <Attachments
                files={entry.files.filter(
                  (file) => !entry.cards.some((card) => card.imageFileId === file.fileId),
                )}
              />
            )}
            {entry.cards.length > 0 && <LinkCards cards={entry.cards} files={entry.files} />}
          </>
        )}
        {entry.pinned && !entry.deleted && (
          <p class="message-row__pinned">
            <PinIcon /> {text.pinned}
          </p>
        )}
        {entry.reactions.length > 0 && <Reactions entry={entry} />}
        {entry.thread && conversation.threadRoot === undefined && (
          <ThreadSummary roomId={entry.roomId} root={entry.seq} thread={entry.thread} />
        )}
      </div>
      {(active || actions.busy) && <MessageToolbar entry={entry} actions={actions} />}
      {actions.dialog}
    </article>
  );
}

function Time({ entry }: { readonly entry: MessageEntry }) {
  return (
    <a class="message-row__time" href={messagePath(entry.roomId, entry.seq)} tabIndex={-1}>
      <time dateTime={new Date(entry.time).toISOString()} title={formatMoment(entry.time)}>
        {formatTime(entry.time)}
      </time>
    </a>
  );
}

function Deleted({ entry, author }: { readonly entry: MessageEntry; readonly author: string }) {
  const by = useName(entry.deleted?.userId ?? entry.userId);
  const reason = entry.deleted?.reason;
  let said: string = text.deleted;
  if (reason) said = text.deletedWhy(by, harmlessLine(reason));
  else if (by !== author) said = text.deletedBy(by);
  return (
    <p class="message-row__deleted" dir="auto">
      {said}
    </p>
  );
}
