import type { ComponentChildren } from "preact";
import { useChat } from "../app/chat";
import { homePath, roomPanelPath } from "../app/paths";
import type { RoomSummary } from "../sync/api";
import { BackIcon, BellOffIcon, PinIcon, SearchIcon, SettingsIcon, ThreadIcon } from "../ui/icons";
import { path } from "../ui/location";
import { formatCompact, words } from "../words";
import { roomName } from "./names";
import "./RoomHeader.css";
import { RoomSign } from "./RoomRow";

const text = words.talk.room;

/** Which room it is, and the ways to what stands beside it. */
export function RoomHeader({ room }: { readonly room: RoomSummary }) {
  const chat = useChat();
  const peer = room.peer && chat.person(room.peer.userId).value;
  const status = peer?.status && `${peer.status.emoji} ${peer.status.text}`.trim();
  const about = room.kind === "direct" ? status || text.direct : room.topic;
  return (
    <header class="room-header">
      <a class="room-header__back icon-button" href={homePath} aria-label={text.back} title={text.back}>
        <BackIcon />
      </a>
      <RoomSign room={room} />
      <div class="room-header__text">
        <h1 class="room-header__name truncate" dir="auto">
          {roomName(room)}
          {room.archived && <span class="room-header__mark">{text.archived}</span>}
          {room.muted && (
            <span class="room-header__icon" title={text.muted}>
              <BellOffIcon />
              <span class="visually-hidden">{text.muted}</span>
            </span>
          )}
        </h1>
        {about && (
          <p class="room-header__topic truncate" dir="auto" title={about}>
            {about}
          </p>
        )}
      </div>
      <nav class="room-header__links" aria-label={text.details}>
        {room.kind !== "direct" && (
          <a
            class="room-header__members"
            href={roomPanelPath(room.roomId, "members")}
            title={text.members(room.memberCount)}
            aria-label={text.members(room.memberCount)}
          >
            {formatCompact(room.memberCount)}
          </a>
        )}
        {room.pins > 0 && (
          <Way path={roomPanelPath(room.roomId, "pins")} label={text.pins(room.pins)} icon={<PinIcon />} />
        )}
        <Way path={`${roomPanelPath(room.roomId, "search")}`} label={text.search} icon={<SearchIcon />} />
        <Way
          path={`/rooms/${encodeURIComponent(room.roomId)}/threads`}
          label={text.threads}
          more="room-header__threads"
          icon={<ThreadIcon />}
        />
        <Way path={roomPanelPath(room.roomId, "settings")} label={text.settings} icon={<SettingsIcon />} />
      </nav>
    </header>
  );
}

interface WayProps {
  readonly path: string;
  readonly label: string;
  readonly icon: ComponentChildren;
  readonly more?: string;
}

function Way({ path: to, label, icon, more = "" }: WayProps) {
  return (
    <a
      class={`icon-button ${more}`}
      href={to}
      aria-label={label}
      title={label}
      aria-current={path.value === to ? "page" : undefined}
    >
      {icon}
    </a>
  );
}
