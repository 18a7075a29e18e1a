"""Messages that users have saved, to find them again."""

from __future__ import annotations

from typing import NamedTuple

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.personal import PersonalLimits, too_many
from grpc_chat.core.user_log import tell
from grpc_chat.store.base import Transaction
from grpc_chat.store.personal import SavedRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb


class _Found(NamedTuple):
    """A saved message, and its encoded event if the user may read it now."""

    record: SavedRecord
    payload: bytes


class SavedMessages:
    """The saved messages of all users; see ``PersonalService``.

    Args:
        page_bytes: The largest page, whatever was requested.
    """

    def __init__(self, context: Context, *, limits: PersonalLimits, page_bytes: int) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self.epoch = context.epoch
        self._most = limits.saved_per_user
        self._page_bytes = page_bytes

    async def save(self, caller: Caller, request: pb.SaveMessageRequest) -> pb.SavedMessage:
        """Save a message.

        Raises:
            MessageNotFound: There is none, it was deleted, or the caller may not read it.
            LimitExceeded: The caller has saved too many.
        """
        room_id, seq, user_id = request.room_id, request.seq, caller.user_id

        def in_transaction(transaction: Transaction) -> pb.SavedMessage:
            membership = access.require_read(transaction, room_id, user_id)
            event = access.require_message(transaction, membership, seq)
            if event.message.HasField("deleted"):
                raise access.message_not_found(room_id)
            record = transaction.saved_message(room_id, user_id, seq)
            if record is None:
                if transaction.saved_messages_of(user_id) >= self._most:
                    raise too_many(self._most, "saved messages", "unsave one first")
                record = SavedRecord(room_id, seq, transaction.now_us)
                transaction.put_saved_message(user_id, record)
                tell(transaction, user_id, pb.SavedChanged(room_id=room_id, seq=seq))
            saved = _told(_Found(record, b""))
            saved.event.CopyFrom(event)
            return saved

        return await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])

    async def unsave(self, caller: Caller, request: pb.UnsaveMessageRequest) -> None:
        """Have a message be saved no longer.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
        """
        room_id, seq, user_id = request.room_id, request.seq, caller.user_id

        def in_transaction(transaction: Transaction) -> None:
            access.require_read(transaction, room_id, user_id)
            if transaction.saved_message(room_id, user_id, seq):
                transaction.delete_saved_message(room_id, user_id, seq)
                tell(transaction, user_id, pb.SavedChanged(room_id=room_id, seq=seq, removed=True))

        await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])

    async def list_(self, caller: Caller, request: pb.ListSavedMessagesRequest) -> Listed[pb.SavedMessage]:
        """A page of the messages that the caller has saved.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room that the request names.
        """
        room_id, user_id, most = request.room_id, caller.user_id, self._page_bytes

        def some(snapshot: Snapshot, after: str, limit: int) -> list[_Found]:
            if room_id:
                access.require_read(snapshot, room_id, user_id)
            place = None
            if after:
                time_us, number, of_room = after.split(" ", 2)
                place = SavedRecord(of_room, int(number), int(time_us))
            records = snapshot.saved_messages(user_id, room_id=room_id, after=place, limit=limit)
            return _found(snapshot, user_id, records)

        page = self._pages.open(f"ListSavedMessages {user_id} {room_id}", request)
        found = await self._readers.run_pieces(
            lambda snapshot: page.read(snapshot, some, _key, size=_size, most_bytes=most)
        )
        return page.listed(found, _key, size=_size, most_bytes=most).of(_told)


def _found(snapshot: Snapshot, user_id: str, records: list[SavedRecord]) -> list[_Found]:
    """Saved messages, with the events of those that their user may read."""
    rooms = snapshot.memberships_in(user_id, list({record.room_id for record in records}))
    visible = {
        (record.room_id, record.seq)
        for record in records
        if (room := rooms.get(record.room_id)) and room.role and record.seq >= access.visible_from(room)
    }
    payloads = snapshot.payloads_at(visible)
    return [_Found(record, payloads.get((record.room_id, record.seq), b"")) for record in records]


def _told(found: _Found) -> pb.SavedMessage:
    record = found.record
    saved = pb.SavedMessage(room_id=record.room_id, seq=record.seq)
    saved.save_time.FromMicroseconds(record.save_time_us)
    if found.payload:
        saved.event.ParseFromString(found.payload)
    return saved


def _key(found: _Found) -> str:
    record = found.record
    return f"{record.save_time_us} {record.seq} {record.room_id}"


def _size(found: _Found) -> int:
    return len(found.payload)
