"""Calls whose clients read late, on a connection that is made up."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from grpc_chat.errors import SessionEnded
from grpc_chat.transport import served_call
from grpc_chat.transport.grpc_headers import Request
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call
from grpc_chat.transport.unread import Unread
from tests.support import until


class Client:
    """Keeps what it is sent, and reads when it is told to."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.core: Any = self
        self.most_bytes = 1000
        self.unread_answers = Unread(100_000, self.loop.call_soon)
        self.left = 0
        self.looks = 0
        self.trailers: list[Any] = []
        self.over = False
        self.reads_before = 0
        """At how many looks it still reads something."""

    def unsent(self, stream: int) -> int:
        self.looks += 1
        if self.left and self.looks <= self.reads_before:
            self.left -= 1
        return self.left

    def send_headers(self, stream: int, fields: Any, *, end: bool = False) -> bool:
        return not self.left

    def send_data(self, stream: int, data: bytes) -> bool:
        self.left = len(data)
        return False

    def send_trailers(self, stream: int, fields: Any) -> bool:
        self.trailers = list(fields)
        return not self.left

    def discard(self, stream: int) -> None:
        self.left = 0

    def flush_soon(self) -> None:
        pass

    flush_if_few = flush_soon

    def ended(self, stream: int) -> None:
        self.over = True

    def has_gone(self) -> bool:
        return self.over


async def ended_stream(client: Any) -> Call:
    """A call whose stream was ended by the server while its client had not read a response."""

    async def run(call: Call) -> None:
        call.push(bytes(1000), lambda: None)
        raise SessionEnded("it ended")

    head = Request([(b":method", b"POST"), (b"content-type", b"application/grpc")])
    call = Call(client, 1, head, Served(run))
    call.take(bytes(5), True)
    await until(lambda: call.answered or call.over)
    return call


async def test_a_client_that_reads_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the middle of a message: each time that it has read something, it gets as long again."""
    monkeypatch.setattr(served_call, "LAST_SECONDS", 0.01)
    client = Client()
    client.reads_before = 6
    call = await ended_stream(client)
    await until(lambda: client.looks > 6)
    await until(lambda: client.over)

    assert call.over
    assert client.looks == 7


async def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that reads a little now and then, in the end."""
    monkeypatch.setattr(served_call, "LAST_SECONDS", 0.001)
    for reads, looks in ((0, 2), (1_000_000, served_call._LAST_LOOKS)):
        client = Client()
        client.reads_before = reads
        await ended_stream(client)
        await until(client.has_gone)

        assert client.looks == looks
        assert not client.left
        assert (b"grpc-status", b"%d" % grpc.StatusCode.UNAUTHENTICATED.value[0]) in client.trailers
