"""Searching messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies, stamp_of
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that was found."""

    message: Message
    highlights: tuple[tuple[int, int], ...]
    """Where in the text the terms are: start and end, as ``text[start:end]`` takes them."""


class SearchCalls(CallsInRooms):
    """The search over all rooms of the caller."""

    async def search(
        self,
        *terms: str,
        excluded: Iterable[str] = (),
        room: str | None = None,
        sender_id: str = "",
        has_file: bool = False,
        mentions_me: bool = False,
        since: datetime | None = None,
        before: datetime | None = None,
        best: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[SearchHit]:
        """Find messages, read page by page, the newest first.

        Args:
            terms: What the text holds: words, parts of words, or several words with spaces between them.
            excluded: What it does not hold.
            room: Only in this room: its id, its name, or ``@user``.
            sender_id: Only by this user.
            has_file: Only messages that carry a file.
            mentions_me: Only messages that mention you, by name or with ``@room``.
            since: Only messages stored at this time or later.
            before: Only messages stored before this time.
            best: The best of the newest 500 first, instead.
            limit: The maximum number.
        """
        size = PAGE if limit is None else min(limit, PAGE)
        request = pb.SearchMessagesRequest(
            terms=terms,
            excluded_terms=excluded,
            sender_user_id=sender_id,
            has_file=has_file,
            mentions_me=mentions_me,
            from_stamp=stamp_of(since) if since else 0,
            before_stamp=stamp_of(before) if before else 0,
            order=pb.SEARCH_ORDER_BEST if best else pb.SEARCH_ORDER_NEWEST,
            page_size=size,
        )
        method, kind, left = "MessageService/SearchMessages", pb.SearchMessagesResponse, limit
        while left is None or left > 0:
            if room is not None and not request.page_token:
                response = await self._in_room(room, method, request, kind)
            else:
                response = await self._repeat(method, request, kind)
            for hit in response.hits[:left]:
                message = cast(Message, convert.event(hit.event, response.epoch, cast(Replies, self)))
                yield SearchHit(message, tuple((place.start, place.end) for place in hit.highlights))
            if left is not None:
                left -= len(response.hits)
            request.page_token = response.next_page_token
            if not request.page_token:
                return
