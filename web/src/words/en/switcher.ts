export const switcher = {
  title: "Go to",
  open: "Go to …",
  search: "Room or person",
  placeholder: "Room or person",
  rooms: "Rooms",
  people: "People",
  nothing: "Nothing has a name like this.",
  results: "Results",
  keys: "↑ ↓ to choose, Enter to open",
} as const;
