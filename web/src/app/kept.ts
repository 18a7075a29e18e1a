const PREFIX = "grpc-chat.of.";
const keyOf = (userId: string, what: string) => `${PREFIX}${encodeURIComponent(userId)}.${what}`;

/** What this browser keeps for a person: habits that concern nobody else, and that no other device needs. */
export function kept(userId: string, what: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(keyOf(userId, what)) ?? "null");
  } catch {
    return null;
  }
}

export function keep(userId: string, what: string, value: unknown): void {
  try {
    localStorage.setItem(keyOf(userId, what), JSON.stringify(value));
  } catch {
    // A full store costs a habit, and nothing else.
  }
}

/** Hear of what another tab keeps for a person. */
export function onKept(userId: string, what: string, heard: () => void): () => void {
  const listen = ({ key }: StorageEvent) => {
    if (key === keyOf(userId, what)) heard();
  };
  addEventListener("storage", listen);
  return () => removeEventListener("storage", listen);
}

/** Forget all of a person who signs out. */
export function forgetKept(userId: string): void {
  const first = keyOf(userId, "");
  for (const key of Object.keys(localStorage)) if (key.startsWith(first)) localStorage.removeItem(key);
}
