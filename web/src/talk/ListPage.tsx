import type { ComponentChildren } from "preact";
import { Button } from "../ui/Button";
import { BackIcon, CloseIcon } from "../ui/icons";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import "./ListPage.css";
import type { Pages } from "./usePages";

interface ListPageProps {
  readonly title: string;
  /** Where closing leads: for what stands beside a room, the room. Without it, back to the rooms, on phones. */
  readonly closeTo?: string;
  /** Stands under the title, and does not scroll. */
  readonly head?: ComponentChildren;
  /** Beside the title. */
  readonly actions?: ComponentChildren;
  /** What is in it scrolls by itself. */
  readonly fills?: boolean;
  readonly children: ComponentChildren;
}

/** A page or a panel with a title and a list. */
export function ListPage({ title, closeTo, head, actions, fills = false, children }: ListPageProps) {
  return (
    <section class="list-page" aria-label={title}>
      <header class="list-page__header">
        {closeTo === undefined && (
          <a
            class="icon-button list-page__back"
            href="/"
            aria-label={words.talk.room.back}
            title={words.talk.room.back}
          >
            <BackIcon />
          </a>
        )}
        <h1 class="list-page__title truncate">{title}</h1>
        {actions}
        {closeTo !== undefined && (
          <a class="icon-button" href={closeTo} aria-label={words.common.close} title={words.common.close}>
            <CloseIcon />
          </a>
        )}
      </header>
      {head}
      <div class={fills ? "list-page__body list-page__body--fills" : "list-page__body"}>{children}</div>
    </section>
  );
}

interface PagedProps<T> {
  readonly pages: Pages<T>;
  readonly empty: string;
  readonly children: (item: T) => ComponentChildren;
}

/** What there is so far, a way to more, and what to say if there is nothing. */
export function Paged<T>({ pages, empty, children }: PagedProps<T>) {
  return (
    <>
      {pages.items.length > 0 && <ul class="list-page__items">{pages.items.map(children)}</ul>}
      {pages.items.length === 0 && !pages.loading && !pages.error && <p class="list-page__empty">{empty}</p>}
      {pages.error && (
        <p class="list-page__error" role="alert">
          {pages.error}{" "}
          <Button size="small" onClick={pages.next}>
            {words.common.tryAgain}
          </Button>
        </p>
      )}
      {pages.loading && (
        <p class="list-page__empty">
          <Spinner label={words.common.loading} />
        </p>
      )}
      {pages.more && !pages.loading && !pages.error && (
        <p class="list-page__more">
          <Button onClick={pages.next}>{words.talk.lists.more}</Button>
        </p>
      )}
    </>
  );
}
