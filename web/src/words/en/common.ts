import { formatNumber, plural } from "../format";

export const common = {
  product: "grpc-chat",
  cancel: "Cancel",
  close: "Close",
  save: "Save",
  remove: "Remove",
  back: "Back",
  more: "More",
  loading: "Loading …",
  tryAgain: "Try again",
  search: "Search",
  you: "you",
  bot: "bot",
  tooLong: (over: number, most: number): string =>
    `${plural(over, { one: "# byte", other: "# bytes" })} too long: at most ${formatNumber(most)} bytes are allowed here.`,
  fileTooLarge: (size: string, bytes: string): string =>
    `Too large: this server takes files of up to ${size} (${bytes} bytes).`,
  noUploads: "This server takes no files.",
  unreachable: "The server can’t be reached.",
} as const;
