"""How far users have read, and what waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.reads import Pieces
from grpc_chat.core.threads import as_told, end_of, marker_in, require_thread
from grpc_chat.core.user_log import tell
from grpc_chat.errors import BadCursor, ChatError, Unavailable
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Marker, Membership, StoredEvent
from grpc_chat.store.threads import FollowedThread
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


_Place = tuple[str, int]
"""A room, and the root of a thread, or 0 for the messages that are in none."""


class ReadMarkers:
    """Moves users' read markers; see ``MessageService.MarkRead``.

    Args:
        follows: Whether somebody has to hear at once how far a user has read. If not, the user's log gets no
            entry, as streams begin with the markers; with one, a call alone takes a third longer.
    """

    def __init__(self, context: Context, follows: Callable[[str], bool]) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._follows = follows
        self._looking: set[asyncio.Task[None]] = set()

    async def mark(self, caller: Caller, request: pb.MarkReadRequest) -> list[pb.ReadMarker]:
        """Move the caller's markers, all or none; the markers as they are then.

        Raises:
            RoomNotFound, NotAMember: The caller may not read one of the rooms.
            BadCursor: One of the numbers is after its room's newest event.
        """
        if self._follows(caller.user_id):
            return await self._mark(caller, request, tells=True)
        try:
            markers = await self._mark(caller, request, tells=False)
        except asyncio.CancelledError:
            # The caller went away, and the markers may be moved all the same. A task for every call, which
            # would outlive its caller, takes a tenth of the call.
            looking = asyncio.create_task(self._look_later(caller, request))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)
            raise
        if self._follows(caller.user_id):
            # A stream that was opened meanwhile may have begun with the markers from before.
            await self._tell_as_they_are(caller, request)
        return markers

    async def _look_later(self, caller: Caller, request: pb.MarkReadRequest) -> None:
        """Tell the streams that were opened while a call moved markers whose caller did not wait for it."""
        with contextlib.suppress(ChatError):
            # A user's writes keep their order, so those of the call are done when this one is.
            await self._committer.transact(caller, lambda _: None, cost=1)
            if self._follows(caller.user_id):
                await self._tell_as_they_are(caller, request)

    async def _tell_as_they_are(self, caller: Caller, request: pb.MarkReadRequest) -> None:
        def in_transaction(transaction: Transaction) -> None:
            places = dict.fromkeys((each.room_id, each.thread_root) for each in request.markers)
            # The request may have been refused.
            known = [
                (room_id, root_seq)
                for room_id, root_seq in places
                if not root_seq
                or transaction.followed_thread(room_id, caller.user_id, root_seq).following is not None
            ]
            rooms = [room_id for room_id, root_seq in known if not root_seq]
            now = {(each.room_id, 0): each for each in unread(transaction, caller.user_id, rooms)}
            _tell(transaction, caller.user_id, known, now)

        await self._committer.transact(caller, in_transaction)

    async def _mark(self, caller: Caller, request: pb.MarkReadRequest, *, tells: bool) -> list[pb.ReadMarker]:
        asked = request.markers[:]
        about = [(marker.room_id, caller.user_id) for marker in asked]
        marked = [(marker.room_id, marker.seq) for marker in asked]
        worked: Mapping[_Place, _Worked] = {}
        for _ in range(_TRIES):
            # What the writer can do at once is nearly all there is: nothing is read before.
            moved = await self._committer.transact(
                caller,
                _mover(caller, request, worked, tells=tells),
                about=about,
                marked=marked,
                tells=tells,
                cost=_COST * len(about),
            )
            if moved is not None:
                return moved
            worked = await self._readers.run_pieces(lambda snapshot: _work_out(snapshot, caller, request))
        raise Unavailable("your markers are moved by something else all the time; try again")


def _mover(
    caller: Caller, request: pb.MarkReadRequest, worked: Mapping[_Place, _Worked], *, tells: bool
) -> Callable[[Transaction], list[pb.ReadMarker] | None]:
    """Moves the markers; None, and nothing is moved, where a marker has yet to be worked out."""

    user_id = caller.user_id

    def in_transaction(transaction: Transaction) -> list[pb.ReadMarker] | None:
        moved: dict[_Place, Marker] = {}
        threads: dict[_Place, tuple[Membership, FollowedThread]] = {}
        places: list[_Place] = []
        for at, asked in enumerate(request.markers[:]):
            places.append(place := (asked.room_id, asked.thread_root))
            room_id, root_seq = place
            room = access.require_read(transaction, room_id, user_id)
            before, seq, end = (
                room.marker,
                _number(at, asked, room),
                Marker(room.last_seq, room.message_count),
            )
            if root_seq:
                threads[place] = _, seen = _thread(transaction, at, asked, user_id)
                if seen.following is None:
                    continue
                before, end = seen.following.marker, end_of(seen)
                seq = min(seq, end.seq)
            if seq == before.seq or (seq < before.seq and not request.back):
                continue
            if seq == end.seq:
                moved[place] = end
                continue
            if (known := worked.get(place)) and known.before == before:
                moved[place] = known.marker
                continue
            if seq < before.seq or before.own:
                return None
            counted = (
                transaction.messages_in_thread(room_id, root_seq, seq)
                if root_seq
                else transaction.messages_at(room_id, seq)
            )
            if counted is None:
                return None
            moved[place] = Marker(seq, counted)
        for (room_id, root_seq), marker in moved.items():
            if root_seq:
                _, seen = threads[room_id, root_seq]
                assert seen.following, "the marker is of somebody who follows it"
                following = seen.following._replace(marker=marker)
                transaction.follow_thread(room_id, user_id, root_seq, following)
                seen = transaction.followed_thread(room_id, user_id, root_seq)
                threads[room_id, root_seq] = (threads[room_id, root_seq][0], seen)
            else:
                transaction.move_marker(room_id, caller.user_id, marker)
        # The caller may read all of these rooms.
        rooms = dict.fromkeys(place for place in places if not place[1])
        found = unread(transaction, user_id, [room_id for room_id, _ in rooms])
        markers = dict(zip(rooms, found, strict=True))
        if tells:
            _tell(transaction, user_id, moved, markers)
        markers |= {place: marker_in(*seen) for place, seen in threads.items()}
        return [markers[place] for place in places]

    return in_transaction


def _tell(
    transaction: Transaction,
    user_id: str,
    places: Collection[_Place],
    markers: Mapping[_Place, pb.ReadMarker],
) -> None:
    """Tell a user's streams how far the user has read rooms and threads.

    Args:
        markers: The markers of the rooms, as they are now. Those the user may no longer read are left out.
    """
    if told := [markers[place] for place in places if place in markers]:
        tell(transaction, user_id, pb.ReadMarkersMoved(markers=told))
    changed: list[pb.Thread] = []
    for room_id, root_seq in places:
        room = transaction.membership(room_id, user_id) if root_seq else None
        if room and room.role:
            seen = transaction.followed_thread(room_id, user_id, root_seq)
            changed.append(as_told(transaction, room, seen, transaction.now_us))
    if changed:
        tell(transaction, user_id, pb.ThreadsChanged(threads=changed))


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


def _thread(
    snapshot: Snapshot, at: int, asked: pb.ReadMarker, user_id: str
) -> tuple[Membership, FollowedThread]:
    field = f"markers[{at}].thread_root"
    return require_thread(snapshot, asked.room_id, user_id, asked.thread_root, field)


def _work_out(
    snapshot: Snapshot, caller: Caller, request: pb.MarkReadRequest
) -> Pieces[Mapping[_Place, _Worked]]:
    """What the markers would be, with all that takes long to count."""
    found: dict[_Place, _Worked] = {}
    for at, asked in enumerate(request.markers):
        room_id, user_id = asked.room_id, caller.user_id
        room = access.require_read(snapshot, room_id, user_id)
        seq = _number(at, asked, room)
        if asked.thread_root:
            _, seen = _thread(snapshot, at, asked, user_id)
            if seen.following:
                seq, place = min(seq, end_of(seen).seq), (room_id, asked.thread_root)
                own = snapshot.own_in_thread_after(*place, user_id, seq)
                counted_to = snapshot.messages_in_thread(*place, seq)
                found[place] = _Worked(seen.following.marker, Marker(seq, counted_to, own))
            snapshot = yield
            continue
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
        found[room_id, 0] = _Worked(room.marker, Marker(seq, end - older, own))
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
