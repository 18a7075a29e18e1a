"""Connections that cause much work for nothing, which go on one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

PAUSE_SECONDS: Final = 0.002
"""Between two of them: with less than a millisecond of work each, most of the time is that of others."""


class Held(Protocol):
    """A connection that is not read from."""

    def go_on(self) -> None:
        """Read again, and do a little more; it may be taken once more then."""


class SlowLane:
    """Lets one of all that wait go on at a time, however many there are.

    Budgets (:mod:`grpc_chat.transport.http2.budgets`) bound what a connection may cost over time. This bounds
    what all of them together may cost in a moment, so that nobody else notices.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Held] = deque()
        self._next: asyncio.TimerHandle | None = None

    def take(self, connection: Held) -> None:
        """Let it go on when it is its turn."""
        self._waiting.append(connection)
        if self._next is None:
            self._next = self._loop.call_later(PAUSE_SECONDS, self._let_one_go_on)

    def stop(self) -> None:
        """Let none go on from now on."""
        self._waiting.clear()
        if self._next:
            self._next.cancel()

    def _let_one_go_on(self) -> None:
        self._next = None
        connection = self._waiting.popleft()
        if self._waiting:
            self._next = self._loop.call_later(PAUSE_SECONDS, self._let_one_go_on)
        connection.go_on()
