import { useComputed } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { type Action, actionOf } from "../app/keys";
import { roomPath, settingsPath } from "../app/paths";
import {
  BookmarkIcon,
  CheckIcon,
  ClockIcon,
  DownIcon,
  InboxIcon,
  PeopleIcon,
  SearchIcon,
  SortIcon,
  ThreadIcon,
} from "../ui/icons";
import { navigate, path } from "../ui/location";
import { Menu } from "../ui/Menu";
import { Spinner } from "../ui/Spinner";
import { words } from "../words";
import { changeListHabits, listHabits, toggled } from "./listHabits";
import "./RoomList.css";
import { RoomRow } from "./RoomRow";
import { neighbour, ORDERS, type Section, sectionsOf, waits } from "./roomOrder";

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
  const { userId } = useSession();
  const habits = listHabits(userId);
  const sections = useComputed(() => sectionsOf(chat.rooms.value, habits.value)).value;
  const { closed } = habits.value;
  const open = openRoomId(path.value);
  const list = useRef<HTMLDivElement>(null);
  const all = sections.flatMap(({ rooms }) => rooms);
  const shown = sections.map((section) => ({
    ...section,
    // What is open stays in sight.
    shown: closed.includes(section.key)
      ? section.rooms.filter(({ roomId }) => roomId === open)
      : section.rooms,
  }));
  const seen = shown.flatMap((section) => section.shown);

  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const action = actionOf(event, "anywhere");
      const go = action && STEPS[action];
      if (!go) return;
      event.preventDefault();
      const next = neighbour(go.unread ? all : seen, open, go.step, go.unread);
      if (next) navigate(roomPath(next.roomId));
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });

  const onKeyDown = (event: KeyboardEvent) => {
    const action = actionOf(event, "rooms");
    const links = [...(list.current?.querySelectorAll<HTMLElement>(".room-row__link") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    if (!action || at < 0) return;
    const to = {
      down: Math.min(at + 1, links.length - 1),
      up: Math.max(0, at - 1),
      first: 0,
      last: links.length - 1,
    }[action];
    event.preventDefault();
    links[to]?.focus();
  };

  const reachable = seen.some(({ roomId }) => roomId === open) ? open : seen[0]?.roomId;
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
        {shown.map((section, index) => (
          <section key={section.key} class="room-list__section" aria-labelledby={`rooms-${section.key}`}>
            <div class="room-list__head">
              <SectionTitle section={section} closed={closed.includes(section.key)} />
              {index === 0 && <OrderMenu />}
            </div>
            <ul class="room-list__items">
              {section.shown.map((room) => (
                <RoomRow
                  key={room.roomId}
                  room={room}
                  current={room.roomId === open}
                  reachable={room.roomId === reachable}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
    </div>
  );
}

const STEPS: Partial<Record<Action<"anywhere">, { readonly step: 1 | -1; readonly unread: boolean }>> = {
  nextRoom: { step: 1, unread: false },
  previousRoom: { step: -1, unread: false },
  nextUnread: { step: 1, unread: true },
  previousUnread: { step: -1, unread: true },
};

/** Closes and opens a section. While it is closed, it says in how many of its rooms somebody waits. */
function SectionTitle({ section, closed }: { readonly section: Section; readonly closed: boolean }) {
  const { userId } = useSession();
  const { key, rooms } = section;
  const waiting = closed ? rooms.filter(waits).length : 0;
  return (
    <h2 class="room-list__title" id={`rooms-${key}`}>
      <button
        type="button"
        class="room-list__fold"
        aria-expanded={!closed}
        onClick={() => changeListHabits(userId, { closed: toggled(listHabits(userId).peek().closed, key) })}
      >
        <DownIcon />
        {text[key]}
        {waiting > 0 && (
          <span class="room-list__waiting" title={text.waiting(waiting)}>
            <span aria-hidden="true">{text.count(waiting)}</span>
            <span class="visually-hidden">{text.waiting(waiting)}</span>
          </span>
        )}
      </button>
    </h2>
  );
}

function OrderMenu() {
  const { userId } = useSession();
  const { order } = listHabits(userId).value;
  return (
    <Menu
      label={text.order}
      icon={<SortIcon />}
      size="small"
      items={ORDERS.map((one) => ({
        label: text.orders[one],
        icon: one === order && <CheckIcon />,
        checked: one === order,
        onSelect: () => changeListHabits(userId, { order: one }),
      }))}
    />
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
