import { useComputed } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import { roomPath, settingsPath } from "../app/paths";
import { BookmarkIcon, ClockIcon, InboxIcon, PeopleIcon, SearchIcon, ThreadIcon } from "../ui/icons";
import { navigate, path } from "../ui/location";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import "./RoomList.css";
import { RoomRow } from "./RoomRow";
import { neighbour, sectionsOf } from "./roomOrder";

const text = words.talk.list;

/** The id of the room that the address names. */
export function openRoomId(address: string): string | undefined {
  const [, first, id] = address.split("/");
  if (first !== "rooms" || !id) return undefined;
  try {
    return decodeURIComponent(id);
  } catch {
    return undefined;
  }
}

/** The column at the start: what concerns the user, and the rooms. */
export function RoomList() {
  const chat = useChat();
  const sections = useComputed(() => sectionsOf(chat.rooms.value)).value;
  const open = openRoomId(path.value);
  const list = useRef<HTMLDivElement>(null);
  const all = sections.flatMap(({ rooms }) => rooms);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!event.altKey || event.ctrlKey || event.metaKey) return;
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : undefined;
      if (!step) return;
      event.preventDefault();
      const next = neighbour(all, open, step, event.shiftKey);
      if (next) navigate(roomPath(next.roomId));
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const links = [...(list.current?.querySelectorAll<HTMLElement>(".room-row__link") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to: Record<string, number> = {
      ArrowDown: Math.min(at + 1, links.length - 1),
      ArrowUp: Math.max(0, at - 1),
      Home: 0,
      End: links.length - 1,
    };
    const next = to[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    links[next]?.focus();
  };

  return (
    <div class="room-list">
      <Places />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrows move between the links in it */}
      <div class="room-list__rooms" ref={list} onKeyDown={onKeyDown}>
        {all.length === 0 &&
          (chat.ready.value ? (
            <p class="room-list__empty">
              {text.empty} <a href="/browse">{text.browse}</a>
            </p>
          ) : (
            <p class="room-list__empty">
              <Spinner label={text.loading} />
            </p>
          ))}
        {sections.map(({ key, rooms }) => (
          <section key={key} class="room-list__section" aria-labelledby={`rooms-${key}`}>
            <h2 class="room-list__title" id={`rooms-${key}`}>
              {text[key]}
            </h2>
            <ul class="room-list__items">
              {rooms.map((room) => (
                <RoomRow
                  key={room.roomId}
                  room={room}
                  current={room.roomId === open}
                  reachable={room.roomId === (all.some((one) => one.roomId === open) ? open : all[0]?.roomId)}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </div>
  );
}

/** What concerns the user in all rooms. */
function Places() {
  const totals = useChat().totals.value;
  const places: { path: string; label: string; icon: VNode; count: number }[] = [
    { path: "/search", label: text.search, icon: <SearchIcon />, count: 0 },
    { path: "/threads", label: text.threads, icon: <ThreadIcon />, count: totals.threads },
    { path: "/mentions", label: text.mentions, icon: <InboxIcon />, count: totals.mentions },
    { path: "/saved", label: text.saved, icon: <BookmarkIcon />, count: 0 },
    { path: "/scheduled", label: text.scheduled, icon: <ClockIcon />, count: 0 },
  ];
  if (totals.invitations > 0)
    places.push({
      path: settingsPath("invitations"),
      label: text.invitations(totals.invitations),
      icon: <PeopleIcon />,
      count: totals.invitations,
    });
  return (
    <ul class="room-list__places">
      {places.map((place) => (
        <li key={place.path}>
          <a
            class="room-list__place"
            href={place.path}
            aria-current={path.value === place.path ? "page" : undefined}
            title={place.label}
          >
            {place.icon}
            <span class="visually-hidden">{place.label}</span>
            {place.count > 0 && <span class="room-list__badge">{text.count(place.count)}</span>}
          </a>
        </li>
      ))}
    </ul>
  );
}
