"""Rooms as one user sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grpc_chat.core import access
from grpc_chat.core.notifications import notifications_of
from grpc_chat.core.pins import count_pins
from grpc_chat.core.previews import preview_of
from grpc_chat.core.read_markers import marker_of
from grpc_chat.errors import RoomNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Attention, Membership
from grpc_chat.wire import chat_pb2 as pb

_PLAIN = Attention()


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


def with_state(snapshot: Snapshot, rooms: Sequence[pb.Room], user_id: str, now_us: int) -> list[pb.Room]:
    """Rooms that a user is in, as lists show them: with what is unread, the newest message, and what the user
    wants to be notified of. Runs a few statements, however many rooms there are.

    Args:
        rooms: As :meth:`grpc_chat.store.reads.Snapshot.rooms` returns them. Those that the user is not in are
            left out.
    """
    memberships = snapshot.memberships_in(user_id, [room.room_id for room in rooms])
    found = [room for room in rooms if (known := memberships.get(room.room_id)) is not None and known.role]
    ids = [room.room_id for room in found]
    behind = [id_ for id_ in ids if memberships[id_].read_seq < memberships[id_].last_seq]
    deleted = snapshot.deleted_unread(user_id, behind) if behind else {}
    mentions = snapshot.mentions_unread(user_id, behind) if behind else {}
    attention = snapshot.attention(user_id, ids)
    direct = [room.room_id for room in found if room.kind == pb.ROOM_KIND_DIRECT]
    peers = snapshot.peers(user_id, direct) if direct else {}
    previews = _previews(snapshot, [memberships[id_] for id_ in ids])
    for room in found:
        room_id = room.room_id
        _show(room, memberships[room_id])
        room.read_marker.CopyFrom(marker_of(memberships[room_id], deleted, mentions))
        room.notifications.CopyFrom(notifications_of(attention.get(room_id, _PLAIN), now_us))
        if peer := peers.get(room_id):
            room.peer.CopyFrom(peer)
        if preview := previews.get(room_id):
            room.last_message.CopyFrom(preview)
    count_pins(snapshot, found)
    return found


def _previews(snapshot: Snapshot, memberships: Sequence[Membership]) -> Mapping[str, pb.MessagePreview]:
    """By room, the newest message, if the member may read it."""
    newest = snapshot.last_messages([room.room_id for room in memberships])
    places = [
        (room.room_id, seq)
        for room in memberships
        if (seq := newest.get(room.room_id, 0)) >= access.visible_from(room)
    ]
    previews: dict[str, pb.MessagePreview] = {}
    for (room_id, _), payload in snapshot.payloads_at(places).items():
        event = pb.Event.FromString(payload)
        if event.HasField("message"):
            previews[room_id] = preview_of(event)
    return previews
