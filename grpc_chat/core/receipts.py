"""Who has received and read a message, and why somebody has not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.core.sessions import Sessions
from grpc_chat.errors import MessageNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, ReaderPlace, user_log
from grpc_chat.store.writes import Target
from grpc_chat.wire import chat_pb2 as pb

_MEMBERS_AT_ONCE = 250
"""How many members are read in one piece, which takes about 2 ms."""
_MOST_SESSIONS = 100
_LOG_ENTRIES = 2000
_LOG_BYTES = 1 << 20


class Receipts:
    """See ``MessageService.GetDelivery``, ``ListReceipts`` and ``ExplainDelivery``."""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._sessions = sessions
        self._readers = context.readers
        self._pages = context.pages

    async def delivery(self, caller: Caller, request: pb.GetDeliveryRequest) -> pb.Delivery:
        """How far a message has come.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        room_id, seq = request.room_id, request.seq

        def in_snapshot(snapshot: Snapshot) -> Pieces[pb.Delivery]:
            message, shows = _message(snapshot, room_id, seq, caller)
            found = pb.Delivery(store_time=message.create_time, shows_read=shows)
            after = ""
            while True:
                receipts = _receipts(snapshot, message, caller, after, _MEMBERS_AT_ONCE, shows)
                found.members += len(receipts)
                found.received += sum(receipt.received for receipt in receipts)
                found.read += sum(receipt.read for receipt in receipts)
                if len(receipts) < _MEMBERS_AT_ONCE:
                    return found
                after = receipts[-1].user_id
                snapshot = yield
                message, shows = _message(snapshot, room_id, seq, caller)

        return await self._readers.run_pieces(in_snapshot)

    async def list_(self, caller: Caller, request: pb.ListReceiptsRequest) -> Listed[pb.Receipt]:
        """A page of what is known of a message and each member.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        room_id, seq, wanted = request.room_id, request.seq, _FILTERS[request.filter]
        page = self._pages.open(f"ListReceipts {room_id} {seq} {request.filter}", request)

        def in_snapshot(snapshot: Snapshot) -> Pieces[list[pb.Receipt]]:
            found: list[pb.Receipt] = []
            after = page.after
            while True:
                message, shows = _message(snapshot, room_id, seq, caller)
                receipts = _receipts(snapshot, message, caller, after, _MEMBERS_AT_ONCE, shows)
                found += filter(wanted, receipts)
                if len(receipts) < _MEMBERS_AT_ONCE or len(found) >= page.limit:
                    return found[: page.limit]
                after = receipts[-1].user_id
                snapshot = yield

        receipts = await self._readers.run_pieces(in_snapshot)
        return page.listed(receipts, lambda receipt: receipt.user_id)

    async def explain(self, caller: Caller, request: pb.ExplainDeliveryRequest) -> pb.DeliveryExplanation:
        """How a message reached a user, or why it did not.

        Raises:
            MessageNotFound: There is none, or the caller may not read it and asks about somebody else.
            PermissionDenied: The caller may ask only about themselves.
        """
        room_id, seq = request.room_id, request.seq
        user_id = request.user_id or caller.user_id
        own = user_id == caller.user_id

        def in_snapshot(snapshot: Snapshot) -> pb.DeliveryExplanation:
            room = access.require_read(snapshot, room_id, caller.user_id)
            if not own and not (caller.admin and pb.SCOPE_ADMIN in caller.scopes):
                access.require(Action.EXPLAIN, snapshot, room_id, caller.user_id)
            found = pb.DeliveryExplanation()
            shows = own
            if not own or access.hidden_until(room) < seq:
                message, reads = _message(snapshot, room_id, seq, caller)
                shows |= reads
                found.store_time.CopyFrom(message.create_time)
                found.deleted = message.message.HasField("deleted")
            member = snapshot.membership(room_id, user_id)
            if member and member.role:
                found.may_read = access.visible_from(member) <= seq
                found.hidden_until_seq = access.hidden_until(member)
                [status] = snapshot.statuses([user_id]).values()
                refuses = bool(snapshot.refusing([user_id], caller.user_id))
                if own or not (refuses or status.appear_offline):
                    if shows and (own or not status.hide_receipts):
                        found.read_seq = member.read_seq
                    hides = not own and (status.hide_receipts or status.hide_last_seen)
                    _add_positions(found, snapshot, member, user_id, own=own, hides=hides)
            found.memberships.extend(_spans(snapshot, room_id, user_id, member))
            if own and caller.interactive:
                # A program's token does not show the others, as in ListSessions.
                sessions = snapshot.sessions(user_id, after=None, limit=_MOST_SESSIONS)
                found.sessions.extend(map(self._sessions.message, sessions))
            return found

        return await self._readers.run(in_snapshot)


def _message(snapshot: Snapshot, room_id: str, seq: int, caller: Caller) -> tuple[pb.Event, bool]:
    """The event of a message, and whether the caller sees who has read it."""
    room = access.require_read(snapshot, room_id, caller.user_id)
    found = snapshot.events_after(room_id, seq - 1, limit=1, max_bytes=1)
    event = pb.Event.FromString(found[0].payload) if found else pb.Event()
    message = access.message_that_is_read(room, Target(event, 0) if event.seq == seq else None)
    if isinstance(message, MessageNotFound):
        raise message
    known = snapshot.room(room_id)
    assert known, "the caller is in it"
    shows = known.receipts == pb.RECEIPTS_MEMBERS
    return message, shows or (known.receipts == pb.RECEIPTS_SENDERS and message.user_id == caller.user_id)


def _receipts(
    snapshot: Snapshot, message: pb.Event, caller: Caller, after: str, limit: int, shows: bool
) -> list[pb.Receipt]:
    places = snapshot.readers(message.room_id, message.seq, sender=message.user_id, after=after, limit=limit)
    refusing = snapshot.refusing([place.user_id for place in places], caller.user_id) if places else set()
    return [
        _receipt(place, message.seq, caller, shows=shows, refuses=place.user_id in refusing)
        for place in places
    ]


def _receipt(place: ReaderPlace, seq: int, caller: Caller, *, shows: bool, refuses: bool) -> pb.Receipt:
    """What the caller sees of a member. Somebody who has blocked the caller, or appears offline, shows
    nothing of themselves, like somebody who was never there."""
    own = place.user_id == caller.user_id
    receipt = pb.Receipt(user_id=place.user_id)
    if refuses or (place.appears_offline and not own):
        return receipt
    receipt.read = place.read_seq >= seq and (own or (shows and not place.hides_reads))
    receipt.received = receipt.read or place.received_us is not None
    if place.received_us and (own or not (place.hides_times or place.hides_reads)):
        receipt.receive_time.FromMicroseconds(place.received_us)
    return receipt


_FILTERS: dict[int, Callable[[pb.Receipt], bool]] = {
    pb.RECEIPT_FILTER_UNSPECIFIED: lambda _: True,
    pb.RECEIPT_FILTER_RECEIVED: lambda receipt: receipt.received,
    pb.RECEIPT_FILTER_READ: lambda receipt: receipt.read,
    pb.RECEIPT_FILTER_MISSING: lambda receipt: not receipt.received,
}


def _add_positions(
    found: pb.DeliveryExplanation,
    snapshot: Snapshot,
    member: Membership,
    user_id: str,
    *,
    own: bool,
    hides: bool,
) -> None:
    places = snapshot.consumers_in(member.room_id, user_id)
    if not own and places:
        places = [max(places, key=lambda place: place.seq)]
    for place in places:
        position = found.positions.add(
            seq=place.seq, consumer=place.consumer if own else "", after_seq=place.after_seq
        )
        position.own_position = own and not place.consumer
        if place.time_us and not hides:
            position.acknowledge_time.FromMicroseconds(place.time_us)


def _spans(
    snapshot: Snapshot, room_id: str, user_id: str, member: Membership | None
) -> Sequence[pb.MembershipSpan]:
    """When a user was a member, from their own log, which keeps the newest entries."""
    spans: list[pb.MembershipSpan] = []
    log = user_log(user_id)
    for stored in snapshot.events_after(log, 0, limit=_LOG_ENTRIES, max_bytes=_LOG_BYTES):
        entry = pb.Event.FromString(stored.payload)
        if entry.room_joined.room_id == room_id:
            spans.append(pb.MembershipSpan(from_seq=entry.room_joined.seq))
        elif entry.room_lost.left.room_id == room_id:
            if not spans or spans[-1].to_seq:
                spans.append(pb.MembershipSpan())
            spans[-1].to_seq = entry.room_lost.seq
    if member and member.role and (not spans or spans[-1].to_seq):
        spans.append(pb.MembershipSpan(from_seq=member.join_seq))
    return spans
