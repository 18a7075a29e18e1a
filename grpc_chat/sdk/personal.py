"""What one keeps for oneself, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.file_records import File
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """A message that you have begun to write."""

    room_id: str
    thread_root: int
    """The number of the message that begins the thread; 0 for none."""
    text: str
    reply_to: int
    """The number of the message that it replies to; 0 for none."""
    update_time: datetime
    """When it was last changed."""


@dataclass(frozen=True, slots=True)
class SavedMessage:
    """A message that you have saved."""

    room_id: str
    seq: int
    save_time: datetime
    message: Message | None
    """The message as it is now; None if you may no longer read it."""


@dataclass(frozen=True, slots=True)
class ScheduleFailure:
    """Why a scheduled message could not be sent."""

    reason: str
    """The code of the error that sending it would have raised."""
    message: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """A message that the server is to send later."""

    scheduled_message_id: str
    room_id: str
    text: str
    send_time: datetime
    failure: ScheduleFailure | None = None
    """Why it could not be sent; None if it has not been tried."""
    seq: int = 0
    """Its number, if it has been sent; then it is no longer listed."""
    files: tuple[File, ...] = ()
    """The files that it is to carry, of those that you uploaded."""


class PersonalCalls(CallsInRooms):
    """Drafts, saved messages and scheduled ones, which all of your sessions share and nobody else sees.
    ``room`` is given as in :class:`RoomCalls`."""

    async def save_draft(
        self, room: str, text: str, *, thread_root: int = 0, reply_to: int = 0
    ) -> MessageDraft | None:
        """Keep a message that you have begun to write, instead of the one kept for the same place before.

        Args:
            text: The text so far; empty to delete the draft, which returns None.
            thread_root: The number of the message that begins the thread; 0 for none. A room has one draft
                beside those of its threads.
            reply_to: The number of the message that it replies to; 0 for none.

        Raises:
            LimitExceeded: You have as many drafts as you may.
        """
        request = pb.SaveDraftRequest(text=text, thread_root=thread_root, reply_to=reply_to)
        response = await self._in_room(room, "PersonalService/SaveDraft", request, pb.SaveDraftResponse)
        return _draft(response.draft) if response.HasField("draft") else None

    async def drafts(self, room: str | None = None) -> AsyncIterator[MessageDraft]:
        """Your drafts in a room, or in all of them, the last changed first."""
        pages = self._pages(
            "PersonalService/ListDrafts",
            pb.ListDraftsRequest(),
            pb.ListDraftsResponse,
            "drafts",
            first=None if room is None else partial(self._in_room, room),
        )
        async for told in pages:
            yield _draft(told)

    async def save_message(self, room: str, seq: int) -> SavedMessage:
        """Save a message, to find it again. If it is saved already, nothing changes.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            LimitExceeded: You have saved as many messages as you may.
        """
        request = pb.SaveMessageRequest(seq=seq)
        response = await self._in_room(room, "PersonalService/SaveMessage", request, pb.SaveMessageResponse)
        return self._saved(response.saved, response.epoch)

    async def unsave_message(self, room: str, seq: int) -> None:
        """Have a message be saved no longer. If it is not, nothing changes."""
        request = pb.UnsaveMessageRequest(seq=seq)
        await self._in_room(room, "PersonalService/UnsaveMessage", request, pb.UnsaveMessageResponse)

    async def saved_messages(self, room: str | None = None) -> AsyncIterator[SavedMessage]:
        """The messages of a room, or of all of them, that you have saved, the last saved first."""
        method, kind = "PersonalService/ListSavedMessages", pb.ListSavedMessagesResponse
        request = pb.ListSavedMessagesRequest(page_size=PAGE)
        load: Callable[..., Awaitable[pb.ListSavedMessagesResponse]] = self._repeat
        if room is not None:
            load = partial(self._in_room, room)
        while True:
            page = await load(method, request, kind)
            load = self._repeat
            for told in page.saved:
                yield self._saved(told, page.epoch)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    async def schedule(
        self,
        room: str,
        text: str,
        send_time: datetime,
        *,
        files: Sequence[File | str] = (),
        reply_to: int = 0,
        thread_root: int = 0,
        client_message_id: str | None = None,
    ) -> ScheduledMessage:
        """Have the server send a message later, in your name, even if you are logged out by then.

        Args:
            text: The text; it may be empty if the message carries files.
            send_time: When; with a time zone, or in local time. Later than now, by at most 366 days.
            files: As for :meth:`Client.send`. The server keeps what you uploaded until the message is sent or
                cancelled. A file of somebody else's may be gone by then, and then the message is not sent.
            reply_to: The number of the message that it replies to.
            thread_root: The number of the message whose thread it is in.
            client_message_id: A UUID, to schedule a message again if the outcome was not known. A new one by
                default.

        Raises:
            ChatError: You may not send it now.
            LimitExceeded: You have as many scheduled messages as you may.
        """
        message = pb.OutgoingMessage(
            text=text,
            file_ids=[file if isinstance(file, str) else file.file_id for file in files],
            client_message_id=client_message_id or new_message_id(),
            reply_to=reply_to,
            thread_root=thread_root,
        )
        request = pb.ScheduleMessageRequest(message=message, send_time=_timestamp(send_time))

        async def schedule(room_id: str) -> ScheduledMessage:
            request.message.room_id = room_id
            method = "PersonalService/ScheduleMessage"
            response = await self._repeat(method, request, pb.ScheduleMessageResponse)
            return _scheduled(response.scheduled)

        return await self._finder.use(room, schedule)

    async def scheduled_messages(self) -> AsyncIterator[ScheduledMessage]:
        """Your messages that are to be sent later, or that could not be sent, the next one first."""
        async for told in self._pages(
            "PersonalService/ListScheduledMessages",
            pb.ListScheduledMessagesRequest(),
            pb.ListScheduledMessagesResponse,
            "scheduled",
        ):
            yield _scheduled(told)

    async def update_scheduled(
        self, scheduled_message_id: str, *, text: str | None = None, send_time: datetime | None = None
    ) -> ScheduledMessage:
        """Change the text or the time of a scheduled message; what is None stays. One that could not be sent
        is tried again.

        Raises:
            MessageNotFound: You have no such scheduled message: it may have been sent.
        """
        if text is None and send_time is None:
            raise ValueError("text or send_time must be given")
        request = pb.UpdateScheduledMessageRequest(scheduled_message_id=scheduled_message_id)
        if text is not None:
            request.text = text
            request.update_mask.paths.append("text")
        if send_time is not None:
            request.send_time.CopyFrom(_timestamp(send_time))
            request.update_mask.paths.append("send_time")
        method = "PersonalService/UpdateScheduledMessage"
        response = await self._repeat(method, request, pb.UpdateScheduledMessageResponse)
        return _scheduled(response.scheduled)

    async def cancel_scheduled(self, scheduled_message_id: str) -> None:
        """Delete a scheduled message, so that it is not sent. It is tried once.

        Raises:
            MessageNotFound: You have no such scheduled message: it may have been sent.
        """
        request = pb.CancelScheduledMessageRequest(scheduled_message_id=scheduled_message_id)
        method = "PersonalService/CancelScheduledMessage"
        await self._call(method, request, pb.CancelScheduledMessageResponse)

    def _saved(self, told: pb.SavedMessage, epoch: str) -> SavedMessage:
        message = None
        if told.HasField("event"):
            # Every client sends, too.
            message = cast(Message, convert.event(told.event, epoch, cast(Replies, self)))
        return SavedMessage(told.room_id, told.seq, convert.time(told.save_time), message)


def _draft(told: pb.MessageDraft) -> MessageDraft:
    return MessageDraft(
        room_id=told.room_id,
        thread_root=told.thread_root,
        text=told.text,
        reply_to=told.reply_to,
        update_time=convert.time(told.update_time),
    )


def _scheduled(told: pb.ScheduledMessage) -> ScheduledMessage:
    failure = None
    if told.HasField("failure"):
        why = told.failure
        failure = ScheduleFailure(why.reason, why.message, convert.time(why.time))
    return ScheduledMessage(
        scheduled_message_id=told.scheduled_message_id,
        room_id=told.message.room_id,
        text=told.message.text,
        send_time=convert.time(told.send_time),
        failure=failure,
        seq=told.seq,
        files=tuple(map(convert.file, told.files)),
    )


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    # protobuf takes a time without a zone for UTC; people mean their own.
    stamp.FromDatetime(time.astimezone())
    return stamp
