export const text = {
  copy: "Copy",
  copied: "Copied",
  table: "Table",
  done: "Done:",
  toDo: "To do:",
} as const;
