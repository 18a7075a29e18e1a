"""Connections come to a socket, also while the process has no descriptor for them."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from grpc_chat.transport import acceptor
from grpc_chat.transport.acceptor import Acceptor


class Scarce(socket.socket):
    """A listening socket of a process that has no descriptor left, as long as ``errors`` lasts.

    Attributes:
        tried: How often a connection was asked of it.
    """

    errors: list[int]
    tried = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tried += 1
        if self.errors:
            code = self.errors.pop()
            raise OSError(code, os.strerror(code))
        return super().accept()


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@asynccontextmanager
async def accepting(errors: list[int]) -> AsyncIterator[tuple[Scarce, int]]:
    listening = Scarce()
    listening.errors = errors
    listening.setblocking(False)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    taking = Acceptor(listening, Echo)
    taking.start()
    try:
        yield listening, listening.getsockname()[1]
    finally:
        taking.close()


async def echoed(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    try:
        return await reader.readexactly(5)
    finally:
        writer.close()


async def test_connections_are_taken() -> None:
    async with accepting([]) as (_, port):
        assert await asyncio.gather(*(echoed(port) for _ in range(200))) == [b"hello"] * 200


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_descriptors_connections_wait(
    code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It asks once for each pause, says it in one line, and takes them as soon as it can."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(acceptor, "_RETRY_SECONDS", 0.01)
    async with accepting([code] * 5) as (listening, port):
        assert await asyncio.gather(*(echoed(port) for _ in range(20))) == [b"hello"] * 20

        assert not listening.errors
        said = [record.getMessage() for record in caplog.records if record.name == acceptor.__name__]
        assert said == [
            f"new connections have to wait, those that are open go on: {os.strerror(code)}",
            "new connections are taken again",
        ]


async def test_it_waits_between_tries() -> None:
    """With a socket that stays ready, others would never have their turn."""
    async with accepting([errno.EMFILE] * 1000) as (listening, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(100):
            await asyncio.sleep(0)

        assert listening.tried == 1
        writer.close()


async def test_a_peer_that_is_gone_already_is_passed_over() -> None:
    async with accepting([errno.ECONNABORTED]) as (_, port):
        assert await echoed(port) == b"hello"


async def test_closing_while_connections_wait_ends_it() -> None:
    async with accepting([errno.EMFILE] * 1000) as (listening, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(100):
            await asyncio.sleep(0)
        assert listening.tried == 1
        writer.close()

    assert listening.fileno() == -1
