"""The API over gRPC: grpc.aio, with health and reflection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import grpc
from grpc_health.v1 import health

from grpc_chat.api.pipeline import Metadata, Method, Pipeline
from grpc_chat.errors import ChatError, Unavailable, Unimplemented
from grpc_chat.transport.calls import ANSWER_SECONDS, LAST_SECONDS, OpenCalls
from grpc_chat.transport.certificates import Certificates
from grpc_chat.transport.health import Health
from grpc_chat.transport.reflection import Reflection
from grpc_chat.wire.address import join
from grpc_chat.wire.names import services

log = logging.getLogger(__name__)

SERVICES = services()


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """Limits and timeouts of connections.

    Attributes:
        request_bytes: How large a request may be.
        metadata_bytes: How large a call's metadata may be. Somewhat larger metadata is sometimes refused, and
            twice as much always.
        streams_per_connection: Calls at once on one connection.
        calls: Calls at once on all connections; more are refused.
        keepalive: How long a connection may be silent before it is pinged.
        keepalive_timeout: How long the answer may take.
        client_ping: The shortest time between a client's pings; faster clients are disconnected.
        handshake: How long the handshake of a new connection may take.
        connection_age: After how long a client is asked to reconnect, so that load is spread again.
        connection_age_grace: How long its calls may go on then.
    """

    request_bytes: int = 256 * 1024
    metadata_bytes: int = 8 * 1024
    streams_per_connection: int = 100
    calls: int = 50_000
    keepalive: timedelta = timedelta(seconds=10)
    keepalive_timeout: timedelta = timedelta(seconds=5)
    client_ping: timedelta = timedelta(seconds=8)
    handshake: timedelta = timedelta(seconds=5)
    connection_age: timedelta = timedelta(hours=1)
    connection_age_grace: timedelta = timedelta(seconds=30)

    def options(self) -> list[tuple[str, int]]:
        """The same as grpc's options; each line has a test that fails without it."""
        return [
            # Otherwise two servers on one port would each get some of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", self.streams_per_connection),
            ("grpc.max_receive_message_length", self.request_bytes),
            # A page of history and one event above it.
            ("grpc.max_send_message_length", 4 * 1024 * 1024),
            ("grpc.max_metadata_size", self.metadata_bytes),
            ("grpc.absolute_max_metadata_size", 2 * self.metadata_bytes),
            # With grpc's own bound of 1,000 a herd of reconnecting clients is answered CANCELLED.
            ("grpc.server.max_pending_requests", 20_000),
            ("grpc.server.max_pending_requests_hard_limit", 30_000),
            ("grpc.keepalive_time_ms", _ms(self.keepalive)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout)),
            # Without it a dead peer is noticed after 70 s, with it after 10.
            ("grpc.http2.ping_timeout_ms", _ms(self.keepalive_timeout)),
            ("grpc.http2.min_ping_interval_without_data_ms", _ms(self.client_ping)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.server_handshake_timeout_ms", _ms(self.handshake)),
            ("grpc.max_connection_age_ms", _ms(self.connection_age)),
            ("grpc.max_connection_age_grace_ms", _ms(self.connection_age_grace)),
        ]


def _ms(interval: timedelta) -> int:
    return round(interval.total_seconds() * 1000)


