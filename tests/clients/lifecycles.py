"""What a client of any library must live through: connections that end, and servers. See capabilities.py."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc

from grpc_chat.wire import chat_pb2 as pb
from tests.clients.capabilities import ALICE, BOB, SEND, Capability, opened, sending, served, subscribe
from tests.clients.drivers import TONIC, Driver, End, ForeignCall, ForeignChannel
from tests.programs import Program, free_port, start

PASSING = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""How a call may end when its connection does, in the words of one library or another."""


class Talk:
    """One user who sends one message after the other, and one who follows, as docs/how-to/other-clients.md
    says: both try again, with the same id and from the last message.

    Attributes:
        sent: What the server has confirmed.
        heard: What the other was told.
        failed: How sends ended that were made again.
        cut: How streams ended after which another one was opened.
    """

    def __init__(self, driver: Driver, address: str, **options: Any) -> None:
        self._driver = driver
        self._sender, self._reader = (driver.open(address, **options) for _ in range(2))
        self.sent: list[str] = []
        self.heard: list[str] = []
        self.failed: list[End] = []
        self.cut: list[End] = []
        self._over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Talk:
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._follow())]
        await self.goes_on()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in (self._sender, self._reader):
            channel.close()

    async def _send(self) -> None:
        while not self._over:
            text = str(len(self.sent))
            request = sending(text)
            while (end := await self._sent(request)).code is not grpc.StatusCode.OK:
                self.failed.append(end)
                assert end.code in PASSING, end
                await asyncio.sleep(0.05)
            self.sent.append(text)
            await asyncio.sleep(0.01)

    async def _sent(self, request: bytes) -> End:
        return await self._sender.unary(SEND, request, metadata=ALICE, timeout_ms=5_000).ended()

    async def _follow(self) -> None:
        seq, epoch = 0, ""
        while True:
            stream = subscribe(self._reader, seq=seq, epoch=epoch if seq else "", metadata=BOB)
            taken = 0
            while stream.end is None or taken < len(stream.messages):
                await self._driver.until(
                    lambda stream=stream, taken=taken: len(stream.messages) > taken or stream.end is not None  # type: ignore[misc]
                )
                for message in stream.messages[taken:]:
                    taken += 1
                    response = pb.SubscribeResponse.FromString(message)
                    epoch = response.started.epoch or epoch
                    for event in response.events:
                        seq = event.seq
                        if event.HasField("message"):
                            self.heard.append(event.message.text)
            self.cut.append(stream.end)
            assert stream.end.code in PASSING, stream.end
            await asyncio.sleep(0.05)

    async def goes_on(self) -> None:
        """Wait until several more messages have arrived than are sent by now."""
        wanted = len(self.sent) + 5
        await self._driver.until(
            lambda: len(self.heard) >= wanted or any(task.done() for task in self._tasks)
        )

    async def finish(self) -> None:
        """Send no more; every message has arrived once and in order."""
        self._over = True
        await self._tasks[0]
        await self._driver.until(lambda: len(self.heard) >= len(self.sent) or self._tasks[1].done())
        assert self.heard == self.sent


async def moves_to_new_connections(driver: Driver, engine: str) -> None:
    """When the server asks it to, several times: nothing is lost, and nothing is sent twice."""
    ages: dict[str, Any] = {"connection_age": 0.3, "connection_age_grace": 0.6}
    async with served(engine, **ages) as node, Talk(driver, node.address) as talk:
        await driver.until(lambda: len(talk.cut) >= 2 or any(task.done() for task in talk._tasks))
        await talk.goes_on()
        await talk.finish()

    # What takes longer than an old connection may go on is cut off, and says so.
    allowed = {grpc.StatusCode.UNAVAILABLE}
    if driver.library is TONIC:
        # It may take a call for a connection that is going, and cancels it.
        allowed.add(grpc.StatusCode.CANCELLED)
    assert {end.code for end in (*talk.failed, *talk.cut)} <= allowed


async def comes_back_to_a_server(driver: Driver, engine: str) -> None:
    """That was stopped and started again: streams end, and everything goes on where it was."""
    async with served(engine) as node, Talk(driver, node.address) as talk:
        for _ in range(2):
            await node.restart()
            await talk.goes_on()
        await talk.finish()

    assert talk.cut


async def comes_back_to_a_server_that_was_killed(driver: Driver, engine: str) -> None:
    """In the middle of everything; what it had confirmed is there, and nothing is there twice."""
    with TemporaryDirectory() as folder:
        port = free_port()
        server = await _serve(folder, port, engine)
        try:
            async with Talk(driver, f"127.0.0.1:{port}") as talk:
                server.signal(signal.SIGKILL)
                await server.ended()
                server = await _serve(folder, port, engine)
                await talk.goes_on()
                await talk.finish()
        finally:
            await server.kill()

    assert talk.cut


async def _serve(folder: str, port: int, engine: str) -> Program:
    command = [sys.executable, "-m", "grpc_chat", "serve", "--trusted-ids", "1,2", "--port", str(port)]
    program = await start(*command, "--data", Path(folder) / "data", env={"GRPC_CHAT_GRPC__ENGINE": engine})
    await program.until(lambda: "listening on" in str(program))
    return program


async def keeps_alive(drivers: list[Driver], engine: str) -> None:
    """Channels that ping as often as the server allows stay, with a silent stream and without a call; others
    are told to calm down, and get through again.

    With all drivers at once, because some ping every ten seconds at most.
    """
    async with _pinged(engine, client_ping=8) as address:
        kept = []
        for driver in drivers:
            shortest = max(driver.library.shortest_keepalive_ms, 9_000)
            busy, idle = (driver.open(address, keepalive_ms=shortest) for _ in range(2))
            await opened(idle)
            stream = subscribe(busy)
            await stream.messages_came()
            kept.append((driver, busy, idle, stream))
        # Pings are what no client tells of.
        await asyncio.sleep(23)
        for _driver, busy, idle, stream in kept:
            assert stream.end is None, (_driver.library.name, stream.end)
            await opened(idle)
            busy.close()
            idle.close()
    async with _pinged(engine, client_ping=3_600) as address:
        quick = [driver for driver in drivers if driver.library.shortest_keepalive_ms <= 1_000]
        streams: list[tuple[Driver, ForeignChannel, ForeignCall]] = []
        for driver in quick:
            channel = driver.open(address, keepalive_ms=driver.library.shortest_keepalive_ms)
            streams.append((driver, channel, subscribe(channel)))
        for driver, channel, stream in streams:
            end = await stream.ended()
            assert end.code is not grpc.StatusCode.OK, (driver.library.name, end)
            again = subscribe(channel)
            await again.messages_came()
            channel.close()


@asynccontextmanager
async def _pinged(engine: str, client_ping: float) -> AsyncIterator[str]:
    quiet = {"heartbeat": "PT1H"}
    async with served(engine, subscribe=quiet, client_ping=client_ping, keepalive="PT1H") as node:
        yield node.address


ALL: tuple[Capability, ...] = (
    moves_to_new_connections,
    comes_back_to_a_server,
    comes_back_to_a_server_that_was_killed,
)
