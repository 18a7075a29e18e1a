import type { ComponentChildren } from "preact";
import { useChat } from "../app/chat";
import { harmless, harmlessLine } from "../text/characters";
import { Avatar } from "../ui/Avatar";
import { formatMoment, words } from "../words";
import "./FoundCard.css";
import { type FoundMessage, placeOf } from "./found";
import { type Range, spansOf } from "./highlights";
import { MessageText } from "./MessageText";
import { roomName, useName } from "./names";

interface FoundCardProps {
  readonly message: FoundMessage;
  /** Where what was looked for is. Without it, the text is shown as it is in its room. */
  readonly ranges?: readonly Range[];
  readonly showRoom?: boolean;
  /** What else there is to say of it. */
  readonly mark?: string;
  readonly actions?: ComponentChildren;
}

/** A message in a list of messages of several places; it leads to where it was said. */
export function FoundCard({ message, ranges, showRoom = true, mark, actions }: FoundCardProps) {
  const chat = useChat();
  const name = useName(message.userId);
  const room = chat.room(message.roomId).value;
  return (
    <li class="found-card">
      <a class="found-card__link" href={placeOf(message)} aria-label={words.talk.lists.goTo}>
        <span class="visually-hidden">{words.talk.lists.goTo}</span>
      </a>
      <Avatar userId={message.userId} name={name} size="small" />
      <div class="found-card__body">
        <p class="found-card__about">
          <span class="found-card__name" dir="auto">
            {name}
          </span>
          {showRoom && (
            <span class="found-card__room truncate" dir="auto">
              {room ? roomName(room) : message.roomId}
            </span>
          )}
          <time dateTime={new Date(message.time).toISOString()}>{formatMoment(message.time)}</time>
          {mark && <span class="found-card__mark">{mark}</span>}
        </p>
        {message.deleted ? (
          <p class="found-card__deleted">{words.talk.message.deleted}</p>
        ) : (
          <div class="found-card__text" dir="auto">
            {ranges
              ? spansOf(message.text, ranges).map((span, index) =>
                  span.marked ? (
                    <mark key={`${index}-${span.text}`} class="found-card__found">
                      {harmless(span.text)}
                    </mark>
                  ) : (
                    harmless(span.text)
                  ),
                )
              : message.text && <MessageText text={message.text} />}
          </div>
        )}
        {message.files.length > 0 && (
          <p class="found-card__files">{message.files.map((one) => harmlessLine(one.name)).join(", ")}</p>
        )}
      </div>
      {actions && <div class="found-card__actions">{actions}</div>}
    </li>
  );
}
