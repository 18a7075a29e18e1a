import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { words } from "../words";
import { Button } from "./Button";
import "./lazy.css";
import { Spinner } from "./Spinner";

type State<P> = { readonly view: ComponentType<P> } | { readonly failed: true } | undefined;

/**
 * A component whose code is loaded when it is first shown.
 *
 * @param over whether it stands over the page: nothing shows then that it is being loaded.
 */
export function lazy<P extends object>(
  load: () => Promise<ComponentType<P>>,
  { over = false }: { readonly over?: boolean } = {},
): ComponentType<P> {
  const state = signal<State<P>>(undefined);
  let loading: Promise<void> | undefined;
  const begin = () => {
    state.value = undefined;
    loading = load().then(
      (view) => {
        state.value = { view };
      },
      () => {
        loading = undefined;
        state.value = { failed: true };
      },
    );
  };
  return function Lazy(props: P) {
    useEffect(() => {
      if (!loading) begin();
    }, []);
    const now = state.value;
    if (!now)
      return over ? null : (
        <p class="lazy">
          <Spinner label={words.common.loading} />
        </p>
      );
    if ("failed" in now)
      return (
        <div class="lazy" role="alert">
          <p>{words.common.unreachable}</p>
          <Button onClick={begin}>{words.common.tryAgain}</Button>
        </div>
      );
    const View = now.view;
    return <View {...props} />;
  };
}
