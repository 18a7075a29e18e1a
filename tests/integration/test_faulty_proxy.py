"""The bad network of grpc_chat.testing is bad in the ways it says, and in no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from grpc_chat import Unavailable
from grpc_chat.testing import FaultyProxy, running_node
from tests.support import until


class Peer:
    """One end of a connection, that remembers what it got."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got = b""
        self.ended = False
        self.reset = False
        self._reader = reader
        self._writer = writer
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                self.got += data
        except ConnectionResetError:
            self.reset = True
        self.ended = True

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def until_got(self, data: bytes) -> None:
        await until(lambda: self.got == data)


@asynccontextmanager
async def line(*, seed: int = 0) -> AsyncIterator[tuple[FaultyProxy, Peer, Peer]]:
    """A proxy, and the two ends of a connection through it: the client's and the server's."""
    peers: list[Peer] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(Peer(reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with FaultyProxy(f"127.0.0.1:{port}", seed=seed) as proxy:
        host, _, proxy_port = proxy.address.rpartition(":")
        client = Peer(*await asyncio.open_connection(host, int(proxy_port)))
        await until(lambda: bool(peers))
        try:
            yield proxy, client, peers[0]
        finally:
            await asyncio.gather(client.close(), peers[0].close())
            server.close()


async def test_a_good_network_passes_everything_on() -> None:
    """Bytes arrive as they were sent, both ways, and so does the end of the connection."""
    async with line() as (proxy, client, server):
        client.send(b"question" * 100_000)
        server.send(b"answer" * 100_000)
        await server.until_got(b"question" * 100_000)
        await client.until_got(b"answer" * 100_000)

        await server.close()

        await until(lambda: client.ended)
        assert not client.reset
        assert proxy.connections == 1
        await until(lambda: proxy.open_connections == 0)


async def test_latency_is_a_least_time() -> None:
    """Bytes are on their way for as long as was asked, and stay in order whatever the jitter."""
    async with line() as (proxy, client, server):
        proxy.to_server.latency = timedelta(milliseconds=100)
        proxy.to_server.jitter = timedelta(milliseconds=50)
        sent = asyncio.get_running_loop().time()
        for number in range(20):
            client.send(b"%02d" % number)
            await asyncio.sleep(0)

        await server.until_got(b"".join(b"%02d" % number for number in range(20)))

        assert asyncio.get_running_loop().time() - sent >= 0.05


async def test_the_other_direction_is_as_it_was() -> None:
    """What is wrong in one direction is so in that one alone."""
    async with line() as (proxy, client, server):
        proxy.to_server.black_hole = True
        client.send(b"lost")
        server.send(b"heard")

        await client.until_got(b"heard")

        assert server.got == b""


async def test_throttling_is_a_least_time() -> None:
    """No more passes in a second than was asked."""
    async with line() as (proxy, client, server):
        proxy.to_client.bytes_per_second = 10_000
        sent = asyncio.get_running_loop().time()
        server.send(b"x" * 3000)

        await client.until_got(b"x" * 3000)

        assert asyncio.get_running_loop().time() - sent >= 0.25


async def test_a_black_hole_tells_nobody() -> None:
    """Neither bytes nor the end of the connection get through; all of it arrives when it is over."""
    async with line() as (proxy, client, server):
        proxy.black_hole()
        server.send(b"into the dark")
        await server.close()
        # What comes through a second connection shows that the first had its chance.
        proxy.to_server.black_hole = False
        client.send(b"through")
        with pytest.raises(TimeoutError):
            await until(lambda: client.ended or client.got != b"", timeout=0.2)

        proxy.heal()

        await client.until_got(b"into the dark")
        await until(lambda: client.ended)


async def test_a_cut_is_a_reset_on_both_sides() -> None:
    """Both ends hear at once that the connection is gone."""
    async with line() as (proxy, client, server):
        proxy.cut()

        await until(lambda: client.ended and server.ended)

        assert client.reset
        assert server.reset


async def test_corruption_changes_one_byte() -> None:
    """A corrupted chunk has its length, and one byte that is different."""
    async with line(seed=3) as (proxy, client, server):
        proxy.to_server.corrupt = 1.0
        client.send(bytes(1000))

        await until(lambda: len(server.got) == 1000)

        assert len([byte for byte in server.got if byte]) == 1


async def test_a_server_that_is_away_looks_like_one() -> None:
    """While there is nothing to connect to, connections end at once, and later ones get through."""
    async with running_node("1") as node, FaultyProxy("127.0.0.1:1") as proxy:
        client = node.client("1", address=proxy.address)
        sending = asyncio.create_task(client.send("general", "hello"))
        await until(lambda: proxy.connections > 0)
        assert not sending.done()

        proxy.target = node.address

        assert (await sending).seq == 1


async def test_a_lost_answer_is_to_a_call_that_was_carried_out() -> None:
    """The server has stored the message; the client does not know, and is told so."""
    async with running_node("1") as node, FaultyProxy(node.address) as proxy:
        proxy.lose_answers(1000)
        client = node.client("1", address=proxy.address)

        with pytest.raises(Unavailable, match="not known"):
            await client.send("general", "hello?", timeout=timedelta(milliseconds=700))

        assert proxy.answers_lost >= 1
        stored = [message.text async for message in node.client("1").history("general")]
        assert stored == ["hello?"]


async def test_healing_gives_answers_back() -> None:
    """After so many lost answers as were asked for, the next one arrives."""
    async with running_node("1") as node, FaultyProxy(node.address) as proxy:
        proxy.lose_answers(2)

        sent = await node.client("1", address=proxy.address).send("general", "hello")

        assert sent.seq == 1
        assert proxy.answers_lost == 2
