"""What one keeps for oneself, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies
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


class PersonalCalls(CallsInRooms):
    """Drafts and saved messages, which all of your sessions share and nobody else sees. ``room`` is given as
    in :class:`RoomCalls`."""

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
