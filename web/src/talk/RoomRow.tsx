import { useRef, useState } from "preact/hooks";
import { useChat } from "../app/chat";
import { useSession } from "../app/context";
import { roomPath } from "../app/paths";
import type { RoomSummary } from "../sync/api";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import {
  BellIcon,
  BellOffIcon,
  CheckIcon,
  EditIcon,
  HashIcon,
  InboxIcon,
  LockIcon,
  MoreIcon,
  SignOutIcon,
  StarIcon,
} from "../ui/icons";
import { Menu, type MenuItem } from "../ui/Menu";
import { showError } from "../ui/toasts";
import { NotificationLevel } from "../wire/chat_pb";
import { words } from "../words";
import { changeListHabits, listHabits, toggled } from "./listHabits";
import { roomName, useName, useNames } from "./names";
import "./RoomRow.css";
import { waits } from "./roomOrder";

const text = words.talk.list;

interface RoomRowProps {
  readonly room: RoomSummary;
  readonly current: boolean;
  /** Whether Tab leads to it; arrows lead to the others. */
  readonly reachable: boolean;
}

/** One room of the list. */
export function RoomRow({ room, current, reachable }: RoomRowProps) {
  const name = roomName(room);
  const row = useRef<HTMLLIElement>(null);
  const [leaving, setLeaving] = useState(false);
  const names = ["room-row", waits(room) && "room-row--waits", room.muted && "room-row--muted"];
  return (
    <li
      ref={row}
      class={names.filter(Boolean).join(" ")}
      onContextMenu={(event) => {
        event.preventDefault();
        row.current?.querySelector<HTMLElement>(".icon-button[aria-expanded=false]")?.click();
      }}
    >
      <a
        class="room-row__link"
        href={roomPath(room.roomId)}
        aria-current={current ? "page" : undefined}
        tabIndex={reachable ? 0 : -1}
      >
        <RoomSign room={room} />
        <span class="room-row__text">
          <span class="room-row__name truncate" dir="auto">
            {name}
            {room.draft && !current && <EditIcon />}
          </span>
          <Under room={room} />
        </span>
        <Counts room={room} />
      </a>
      <div class="room-row__menu">
        <Menu
          label={text.actions(name)}
          icon={<MoreIcon />}
          size="small"
          items={useItems(room, () => setLeaving(true))}
        />
      </div>
      {leaving && <LeaveDialog room={room} onClose={() => setLeaving(false)} />}
    </li>
  );
}

/** Whose room it is, or what kind. */
export function RoomSign({ room }: { readonly room: RoomSummary }) {
  const chat = useChat();
  if (room.kind === "direct") {
    const peer = room.peer && (chat.person(room.peer.userId).value ?? room.peer);
    return (
      <Avatar
        userId={peer?.userId ?? room.roomId}
        name={roomName(room)}
        size="small"
        presence={peer?.presence}
      />
    );
  }
  return (
    <span class="room-row__sign" aria-hidden="true">
      {room.kind === "private" ? <LockIcon /> : <HashIcon />}
    </span>
  );
}

/** Who is typing, or what was said last. */
function Under({ room }: { readonly room: RoomSummary }) {
  const me = useChat().me.value?.userId;
  const typing = useNames(room.typing.filter((userId) => userId !== me).slice(0, 4));
  const author = useName(room.preview?.userId ?? "");
  if (typing.length > 0)
    return <span class="room-row__typing truncate">{words.talk.log.typing(typing)}</span>;
  if (room.draft)
    return (
      <span class="room-row__under truncate" dir="auto">
        <span class="room-row__draft">{text.draft}</span> <bdi>{room.draft}</bdi>
      </span>
    );
  const preview = room.preview;
  if (!preview)
    return room.topic ? (
      <span class="room-row__under truncate" dir="auto">
        {room.topic}
      </span>
    ) : null;
  const by = preview.userId === me ? text.you : room.kind === "direct" ? "" : `${author}:`;
  const said = preview.deleted
    ? text.deleted
    : preview.text.replaceAll(/\s+/gu, " ").trim() || (preview.files > 0 ? text.files(preview.files) : "");
  return (
    <span class="room-row__under truncate" dir="auto">
      {by} <bdi>{said}</bdi>
    </span>
  );
}

