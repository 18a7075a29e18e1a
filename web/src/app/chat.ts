import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Chat } from "../sync/api";

export const ChatContext = createContext<Chat | undefined>(undefined);

/** What this browser knows of the user's rooms, live. Only for views of somebody who is signed in. */
export function useChat(): Chat {
  const chat = useContext(ChatContext);
  if (!chat) throw new Error("a view was rendered without a chat");
  return chat;
}
