"""What the client's methods have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from google.protobuf.message import Message as ProtoMessage

from grpc_chat.errors import ChatError, Unreachable
from grpc_chat.sdk import retry
from grpc_chat.sdk.link import Link, Response

PAGE = 500
"""How many entries of a listing are asked for at once."""


class _Listing(Protocol):
    page_size: int
    page_token: str


class Calls:
    """Calls methods. Each kind of them is a class, and :class:`grpc_chat.Client` is all of them.

    Methods are called as in chat.proto, each on the client; what is listed has the name of what it lists.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def _call(self, method: str, request: ProtoMessage, response: type[Response]) -> Response:
        """Call a method once; after an error that is not definite, it may have changed something."""
        return await self._link.call(f"/chat.v1.{method}", request, response)

    async def _repeat(self, method: str, request: ProtoMessage, response: type[Response]) -> Response:
        """Call a method that is the same whether it is called once or twice; a few attempts."""
        backoff = retry.Backoff()
        while True:
            try:
                return await self._call(method, request, response)
            except ChatError as error:
                if not retry.worthwhile(error) or self._link.closed:
                    raise
                # A server that hangs has had its time; one that is being replaced is back soon.
                hangs = isinstance(error, Unreachable) and error.reason == "timeout"
                if backoff.failures >= (1 if hangs else 4):
                    raise
                await asyncio.sleep(backoff.next(error).total_seconds())

    async def _pages(
        self,
        method: str,
        request: Any,
        response: type[Response],
        entries: str,
        *,
        first: Callable[[str, Any, type[Response]], Awaitable[Response]] | None = None,
    ) -> AsyncIterator[Any]:
        """All entries of a listing, read page by page.

        Args:
            first: What asks for the first page, if it is not asked for like the others.
        """
        listing: _Listing = request
        listing.page_size = PAGE
        load = first or self._repeat
        while True:
            page: Any = await load(method, request, response)
            load = self._repeat
            for entry in getattr(page, entries):
                yield entry
            listing.page_token = page.next_page_token
            if not listing.page_token:
                return
