import { plural } from "../format";

export const connection = {
  states: {
    connecting: "Connecting …",
    "catching-up": "Catching up …",
    online: "Connected",
    offline: "Offline",
    "signed-out": "Signed out",
    refused: "Not connected",
  },
  connecting: "Connecting …",
  lost: "No connection to the server. It is tried again by itself.",
  offline: "You are offline. What you write is sent when you are back.",
  waiting: (count: number): string => plural(count, { one: "# message waits.", other: "# messages wait." }),
  retry: "Try now",
  superseded: "A newer version is open in another tab.",
  refused: (why: string): string => `The server refuses the connection: ${why}`,
} as const;
