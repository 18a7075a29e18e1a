"""A bad network between a client and a server, on one machine and without privileges."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024
_HELD = 64
"""The most chunks on their way in one direction of a connection; then the sender must wait, as on a real
line."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_HEADERS = 1
"""The type of an HTTP/2 frame that a gRPC answer begins with (RFC 9113, section 6.2)."""


@dataclass(slots=True, eq=False)
class Direction:
    """What happens to bytes in one direction. May be changed at any time, for open connections too."""

    latency: timedelta = timedelta(0)
    """How long bytes are on their direction."""
    jitter: timedelta = timedelta(0)
    """How much earlier or later than ``latency``, at random. Bytes do not overtake each other: this is
    TCP."""
    bytes_per_second: float = 0
    """How much passes on each connection; 0 for no limit."""
    black_hole: bool = False
    """Nothing passes, and nobody is told, not even when a connection ends. What was sent meanwhile arrives
    afterwards, as if TCP had sent it again."""
    corrupt: float = 0
    """How likely a chunk has one wrong byte, from 0 to 1. A real network has checksums against this, and so
    does TLS: without TLS, a wrong byte in a text is a wrong text."""


class FaultyProxy:
    """Stands between clients and a server, and makes the network as bad as you tell it to.

    ::

        async with running_node("alice", "bob") as node, FaultyProxy(node.address) as proxy:
            alice = node.client("alice", address=proxy.address)
            proxy.to_server.latency = timedelta(milliseconds=200)
            await alice.send("general", "slowly")
            proxy.to_client.black_hole = True
            ...
            proxy.heal()

    It does not look at what it passes on, except that :meth:`lose_answers` looks for HTTP/2 answers. So it
    works with any client, and with TLS for everything else. While the server is away, connections are reset.

    Args:
        target: ``host:port`` of the server. An attribute, for a server that comes back elsewhere.
        seed: Makes all random choices the same each time.

    Attributes:
        to_server, to_client: What happens to bytes on their way there; see :class:`Direction`.
        connections: How many have been made so far.
        answers_lost: How many answers :meth:`lose_answers` has taken away so far.
    """

    def __init__(self, target: str, *, seed: int = 0) -> None:
        self.target = target
        self.to_server = Direction()
        self.to_client = Direction()
        self.connections = 0
        self.answers_lost = 0
        self._random = random.Random(seed)
        self._to_lose = 0
        self._links: set[_Link] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        links = [link.task for link in self._links]
        self.cut()
        await asyncio.gather(*links, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    @property
    def open_connections(self) -> int:
        """How many there are now; those whose end only one side knows still count."""
        return len(self._links)

    def black_hole(self) -> None:
        """Let nothing pass in either direction; see :attr:`Direction.black_hole`."""
        self.to_server.black_hole = self.to_client.black_hole = True

    def abandon(self, *directions: Direction) -> None:
        """Let nothing pass on the current connections ever again, without telling anybody; new ones work.
        This is what happens when a router loses its table, or a machine its power.

        Args:
            directions: :attr:`to_server`, :attr:`to_client`, or both, which is the default.
        """
        for link in self._links:
            link.abandoned.extend(directions or (self.to_server, self.to_client))

    def cut(self) -> None:
        """Reset all connections, on both sides. New ones work."""
        for link in list(self._links):
            link.cut()

    def lose_answers(self, count: int) -> None:
        """Take away the next ``count`` answers, and reset the connection of each. The request went through,
        so the server carried it out, but the client never learns of it. An answer is the first thing that the
        server sends for any call, also the first response of a stream.
        """
        self._to_lose = count

    def heal(self) -> None:
        """Be a good network again. What a black hole held back arrives now."""
        for direction in (self.to_server, self.to_client):
            direction.latency = direction.jitter = timedelta(0)
            direction.bytes_per_second = direction.corrupt = 0
            direction.black_hole = False
        self._to_lose = 0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, writer)
        self.connections += 1
        self._links.add(link)
        try:
            await link.run(reader)
        except asyncio.CancelledError:
            # The connection was cut. Nobody waits for this task, so there is nobody to pass it on to.
            link.reset()
        finally:
            self._links.discard(link)

    def _delay(self, direction: Direction) -> float:
        spread = direction.jitter.total_seconds() * self._random.uniform(-1, 1)
        return max(0.0, direction.latency.total_seconds() + spread)

    def _corrupted(self, direction: Direction, data: bytes) -> bytes:
        if self._random.random() >= direction.corrupt:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes((data[at] ^ self._random.randrange(1, 256),)) + data[at + 1 :]

    def _takes(self, answers: int) -> bool:
        """Whether to lose a chunk with so many answers."""
        if not self._to_lose or not answers:
            return False
        self._to_lose -= 1
        self.answers_lost += 1
        return True


