import { formatNumber, plural } from "../format";

export const shell = {
  skip: "Skip to the conversation",
  rooms: "Rooms",
  conversation: "Conversation",
  details: "Details",
  titles: {
    browse: "All rooms",
    newRoom: "New room",
    members: "Members",
    roomSettings: "Room settings",
    people: "People",
    settings: "Settings",
    admin: "Administration",
  },
  nothingOpen: "Choose a room to read and write.",
  notFound: "There is nothing at this address.",
  home: "Go to your rooms",
  failed: "This part of the page failed.",
  reload: "Reload",
  newVersion: "A new version is ready.",
  noStorage:
    "This browser keeps nothing for this page, so it can’t work. A private window may be the reason.",
  ended: "Your session has ended.",
  titleUnread: (count: number, title: string): string => `(${formatNumber(count)}) ${title}`,
  notice: (sender: string, room: string): string => `${sender} in ${room}`,
  findKey: "Ctrl K",
  add: "Add",
  newRoom: "Create a room",
  browse: "Browse rooms",
  people: "People",
  menu: "Settings and more",
  settings: "Settings",
  admin: "Server administration",
  signOut: "Sign out",
  signOutWaiting: (count: number): string =>
    plural(count, {
      one: "# message of yours has not been sent yet. Signing out discards it.",
      other: "# messages of yours have not been sent yet. Signing out discards them.",
    }),
  signOutAnyway: "Sign out and discard",
  theme: { system: "Look as the system does", light: "Light", dark: "Dark", contrast: "High contrast" },
} as const;
