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
"""How many entries of a listing are requested at once."""


class _Listing(Protocol):
    page_size: int
    page_token: str


class Calls:
    """Calls methods. Each group of methods is a class, and :class:`grpc_chat.Client` inherits all of them.
    Methods are named as in chat.proto; those that list something are named after it.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def _call(self, method: str, request: ProtoMessage, response: type[Response]) -> Response:
        """Call a method once. After an error that is not definite, it may or may not have changed
        something."""
        return await self._link.call(f"/chat.v1.{method}", request, response)

    async def _repeat(self, method: str, request: ProtoMessage, response: type[Response]) -> Response:
        """Call an idempotent method, with a few attempts."""
        backoff = retry.Backoff()
        while True:
            try:
                return await self._call(method, request, response)
            except ChatError as error:
                if not retry.worthwhile(error) or self._link.closed:
                    raise
                # A server that hangs has had its time; one that is being replaced will soon be back.
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
        page_size: int = PAGE,
    ) -> AsyncIterator[Any]:
        """All entries of a listing, read page by page.

        Args:
            first: Requests the first page, if not in the same way as the others.
            page_size: How many entries are requested at once.
        """
        listing: _Listing = request
        listing.page_size = page_size
        load = first or self._repeat
        while True:
            page: Any = await load(method, request, response)
            load = self._repeat
            for entry in getattr(page, entries):
                yield entry
            listing.page_token = page.next_page_token
            if not listing.page_token:
                return
