"""The writes of streams' responses, carried on by callbacks instead of tasks.

A task that waits for a response, writes it, and waits again is woken twice for each, through every coroutine
between it and the transport, and needs a future to be woken by. Nearly all deliveries need no more than the
write, and are as many as messages times members. So a stream's task sleeps, and the write goes on by itself.

Everything here happens on the event loop, so there are no locks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

from grpc_chat.metrics import Totals

Write = Callable[[bytes], Coroutine[Any, Any, None]]
"""Gives one encoded response to the transport, and returns when it can take another. It MUST NOT depend on
the current task: there may be none."""


class Pushing(Protocol):
    """A :data:`Write` of a transport that can take a response without a coroutine, which costs more than the
    write where there is room for it."""

    def __call__(self, response: bytes, /) -> Coroutine[Any, Any, None]: ...

    def push(self, response: bytes, then: Callable[[], None]) -> bool:
        """Give one response to the transport.

        Returns:
            Whether it can take another at once. If not, it calls ``then`` when it can; never if the client is
            gone, when it cancels the stream's task instead.
        """

    def give_up(self) -> None:
        """Forget ``then``: the stream ends, although its client has not read that response."""


class Writer(Protocol):
    """What gets a response to write."""

    def begin(self, response: bytes) -> None:
        """Begin to write it. MUST NOT raise."""


class Writes:
    """Begins writes, all that come up at the same moment together.

    Args:
        totals: Where they are counted.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Sequence[Writer], bytes]] = []

    def count(self, response: bytes, times: int = 1) -> None:
        """Count a response, and how often it is written."""
        self._totals.responses += times
        self._totals.response_bytes += times * len(response)

    def begin_soon(self, writers: Sequence[Writer], response: bytes) -> None:
        """Give each writer the response, after what is on the event loop already, such as the answers to
        senders, whose next messages can be on their way meanwhile."""
        if not self._waiting:
            self._loop.call_soon(self._begin)
        self._waiting.append((writers, response))

    def _begin(self) -> None:
        # One step of the event loop for all. One for each would take a fourth of all that Python does for a
        # write.
        waiting, self._waiting = self._waiting, []
        for writers, response in waiting:
            self.count(response, len(writers))
            for writer in writers:
                writer.begin(response)


class Writing:
    """The writes of one stream, one at a time.

    Args:
        done: Called when a write has ended that did not end at once, with the error that it raised, if any.
            It may begin the next.
    """

    __slots__ = ("_awaited", "_done", "_push", "_pushed", "_write", "_writing")

    def __init__(self, write: Write | Pushing, done: Callable[[BaseException | None], None]) -> None:
        self._write = write
        self._push: Callable[[bytes, Callable[[], None]], bool] | None = getattr(write, "push", None)
        # Whether the transport has taken a response, and has not called back yet.
        self._pushed = False
        self._done = done
        self._writing: Coroutine[Any, Any, None] | None = None
        self._awaited: asyncio.Future[Any] | None = None

    def begin(self, response: bytes) -> bool:
        """Begin a write. No other one may be under way.

        Returns:
            Whether it has ended already; ``done`` is not called then.
        """
        if self._push is not None:
            if self._push(response, self._taken):
                return True
            self._pushed = True
            return False
        self._writing = self._write(response)
        self._go_on()
        return False

    def stop(self) -> None:
        """Give up a write that is under way; ``done`` is not called."""
        if self._pushed:
            self._pushed = False
            cast("Pushing", self._write).give_up()
            return
        writing, self._writing = self._writing, None
        if writing is None:
            return
        if self._awaited:
            self._awaited.cancel()
        with suppress(asyncio.CancelledError):
            writing.throw(asyncio.CancelledError())

    def _taken(self) -> None:
        if self._pushed:
            self._pushed = False
            self._done(None)

    def _go_on(self, _awaited: object = None) -> None:
        """Carry on the write, as a task would, up to the next point where it waits."""
        if self._writing is None:
            # It was stopped.
            return
        error: BaseException | None = None
        try:
            awaited = self._writing.send(None)
        except StopIteration:
            pass
        except (asyncio.CancelledError, Exception) as exc:
            error = exc
        else:
            self._awaited = awaited
            if awaited is None:
                # It only lets others have a turn.
                asyncio.get_running_loop().call_soon(self._go_on)
            else:
                # By this, a future knows that it was awaited and not only yielded.
                awaited._asyncio_future_blocking = False
                awaited.add_done_callback(self._go_on)
            return
        self._writing = self._awaited = None
        self._done(error)
