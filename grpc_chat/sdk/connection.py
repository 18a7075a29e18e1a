"""The link over gRPC: one channel, renewed when it keeps failing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message

from grpc_chat.errors import ChatError, Unavailable, Unreachable
from grpc_chat.sdk.diagnosis import is_about_names
from grpc_chat.sdk.link import SUBSCRIBE, OneLoop, authorization, fit_to_send
from grpc_chat.sdk.network import hides_status, told
from grpc_chat.sdk.tls import Tls, connector_to
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.status import from_rpc_error, has_reason

Response = TypeVar("Response", bound=Message)

_OPTIONS = [
    # grpc waits up to two minutes between its own attempts; ours come sooner.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5000),
    # Without it a dead server is noticed after 70 s, with it after 15.
    ("grpc.http2.ping_timeout_ms", 5000),
    ("grpc.http2.max_pings_without_data", 0),
    # If the server's limits were raised, a page of history is larger than grpc's own bound.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # We retry ourselves: grpc does not know which calls are safe to repeat.
    ("grpc.enable_retries", 0),
    # Channels to one address would share a connection and its state, which a renewal is meant to get rid of.
    ("grpc.use_local_subchannel_pool", 1),
]

# A channel that retries indefinitely grows (grpc#38499), so it is replaced now and then.
_FAILURES_PER_CHANNEL = 20


class Connection:
    """Calls methods on a server, as one session: a :class:`grpc_chat.sdk.link.Link`.

    Args:
        address: ``host:port``.
        token: Proves who is calling; empty for a guest. It may be replaced.
        timeout: How long one attempt of a call may take.
        tls: How to know the server. By default, TLS is used for all addresses but this machine's.
        insecure: Whether to use no TLS for any host, although the token is sent to it.

    Raises:
        ValueError: Both are given, a file of ``tls`` has the wrong contents, or ``token`` can't be a token.
        OSError: A file of ``tls`` can't be read.
    """

    def __init__(
        self, address: str, token: str, *, timeout: timedelta, tls: Tls | None = None, insecure: bool = False
    ) -> None:
        self.address = address
        self.token = fit_to_send(token)
        self._timeout = timeout
        self._failures = 0
        self._last_details = ""
        # Whether the server has ever answered; see grpc_chat/sdk/network.py.
        self._answered = False
        self._loop = OneLoop()
        self.closed = False
        self._connector = connector_to(address, tls=tls, insecure=insecure)
        self._channel: grpc.aio.Channel | None = None
        self._opening = asyncio.Lock()

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return authorization(self.token)

    def require_loop(self) -> None:
        """See :meth:`grpc_chat.sdk.link.Link.require_loop`."""
        self._loop.require()

    async def _open(self) -> grpc.aio.Channel:
        """The channel, made if there is none.

        Raises:
            ChatError: It can't be made.
        """
        self.require_loop()
        async with self._opening:
            if self._channel is None:
                channel = await self._connector.open(_OPTIONS, self._timeout)
                if not self.closed:
                    self._channel = channel
                else:
                    await channel.close()
            if self._channel is None:
                raise Unavailable("the connection was closed")
            return self._channel

    async def call(self, path: str, request: Message, response: type[Response]) -> Response:
        """Call a unary method once.

        Raises:
            ChatError: As the server says, or ``Unavailable`` when it did not.
        """
        channel = await self._open()
        method = channel.unary_unary(
            path,
            request_serializer=cast("Callable[[Any], bytes]", type(request).SerializeToString),
            response_deserializer=response.FromString,
        )
        try:
            result = await method(request, timeout=self._timeout.total_seconds(), metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise await self._failed(error, channel) from None
        except grpc.aio.UsageError as error:
            raise Unavailable("the connection was closed") from error
        except grpc.aio.BaseError as error:
            raise Unreachable("the call could not be made", metadata={"detail": str(error)}) from error
        except asyncio.CancelledError:
            if _is_to_be_cancelled():
                raise
            # A channel that is closed, or renewed, cancels its calls, which looks as if their callers were
            # cancelled.
            raise Unavailable("the connection was closed") from None
        self._failures = 0
        self._answered = True
        return result

    def subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        """See :meth:`grpc_chat.sdk.link.Link.subscribe`."""
        return self.stream(SUBSCRIBE, request, pb.SubscribeResponse)

    async def stream(self, path: str, request: Message, response: type[Response]) -> AsyncIterator[Response]:
        """Open a stream and yield its responses until it ends.

        Raises:
            ChatError: As the server says, or ``Unavailable`` when it did not.
        """
        channel = await self._open()
        method = channel.unary_stream(
            path,
            request_serializer=cast("Callable[[Any], bytes]", type(request).SerializeToString),
            response_deserializer=response.FromString,
        )
        call = method(request, metadata=self._metadata)
        try:
            async for received in call:
                self._failures = 0
                self._answered = True
                yield received
        except grpc.aio.AioRpcError as error:
            raise await self._failed(error, channel) from None
        except grpc.aio.UsageError as error:
            raise Unavailable("the connection was closed") from error
        except grpc.aio.BaseError as error:
            raise Unreachable("the call could not be made", metadata={"detail": str(error)}) from error
        except asyncio.CancelledError:
            if _is_to_be_cancelled():
                raise
            # A channel that is closed, or renewed, cancels its calls, which looks as if their callers were
            # cancelled.
            raise Unavailable("the connection was closed") from None
        finally:
            call.cancel()

    async def _failed(self, error: grpc.aio.AioRpcError, channel: grpc.aio.Channel) -> ChatError:
        """The error that a failed call raises."""
        code, details = error.code(), error.details() or ""
        ours = has_reason(error)
        if ours:
            self._answered = True
            if code is not grpc.StatusCode.UNAVAILABLE:
                return from_rpc_error(error)
        # Looking at the server needs another connection, so it is not done each time that the same happens.
        look = details != self._last_details or self._failures % _FAILURES_PER_CHANNEL == 0
        self._failures += 1
        explained = None
        # The second is grpc's own, and no server's, when names differ.
        if not ours and (
            code is grpc.StatusCode.UNAVAILABLE
            or (code is grpc.StatusCode.UNAUTHENTICATED and is_about_names(details))
        ):
            explained = await self._connector.explain(details, look=look)
        # A caller that tries again in spite of an explanation gets it again.
        self._last_details = details if explained is None else ""
        # Also where the server itself is in trouble: a new connection may lead to another node.
        if explained or self._failures % _FAILURES_PER_CHANNEL == 0:
            # Another call may have renewed it meanwhile.
            if self._channel is channel:
                self._channel = None
            await channel.close()
        if ours:
            return from_rpc_error(error)
        if explained is None and not self._answered and hides_status(details):
            return await self._asked_again()
        return explained or self._told(error)

    def _told(self, error: grpc.aio.AioRpcError) -> ChatError:
        return told(
            error.code(),
            error.details() or "",
            address=self.address,
            timeout=self._timeout,
            answered=self._answered,
        )

    async def _asked_again(self) -> ChatError:
        """What something answers whose status grpc has not told: a web site, or a proxy whose server is away.

        It is asked for what needs no caller and changes nothing, and is not told a token.
        """
        channel = await self._open()
        method = channel.unary_unary(
            "/chat.v1.AuthService/GetServerInfo",
            request_serializer=pb.GetServerInfoRequest.SerializeToString,
            response_deserializer=pb.GetServerInfoResponse.FromString,
        )
        try:
            await cast("Any", method)(pb.GetServerInfoRequest(), timeout=self._timeout.total_seconds())
        except grpc.aio.AioRpcError as error:
            if not has_reason(error):
                return self._told(error)
        except grpc.aio.BaseError:
            return Unavailable("the connection was closed")
        self._answered = True
        return Unreachable("the connection was lost", metadata={"reason": "lost"})

    async def close(self) -> None:
        """End all calls; further ones end at once."""
        self.closed = True
        if self._channel:
            await self._channel.close()


def _is_to_be_cancelled() -> bool:
    """Whether somebody cancelled the task that runs."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
