import { useEffect, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import { PlusIcon, SearchIcon } from "../ui/icons";
import { navigate, path } from "../ui/location";
import { Menu } from "../ui/Menu";
import { words } from "../words";
import { ConnectionLine } from "./ConnectionLine";
import { ErrorBoundary } from "./ErrorBoundary";
import "./Frame.css";
import { KeysHelp } from "./KeysHelp";
import { NewVersion } from "./NewVersion";
import { followNotices } from "./notices";
import { roomName } from "./roomName";
import { find, type Params } from "./router";
import { list as List, type Route, routes } from "./routes";
import { openSwitcher, Switcher } from "./Switcher";
import { UserBar } from "./UserBar";

const text = words.shell;

/** The page of those who are signed in: the rooms, what is open, and what stands beside it. */
export function Frame() {
  const found = find(routes, path.value);
  const params = found?.params ?? {};
  const { main: Main, side: Side } = found?.route ?? {};
  const title = useTitle(found?.route, params);
  const main = useRef<HTMLElement>(null);
  const shows = Side ? "side" : path.value === "/" ? "list" : "main";
  useFocus(main);
  const chat = useChat();
  useEffect(() => followNotices(chat), [chat]);

  return (
    <div class="frame">
      <a class="frame__skip visually-hidden" href="#main">
        {text.skip}
      </a>
      <ConnectionLine />
      <NewVersion />
      <div class={`frame__columns frame__columns--${shows}`}>
        <nav class="frame__list" aria-label={text.rooms}>
          {found && !Main && <h1 class="visually-hidden">{title}</h1>}
          <Top />
          <div class="frame__rooms">
            <ErrorBoundary>{List && <List />}</ErrorBoundary>
          </div>
          <UserBar />
        </nav>
        <main class="frame__main" id="main" ref={main} tabIndex={-1} aria-label={title}>
          <ErrorBoundary at={path.value}>
            {Main ? <Main params={params} /> : <Nothing known={found !== undefined} />}
          </ErrorBoundary>
        </main>
        {Side && (
          <aside class="frame__side" aria-label={text.details}>
            <ErrorBoundary at={path.value}>
              <Side params={params} />
            </ErrorBoundary>
          </aside>
        )}
      </div>
      <p class="visually-hidden" aria-live="polite">
        {found && title}
      </p>
      <Switcher />
      <KeysHelp />
    </div>
  );
}

/** Over the rooms: to find one, and to make one. */
function Top() {
  return (
    <div class="frame__top">
      <button type="button" class="frame__find" onClick={openSwitcher} aria-keyshortcuts="Control+K Meta+K">
        <SearchIcon />
        <span class="truncate">{words.switcher.open}</span>
        <kbd class="frame__key">{text.findKey}</kbd>
      </button>
      <Menu
        label={text.add}
        icon={<PlusIcon />}
        items={[
          { label: text.newRoom, onSelect: () => navigate("/new-room") },
          { label: text.browse, onSelect: () => navigate("/browse") },
          { label: text.people, onSelect: () => navigate("/people") },
        ]}
      />
    </div>
  );
}

function Nothing({ known }: { readonly known: boolean }) {
  return (
    <div class="frame__empty">
      {known ? (
        <p>{text.nothingOpen}</p>
      ) : (
        <>
          <h1 class="frame__nothing">{text.notFound}</h1>
          <a href="/">{text.home}</a>
        </>
      )}
    </div>
  );
}

/** What the browser's tab says: what is open, and how much is unread. */
function useTitle(route: Route | undefined, params: Params): string {
  const chat = useChat();
  const room = params.roomId === undefined ? undefined : chat.room(params.roomId).value;
  const title = route ? (room ? roomName(room) : route.title) : text.notFound;
  const { unread } = chat.totals.value;
  useEffect(() => {
    const whole = `${title} · ${words.common.product}`;
    document.title = unread > 0 ? text.titleUnread(unread, whole) : whole;
    // The badge of the installed app, where there is such a thing.
    if ("setAppBadge" in navigator) void navigator.setAppBadge(unread).catch(() => undefined);
  }, [title, unread]);
  return title;
}

/** When another page opens and what had the focus is gone or hidden, reading goes on at what opened. */
function useFocus(main: { readonly current: HTMLElement | null }): void {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    // Hidden elements lose the focus with the next frame; views that want it take it before.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => {
        const active = document.activeElement;
        if (!active || active === document.body || !active.checkVisibility())
          main.current?.focus({ preventScroll: true });
      });
    });
    return () => cancelAnimationFrame(frame);
  }, [path.value]);
}
