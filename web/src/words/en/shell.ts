import { formatNumber, plural } from "../format";

export const shell = {
  skip: "Skip to the conversation",
  rooms: "Rooms",
  conversation: "Conversation",
  details: "Details",
  nothingOpen: "Choose a room to read and write.",
  notFound: "There is nothing at this address.",
  home: "Go to your rooms",
  failed: "This part of the page failed.",
  reload: "Reload",
  newVersion: "A new version is ready.",
  titleUnread: (count: number, title: string): string => `(${formatNumber(count)}) ${title}`,
  unread: (count: number): string => plural(count, { one: "# unread message", other: "# unread messages" }),
} as const;
