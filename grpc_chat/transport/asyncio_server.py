"""The API over gRPC on asyncio: the same as :mod:`grpc_chat.transport.grpc_server`, without grpc.aio.

A write costs grpc.aio some 40 µs of CPU, most of them between its threads, and no setting lowers that. Here
HTTP/2 is Python (:mod:`grpc_chat.transport.http2`), on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import grpc
from grpc_health.v1 import health

from grpc_chat.api.pipeline import Method, Pipeline
from grpc_chat.errors import Unavailable
from grpc_chat.metrics import Metrics
from grpc_chat.transport.acceptor import Acceptor
from grpc_chat.transport.asyncio_services import health_methods, reflection_methods
from grpc_chat.transport.calls import ANSWER_SECONDS
from grpc_chat.transport.certificates import Certificates
from grpc_chat.transport.grpc_connection import GrpcConnection
from grpc_chat.transport.grpc_server import SERVICES, GrpcOptions
from grpc_chat.transport.health import Health
from grpc_chat.transport.host import Guest, Sending
from grpc_chat.transport.http2.budgets import KINDS, BudgetRates, Counts, Rate
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.reflection import Reflection
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import LAST_SECONDS, Call
from grpc_chat.transport.slow_lane import SlowLane
from grpc_chat.transport.tls_connection import TlsConnection
from grpc_chat.transport.unfinished import Unfinished
from grpc_chat.transport.unread import Unread
from grpc_chat.wire.address import join

log = logging.getLogger(__name__)

_BUFFER_BYTES = 64 * 1024
_BACKLOG = 1024
"""As many connections of a herd wait for the loop to take them."""


class AsyncioServer:
    """Serves a pipeline's methods on a port. See :class:`grpc_chat.transport.grpc_server.GrpcServer`.

    Args:
        budgets: How many frames that bring nothing a connection may send.
        unfinished_bytes: How much may be kept of requests that have not come to their end.
        unread_bytes: How much may be kept of answers that clients have not read.
        connections_per_address: How many connections an address may have; None for any number.
        is_proxy: Whether an address is that of a proxy, which may have more.

    Attributes:
        now: The event loop's time, now and then: for what need not be exact.
        buffer: What connections read into; each takes what is in it at once.
        unfinished: What is kept of requests that have not come to their end.
        unread_answers: What is kept of answers that clients have not read.
        slow_lane: Where connections wait that cause much work for nothing.
        open_calls: On all connections.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        transport: GrpcOptions,
        with_reflection: bool,
        budgets: BudgetRates | None = None,
        unfinished_bytes: int = 64 * 1024 * 1024,
        unread_bytes: int = 256 * 1024 * 1024,
        connections_per_address: int | None = None,
        is_proxy: Callable[[str], bool] = lambda _: False,
        metrics: Metrics | None = None,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._options = transport
        self.http2 = Http2Options(
            max_streams=transport.streams_per_connection,
            header_list_bytes=2 * transport.metadata_bytes,
            budgets=budgets or BudgetRates(),
        )
        self.counts = Counts()
        self.unfinished = Unfinished(unfinished_bytes)
        self.unread_answers = Unread(unread_bytes, self.loop.call_soon)
        self._most_of_address = connections_per_address
        self._is_proxy = is_proxy
        self._metrics = metrics or Metrics()
        self._metrics.frames.kinds = KINDS
        self._metrics.frames.unfinished, self._metrics.frames.unread = self.unfinished, self.unread_answers
        self._metrics.frames.came, self._metrics.frames.exceeded = self.counts.frames, self.counts.exceeded
        self.now = self.loop.time()
        self.keepalive_seconds = transport.keepalive.total_seconds()
        self.keepalive_timeout_seconds = transport.keepalive_timeout.total_seconds()
        self.timeout_milliseconds = round(self.keepalive_timeout_seconds * 1000)
        self.client_ping_seconds = transport.client_ping.total_seconds()
        self.handshake_seconds = transport.handshake.total_seconds()
        self.grace_seconds = transport.connection_age_grace.total_seconds()
        waits = (
            self.keepalive_seconds,
            self.keepalive_timeout_seconds,
            self.handshake_seconds,
            transport.connection_age.total_seconds(),
            self.grace_seconds,
        )
        self.tick_seconds = min(1.0, max(0.01, min(waits) / 5))
        self.buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.slow_lane = SlowLane(self.loop)
        self.most_bytes, self.most_calls = transport.request_bytes, transport.calls
        self.open_calls = 0
        self.stopping = False
        self._connections: set[Guest] = set()
        self._addresses: Counter[str] = Counter()
        self._sockets: list[socket.socket] = []
        self._listening: list[Acceptor] = []
        self._certificates: Certificates | None = None
        self._dirty: list[Sending] = []
        self._ticking: asyncio.TimerHandle | None = None
        self._sweep_at = self.now + ANSWER_SECONDS
        self._none: asyncio.Future[None] | None = None
        self._health = Health(["", *SERVICES])
        self._reflection = Reflection([*SERVICES, health.SERVICE_NAME]) if with_reflection else None
        self.methods: dict[str, Served] = {
            method.path: Served(_carried_out(pipeline, method)) for method in pipeline.methods
        }
        self.methods |= health_methods(self._health)
        if self._reflection:
            self.methods |= reflection_methods(self._reflection)

    async def listen(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Take a port, without answering yet; 0 for any that is free.

        Args:
            certificates: For TLS; without, the port speaks plain text.

        Returns:
            The port.

        Raises:
            Unavailable: It is taken, or not this machine's.
        """
        self._certificates = certificates
        try:
            found = await self.loop.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
            )
            for family, kind, protocol, _, address in dict.fromkeys(found):
                listening = socket.socket(family, kind, protocol)
                self._sockets.append(listening)
                listening.setblocking(False)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    # All of this machine's addresses are those of IPv4 as well.
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
                listening.bind((address[0], port, *address[2:]))
                # Every address of a name has the same port.
                port = listening.getsockname()[1]
                listening.listen(_BACKLOG)
        except OSError as exc:
            self.release()
            raise Unavailable(
                f"can't listen on {join(host, port)}: another program uses the port, "
                "or the address is not this machine's"
            ) from exc
        return port

    def release(self) -> None:
        """Give the port back, also if it was never started."""
        for each in self._sockets:
            each.close()

    async def start(self) -> None:
        """Answer calls."""
        self._listening = [Acceptor(listening, self._connection) for listening in self._sockets]
        for acceptor in self._listening:
            acceptor.start()
        self._tick()

    def announce_stop(self) -> None:
        """Report NOT_SERVING from now on, and end the streams of reflection."""
        self._health.stop()
        if self._reflection:
            self._reflection.stop()

    async def stop(self, grace: timedelta) -> None:
        """Refuse new calls, let running ones finish, and cut off what is left after ``grace``. It waits
        neither for clients that could end a call by reading but don't, nor for connections without calls.
        """
        self.stopping = True
        for acceptor in self._listening:
            acceptor.close()
        self.release()
        # Those that were accepted and have no protocol yet.
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.leave(b"the server stops", self.now + grace.total_seconds())
        for call in self._calls():
            call.is_read()
        cutting = self.loop.create_task(self._cut_off_unread())
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                await self._until_no_calls()
        cutting.cancel()
        for connection in list(self._connections):
            connection.end()
        with suppress(TimeoutError):
            # Proper clients leave when they are told to, and read what is on its way to them.
            async with asyncio.timeout(LAST_SECONDS):
                while self._connections:
                    await asyncio.sleep(0.01)
                    for connection in list(self._connections):
                        if connection.has_arrived:
                            connection.abort()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        self.slow_lane.stop()
        if self._ticking:
            self._ticking.cancel()

    async def _until_no_calls(self) -> None:
        while self.open_calls:
            # Others may have come since the last one ended, which were on their way when clients were told.
            self._none = self.loop.create_future()
            await self._none

    def sweep(self) -> None:
        """Cut off the calls whose answers were already complete at the last sweep, and those of whose
        requests nothing has come since then, and not all before: each costs memory, and counts towards the
        calls that the server may have open."""
        waiting = [call for call in self._calls() if call.is_awaited]
        for calls, why in ((self.unread(), "the answer was not read"), (waiting, "the request did not come")):
            for call in calls:
                if call.swept:
                    call.cut_off(grpc.StatusCode.CANCELLED, why)
                call.swept = True

    def unread(self) -> list[Call]:
        """The calls that only wait for their clients to read."""
        return [call for call in self._calls() if call.answered]

    def _calls(self) -> list[Call]:
        return [call for connection in self._connections for call in connection.calls.values()]

    async def _cut_off_unread(self) -> None:
        while True:
            await asyncio.sleep(LAST_SECONDS)
            for call in self._calls():
                if not call.is_read() and (call.answered or call.served.watches):
                    call.cut_off(grpc.StatusCode.UNAVAILABLE, "the server stops")

    # For connections

    def _connection(self) -> GrpcConnection:
        if self._certificates is None:
            return GrpcConnection(self)
        return TlsConnection(self, self._certificates.for_connections())

    def age(self) -> float:
        """After how many seconds a new connection is asked to leave: not all that came together at once."""
        return self._options.connection_age.total_seconds() * random.uniform(0.9, 1.1)

    def joined(self, connection: Guest, address: str) -> bool:
        """Count a connection; whether it may stay."""
        self._connections.add(connection)
        self._metrics.connections.inc()
        if self._most_of_address and not self._is_proxy(address):
            self._addresses[address] += 1
            if self._addresses[address] > self._most_of_address:
                return False
        return not self.stopping

    def left(self, connection: Guest, address: str) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self._metrics.connections.dec()
        if address in self._addresses:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def ended_call(self) -> None:
        """A call is over."""
        self.open_calls -= 1
        if self._none and not self.open_calls and not self._none.done():
            self._none.set_result(None)

    def flush_soon(self, connection: Sending) -> None:
        """Have a connection send what it has, with all others that have something now."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception as error:
                _give_up(connection, error)

    def _tick(self) -> None:
        now = self.now = self.loop.time()
        self._ticking = self.loop.call_later(self.tick_seconds, self._tick)
        for connection in [each for each in self._connections if each.due <= now]:
            try:
                connection.look(now)
            except Exception as error:
                _give_up(connection, error)
        if now >= self._sweep_at:
            self._sweep_at = now + ANSWER_SECONDS
            self.sweep()


def _give_up(connection: Sending, error: Exception) -> None:
    """After a fault of ours: it must cost no more than this connection, and not the turn of those behind."""
    log.error("a connection was given up", exc_info=error)
    connection.abort()


def budgets(at_once: Mapping[str, Any]) -> BudgetRates:
    """The budgets of frames that bring nothing.

    Args:
        at_once: How many of each kind may come at once; over time, a part of that as by default. What is no
            kind is left out.
    """
    usual = BudgetRates()
    rates: dict[str, Rate] = {}
    for kind in KINDS:
        rate: Rate = getattr(usual, kind)
        rates[kind] = Rate(at_once[kind], rate.per_second * at_once[kind] / rate.burst)
    return BudgetRates(**rates)


def _carried_out(pipeline: Pipeline, method: Method) -> Callable[[Call], Coroutine[Any, Any, None]]:
    """What carries out a call of a method."""
    if method.unary:

        async def unary(call: Call) -> None:
            call.answer(await pipeline.call(method, call.metadata, call.request, call.peer))

        return unary

    async def stream(call: Call) -> None:
        await pipeline.stream(method, call.metadata, call.request, call, call.peer)
        call.finish()

    return stream
