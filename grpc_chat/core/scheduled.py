"""Messages that the server sends later, in their authors' names: making, changing and listing them.
:mod:`grpc_chat.core.sending_later` sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.messages import Messages
from grpc_chat.core.page_token import Listed
from grpc_chat.core.parts import has_parts
from grpc_chat.core.personal import PersonalLimits, too_many
from grpc_chat.core.uploads import file_told
from grpc_chat.core.user_log import tell
from grpc_chat.errors import ChatError, ClientMessageIdReused, InvalidRequest, MessageNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.files import FileRecord
from grpc_chat.store.personal import ScheduledRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

_FARTHEST = timedelta(days=366)


class ScheduledMessages:
    """The scheduled messages of all users; see ``PersonalService``.

    Args:
        messages: Prepares and sends messages.
        page_bytes: The largest page, whatever was requested.
        look_soon: Called when the next message may be due earlier than before.
        dropped: Called when files may no longer be needed.
    """

    def __init__(
        self,
        context: Context,
        messages: Messages,
        *,
        limits: PersonalLimits,
        page_bytes: int,
        look_soon: Callable[[], None],
        dropped: Callable[[], None],
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._clock = context.clock
        self._messages = messages
        self._most = limits.scheduled_per_user
        self._page_bytes = page_bytes
        self._look_soon = look_soon
        self._dropped = dropped

    async def schedule(self, caller: Caller, request: pb.ScheduleMessageRequest) -> pb.ScheduledMessage:
        """Store a message to be sent later.

        Raises:
            ChatError: The caller may not send the message now.
            ClientMessageIdReused: The caller has used the id for another message.
            LimitExceeded: The caller has too many.
        """
        message, user_id = request.message, caller.user_id
        # As SendMessages spells it.
        message.client_message_id = message.client_message_id.lower()
        id_, send_us = message.client_message_id, request.send_time.ToMicroseconds()
        payload = message.SerializeToString(deterministic=True)
        [draft] = await self._messages.prepared(caller, [message])

        def in_transaction(transaction: Transaction) -> pb.ScheduledMessage:
            if before := transaction.scheduled_message(user_id, id_):
                if (before.payload, before.send_us) != (payload, send_us):
                    raise _reused("another message, or another time")
                return _told_in(transaction, before)
            assert draft.once, "every message has an id"
            if sent := transaction.sent(message.room_id, user_id, draft.once.key):
                place, content_hash = sent
                if content_hash not in (b"", draft.once.content_hash):
                    raise _reused("another content in this room")
                done = pb.ScheduledMessage(scheduled_message_id=id_, message=message, seq=place.seq)
                done.send_time.FromMicroseconds(send_us)
                return done
            self._check_time(send_us)
            if error := transaction.refusal(draft):
                raise _of_one(error)
            if transaction.scheduled_messages_of(user_id) >= self._most:
                raise too_many(self._most, "scheduled messages", "cancel one first")
            record = ScheduledRecord(
                user_id, id_, send_us=send_us, due_us=send_us, payload=payload, create_us=transaction.now_us
            )
            transaction.put_scheduled_message(record)
            if message.file_ids:
                transaction.hold_files(user_id, id_, message.file_ids)
            tell_of(transaction, record, pb.SCHEDULED_STATE_SCHEDULED)
            return _told_in(transaction, record)

        about = [(message.room_id, user_id)]
        scheduled: pb.ScheduledMessage = await self._committer.transact(caller, in_transaction, about=about)
        self._look_soon()
        return scheduled

    async def update(self, caller: Caller, request: pb.UpdateScheduledMessageRequest) -> pb.ScheduledMessage:
        """Change the text or the time of a scheduled message.

        Raises:
            MessageNotFound: The caller has none with this id.
        """
        id_, paths = request.scheduled_message_id.lower(), set(request.update_mask.paths)
        send_us = request.send_time.ToMicroseconds()
        if "send_time" in paths:
            self._check_time(send_us)

        def in_transaction(transaction: Transaction) -> pb.ScheduledMessage:
            record = _require(transaction, caller.user_id, id_)
            if "send_time" in paths:
                record = record._replace(send_us=send_us)
            if "text" in paths:
                message = pb.OutgoingMessage.FromString(record.payload)
                message.text = request.text
                if not message.text and (not message.file_ids or has_parts(message)):
                    what = "carries no files, or has a body, cards or a poll"
                    raise InvalidRequest(f"text must not be empty where the message {what}", field="text")
                record = record._replace(payload=message.SerializeToString(deterministic=True))
            record = record._replace(due_us=record.send_us, failure=b"")
            transaction.put_scheduled_message(record)
            tell_of(transaction, record, pb.SCHEDULED_STATE_SCHEDULED)
            return _told_in(transaction, record)

        scheduled: pb.ScheduledMessage = await self._committer.transact(caller, in_transaction)
        self._look_soon()
        return scheduled

    async def cancel(self, caller: Caller, request: pb.CancelScheduledMessageRequest) -> None:
        """Delete a scheduled message.

        Raises:
            MessageNotFound: The caller has none with this id.
        """
        id_ = request.scheduled_message_id.lower()

        def in_transaction(transaction: Transaction) -> None:
            record = _require(transaction, caller.user_id, id_)
            transaction.delete_scheduled_message(caller.user_id, id_)
            transaction.release_files(caller.user_id, id_)
            tell_of(transaction, record, pb.SCHEDULED_STATE_CANCELLED)

        await self._committer.transact(caller, in_transaction)
        self._dropped()

    async def list_(
        self, caller: Caller, request: pb.ListScheduledMessagesRequest
    ) -> Listed[pb.ScheduledMessage]:
        """A page of the caller's scheduled messages."""
        user_id, most = caller.user_id, self._page_bytes

        def some(snapshot: Snapshot, after: str, limit: int) -> list[ScheduledRecord]:
            time_us, _, id_ = after.partition(" ")
            place = (int(time_us), id_) if after else None
            return snapshot.scheduled_messages(user_id, after=place, limit=limit)

        page = self._pages.open(f"ListScheduledMessages {user_id}", request)
        found = await self._readers.run_pieces(
            lambda snapshot: page.read(snapshot, some, _key, size=_size, most_bytes=most)
        )
        listed = page.listed(found, _key, size=_size, most_bytes=most)
        ids = [file_id for record in listed.entries for file_id in _message(record).file_ids]
        files = await self._readers.run(lambda snapshot: snapshot.files(ids)) if ids else {}
        return listed.of(lambda record: told(record, files))

    def _check_time(self, send_us: int) -> None:
        now_us = int(self._clock() * 1_000_000)
        if not now_us < send_us <= now_us + _FARTHEST // timedelta(microseconds=1):
            raise InvalidRequest(
                f"send_time must be later than now, by at most {_FARTHEST.days} days", field="send_time"
            )


