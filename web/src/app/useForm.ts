import { useState } from "preact/hooks";
import { type ChatError, toChatError } from "../wire/errors";

export interface Form {
  /** It is being sent. */
  readonly busy: boolean;
  readonly error: ChatError | undefined;
  /** For a form's `onSubmit`. */
  readonly submit: (event: Event) => Promise<void>;
  /** What is wrong with a field, by its name in the request or by a reason that is about it. */
  readonly about: (...names: readonly string[]) => string | undefined;
  /** What is wrong with the whole, if it is about none of the fields that `about` was asked for. */
  readonly aboutAll: () => string | undefined;
}

/** A form that calls the server: sent once at a time, with what the server says beside the field it is about. */
export function useForm(send: () => Promise<void>): Form {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ChatError>();
  const asked = new Set<string>();
  const matches = (name: string) => error !== undefined && (error.field === name || error.reason === name);
  return {
    busy,
    error,
    submit: async (event) => {
      event.preventDefault();
      if (busy) return;
      setBusy(true);
      setError(undefined);
      try {
        await send();
      } catch (thrown) {
        setError(toChatError(thrown));
      } finally {
        setBusy(false);
      }
    },
    about: (...names) => {
      for (const name of names) asked.add(name);
      return names.some(matches) ? error?.message : undefined;
    },
    aboutAll: () => (error && ![...asked].some(matches) ? error.message : undefined),
  };
}
