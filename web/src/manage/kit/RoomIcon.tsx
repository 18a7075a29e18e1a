import { Avatar } from "../../ui/Avatar";
import { HashIcon, LockIcon } from "../../ui/icons";
import { type Room, RoomKind } from "../../wire/chat_pb";

/** What kind of room it is; of a direct one, the other person. */
export function RoomIcon({ room }: { readonly room: Pick<Room, "kind" | "peer"> }) {
  if (room.kind === RoomKind.DIRECT && room.peer)
    return <Avatar size="small" userId={room.peer.userId} name={room.peer.displayName} />;
  return room.kind === RoomKind.PUBLIC ? <HashIcon /> : <LockIcon />;
}
