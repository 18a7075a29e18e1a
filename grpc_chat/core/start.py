"""Where a stream begins in each room, given the client's request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grpc_chat.core.access import hidden_until, to_read
from grpc_chat.core.histories import parted
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import EpochChanged
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place
from grpc_chat.store.writes import ahead_of_log
from grpc_chat.wire import chat_pb2 as pb


@dataclass(slots=True)
class Start:
    """What a stream follows, and what to send first."""

    places: list[tuple[Membership, Place]] = field(default_factory=list)
    left: list[pb.RoomLeft] = field(default_factory=list)
    """Requested rooms that the user may not read, whether they exist or not."""
    history_changed: list[pb.HistoryChanged] = field(default_factory=list)
    unsaved: dict[str, Place] = field(default_factory=dict)
    """A new consumer's positions, other than those where it would start again anyway."""
    put_back: dict[str, Place] = field(default_factory=dict)
    """A consumer's positions that must move back, because they are not from this log."""


_ROOMS_AT_ONCE = 500
"""Rooms read in one piece, which takes about 2 ms."""


def find_start(snapshot: Snapshot, user_id: str, request: pb.SubscribeRequest, epoch: str) -> Pieces[Start]:
    """Where a stream begins.

    Costs a statement for each 500 of the user's rooms if all are requested, or of the requested rooms, known
    or not; one for each 500 of a consumer's positions; and the cost of :func:`parted`.

    Raises:
        RoomNotFound, NotAMember: The user may read none of the rooms, and asks for nothing else.
        EpochChanged, BadCursor: A cursor without a stamp is not from this log.
    """
    start = Start()
    cursors = request.received if request.consumer else request.cursors
    if request.consumer or request.all_rooms:
        rooms = yield from _all_rooms(snapshot, user_id)
        snapshot = yield
    else:
        rooms = {}
        asked = [cursor.room_id for cursor in cursors]
        for at in range(0, len(asked), _ROOMS_AT_ONCE):
            found = snapshot.memberships_in(user_id, asked[at : at + _ROOMS_AT_ONCE])
            rooms.update((room_id, room) for room_id, room in found.items() if to_read(room_id, room) is None)
            snapshot = yield
    known = {cursor.room_id: cursor for cursor in cursors if cursor.room_id in rooms}
    start.left = [pb.RoomLeft(room_id=cursor.room_id) for cursor in cursors if cursor.room_id not in rooms]
    if start.left and not known and not request.consumer and not request.all_rooms:
        # Nothing is left. Only here do we look up why, which for a public room is not a secret.
        first = start.left[0].room_id
        if error := to_read(first, snapshot.membership(first, user_id)):
            raise error
        # They have been let in since. Rooms that change meanwhile are read again in any case.
    offered = {
        room_id: (rooms[room_id], Place(cursor.seq, cursor.stamp)) for room_id, cursor in known.items()
    }
    if not request.consumer:
        _require_served(request, offered, epoch)
    snapshot = yield
    common = yield from parted(snapshot, offered)
    for room_id, cursor in known.items():
        if cursor.stamp and cursor.epoch != epoch:
            # The same event in a new epoch of the log: the events after it may still differ.
            common.setdefault(room_id, offered[room_id][1])
    places: dict[str, Place] = {}
    if request.consumer or request.all_rooms:
        places = {room_id: start_in(room, request.start) for room_id, room in rooms.items()}
    snapshot = yield
    if request.consumer:
        yield from _from_positions(snapshot, user_id, request, rooms, start, places)
        for room_id, place in start.put_back.items():
            if room_id not in known:
                common[room_id] = place
    else:
        places |= {room_id: place for room_id, (_, place) in offered.items()} | common
    start.places = [(rooms[room_id], place) for room_id, place in places.items()]
    start.history_changed = [
        pb.HistoryChanged(room_id=room_id, last_common_seq=place.seq, stamp=place.stamp)
        for room_id, place in common.items()
    ]
    return start


def _all_rooms(snapshot: Snapshot, user_id: str) -> Pieces[dict[str, Membership]]:
    """The rooms that the user may read."""
    rooms: dict[str, Membership] = {}
    after = ""
    while True:
        some = snapshot.memberships(user_id, after=after, limit=_ROOMS_AT_ONCE)
        rooms.update((room.room_id, room) for room in some if to_read(room.room_id, room) is None)
        if len(some) < _ROOMS_AT_ONCE:
            return rooms
        after = some[-1].room_id
        snapshot = yield


def _from_positions(
    snapshot: Snapshot,
    user_id: str,
    request: pb.SubscribeRequest,
    rooms: Mapping[str, Membership],
    start: Start,
    places: dict[str, Place],
) -> Pieces[None]:
    """Make a consumer begin after its last acknowledgement."""
    positions: dict[str, Place] = {}
    after = ""
    while True:
        some = snapshot.positions(user_id, request.consumer, after=after, limit=_ROOMS_AT_ONCE)
        positions.update((room_id, place) for room_id, place in some.items() if room_id in rooms)
        snapshot = yield
        if len(some) < _ROOMS_AT_ONCE:
            break
        after = max(some)
    # They are stored with the logs, and so are never from another log, unless the two were separated.
    offered = {room_id: (rooms[room_id], at) for room_id, at in positions.items()}
    start.put_back = yield from parted(snapshot, offered)
    if request.start == pb.START_LATEST:
        start.unsaved = {room_id: at for room_id, at in places.items() if room_id not in positions}
    places |= positions | start.put_back


def _require_served(
    request: pb.SubscribeRequest, offered: Mapping[str, tuple[Membership, Place]], epoch: str
) -> None:
    """Refuse cursors without a stamp that are not from this log: their clients understand no other answer."""
    stamped = any(cursor.stamp for cursor in request.cursors)
    for at, cursor in enumerate(request.cursors):
        if cursor.stamp or cursor.room_id not in offered:
            continue
        require_epoch(cursor, f"cursors[{at}].epoch", epoch)
        room, place = offered[cursor.room_id]
        # A client that also has cursors with stamps is told with those.
        if place.seq > room.last_seq and not stamped:
            raise ahead_of_log(at, cursor.room_id, place.seq, room.last_seq)


def require_epoch(cursor: pb.Cursor, field: str, epoch: str) -> None:
    """Refuse a position without a stamp from another epoch of the log."""
    if cursor.epoch != epoch and (cursor.seq or cursor.epoch):
        raise EpochChanged(
            f"{field} is another epoch than the room's: its log was restored from a backup. "
            "Read the room again from the beginning, or from what you know to be in it",
            metadata={"roomId": cursor.room_id, "epoch": epoch},
        )


def start_in(room: Membership, start: pb.Start.ValueType) -> Place:
    """Where to begin in a room without a position."""
    if start == pb.START_LATEST:
        return Place(room.last_seq, room.last_event_us)
    # From the very first event, even if it is gone: a consumer that has not acknowledged anything may have
    # seen some, and would otherwise not learn what retention has removed since. Events hidden from the member
    # do not count as removed.
    return Place(hidden_until(room))
