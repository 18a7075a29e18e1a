"""Rooms as one user sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grpc_chat.core import access
from grpc_chat.core.notifications import put_notifications
from grpc_chat.core.previews import put_preview
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import RoomNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import ListedRoom, Membership
from grpc_chat.wire import chat_pb2 as pb

_AT_ONCE = 100
"""How many rooms are shown in one piece, which takes about 1 ms."""


def view(snapshot: Snapshot, membership: Membership, user_id: str) -> pb.Room:
    """A room as a user sees it.

    Raises:
        RoomNotFound: There is no such room.
    """
    room = snapshot.room(membership.room_id)
    if room is None:
        raise RoomNotFound("there is no such room", metadata={"roomId": membership.room_id})
    return seen(snapshot, room, membership, user_id)


def seen(snapshot: Snapshot, room: pb.Room, membership: Membership | None, user_id: str) -> pb.Room:
    """A room as one user sees it. A member sees where their readable part begins; others see no numbers."""
    _show(room, membership)
    if room.role and room.kind == pb.ROOM_KIND_DIRECT and (peer := snapshot.peer(room.room_id, user_id)):
        room.peer.CopyFrom(peer)
    return room


def _show(room: pb.Room, membership: Membership | None) -> None:
    if membership is None or not membership.role:
        room.first_seq = room.last_seq = 0
        room.ClearField("last_event_time")
        return
    room.role = pb.Role.ValueType(membership.role)
    room.first_seq = access.visible_from(membership)


def as_listed(
    snapshot: Snapshot, rooms: Sequence[ListedRoom], user_id: str, now_us: int
) -> Pieces[list[pb.Room]]:
    """Rooms that a user is in, as lists show them: with what is unread, the newest message, and what the user
    wants to be notified of. No statement is needed but for long newest messages."""
    shown: list[pb.Room] = []
    for at in range(0, len(rooms), _AT_ONCE):
        if at:
            snapshot = yield
        some = rooms[at : at + _AT_ONCE]
        long = _long_messages(snapshot, user_id, some)
        shown += [_as_listed(room, long, now_us) for room in some]
    return shown


def _as_listed(listed: ListedRoom, long: Mapping[str, bytes], now_us: int) -> pb.Room:
    membership, room = listed.membership, listed.room
    _show(room, membership)
    first_seq = room.first_seq
    if listed.pinned:
        room.pins = sum(seq >= first_seq for seq in listed.pinned)
    marker = room.read_marker
    marker.room_id, marker.seq, marker.last_seq = room.room_id, membership.read_seq, membership.last_seq
    marker.unread_count, marker.unread_mentions = listed.unread, listed.mentions
    put_notifications(room.notifications, listed.attention, now_us)
    if listed.peer:
        room.peer.CopyFrom(listed.peer)
    payload = listed.payload or long.get(room.room_id)
    if payload and listed.newest >= first_seq:
        event = pb.Event.FromString(payload)
        if event.HasField("message"):
            put_preview(room.last_message, event)
    return room


def _long_messages(snapshot: Snapshot, user_id: str, rooms: Sequence[ListedRoom]) -> dict[str, bytes]:
    """By room, the events of newest messages that are too long to come with their rooms."""
    long = {room.membership.room_id: room.newest for room in rooms if room.is_long}
    if not long:
        return {}
    # The snapshot may be later than the one that the rooms are from.
    memberships = snapshot.memberships_in(user_id, list(long))
    places = [
        (room_id, seq)
        for room_id, seq in long.items()
        if (room := memberships.get(room_id)) and room.role and seq >= access.visible_from(room)
    ]
    return {room_id: payload for (room_id, _), payload in snapshot.payloads_at(places).items()}
