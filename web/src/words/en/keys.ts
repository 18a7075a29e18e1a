/** What each key of app/keys.ts does. */
export const keys = {
  title: "Keyboard shortcuts",
  or: "or",
  anywhere: {
    title: "Everywhere",
    actions: {
      goTo: "Go to a room or a person",
      help: "Show these shortcuts (not while you write)",
      nextRoom: "Next room",
      previousRoom: "Previous room",
      nextUnread: "Next unread room",
      previousUnread: "Previous unread room",
    },
  },
  rooms: {
    title: "In the list of rooms",
    actions: { down: "One room down", up: "One room up", first: "First room", last: "Last room" },
  },
  messages: {
    title: "On a message",
    actions: {
      older: "Message before",
      newer: "Message after",
      first: "First message shown",
      last: "Last message shown",
      write: "Go to the field",
      reply: "Reply",
      thread: "Open the thread",
      react: "React",
      edit: "Edit",
      pin: "Pin or unpin",
      save: "Save for later",
      remove: "Delete",
    },
  },
  composer: {
    title: "While you write",
    actions: {
      send: "Send, or save an edit",
      newLine: "New line",
      editLast: "Edit your last message, if the field is empty",
      cancel: "Leave an edit or a reply",
    },
  },
  suggestions: {
    title: "Suggestions after @, # and :",
    actions: {
      next: "Next suggestion",
      previous: "Previous suggestion",
      take: "Put it in",
      refuse: "Close them",
    },
  },
} as const;
