import type { ComponentChildren } from "preact";
import { Spinner } from "../../ui/Spinner";
import { words } from "../../words";
import { errorText } from "./Form";
import { Notice } from "./Notice";
import type { Loaded } from "./useLoaded";

interface LoadedViewProps<T> {
  readonly loaded: Loaded<T>;
  readonly children: (value: T) => ComponentChildren;
}

/** What was loaded, or that it is on its way or failed. */
export function LoadedView<T>({ loaded, children }: LoadedViewProps<T>) {
  if (loaded.value !== undefined) return <>{children(loaded.value)}</>;
  if (loaded.error)
    return (
      <Notice tone="danger" action={{ label: words.common.tryAgain, onAction: loaded.reload }}>
        {errorText(loaded.error)}
      </Notice>
    );
  return (
    <div class="page__wait">
      <Spinner label={words.common.loading} />
    </div>
  );
}
