"""Calls within a process: the pipeline's bytes, with nothing between it and a client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message

from grpc_chat.api.pipeline import UNKNOWN_PEER, Method, Peer, Pipeline
from grpc_chat.errors import ChatError, LimitExceeded, Unavailable, Unimplemented, Unreachable
from grpc_chat.sdk.link import SUBSCRIBE, OneLoop, authorization, fit_to_send
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.status import from_status, to_status

Response = TypeVar("Response", bound=Message)


class InProcess:
    """A link to a pipeline in the same process and event loop: see :class:`grpc_chat.sdk.link.Link`.

    Messages are encoded and decoded as for a network, so each side has its own objects. A call runs in its
    own task, as it would on a connection.

    Args:
        pipeline: Gives it, for each call; raises a ``ChatError`` if there is none. A restarted server has
            another pipeline.
        token: Proves who is calling; empty for a guest.
        timeout: How long a call may take; None for no limit.
        request_bytes: How large a request may be.
        peer: The caller's end of the connection.

    Raises:
        ValueError: ``token`` can't be a token.
    """

    def __init__(
        self,
        pipeline: Callable[[], Pipeline],
        token: str = "",
        *,
        timeout: timedelta | None = timedelta(seconds=10),
        request_bytes: int = 256 * 1024,
        peer: Peer = UNKNOWN_PEER,
    ) -> None:
        self.token = fit_to_send(token)
        self.address = "this process"
        self.closed = False
        self._pipeline = pipeline
        self._seconds = timeout.total_seconds() if timeout is not None else None
        self._request_bytes = request_bytes
        self._peer = peer
        self._loop = OneLoop()
        self._running: set[asyncio.Task[Any]] = set()

    def require_loop(self) -> None:
        """See :meth:`grpc_chat.sdk.link.Link.require_loop`."""
        self._loop.require()

    async def call(self, path: str, request: Message, response: type[Response]) -> Response:
        """See :meth:`grpc_chat.sdk.link.Link.call`."""
        pipeline, method, data = self._prepare(path, request)
        call = pipeline.call(method, authorization(self.token), data, self._peer)
        task = self._start(call, method.path)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._seconds)
        finally:
            # Also if the caller was cancelled. What was committed stays: the write belongs to the writer.
            task.cancel()
        if not done:
            raise Unreachable(
                f"there was no answer within {self._seconds:g} s", metadata={"reason": "timeout"}
            )
        if task.cancelled():
            raise self._lost()
        if error := task.exception():
            raise _told(error)
        return response.FromString(task.result())

    def subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        """See :meth:`grpc_chat.sdk.link.Link.subscribe`."""
        return self.stream(SUBSCRIBE, request, pb.SubscribeResponse)

    async def stream(self, path: str, request: Message, response: type[Response]) -> AsyncIterator[Response]:
        """See :meth:`grpc_chat.sdk.link.Link.stream`."""
        pipeline, method, data = self._prepare(path, request)
        responses = _Responses()
        stream = pipeline.stream(method, authorization(self.token), data, responses.write, self._peer)
        task = self._start(stream, method.path)
        task.add_done_callback(responses.end)
        try:
            while (taken := await responses.take()) is not None:
                yield response.FromString(taken)
        finally:
            task.cancel()
        if task.cancelled():
            raise self._lost()
        if error := task.exception():
            raise _told(error)

    async def close(self) -> None:
        """See :meth:`grpc_chat.sdk.link.Link.close`."""
        self.closed = True
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _prepare(self, path: str, request: Message) -> tuple[Pipeline, Method, bytes]:
        """The pipeline, its method with this path, and the encoded request.

        Raises:
            ChatError: The method can't be called.
        """
        self.require_loop()
        if self.closed:
            raise self._lost()
        pipeline = self._pipeline()
        method = next((method for method in pipeline.methods if method.path == path), None)
        if method is None:
            raise Unimplemented("this server does not know the method; it may be an older version")
        data = request.SerializeToString()
        if len(data) > self._request_bytes:
            raise LimitExceeded("the request is larger than the server or this client takes")
        return pipeline, method, data

    def _start(self, call: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(call, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # Nobody waits for the result of such a call.
            task.exception()

    def _lost(self) -> Unavailable:
        """The error of a call that neither side ended with an answer."""
        if self.closed:
            return Unavailable("the connection was closed")
        return Unreachable("the connection was lost", metadata={"reason": "lost"})


class _Responses:
    """What a stream has written and its reader has not taken: one response; the next write waits."""

    def __init__(self) -> None:
        self._written: deque[bytes] = deque()
        self._ended = False
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    async def write(self, response: bytes) -> None:
        """See :data:`grpc_chat.core.writing.Write`."""
        while self._written:
            self._taken.clear()
            await self._taken.wait()
        self._written.append(response)
        self._changed.set()

    async def take(self) -> bytes | None:
        """The next response; None after the last one."""
        while not self._written:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._taken.set()
        return self._written.popleft()

    def end(self, _task: object) -> None:
        """No more is coming."""
        self._ended = True
        self._changed.set()


def _told(error: BaseException) -> ChatError:
    """An error as a client of a server would get it: another object, with only what travels."""
    assert isinstance(error, ChatError), "the pipeline raises nothing else"
    return from_status(to_status(error))
