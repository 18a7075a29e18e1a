import { useEffect, useState } from "preact/hooks";

/** How long somebody has to stop typing before the server is asked, in milliseconds. */
const PAUSE = 250;

/** What somebody types into a search field, and what of it is to be searched for. */
export function useQuery(): { readonly typed: string; readonly query: string; setTyped(text: string): void } {
  const [typed, setTyped] = useState("");
  const [query, setQuery] = useState("");
  useEffect(() => {
    const wanted = typed.trim();
    // What was emptied is shown in full at once.
    const timer = setTimeout(() => setQuery(wanted), wanted === "" ? 0 : PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);
  return { typed, query, setTyped };
}
