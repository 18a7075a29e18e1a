"""Open calls, and how to end those whose clients do not read.

In HTTP/2 the receiver decides how much it is sent. When a client stops reading, the rest, the status
included, stays with the server for as long as the connection lives: telling such a call to end does not end
it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, NoReturn, cast

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined, unused-ignore]
from grpc_status import rpc_status

from grpc_chat.errors import ChatError
from grpc_chat.wire.status import bare_status, to_status

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

LAST_SECONDS = 0.5
"""How long a client may take to read that its call has ended."""

ANSWER_SECONDS = 60.0
"""How long a client may take to read the answer of a unary call, at least; at most twice that."""


async def write(context: Context, response: Any) -> None:
    """Give a response to gRPC, and return when it can take another.

    Raises:
        asyncio.CancelledError: The client went away during the write or before it, as clients do, or the call
        was cut off. That is not an error, so it is not logged.
    """
    try:
        await context.write(response)
    except (grpc.aio.InternalError, grpc.aio.UsageError):
        raise asyncio.CancelledError from None


class OpenCalls:
    """Calls from their beginning until gRPC has sent all of them, or has given up."""

    def __init__(self) -> None:
        self._running: set[Context] = set()
        self._watching: set[Context] = set()
        # With the tasks that send the answers.
        self._answered: dict[Context, asyncio.Task[Any] | None] = {}
        # The same, from before the last sweep.
        self._unread: dict[Context, asyncio.Task[Any] | None] = {}
        self._none: asyncio.Future[None] | None = None

    def begin(self, context: Context, *, watches: bool = False) -> None:
        """Count a call as open, until it ends.

        Args:
            watches: Whether its handler only waits for the server to stop, and then ends by itself.
        """
        (self._watching if watches else self._running).add(context)
        context.add_done_callback(cast("Any", self._end))

    def answered(self, context: Context) -> None:
        """Note that a call only waits for its client to read the answer. For its handler."""
        self._running.discard(context)
        self._answered[context] = asyncio.current_task()

    async def abort(self, context: Context, error: ChatError) -> NoReturn:
        """End a call with an error; by force if its client does not read.

        MUST NOT be used while a write is under way, which the error would wait for: see :meth:`cut_off`.
        """
        status = rpc_status.to_status(to_status(error))
        loop = asyncio.get_running_loop()
        cutting = loop.call_later(LAST_SECONDS, self._cut, context, *bare_status(error))
        try:
            await context.abort(status.code, status.details, status.trailing_metadata)
        except (grpc.aio.InternalError, grpc.aio.UsageError):
            # The client is gone, or was cut off. A cancellation passes through to grpc: to return instead
            # leaks memory (grpc#43360).
            raise asyncio.CancelledError from None
        finally:
            cutting.cancel()
        raise AssertionError("abort raises")

    def cut_off(self, context: Context, error: ChatError) -> NoReturn:
        """End a call with an error at once, and drop what has not been sent of it.

        A status after a write that was given up would cost more memory that grpc never frees (grpc#43360),
        and after the first write it fails, because grpc takes the headers for not sent.
        """
        self._cut(context, *bare_status(error))
        raise asyncio.CancelledError

    def sweep(self) -> None:
        """Cut off the calls whose answers were already complete at the last sweep: each costs its answer's
        memory, and counts towards the calls that the server may have open."""
        for context in list(self._unread):
            self._cut(context, grpc.StatusCode.CANCELLED, "the answer was not read")
        self._unread, self._answered = self._answered, {}

    def unread(self) -> list[Context]:
        """The calls that only wait for their clients to read."""
        return [*self._answered, *self._unread]

    def cut_off_unread(self) -> None:
        """Cut off the calls that only wait for their clients, because the server stops."""
        for context in [*self._watching, *self.unread()]:
            self._cut(context, grpc.StatusCode.UNAVAILABLE, "the server stops")

    async def until_none(self) -> None:
        """Wait until no call is open except those that were cut off."""
        if not self._any():
            return
        self._none = asyncio.get_running_loop().create_future()
        await self._none

    def _any(self) -> bool:
        return bool(self._running or self._watching or self._answered or self._unread)

    def _cut(self, context: Context, code: grpc.StatusCode, message: str) -> None:
        if task := self._answered.get(context) or self._unread.get(context):
            # Otherwise gRPC would log a traceback for an answer that fails before it knows of the end.
            task.cancel()
        if not cut_off(context, code, message):
            log.warning("a call could not be cut off; it stays open until its connection ends")
        self._end(context)

    def _end(self, context: Context) -> None:
        self._running.discard(context)
        self._watching.discard(context)
        self._answered.pop(context, None)
        self._unread.pop(context, None)
        if self._none and not self._none.done() and not self._any():
            self._none.set_result(None)


def cut_off(context: Context, code: grpc.StatusCode, message: str) -> bool:
    """Cancel a call from the server's side, with a status, and drop what has not been sent of it.

    gRPC sends status and RST_STREAM at once then, past the client's windows. The details of an error
    (``grpc-status-details-bin``) don't fit in. Code that waits for the call fails: a write raises
    ``InternalError``, or the handler is cancelled.

    If the client does not even read the socket, nothing gets through; then what was given to the connection
    stays there until gRPC's keepalive, or the end of the server, closes it.

    In grpc.aio only clients can do this, although the underlying object is the same on both sides. The
    context makes such an object for ``peer_identities``, and passes it to a function that it looks up in its
    module. If a release of grpcio changes that, the tests of this module fail, and calls stay until their
    connections end.

    Returns:
        Whether the call could be reached.
    """
    number = code.value[0]
    # Here gRPC writes the message into a header as it is, without encoding it.
    text = message.encode("ascii", "replace").decode().replace("%", "?")
    original, thread = cygrpc.peer_identities, threading.get_ident()
    reached = False

    def cancel(call: Any) -> Any:
        nonlocal reached
        if threading.get_ident() != thread:
            return original(call)
        # MUST NOT raise: the context would then release the call a second time.
        try:
            call.cancel(number, text)
            reached = True
        except Exception:
            log.exception("a call could not be cut off")
        return None

    cygrpc.peer_identities = cancel
    try:
        context.peer_identities()
    finally:
        cygrpc.peer_identities = original
    return reached
