import { useEffect, useRef } from "preact/hooks";
import { path } from "../ui/location";
import { words } from "../words";
import "./Frame.css";
import { find } from "./router";
import { list as List, routes } from "./routes";

/** The page: the rooms, what is open, and what stands beside it. */
export function Frame() {
  const found = find(routes, path.value);
  const Main = found?.route.main;
  const Side = found?.route.side;
  const params = found?.params ?? {};
  const title = found?.route.title ?? words.shell.notFound;
  const main = useRef<HTMLElement>(null);

  useEffect(() => {
    document.title = `${title} · ${words.common.product}`;
  }, [title]);

  const shows = Side ? "side" : path.value === "/" ? "list" : "main";
  return (
    <div class={`frame frame--${shows}`}>
      <a class="frame__skip visually-hidden" href="#main">
        {words.shell.skip}
      </a>
      <nav class="frame__list" aria-label={words.shell.rooms}>
        {List && <List />}
      </nav>
      <main class="frame__main" id="main" ref={main} tabIndex={-1} aria-label={words.shell.conversation}>
        {Main ? (
          <Main params={params} />
        ) : (
          <p class="frame__empty">{found ? words.shell.nothingOpen : words.shell.notFound}</p>
        )}
      </main>
      {Side && (
        <aside class="frame__side" aria-label={words.shell.details}>
          <Side params={params} />
        </aside>
      )}
    </div>
  );
}
