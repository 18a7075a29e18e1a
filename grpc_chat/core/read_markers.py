"""How far users have read, and what waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.reads import Pieces
from grpc_chat.core.user_log import tell
from grpc_chat.errors import BadCursor, Unavailable
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Marker, Membership, StoredEvent
from grpc_chat.wire import chat_pb2 as pb

_TRIES = 5
_PAGE_EVENTS = 500
_PAGE_BYTES = 1 << 20
_COST = 24
"""For the committer, the time of a marker after which thousands of messages were deleted, 0.4 ms."""
_ROOMS_AT_ONCE = 500


class _Worked(NamedTuple):
    """What a marker would be, worked out from a snapshot."""

    before: Marker
    """The member's marker then. If it is another one now, this is worth nothing."""
    marker: Marker


class ReadMarkers:
    """Moves users' read markers; see ``MessageService.MarkRead``."""

    def __init__(self, context: Context) -> None:
        self._committer = context.committer
        self._readers = context.readers

    async def mark(self, caller: Caller, request: pb.MarkReadRequest) -> list[pb.ReadMarker]:
        """Move the caller's markers, all or none; the markers as they are then.

        Raises:
            RoomNotFound, NotAMember: The caller may not read one of the rooms.
            BadCursor: One of the numbers is after its room's newest event.
        """
        about = [(marker.room_id, caller.user_id) for marker in request.markers]
        marked = [(marker.room_id, marker.seq) for marker in request.markers]
        worked: Mapping[str, _Worked] = {}
        for _ in range(_TRIES):
            # What the writer can do at once is nearly all there is: nothing is read before.
            moved = await self._committer.transact(
                caller, _mover(caller, request, worked), about=about, marked=marked, cost=_COST * len(about)
            )
            if moved is not None:
                return moved
            worked = await self._readers.run_pieces(lambda snapshot: _work_out(snapshot, caller, request))
        raise Unavailable("your markers are moved by something else all the time; try again")


def _mover(
    caller: Caller, request: pb.MarkReadRequest, worked: Mapping[str, _Worked]
) -> Callable[[Transaction], list[pb.ReadMarker] | None]:
    """Moves the markers; None, and nothing is moved, where a marker has yet to be worked out."""

    def in_transaction(transaction: Transaction) -> list[pb.ReadMarker] | None:
        moved: dict[str, Marker] = {}
        for at, asked in enumerate(request.markers):
            room = access.require_read(transaction, asked.room_id, caller.user_id)
            before, seq = room.marker, _number(at, asked, room)
            if seq == before.seq or (seq < before.seq and not request.back):
                continue
            if seq == room.last_seq:
                moved[asked.room_id] = Marker(seq, room.message_count)
                continue
            if (known := worked.get(asked.room_id)) and known.before == before:
                moved[asked.room_id] = known.marker
                continue
            if seq < before.seq or before.own:
                return None
            counted = transaction.messages_at(asked.room_id, seq)
            if counted is None:
                return None
            moved[asked.room_id] = Marker(seq, counted)
        for room_id, marker in moved.items():
            transaction.move_marker(room_id, caller.user_id, marker)
        markers = unread(transaction, caller.user_id, [asked.room_id for asked in request.markers])
        if told := [marker for marker in markers if marker.room_id in moved]:
            tell(transaction, caller.user_id, pb.ReadMarkersMoved(markers=told))
        return markers

    return in_transaction


def _number(at: int, asked: pb.ReadMarker, room: Membership) -> int:
    """Where a marker that was asked for is to stand."""
    if asked.seq > room.last_seq:
        raise BadCursor(
            f"markers[{at}].seq must be at most {room.last_seq}, the room's newest event, and is {asked.seq}",
            field=f"markers[{at}].seq",
            metadata={"roomId": room.room_id, "lastSeq": str(room.last_seq)},
        )
    # What was said before the user joined was never unread, and may be hidden.
    return max(asked.seq, room.join_seq)


def _work_out(
    snapshot: Snapshot, caller: Caller, request: pb.MarkReadRequest
) -> Pieces[Mapping[str, _Worked]]:
    """What the markers would be, with all that takes long to count."""
    found: dict[str, _Worked] = {}
    for at, asked in enumerate(request.markers):
        room_id, user_id = asked.room_id, caller.user_id
        room = access.require_read(snapshot, room_id, user_id)
        seq = _number(at, asked, room)
        own = snapshot.own_after(room_id, user_id, seq)
        # The events that were stored before the database counted messages are gone through. They end where it
        # began to, and nothing more is counted among them: later snapshots say the same.
        older, position, counted = 0, seq, snapshot.messages_at(room_id, seq)
        while counted is None and position < room.last_seq:
            snapshot = yield
            page = snapshot.events_after(room_id, position, limit=_PAGE_EVENTS, max_bytes=_PAGE_BYTES)
            if not page:
                break
            position = page[-1].seq
            older += sum(map(_counts, page))
            counted = snapshot.messages_at(room_id, position)
        end = room.message_count if counted is None else counted
        found[room_id] = _Worked(room.marker, Marker(seq, end - older, own))
        snapshot = yield
    return found


def _counts(stored: StoredEvent) -> bool:
    """Whether an event is a message that counts in its room."""
    event = pb.Event.FromString(stored.payload)
    return event.HasField("message") and not event.message.thread_root


def unread(snapshot: Snapshot, user_id: str, room_ids: Iterable[str]) -> list[pb.ReadMarker]:
    """How far a user has read rooms that they are in, and how many messages wait."""
    rooms = [snapshot.membership(room_id, user_id) for room_id in room_ids]
    found = [room for room in rooms if room and room.role]
    behind = [room.room_id for room in found if room.read_seq < room.last_seq]
    deleted = snapshot.deleted_unread(user_id, behind) if behind else {}
    mentions = snapshot.mentions_unread(user_id, behind) if behind else {}
    return [marker_of(room, deleted, mentions) for room in found]


def marker_of(room: Membership, deleted: Mapping[str, int], mentions: Mapping[str, int]) -> pb.ReadMarker:
    """How far a member has read, and how many messages wait.

    Args:
        deleted: As :meth:`grpc_chat.store.reads.Snapshot.deleted_unread` has it.
        mentions: As :meth:`grpc_chat.store.reads.Snapshot.mentions_unread` has it.
    """
    room_id = room.room_id
    waiting = room.message_count - room.read_count - room.read_own - deleted.get(room_id, 0)
    return pb.ReadMarker(
        room_id=room_id,
        seq=room.read_seq,
        unread_count=waiting,
        unread_mentions=mentions.get(room_id, 0),
        last_seq=room.last_seq,
    )


def all_unread(snapshot: Snapshot, user_id: str, room_ids: Sequence[str]) -> Pieces[dict[str, pb.ReadMarker]]:
    """As :func:`unread`, for any number of rooms, with three statements for each 500 of them."""
    markers: dict[str, pb.ReadMarker] = {}
    for at in range(0, len(room_ids), _ROOMS_AT_ONCE):
        rooms = snapshot.memberships_in(user_id, room_ids[at : at + _ROOMS_AT_ONCE])
        found = {room_id: room for room_id, room in rooms.items() if room.role}
        behind = [room_id for room_id, room in found.items() if room.read_seq < room.last_seq]
        deleted = snapshot.deleted_unread(user_id, behind) if behind else {}
        mentions = snapshot.mentions_unread(user_id, behind) if behind else {}
        markers |= {room_id: marker_of(room, deleted, mentions) for room_id, room in found.items()}
        snapshot = yield
    return markers
