import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { MessageEntry, RoomSummary, Timeline } from "../sync/api";

/** What the parts of an open room, or of an open thread, share. */
export interface Conversation {
  readonly roomId: string;
  readonly threadRoot: number | undefined;
  /** A signal, so that who is typing does not draw all messages anew. */
  readonly room: ReadonlySignal<RoomSummary>;
  readonly me: string;
  readonly timeline: Timeline;
  /** What the message that is being written replies to. */
  readonly replyTo: Signal<MessageEntry | undefined>;
  /** The message whose text is being changed. */
  readonly editing: Signal<MessageEntry | undefined>;
  /** The message to show, and to point at for a moment; or the day. Each request is another object. */
  readonly reveal: Signal<{ readonly seq: number } | { readonly time: number } | undefined>;
  /** Grows when the newest message is to be shown. */
  readonly toEnd: Signal<number>;
  /** Grows when the composer is to have the focus. */
  readonly focusComposer: Signal<number>;
}

export function beginConversation(
  about: Pick<Conversation, "roomId" | "threadRoot" | "room" | "me" | "timeline">,
): Conversation {
  return {
    ...about,
    replyTo: signal(undefined),
    editing: signal(undefined),
    reveal: signal(undefined),
    toEnd: signal(0),
    focusComposer: signal(0),
  };
}

export const ConversationContext = createContext<Conversation | undefined>(undefined);

export function useConversation(): Conversation {
  const conversation = useContext(ConversationContext);
  if (!conversation) throw new Error("a part of a conversation was rendered without one");
  return conversation;
}
