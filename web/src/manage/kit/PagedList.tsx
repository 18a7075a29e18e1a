import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Spinner } from "../../ui/Spinner";
import { words } from "../../words";
import { manageWords } from "../../words/manage";
import { errorText } from "./Form";
import { Notice } from "./Notice";
import type { Paged } from "./Paged";
import "./PagedList.css";

interface PagedListProps<T> {
  readonly paged: Paged<T>;
  readonly keyOf: (item: T) => string;
  /** What it is a list of, for screen readers. */
  readonly label: string;
  /** What to say when there is nothing in it. */
  readonly empty: ComponentChildren;
  readonly children: (item: T) => ComponentChildren;
  /** Which of the loaded items to show. All of the list is loaded for it, so that none is overlooked. */
  readonly shows?: ((item: T) => boolean) | undefined;
}

/** The rows of a list in pages, with what there is to say while it loads, fails and is empty. */
export function PagedList<T>({ paged, keyOf, label, empty, children, shows }: PagedListProps<T>) {
  const list = useRef<HTMLUListElement>(null);
  const items = paged.items.value;
  const loading = paged.loading.value;
  const error = paged.error.value;
  const next = paged.next.value;
  const shown = shows ? items.filter(shows) : items;
  useFocusKept(list, items.length);
  useEffect(() => {
    if (shows && next && !loading && !error) void paged.more();
  }, [shows !== undefined, next, loading, error]);

  // The button that has the focus goes when the last page comes: reading goes on at the first new row.
  const onMore = async () => {
    const before = paged.items.value.length;
    await paged.more();
    if (paged.next.value !== "") return;
    requestAnimationFrame(() => focusRow(list.current, before));
  };

  return (
    <div class="paged-list" aria-busy={loading !== undefined}>
      {shown.length > 0 && (
        <ul class="paged-list__rows" aria-label={label} ref={list} tabIndex={-1}>
          {shown.map((item) => (
            <li key={keyOf(item)} class="paged-list__row" tabIndex={-1}>
              {children(item)}
            </li>
          ))}
        </ul>
      )}
      {error && (
        <Notice tone="danger" action={{ label: words.common.tryAgain, onAction: () => void paged.retry() }}>
          {errorText(error)}
        </Notice>
      )}
      {items.length === 0 && loading === "first" && (
        <p class="paged-list__wait">
          <Spinner label={words.common.loading} />
        </p>
      )}
      {items.length === 0 && next === "" && loading === undefined && !error && (
        <p class="paged-list__empty">{empty}</p>
      )}
      {items.length > 0 && next !== "" && next !== undefined && !error && (
        <Button class="paged-list__more" size="small" busy={loading === "more"} onClick={() => void onMore()}>
          {manageWords.kit.showMore}
        </Button>
      )}
    </div>
  );
}

/** Where a row with the focus goes away, the row that takes its place gets it. */
function useFocusKept(list: { readonly current: HTMLUListElement | null }, count: number) {
  const at = useRef(-1);
  const before = useRef(count);
  // Children lose the focus before effects run: where it was has to be noted when it moves.
  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const onFocus = (event: FocusEvent) => {
      const row = event.target instanceof Element ? event.target.closest(".paged-list__row") : null;
      at.current = row ? [...element.children].indexOf(row) : -1;
    };
    const onBlur = (event: FocusEvent) => {
      if (event.relatedTarget instanceof Element && !element.contains(event.relatedTarget)) {
        // Dialogs come back by themselves to what opened them, if that is still there.
        if (!event.relatedTarget.closest("dialog")) at.current = -1;
      }
    };
    element.addEventListener("focusin", onFocus);
    element.addEventListener("focusout", onBlur);
    return () => {
      element.removeEventListener("focusin", onFocus);
      element.removeEventListener("focusout", onBlur);
    };
  }, [count > 0]);
  useEffect(() => {
    const fewer = count < before.current;
    before.current = count;
    if (!fewer || at.current < 0) return;
    const lost = document.activeElement === document.body || document.activeElement === null;
    if (lost) focusRow(list.current, Math.min(at.current, count - 1));
  }, [count]);
}

function focusRow(list: HTMLUListElement | null, at: number) {
  const row = list?.children[at];
  if (row instanceof HTMLElement) row.focus();
}
