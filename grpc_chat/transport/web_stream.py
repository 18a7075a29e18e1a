"""A stream of responses over HTTP: the first goes the way of all answers, the others straight out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from grpc_chat.transport.web_connection import WebConnection


class WebStream:
    """Takes the responses of one stream. See :class:`grpc_chat.core.writing.Pushing`.

    Args:
        framed: Makes a response ready to be sent.

    Attributes:
        first: The first response; None if the stream ends without any.
        given_up: Whether the client has not read the last response that it was sent.
    """

    def __init__(self, connection: WebConnection, framed: Callable[[bytes], bytes]) -> None:
        self._connection = connection
        self._framed = framed
        self._loop = asyncio.get_running_loop()
        self.first: asyncio.Future[bytes | None] = self._loop.create_future()
        self._begun: asyncio.Future[None] | None = None
        self._direct = False
        self.given_up = False

    async def __call__(self, response: bytes) -> None:
        """Send a response, and return when the next can be taken.

        Raises:
            asyncio.CancelledError: The client is gone.
        """
        if not self._direct:
            self._begun = self._loop.create_future()
            self.first.set_result(response)
            await self._begun
            return
        taken: asyncio.Future[None] = self._loop.create_future()
        if self._connection.put(self._framed(response), lambda: _done(taken)):
            return
        if self._connection.is_over:
            raise asyncio.CancelledError
        try:
            await taken
        except asyncio.CancelledError:
            self.give_up()
            raise

    def push(self, response: bytes, then: Callable[[], None]) -> bool:
        """See :meth:`grpc_chat.core.writing.Pushing.push`."""
        return self._connection.put(self._framed(response), then)

    def give_up(self) -> None:
        """See :meth:`grpc_chat.core.writing.Pushing.give_up`."""
        self._connection.forget()
        self.given_up = True

    def go_on(self) -> None:
        """The first response is on its way, with the headers."""
        self._direct = True
        if self._begun:
            _done(self._begun)

    def ended(self, _task: object) -> None:
        """No more is coming."""
        if not self.first.done():
            self.first.set_result(None)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
