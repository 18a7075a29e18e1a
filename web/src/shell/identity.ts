import type { Identity } from "../wire/transport";

/** Who is signed in here. The session's secret is in a cookie that no script sees; on a server with trusted ids
 * there is none. */
export interface SignedIn {
  readonly userId: string;
  readonly kind: Identity["kind"];
}

const KEY = "grpc-chat.signed-in";

/** The last who signed in here and has not signed out, without asking the server: pages open offline, too. */
export function remembered(): SignedIn | undefined {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (typeof found !== "object" || found === null || !("userId" in found) || !("kind" in found))
      return undefined;
    const { userId, kind } = found;
    if (typeof userId !== "string" || !userId || (kind !== "cookie" && kind !== "trusted")) return undefined;
    return { userId, kind };
  } catch {
    return undefined;
  }
}

export function remember(signedIn: SignedIn): void {
  localStorage.setItem(KEY, JSON.stringify({ userId: signedIn.userId, kind: signedIn.kind }));
}

export function forget(): void {
  localStorage.removeItem(KEY);
}

/** Call when another tab signs in or out. */
export function onChange(changed: () => void): () => void {
  const heard = (event: StorageEvent) => {
    if (event.key === KEY || event.key === null) changed();
  };
  addEventListener("storage", heard);
  return () => removeEventListener("storage", heard);
}

export function identityOf({ kind, userId }: SignedIn): Identity {
  return kind === "cookie" ? { kind } : { kind, userId };
}
