import { useEffect, useState } from "preact/hooks";
import { type ChatError, toChatError } from "../../wire/errors";

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: ChatError | undefined;
  reload(): void;
  set(value: T): void;
}

/** What a call returns, loaded when the page opens and anew when one of `inputs` changes. */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
): Loaded<T> {
  const [run, setRun] = useState(0);
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<ChatError>();
  useEffect(() => {
    const control = new AbortController();
    setError(undefined);
    load(control.signal).then(
      (loaded) => control.signal.aborted || setValue(loaded),
      (thrown) => control.signal.aborted || setError(toChatError(thrown)),
    );
    return () => control.abort();
  }, [run, ...inputs]);
  return { value, error, reload: () => setRun(run + 1), set: setValue };
}
