"""What is sent past asyncio's transport comes in order, and all of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from grpc_chat.transport.socket_connection import SocketConnection
from tests.support import until


class Connection(SocketConnection):
    """One that says how much of what it sends waits, and what it was told of it."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        return bytearray(1024)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    @property
    def waiting(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport else 0


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Connection, socket.socket]]:
    """A connection, and the other end of its socket, with little room between them."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    theirs.setblocking(False)
    _, connection = await asyncio.get_running_loop().create_connection(Connection, sock=ours)
    yield connection, theirs
    connection.abort()
    theirs.close()
    await asyncio.sleep(0)


async def received(end: socket.socket, most: int) -> bytes:
    """What comes, up to so many bytes; less if the other end is closed."""
    loop, found = asyncio.get_running_loop(), b""
    async with asyncio.timeout(5):
        while len(found) < most and (data := await loop.sock_recv(end, most - len(found))):
            found += data
    return found


async def test_nothing_overtakes_what_waits_for_a_full_socket(
    pair: tuple[Connection, socket.socket],
) -> None:
    """Nor is anything lost of what is cut in the middle, or sent when there is room again."""
    connection, end = pair
    sent = b""
    for at in range(200):
        data = b"%04d" % at * 300
        connection.send(data)
        sent += data
    assert connection.waiting
    assert connection.told == ["pause"]

    assert await received(end, len(sent)) == sent

    await until(lambda: not connection.waiting)
    assert connection.told == ["pause", "resume"]
    connection.send(b"again")
    assert not connection.waiting
    assert await received(end, 5) == b"again"


async def test_what_waits_is_sent_before_the_connection_is_closed(
    pair: tuple[Connection, socket.socket],
) -> None:
    """And nothing that is sent after it, at no time: the descriptor may be another connection's by then."""
    connection, end = pair
    connection.send(b"x" * 100_000)
    connection.close()
    connection.close()

    assert await received(end, 200_000) == b"x" * 100_000


async def test_client_that_is_gone_is_found_out_when_something_is_sent(
    pair: tuple[Connection, socket.socket],
) -> None:
    """As by asyncio: the connection ends, and nothing is raised."""
    connection, end = pair
    end.close()
    connection.send(b"x")
    connection.send(b"y")

    await until(lambda: connection._transport is None)
