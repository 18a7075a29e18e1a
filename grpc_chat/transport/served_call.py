"""One call on a connection of the asyncio server, from its headers until its answer is on its way."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

import grpc

from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.transport.carrier import Carrier
from grpc_chat.transport.grpc_headers import ANSWER, OK, Fields, Metadata, Request, trailers
from grpc_chat.transport.grpc_messages import MessageFailed, Messages, framed, whole
from grpc_chat.transport.http2.headers import encode
from grpc_chat.transport.served import Served
from grpc_chat.wire.status import bare_status, to_status

log = logging.getLogger(__name__)

LAST_SECONDS = 0.5
"""How long a client may take to read that its call has ended with an error, or to read any of it."""

_LAST_LOOKS = 10
"""How many of those a client may take that does read."""

LARGEST_RESPONSE = 4 * 1024 * 1024
"""A page of history and one event above it."""

_ANSWER = encode(ANSWER)
_OK = encode(OK)


class Call:
    """One call. Its handler runs in a task; all else happens in callbacks of the connection.

    Attributes:
        id: Its stream on the connection.
        request: The client's message; of a stream of requests see :meth:`read`.
        metadata: What the client sent beside it.
        peer: The connection, as the other end of which the client is known.
        over: Whether its end is on its way, or its client is gone.
        answered: Whether its end only waits for the client to read what is before it.
        swept: For the server: whether that was so at its last sweep, or nothing has come of it since.
    """

    __slots__ = (
        "_begun",
        "_deadline",
        "_encoding",
        "_ended",
        "_given_up",
        "_has_unread",
        "_headers_sent",
        "_last_call",
        "_messages",
        "_reader",
        "_ready",
        "_task",
        "_unsent",
        "answered",
        "id",
        "metadata",
        "over",
        "peer",
        "request",
        "served",
        "swept",
    )

    def __init__(self, connection: Carrier, id_: int, head: Request, served: Served) -> None:
        self.peer = connection
        self.id = id_
        self.served = served
        self.metadata: Metadata = head.metadata
        self.request = b""
        self.over = False
        self.answered = False
        self.swept = False
        self._encoding = head.encoding
        self._messages: Messages | None = None
        self._begun = False
        self._ended = False
        self._headers_sent = False
        self._given_up = False
        # Whether something is held for it that its client has not read.
        self._has_unread = False
        self._unsent = 0
        self._task: asyncio.Task[None] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._ready: Callable[[], None] | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        if head.seconds is not None:
            self._deadline = connection.loop.call_later(head.seconds, self._expire)

    # What comes from the client

    def take(self, data: bytes, end: bool) -> None:
        """The next bytes of the request. Called by the connection."""
        self._ended = end
        most = self.peer.most_bytes
        try:
            if self._messages is None:
                # Nearly always it is all there.
                message = whole(data, self._encoding, most) if end else None
                if message is not None and not self.served.streams_requests:
                    self.request = message
                    self._begin()
                    return
                self._messages = Messages(self._encoding, most)
            if self._begun and not self.served.streams_requests:
                # Only the first request counts.
                self.peer.consumed(self.id, len(data))
                return
            self._messages.feed(data)
            if self._messages.ready and not self.served.streams_requests:
                self.request = self._messages.next()
                self._messages.drop()
                self._begin()
        except MessageFailed as failed:
            if self._messages:
                self._messages.drop()
                self.peer.unfinished.hold(self, 0)
            self.end_with(failed.code, str(failed))
            return
        self.swept = False
        self.peer.unfinished.hold(self, self._messages.held)
        if self.over or self.answered:
            return
        if self.served.streams_requests:
            if not self._begun:
                self._begin()
            elif self._reader and not self._reader.done():
                self._reader.set_result(None)
            # While a client has questions waiting, it may send no more than its window holds.
            if self._messages.ready < 2:
                self.peer.consumed(self.id, len(data))
            return
        if end and not self._begun:
            self.end_with(grpc.StatusCode.INTERNAL, "the request ended before its message did")
            return
        self.peer.consumed(self.id, len(data))

    @property
    def is_awaited(self) -> bool:
        """Whether its request has not come."""
        return not self._begun and not self.over

    def give_way(self) -> None:
        """See :meth:`grpc_chat.transport.unfinished.Holder.give_way`."""
        self.end_with(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many pending requests")
        if self._messages:
            self._messages.drop()

    async def read(self) -> bytes | None:
        """The next of a stream of requests; None after the last.

        Raises:
            MessageFailed: It can't be read.
        """
        assert self._messages is not None
        while not self._messages.ready:
            if self._ended:
                return None
            self._reader = self.peer.loop.create_future()
            await self._reader
        message = self._messages.next()
        self.peer.unfinished.hold(self, self._messages.held)
        if not self._messages.ready:
            # All that was not given back yet, at most: what is more counts for nothing.
            self.peer.consumed(self.id, 1 << 30)
        return message

    def _begin(self) -> None:
        self._begun = True
        self._task = self.peer.loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.served.run(self)
        except ChatError as error:
            self._fail(error)
        except MessageFailed as failed:
            self.end_with(failed.code, str(failed))
        except asyncio.CancelledError:
            # Unless the call is over, the server was told not to wait for it any longer.
            self.end_with(grpc.StatusCode.UNAVAILABLE, "the server stops")
            raise
        except Exception:
            # The pipeline lets nothing through but ChatError.
            log.exception("a call could not be carried out")
            self.end_with(grpc.StatusCode.INTERNAL, "the server has a fault")
        finally:
            self._task = None

    # What goes to the client

    def answer(self, response: bytes) -> None:
        """Send the response of a unary call, and end it."""
        if self.over:
            return
        if len(response) > LARGEST_RESPONSE:
            self.end_with(grpc.StatusCode.RESOURCE_EXHAUSTED, _TOO_LARGE)
            return
        self._headers_sent = True
        data = framed(response)
        if self.peer.core.respond(self.id, _ANSWER, data, _OK):
            self._over()
        else:
            self.answered = True
            self._hold(data)
        self.peer.flush_if_few()

    def push(self, response: bytes, then: Callable[[], None]) -> bool:
        """See :meth:`grpc_chat.core.writing.Pushing.push`."""
        if self.over:
            return False
        if len(response) > LARGEST_RESPONSE:
            self.end_with(grpc.StatusCode.RESOURCE_EXHAUSTED, _TOO_LARGE)
            return False
        peer, data = self.peer, framed(response)
        if self._headers_sent:
            if peer.send_alone(self.id, data):
                return True
        else:
            self._headers_sent = True
            peer.core.send_headers(self.id, _ANSWER)
        room = peer.core.send_data(self.id, data)
        peer.flush_if_few()
        if not room:
            self._ready = then
            self._hold(data)
        return room

    def _hold(self, data: bytes) -> None:
        if not self.over:
            self._has_unread = True
            self.peer.unread_answers.hold(self, data, len(data))

    def _release(self) -> None:
        if self._has_unread:
            self._has_unread = False
            self.peer.unread_answers.release(self)

    def end_unread(self) -> None:
        """See :meth:`grpc_chat.transport.unread.Keeper.end_unread`."""
        self.cut_off(*bare_status(_UNREAD))

    def give_up(self) -> None:
        """See :meth:`grpc_chat.core.writing.Pushing.give_up`."""
        self._ready = None
        self._given_up = True

    async def __call__(self, response: bytes) -> None:
        """Send one of a stream of responses, and return when the next can be taken: as long as the client
        does not read, that is not before it has read all of this one.

        Raises:
            asyncio.CancelledError: The client is gone.
        """
        if self.push(response, _nothing):
            return
        if self.over or self.answered:
            raise asyncio.CancelledError
        taken = self.peer.loop.create_future()
        self._ready = functools.partial(_tell, taken)
        try:
            await taken
        except asyncio.CancelledError:
            self.give_up()
            raise

    def finish(self) -> None:
        """End a stream of responses without an error."""
        if self.over:
            return
        if not self._headers_sent:
            self._headers_sent = True
            self.peer.core.send_headers(self.id, _ANSWER)
        self._ends(self.peer.core.send_trailers(self.id, _OK))

    def _fail(self, error: ChatError) -> None:
        """End it with an error; by force if its client does not read."""
        if self._given_up and not self.is_read():
            self.cut_off(*bare_status(error))
            return
        status = to_status(error)
        code, _ = bare_status(error)
        self._end(trailers(code, error.message, status))
        if not self.over:
            self.is_read()
            self._wait_for_reader(_LAST_LOOKS, *bare_status(error))

    def is_read(self) -> bool:
        """Whether its client has read any of what waits for it since this was asked last.

        To be cut off in the middle of a message looks like a fault of the server to some clients, and a busy
        client reads late.
        """
        before, self._unsent = self._unsent, self.peer.unsent(self.id)
        return self._unsent < before

    def _wait_for_reader(self, looks: int, code: grpc.StatusCode, message: str) -> None:
        self._last_call = self.peer.loop.call_later(LAST_SECONDS, self._look, looks - 1, code, message)

    def _look(self, looks: int, code: grpc.StatusCode, message: str) -> None:
        if looks and self.is_read():
            self._wait_for_reader(looks, code, message)
        else:
            self.cut_off(code, message)

    def end_with(self, code: grpc.StatusCode, message: str) -> None:
        """End it with a status, wherever it is; its handler is cancelled."""
        if not self.answered:
            self._end(trailers(code, message))
            self._cancel()

    def cut_off(self, code: grpc.StatusCode, message: str) -> None:
        """End it with a status at once, and drop what the client has not read."""
        if self.over:
            return
        self.peer.core.discard(self.id)
        self.answered = False
        self._end(trailers(code, message))
        self._cancel()
        self.lost()

    def _end(self, fields: Fields) -> None:
        if self.over:
            return
        if self._headers_sent:
            self._ends(self.peer.core.send_trailers(self.id, fields))
        else:
            # Nothing but headers: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
            self._headers_sent = True
            self._ends(self.peer.core.send_headers(self.id, [*ANSWER, *fields], end=True))

    def _ends(self, sent: bool) -> None:
        """Its end was given to the connection, which has sent it, or keeps it until the client reads."""
        self.peer.flush_soon()
        if sent:
            self._over()
        else:
            self.answered = True

    # What the connection tells

    def drained(self) -> None:
        """What was kept of its answer is on its way."""
        self._release()
        if self.answered:
            self._over()
        elif self._ready is not None:
            ready, self._ready = self._ready, None
            ready()

    def lost(self) -> None:
        """Its client is gone, or no longer wants it."""
        if not self.over:
            self._over()
            self._cancel()

    def _expire(self) -> None:
        self._deadline = None
        # With what the client has not read, for it would not read that in time.
        self.cut_off(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def _cancel(self) -> None:
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _over(self) -> None:
        self.over = True
        for timer in (self._deadline, self._last_call):
            if timer is not None:
                timer.cancel()
        self._deadline = self._last_call = None
        self._release()
        if self._messages is not None:
            self.peer.unfinished.hold(self, 0)
        self.peer.ended(self.id)


def _nothing() -> None:
    """A response can be taken, and nobody waits for it."""


def _tell(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


_TOO_LARGE = f"Sent message larger than max ({LARGEST_RESPONSE})"

# What was asked for may have been done.
_UNREAD = Unavailable("the answer was not read, and too many wait to be read")
