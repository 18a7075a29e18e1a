import { useEffect, useMemo } from "preact/hooks";
import { type LoadPage, Paged } from "./Paged";

/** A list that loads when the page opens, and anew when one of `inputs` changes. */
export function usePaged<T>(
  load: LoadPage<T>,
  key: (item: T) => string,
  inputs: readonly unknown[],
): Paged<T> {
  const paged = useMemo(() => new Paged(load, key), inputs);
  useEffect(() => {
    void paged.reload();
    return () => paged.close();
  }, [paged]);
  return paged;
}
