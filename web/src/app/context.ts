import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Calls } from "../wire/calls";
import type { Identity } from "../wire/transport";

/** What all views of somebody who is signed in share. */
export interface Session {
  readonly userId: string;
  readonly identity: Identity;
  readonly calls: Calls;
  /** End the session, forget what this browser knows of it, and show the sign-in page. */
  readonly signOut: () => Promise<void>;
}

export const SessionContext = createContext<Session | undefined>(undefined);

/** Whose views these are. Only for views of somebody who is signed in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("a view was rendered without a session");
  return session;
}

/** The server's methods, as the user. */
export const useCalls = (): Calls => useSession().calls;
