/**
 * What keys do, and where: the code that answers keys asks this table, and the help shows it, so the help can't be
 * wrong. Each is one key, after those that are held with it: `Mod` is Ctrl, or ⌘ on Apple's keyboards.
 */
export const KEYS = {
  anywhere: {
    goTo: ["Mod+k"],
    help: ["?"],
    nextRoom: ["Alt+ArrowDown"],
    previousRoom: ["Alt+ArrowUp"],
    nextUnread: ["Alt+Shift+ArrowDown"],
    previousUnread: ["Alt+Shift+ArrowUp"],
  },
  rooms: {
    down: ["ArrowDown"],
    up: ["ArrowUp"],
    first: ["Home"],
    last: ["End"],
  },
  composer: {
    send: ["Enter"],
    newLine: ["Shift+Enter"],
    editLast: ["ArrowUp"],
    cancel: ["Escape"],
  },
  suggestions: {
    next: ["ArrowDown"],
    previous: ["ArrowUp"],
    take: ["Enter", "Tab"],
    refuse: ["Escape"],
  },
  messages: {
    older: ["ArrowUp"],
    newer: ["ArrowDown"],
    first: ["Home"],
    last: ["End"],
    write: ["Escape"],
    reply: ["r"],
    thread: ["t"],
    react: ["+"],
    edit: ["e"],
    pin: ["p"],
    save: ["s"],
    remove: ["Delete", "Backspace"],
  },
} as const satisfies Record<string, Record<string, readonly string[]>>;

export type Place = keyof typeof KEYS;
export type Action<P extends Place> = keyof (typeof KEYS)[P] & string;

/** What a key does at a place; undefined for nothing. */
export function actionOf<P extends Place>(event: KeyboardEvent, place: P): Action<P> | undefined {
  const found = Object.entries<readonly string[]>(KEYS[place]).find(([, keys]) =>
    keys.some((key) => matches(event, key)),
  );
  return found?.[0] as Action<P> | undefined;
}

/** Whether a key is for what somebody writes in. */
export function isWriting({ target }: Event): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=radio], [type=checkbox]), textarea, select"))
  );
}

/** The keys as they are written on a keyboard: `Ctrl`, `K`. */
export function caps(key: string): readonly string[] {
  const apple = /Mac|iPhone|iPad/.test(navigator.platform);
  const { held, last } = read(key);
  return [...held, last].map((one) => {
    if (one === "Mod") return apple ? "⌘" : "Ctrl";
    if (one === "Alt" && apple) return "⌥";
    return CAPS[one] ?? (one.length === 1 ? one.toUpperCase() : one);
  });
}

const CAPS: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
};

function read(key: string): { held: readonly string[]; last: string } {
  const parts = key === "+" ? ["+"] : key.split("+");
  return { held: parts.slice(0, -1), last: parts[parts.length - 1] ?? "" };
}

function matches(event: KeyboardEvent, key: string): boolean {
  const { held, last } = read(key);
  const letter = last.length === 1;
  if ((letter && held.length > 0 ? event.key.toLowerCase() : event.key) !== last) return false;
  if ((event.ctrlKey || event.metaKey) !== held.includes("Mod") || event.altKey !== held.includes("Alt"))
    return false;
  // Which signs need it is a matter of the keyboard.
  return (letter && held.length === 0) || event.shiftKey === held.includes("Shift");
}
