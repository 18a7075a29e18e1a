import { plural } from "../format";

export const text = {
  copy: "Copy",
  copied: "Copied",
  table: "Table",
  done: "Done:",
  toDo: "To do:",
  newMessages: (count: number): string => plural(count, { one: "# new message", other: "# new messages" }),
  toEnd: "Go to the newest message",
  newest: "Newest messages",
} as const;