def told(record: ScheduledRecord, files: Mapping[str, FileRecord]) -> pb.ScheduledMessage:
    """A scheduled message, as its user sees it.

    Args:
        files: Those that it is to carry, as far as they are still there.
    """
    scheduled = pb.ScheduledMessage(scheduled_message_id=record.scheduled_id, message=_message(record))
    found = [files[file_id] for file_id in scheduled.message.file_ids if file_id in files]
    # Whether the user may still see what somebody else uploaded is asked when the message is sent.
    scheduled.files.extend(file_told(file) for file in found if file.user_id == record.user_id)
    scheduled.send_time.FromMicroseconds(record.send_us)
    scheduled.create_time.FromMicroseconds(record.create_us)
    if record.failure:
        scheduled.failure.ParseFromString(record.failure)
    return scheduled


def _told_in(transaction: Transaction, record: ScheduledRecord) -> pb.ScheduledMessage:
    ids = list(_message(record).file_ids)
    return told(record, transaction.files(ids) if ids else {})


def _message(record: ScheduledRecord) -> pb.OutgoingMessage:
    return pb.OutgoingMessage.FromString(record.payload)


def tell_of(
    transaction: Transaction,
    record: ScheduledRecord,
    state: pb.ScheduledState.ValueType,
    *,
    seq: int = 0,
) -> None:
    """Add to its user's log what became of a scheduled message."""
    room_id = _message(record).room_id
    changed = pb.ScheduledChanged(
        scheduled_message_id=record.scheduled_id, room_id=room_id, state=state, seq=seq
    )
    tell(transaction, record.user_id, changed)


def _require(transaction: Transaction, user_id: str, id_: str) -> ScheduledRecord:
    record = transaction.scheduled_message(user_id, id_)
    if record is None:
        raise MessageNotFound(
            "you have no such scheduled message: it was sent or cancelled, or never existed",
            field="scheduled_message_id",
        )
    return record


def _reused(what: str) -> ClientMessageIdReused:
    return ClientMessageIdReused(
        f"this client_message_id was used before for {what}", field="message.client_message_id"
    )


def _of_one(error: ChatError) -> ChatError:
    """An error about a message of several as one about the message of this request."""
    several, one = "messages[0]", "message"
    if error.field.startswith(several):
        error.field = error.field.replace(several, one, 1)
        error.message = error.message.replace(several, one, 1)
    return error


def _key(record: ScheduledRecord) -> str:
    return f"{record.send_us} {record.scheduled_id}"


def _size(record: ScheduledRecord) -> int:
    return len(record.payload)
