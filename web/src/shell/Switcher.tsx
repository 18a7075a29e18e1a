import { signal } from "@preact/signals";
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useCalls, useSession } from "../app/context";
import { actionOf } from "../app/keys";
import { roomPath } from "../app/paths";
import type { RoomSummary } from "../sync/api";
import { Avatar } from "../ui/Avatar";
import { Dialog } from "../ui/Dialog";
import { HashIcon, LockIcon } from "../ui/icons";
import { navigate } from "../ui/location";
import { showError } from "../ui/toasts";
import type { Calls } from "../wire/calls";
import { type User, UserKind } from "../wire/chat_pb";
import type { Identity } from "../wire/transport";
import { words } from "../words";
import { fitting } from "./matching";
import { roomName } from "./roomName";
import "./Switcher.css";

const text = words.switcher;

/** At most so many rooms and so many people are listed. */
const MOST = 8;

/** So long nothing must be typed before people are asked for, in milliseconds. */
const PAUSE = 200;

const shown = signal(false);

export function openSwitcher(): void {
  shown.value = true;
}

/** Ctrl-K: goes to a room or a person by a part of the name. Once in the page. */
export function Switcher() {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (actionOf(event, "anywhere") !== "goTo") return;
      event.preventDefault();
      shown.value = !shown.value;
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  return shown.value ? <SwitcherDialog /> : null;
}

type Result = { readonly key: string; readonly go: () => void } & (
  | { readonly room: RoomSummary }
  | { readonly person: User }
);

function SwitcherDialog() {
  const chat = useChat();
  const calls = useCalls();
  const { userId, identity } = useSession();
  const [typed, setTyped] = useState("");
  const [people, setPeople] = useState<readonly User[]>([]);
  const [at, setAt] = useState(0);
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const close = () => {
    shown.value = false;
  };

  useEffect(() => {
    const wanted = typed.trim();
    if (!wanted) {
      setPeople([]);
      return;
    }
    const end = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const users = await search(calls, identity, wanted, end.signal);
        if (!end.signal.aborted) setPeople(users);
      } catch {
        // Rooms are found without the server; people are not.
        if (!end.signal.aborted) setPeople([]);
      }
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [typed]);

  const rooms = chat.rooms.value;
  const results = useMemo<readonly Result[]>(() => {
    const found = fitting(rooms, typed, (room) => [
      roomName(room),
      ...(room.peer ? [room.peer.userId] : []),
      ...(typed.trim() ? [room.topic] : []),
    ]);
    const direct = new Set(rooms.flatMap((room) => room.peer?.userId ?? []));
    const others = people.filter((person) => person.userId !== userId && !direct.has(person.userId));
    return [
      ...found.slice(0, MOST).map((room) => ({
        key: `room ${room.roomId}`,
        room,
        go: () => navigate(roomPath(room.roomId)),
      })),
      ...others.map((person) => ({
        key: `person ${person.userId}`,
        person,
        go: () =>
          void calls.rooms.getDirectRoom({ userId: person.userId }).then(
            ({ room }) => room && navigate(roomPath(room.roomId)),
            (error) => showError(error),
          ),
      })),
    ];
  }, [rooms, typed, people]);

  const chosen = Math.min(at, results.length - 1);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const open = (result: Result | undefined) => {
    if (!result) return;
    close();
    // Once the dialog has given the focus back: the page that opens may want it.
    setTimeout(result.go);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Enter") open(results[chosen]);
    else if (event.key === "ArrowDown") setAt((chosen + 1) % Math.max(1, results.length));
    else if (event.key === "ArrowUp") setAt((chosen - 1 + results.length) % Math.max(1, results.length));
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title={text.title} onClose={close}>
      <input
        class="field__input"
        type="text"
        dir="auto"
        role="combobox"
        aria-label={text.search}
        aria-expanded={results.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={results[chosen] ? `${id}-${chosen}` : undefined}
        placeholder={text.placeholder}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div class="switcher__results" id={`${id}-list`} role="listbox" aria-label={text.results} ref={list}>
        {results.map((result, index) => (
          <div
            key={result.key}
            id={`${id}-${index}`}
            class="switcher__result"
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onPointerMove={() => setAt(index)}
            onClick={() => open(result)}
            onKeyDown={onKeyDown}
          >
            {"room" in result ? <RoomResult room={result.room} /> : <PersonResult person={result.person} />}
          </div>
        ))}
      </div>
      {results.length === 0 && typed.trim() && <p class="switcher__nothing">{text.nothing}</p>}
      <p class="switcher__keys">{text.keys}</p>
    </Dialog>
  );
}

/** People with such a name. A server with trusted ids has no directory of them, but knows each one by the id. */
async function search(calls: Calls, identity: Identity, typed: string, signal: AbortSignal): Promise<User[]> {
  if (identity.kind === "cookie")
    return (await calls.auth.listPeople({ query: typed, pageSize: MOST }, { signal })).users;
  const { user } = await calls.auth.getUser({ userId: typed }, { signal });
  return user ? [user] : [];
}

function RoomResult({ room }: { readonly room: RoomSummary }) {
  return (
    <>
      {room.peer ? (
        <Avatar userId={room.peer.userId} name={room.peer.displayName} size="small" />
      ) : (
        <span class="switcher__icon">{room.kind === "public" ? <HashIcon /> : <LockIcon />}</span>
      )}
      <span
        class={room.unread > 0 ? "switcher__name switcher__name--unread truncate" : "switcher__name truncate"}
      >
        <bdi>{roomName(room)}</bdi>
      </span>
      {room.topic && (
        <span class="switcher__detail truncate">
          <bdi>{room.topic}</bdi>
        </span>
      )}
    </>
  );
}

function PersonResult({ person }: { readonly person: User }) {
  return (
    <>
      <Avatar userId={person.userId} name={person.displayName} size="small" />
      <span class="switcher__name truncate">
        <bdi>{person.displayName || person.userId}</bdi>
      </span>
      <span class="switcher__detail truncate">
        <bdi>{person.userId}</bdi>
        {person.kind === UserKind.BOT && ` · ${words.common.bot}`}
      </span>
    </>
  );
}
