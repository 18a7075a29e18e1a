"""The messages that mention you."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Mention:
    """A message that mentions you."""

    message: Message
    unread: bool
    """Whether it comes after your read marker in its room."""


class MentionCalls(CallsInRooms):
    """The mentions of the caller."""

    async def mentions(
        self, room: str | None = None, *, unread_only: bool = False, limit: int | None = None
    ) -> AsyncIterator[Mention]:
        """The messages that mention you, by name or with ``@room``, newest first, read page by page.

        Args:
            room: Only in this room: its id, its name, or ``@user``.
            unread_only: Only those that you have not read.
            limit: The maximum number.
        """
        request = pb.ListMentionsRequest(unread_only=unread_only)
        method, kind, left = "MessageService/ListMentions", pb.ListMentionsResponse, limit
        while left is None or left > 0:
            request.page_size = PAGE if left is None else min(left, PAGE)
            if room is not None and not request.page_token:
                response = await self._in_room(room, method, request, kind)
            else:
                response = await self._repeat(method, request, kind)
            for told in response.mentions:
                message = cast(Message, convert.event(told.event, response.epoch, cast(Replies, self)))
                yield Mention(message, told.unread)
            if left is not None:
                left -= len(response.mentions)
            request.page_token = response.next_page_token
            if not request.page_token:
                return