class GrpcServer:
    """Serves a pipeline's methods on a port.

    Args:
        with_reflection: Whether clients may ask for the schema, as grpcurl does. It reveals nothing that
            chat.proto does not.
    """

    def __init__(self, pipeline: Pipeline, *, transport: GrpcOptions, with_reflection: bool) -> None:
        self._pipeline = pipeline
        # grpc's logs would go to standard error; ours say what is needed.
        self._server = grpc.aio.server(options=transport.options(), maximum_concurrent_rpcs=transport.calls)
        self._open = OpenCalls()
        self._sweeping: asyncio.Task[None] | None = None
        self._health = Health(["", *SERVICES], self._open)
        self._server.add_generic_rpc_handlers((self._health.handlers(),))
        self._reflection = (
            Reflection([*SERVICES, health.SERVICE_NAME], self._open) if with_reflection else None
        )
        if self._reflection:
            self._server.add_generic_rpc_handlers(tuple(self._reflection.handlers()))
        for service in SERVICES:
            handlers = {
                method.path.rpartition("/")[2]: self._handler(method)
                for method in pipeline.methods
                if method.path.startswith(f"/{service}/")
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        # The last one is asked last.
        self._server.add_generic_rpc_handlers((_Unknown(self._open),))

    async def listen(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Take a port, without answering yet; 0 for any that is free.

        Args:
            certificates: For TLS; without, the port speaks plain text.

        Returns:
            The port.

        Raises:
            Unavailable: It is taken, or not this machine's.
        """
        address = join(host, port)
        try:
            if certificates is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, certificates.credentials())
        except RuntimeError as exc:
            raise Unavailable(
                f"can't listen on {address}: another program uses the port, "
                "or the address is not this machine's"
            ) from exc

    async def start(self) -> None:
        """Answer calls."""
        await self._server.start()
        self._sweeping = asyncio.create_task(self._sweep(), name="unread answers")

    def announce_stop(self) -> None:
        """Report NOT_SERVING from now on, and end the streams of reflection."""
        self._health.stop()
        if self._reflection:
            self._reflection.stop()

    async def stop(self, grace: timedelta) -> None:
        """Refuse new calls, let running ones finish, and cut off what is left after ``grace``. It waits
        neither for clients that could end a call by reading but don't, nor for connections without calls.
        """
        if self._sweeping:
            self._sweeping.cancel()
        loop = asyncio.get_running_loop()
        cutting = loop.call_later(LAST_SECONDS, self._open.cut_off_unread)
        stopping = asyncio.create_task(self._server.stop(grace.total_seconds()))
        none = asyncio.create_task(self._open.until_none())
        await asyncio.wait((stopping, none), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            # Proper clients leave when they are told to. Others would get time until a ping times out.
            await asyncio.wait((stopping,), timeout=LAST_SECONDS)
            await self._server.stop(None)
        await stopping
        none.cancel()
        cutting.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(ANSWER_SECONDS)
            self._open.sweep()

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        # Without (de)serialisers a handler takes and returns bytes: the pipeline refuses messages that can't
        # be decoded (grpc would answer UNKNOWN with the exception's text), and encoded events are not encoded
        # again.
        if method.unary:

            async def unary(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
                self._open.begin(context)
                try:
                    response = await self._pipeline.call(method, _metadata(context), data, _Peer(context))
                except ChatError as error:
                    await self._open.abort(context, error)
                self._open.answered(context)
                return response

            return grpc.unary_unary_rpc_method_handler(cast("Any", unary))

        async def stream(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            self._open.begin(context)
            given_up = False

            async def write(response: bytes) -> None:
                nonlocal given_up
                try:
                    await context.write(response)
                except asyncio.CancelledError:
                    given_up = True
                    raise
                except (grpc.aio.InternalError, grpc.aio.UsageError):
                    # The client went away during a write or before it, as clients do. That is not an error.
                    raise asyncio.CancelledError from None

            # A cancellation passes through: catching it and returning leaks memory (grpc#43360).
            try:
                await self._pipeline.stream(method, _metadata(context), data, write, _Peer(context))
            except ChatError as error:
                if given_up:
                    self._open.cut_off(context, error)
                await self._open.abort(context, error)

        return grpc.unary_stream_rpc_method_handler(cast("Any", stream))


class _Unknown(grpc.GenericRpcHandler):
    """Answers calls of unknown methods, with a reason of ours.

    grpc's own answer has none, so a client could not tell an older grpc-chat server from another kind of
    server at its address.
    """

    def __init__(self, open_: OpenCalls) -> None:
        self._open = open_

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        # A handler of this kind is called at once, and reads nothing.
        return grpc.stream_stream_rpc_method_handler(cast("Any", self._refuse))

    async def _refuse(self, _requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await self._open.abort(
            context, Unimplemented("this server does not know the method; it may be an older version")
        )


def verified_names(context: grpc.aio.ServicerContext[Any, Any]) -> tuple[str, ...]:
    """Who a client is by its certificate: the common name, then the alternative names, each once.

    Empty without TLS, and if the server does not ask for certificates (``tls.client_ca``): one that a client
    shows unasked is ignored. The names here are verified: one of those authorities issued the certificate, it
    had not expired when the connection was made, and the client has its key.
    """
    # Without TLS there is no such property; with it, only one that the handshake has verified.
    known = cast("Mapping[str, Sequence[bytes]]", context.auth_context())
    names: dict[str, None] = {}
    for kind in ("x509_common_name", "x509_subject_alternative_name"):
        for name in known.get(kind, ()):
            # One that is not text can't be anybody's name here.
            with suppress(UnicodeDecodeError):
                names[name.decode()] = None
    return tuple(names)


class _Peer:
    """See :class:`grpc_chat.api.pipeline.Peer`."""

    __slots__ = ("_context",)

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._context = context

    def address(self) -> str:
        return self._context.peer()

    def names(self) -> tuple[str, ...]:
        return verified_names(self._context)


def _metadata(context: grpc.aio.ServicerContext[bytes, bytes]) -> Metadata:
    return cast("Sequence[tuple[str, str | bytes]]", context.invocation_metadata() or ())