function Counts({ room }: { readonly room: RoomSummary }) {
  if (room.mentions > 0)
    return (
      <span class="room-row__badge" title={text.mentioned(room.mentions)}>
        <span aria-hidden="true" dir="ltr">
          @{text.count(room.mentions)}
        </span>
        <span class="visually-hidden">{text.mentioned(room.mentions)}</span>
      </span>
    );
  if (room.unread > 0)
    return (
      <span class="room-row__count" title={text.unread(room.unread)}>
        <span aria-hidden="true">{text.count(room.unread)}</span>
        <span class="visually-hidden">{text.unread(room.unread)}</span>
      </span>
    );
  if (room.markedUnread)
    return (
      <span class="room-row__dot" title={text.markedUnread}>
        <span class="visually-hidden">{text.markedUnread}</span>
      </span>
    );
  if (room.muted)
    return (
      <span class="room-row__quiet" title={text.muted}>
        <BellOffIcon />
        <span class="visually-hidden">{text.muted}</span>
      </span>
    );
  return null;
}

function useItems(room: RoomSummary, leave: () => void): (MenuItem | "separator")[] {
  const chat = useChat();
  const { calls, userId } = useSession();
  const { favourites } = listHabits(userId).value;
  const favoured = favourites.includes(room.roomId);
  const notify = (change: Parameters<typeof calls.rooms.updateNotifications>[0]) => {
    void calls.rooms.updateNotifications({ roomId: room.roomId, ...change }).catch(showError);
  };
  const level = (label: string, value: NotificationLevel, mine: RoomSummary["level"]): MenuItem => ({
    label,
    icon: room.level === mine && <CheckIcon />,
    checked: room.level === mine,
    onSelect: () => notify({ level: value, updateMask: { paths: ["level"] } }),
  });
  const isUnread = room.unread > 0 || room.mentions > 0 || room.markedUnread;
  return [
    isUnread
      ? {
          label: text.markRead,
          icon: <CheckIcon />,
          onSelect: () => void chat.markRead(room.roomId, room.lastSeq).catch(showError),
        }
      : {
          label: text.markUnread,
          icon: <InboxIcon />,
          disabled: !room.preview,
          onSelect: () => {
            if (room.preview) void chat.markUnread(room.roomId, room.preview.seq).catch(showError);
          },
        },
    {
      label: favoured ? text.unfavour : text.favour,
      icon: <StarIcon />,
      onSelect: () => changeListHabits(userId, { favourites: toggled(favourites, room.roomId) }),
    },
    "separator",
    ...(room.muted
      ? [
          {
            label: text.unmute,
            icon: <BellIcon />,
            onSelect: () => notify({ muted: false, updateMask: { paths: ["muted"] } }),
          },
        ]
      : [
          {
            label: text.muteHour,
            icon: <BellOffIcon />,
            onSelect: () =>
              notify({ muted: true, muteLifetime: { seconds: 3600n }, updateMask: { paths: ["muted"] } }),
          },
          {
            label: text.mute,
            icon: <BellOffIcon />,
            onSelect: () => notify({ muted: true, updateMask: { paths: ["muted"] } }),
          },
        ]),
    level(text.notifyAll, NotificationLevel.ALL, "all"),
    level(text.notifyMentions, NotificationLevel.MENTIONS, "mentions"),
    level(text.notifyNothing, NotificationLevel.NOTHING, "nothing"),
    ...(room.kind === "direct"
      ? []
      : ([
          "separator",
          { label: text.leave, icon: <SignOutIcon />, danger: true, onSelect: leave },
        ] as const)),
  ];
}

function LeaveDialog({ room, onClose }: { readonly room: RoomSummary; readonly onClose: () => void }) {
  const { calls } = useSession();
  const [busy, setBusy] = useState(false);
  const leave = async () => {
    setBusy(true);
    try {
      await calls.rooms.leaveRoom({ roomId: room.roomId });
      onClose();
    } catch (error) {
      showError(error);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={text.leaveTitle(roomName(room))}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button variant="danger" busy={busy} onClick={leave}>
            {text.leave}
          </Button>
        </>
      }
    >
      <p>{text.leaveAbout}</p>
    </Dialog>
  );
}
