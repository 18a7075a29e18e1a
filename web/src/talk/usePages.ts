import { useEffect, useRef, useState } from "preact/hooks";
import { toChatError } from "../wire/errors";

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

export interface Pages<T> {
  readonly items: readonly T[];
  readonly loading: boolean;
  readonly error: string | undefined;
  /** Whether there is another page. */
  readonly more: boolean;
  /** Loads the next page, or the one that failed. */
  readonly next: () => void;
  /** Changes what is shown, after a change that the server knows of. */
  readonly change: (change: (items: readonly T[]) => readonly T[]) => void;
}

/** A list that the server gives in pages. It begins anew when one of `about` changes; nothing without `load`. */
export function usePages<T>(
  load: ((pageToken: string) => Promise<PageOf<T>>) | undefined,
  about: readonly unknown[],
): Pages<T> {
  const [items, setItems] = useState<readonly T[]>([]);
  const [token, setToken] = useState<string | undefined>("");
  const [loading, setLoading] = useState(load !== undefined);
  const [error, setError] = useState<string>();
  const turn = useRef(0);

  const fetch = async (pageToken: string) => {
    if (!load) return;
    const mine = turn.current;
    setLoading(true);
    setError(undefined);
    try {
      const page = await load(pageToken);
      if (mine !== turn.current) return;
      setItems((before) => (pageToken === "" ? page.items : [...before, ...page.items]));
      setToken(page.nextPageToken || undefined);
    } catch (thrown) {
      if (mine === turn.current) setError(toChatError(thrown).message);
    } finally {
      if (mine === turn.current) setLoading(false);
    }
  };

  useEffect(() => {
    turn.current++;
    if (load) void fetch("");
    else setItems([]);
    return () => {
      turn.current++;
    };
  }, about);

  return {
    items,
    loading,
    error,
    more: token !== undefined && items.length > 0,
    next: () => void fetch(token ?? ""),
    change: (change) => setItems(change),
  };
}
