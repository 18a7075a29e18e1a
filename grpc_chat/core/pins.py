"""Messages that are pinned in their rooms."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import LimitExceeded, MessageNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, PinRecord
from grpc_chat.store.writes import Target
from grpc_chat.wire import chat_pb2 as pb

MOST = 100
"""How many messages of a room are pinned at most."""

_READ_AT_ONCE = 25


class Pins:
    """The pins of all rooms; see ``MessageService``.

    Args:
        direct_messages: Decides who may write in direct rooms: a pin says something, too.
        page_bytes: The most that the messages of a page take, whatever was requested; with one more.
    """

    def __init__(
        self, context: Context, *, direct_messages: DirectMessages, page_bytes: int = 1024 * 1024
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self.epoch = context.epoch
        self._direct_messages = direct_messages
        self._page_bytes = page_bytes

    async def pin(self, caller: Caller, request: pb.PinMessageRequest) -> pb.Pin:
        """Pin a message; the pin.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
            LimitExceeded: The room has as many pins as it may.
        """
        room_id, seq, user_id = request.room_id, request.seq, caller.user_id

        def in_transaction(transaction: Transaction) -> pb.Pin:
            membership = access.require(Action.PIN, transaction, room_id, user_id)
            if membership.kind == pb.ROOM_KIND_DIRECT and (
                error := self._direct_messages.to_write(transaction, room_id, user_id)
            ):
                raise error
            event = _message(transaction, membership, seq)
            if found := transaction.pin(room_id, seq):
                return _told(found, event)
            if transaction.pin_counts({room_id: 0}).get(room_id, 0) >= MOST:
                raise LimitExceeded(
                    f"this room has {MOST} pinned messages, which is the maximum; unpin one first",
                    field="seq",
                    metadata={"limit": str(MOST)},
                )
            changed = pb.PinChanged(seq=seq, pinned=True)
            pinned = pb.Event(room_id=room_id, user_id=user_id, pin_changed=changed)
            transaction.append(pinned, caller.session_id)
            made = transaction.pin(room_id, seq)
            assert made, "it was just made"
            return _told(made, event)

        return await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])

    async def unpin(self, caller: Caller, request: pb.UnpinMessageRequest) -> None:
        """Take a pin away.

        Raises:
            MessageNotFound: There is no such message, or the caller may not read it.
        """
        room_id, seq, user_id = request.room_id, request.seq, caller.user_id

        def in_transaction(transaction: Transaction) -> None:
            _message(transaction, access.require(Action.PIN, transaction, room_id, user_id), seq)
            if transaction.pin(room_id, seq):
                changed = pb.PinChanged(seq=seq, pinned=False)
                event = pb.Event(room_id=room_id, user_id=user_id, pin_changed=changed)
                transaction.append(event, caller.session_id)

        await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])

    async def list_(self, caller: Caller, request: pb.ListPinsRequest) -> Listed[pb.Pin]:
        """A page of a room's pinned messages that the caller may read.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
        """
        room_id = request.room_id
        listing = f"ListPins {room_id}"
        token = request.page_token
        start = int(self._pages.tokens.read(listing, token)) if token else None
        size = self._pages.size(request.page_size)

        def in_pieces(snapshot: Snapshot) -> Pieces[tuple[list[pb.Pin], int | None]]:
            found: list[pb.Pin] = []
            before, told = start, 0
            while True:
                # Each piece is of another moment.
                first = access.visible_from(access.require_read(snapshot, room_id, caller.user_id))
                limit = min(_READ_AT_ONCE, size + 1 - len(found))
                some = snapshot.pins(room_id, first_seq=first, before=before, limit=limit)
                payloads = snapshot.payloads_at((room_id, record.seq) for record in some)
                for record in some:
                    if len(found) == size or told >= self._page_bytes:
                        return found, before
                    before = record.pin_seq
                    # One that the disk has damaged is left out.
                    if payload := payloads.get((room_id, record.seq)):
                        found.append(_told(record, pb.Event.FromString(payload)))
                        told += len(payload)
                if len(some) < limit:
                    return found, None
                snapshot = yield

        found, last = await self._readers.run_pieces(in_pieces)
        return Listed(found, self._pages.tokens.make(listing, str(last)) if last is not None else "")


def _message(snapshot: Snapshot, membership: Membership, seq: int) -> pb.Event:
    """The event of a message that a member may read and that is not deleted."""
    found = snapshot.events_after(membership.room_id, seq - 1, limit=1, max_bytes=1)
    event = pb.Event.FromString(found[0].payload) if found else pb.Event()
    message = access.message_that_is_read(membership, Target(event, 0) if event.seq == seq else None)
    if isinstance(message, MessageNotFound):
        raise message
    if message.message.HasField("deleted"):
        raise access.message_not_found(membership.room_id)
    return message


def _told(record: PinRecord, event: pb.Event) -> pb.Pin:
    pin = pb.Pin(event=event, user_id=record.user_id)
    pin.pin_time.FromMicroseconds(record.create_time_us)
    return pin