class _EndedError(Exception):
    """One side closed the connection."""


class _Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultyProxy, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.task = task
        self._proxy = proxy
        self._writers = [to_client]
        self.abandoned: list[Direction] = []

    def cut(self) -> None:
        self.task.cancel()

    def reset(self) -> None:
        for writer in self._writers:
            # Without this, an abort looks like a normal end from outside.
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    async def run(self, from_client: asyncio.StreamReader) -> None:
        host, _, port = self._proxy.target.rpartition(":")
        try:
            from_server, to_server = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            self.reset()
            return
        self._writers.append(to_server)
        proxy, [to_client, _] = self._proxy, self._writers
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(from_client, to_server, proxy.to_server))
                group.create_task(self._carry(from_server, to_client, proxy.to_client, _Answers()))
        except* _EndedError:
            # What is still in the buffers is sent first.
            for writer in self._writers:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        except* OSError:
            self.reset()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
        answers: _Answers | None = None,
    ) -> None:
        """Pass one direction on, to its end; raises if the whole connection must go."""
        loop = asyncio.get_running_loop()
        line: deque[tuple[float, bytes]] = deque()
        came, left = asyncio.Event(), asyncio.Event()

        async def read() -> None:
            while True:
                await self._pass(direction)
                try:
                    data = await reader.read(_CHUNK)
                except OSError:
                    data = b""
                if answers and self._proxy._takes(answers.count(data)):
                    raise ConnectionResetError("the answer is lost")
                line.append((loop.time() + self._proxy._delay(direction), data))
                came.set()
                if not data:
                    return
                while len(line) >= _HELD:
                    left.clear()
                    await left.wait()

        async def write() -> None:
            while True:
                while not line:
                    came.clear()
                    await came.wait()
                due, data = line.popleft()
                left.set()
                await asyncio.sleep(due - loop.time())
                await self._pass(direction)
                if not data:
                    # One side has ended it. gRPC never goes on in one direction alone.
                    raise _EndedError
                for piece in self._pieces(direction, data):
                    writer.write(self._proxy._corrupted(direction, piece))
                    await writer.drain()
                    if direction.bytes_per_second:
                        await asyncio.sleep(len(piece) / direction.bytes_per_second)

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())

    async def _pass(self, direction: Direction) -> None:
        """Until bytes may pass in this direction."""
        while direction.black_hole or direction in self.abandoned:  # noqa: ASYNC110 - a plain switch
            await asyncio.sleep(0.01)

    def _pieces(self, direction: Direction, data: bytes) -> list[bytes]:
        """Small enough for a throttled line to flow steadily."""
        size = max(1, int(direction.bytes_per_second / 20)) if direction.bytes_per_second else len(data)
        return [data[at : at + size] for at in range(0, len(data), size)]


class _Answers:
    """Counts the answers to calls in what an HTTP/2 server sends, by the headers of its frames."""

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0

    def count(self, data: bytes) -> int:
        """How many begin in the next bytes."""
        found = at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            step = min(9 - len(self._head), len(data) - at)
            self._head += data[at : at + step]
            at += step
            if len(self._head) == 9:
                found += self._head[3] == _HEADERS
                self._skip = int.from_bytes(self._head[:3], "big")
                self._head = b""
        return found
