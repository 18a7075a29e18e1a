"""Answers on a connection of the asyncio server whose client does not read them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.sending import ROUND_BYTES
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call
from grpc_chat.transport.socket_connection import WRITE_BUFFER_BYTES
from tests.caller import Caller, Host, Wire, body_of

PAGE, PUSH = "/t/Page", "/t/Push"
PAGE_BYTES = 30_000
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
WIDE = 1 << 30


class Full(Wire):
    """Takes nothing from a buffer that is as large as asyncio's, until its client reads."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.connection = caller.connection
        self.waiting = 0
        self.most = 0

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, data: Any) -> None:
        super().write(data)
        before = self.waiting
        self.waiting += len(data)
        self.most = max(self.most, self.waiting)
        if before <= WRITE_BUFFER_BYTES < self.waiting:
            self.connection.pause_writing()

    def read(self) -> None:
        self.waiting = 0
        self.connection.resume_writing()


def a_caller(host: Host, *, window: int) -> Caller:
    caller = Caller(host, window=window)
    if window == WIDE:
        caller.send(frames.window_update(0, WIDE))
    caller.sent()
    return caller


def a_host(unread_bytes: int) -> Host:
    async def page(call: Call) -> None:
        call.answer(bytes(PAGE_BYTES))

    async def push(call: Call) -> None:
        await call(call.request)
        await asyncio.Event().wait()

    return Host({PAGE: Served(page), PUSH: Served(push)}, unread_bytes=unread_bytes)


async def test_answers_that_are_not_read_are_bounded_for_all_connections_together() -> None:
    """Those who keep most are told that their calls are over, and what others have comes to its end."""
    host = a_host(64_000)
    unread = host.unread_answers
    small, large, busy = (a_caller(host, window=100) for _ in range(3))
    small.call(1, PUSH, bytes(5_000))
    large.call(1, PAGE, b"")
    large.call(3, PUSH, bytes(9_000))
    assert large.statuses(await large.answered()) == {}
    assert unread.octets == 5_005 + PAGE_BYTES + 5 + 9_005
    large.call(5, PAGE, b"")

    assert large.statuses(await large.answered()) == {1: UNAVAILABLE}
    assert unread.octets == 5_005 + PAGE_BYTES + 5 + 9_005
    assert unread.ended == 1
    assert host.open_calls == 3
    assert small.statuses(await small.answered()) == {}

    large.send(frames.window_update(5, PAGE_BYTES))
    assert large.statuses(await large.answered()) == {5: 0}
    busy.call(1, PAGE, b"")
    got = await busy.answered()
    busy.send(frames.window_update(1, PAGE_BYTES))
    got += await busy.answered()
    assert busy.statuses(got) == {1: 0}
    assert len(body_of(got, 1)) == PAGE_BYTES + 5
    assert unread.octets == 5_005 + 9_005
    small.send(frames.rst_stream(1, 8))
    large.connection.connection_lost(None)
    await small.answered()
    assert unread.octets == host.open_calls == 0


async def test_a_stream_that_is_ended_ends_its_handler() -> None:
    """In the middle of a write that waits."""
    host = a_host(64_000)
    caller = a_caller(host, window=100)
    for stream in range(1, 15, 2):
        caller.call(stream, PUSH, bytes(9_000))
    assert caller.statuses(await caller.answered()) == {}
    first = caller.connection.calls[1]
    caller.call(15, PUSH, bytes(9_000))
    # Until a sixteenth is free.
    assert caller.statuses(await caller.answered()) == {1: UNAVAILABLE, 3: UNAVAILABLE}
    assert host.unread_answers.octets == 6 * 9_005
    assert host.open_calls == 6
    assert first._task is None


async def test_what_waits_for_the_socket_counts() -> None:
    """However wide the windows are, that is its buffer and a round at most; of a client that reads no more,
    the connection ends."""
    host = a_host(2_000_000)
    unread = host.unread_answers
    caller = a_caller(host, window=WIDE)
    full = caller.connection._transport = Full(caller)
    for stream in range(1, 61, 2):
        caller.call(stream, PAGE, b"")
        await caller.answered()
    # The first three have filled it, and the others wait in HTTP/2.
    assert WRITE_BUFFER_BYTES < full.waiting < WRITE_BUFFER_BYTES + PAGE_BYTES
    assert unread.octets == full.waiting + 27 * (PAGE_BYTES + 5)

    full.read()
    await caller.answered()
    assert WRITE_BUFFER_BYTES < full.waiting < ROUND_BYTES + frames.MIN_FRAME_BYTES + 1_000
    waiting = full.waiting

    unread._most = unread.octets + 4_000
    other = a_caller(host, window=100)
    other.call(1, PUSH, bytes(5_000))
    await other.answered()
    assert full.ended
    assert waiting == full.waiting
    assert not other.wire.ended
    caller.connection.connection_lost(None)
    assert unread.octets == 5_005
    assert host.open_calls == 1


async def test_a_connection_that_has_read_meanwhile_is_not_ended() -> None:
    host = a_host(100_000)
    caller = a_caller(host, window=WIDE)
    full = caller.connection._transport = Full(caller)
    for stream in (1, 3, 5):
        caller.call(stream, PAGE, b"")
    await caller.answered()
    assert host.unread_answers.octets == full.waiting
    full.waiting = 20_000
    other = a_caller(host, window=100)
    other.call(1, PAGE, b"")
    await other.answered()
    assert not full.ended
    assert host.unread_answers.octets == 20_000 + PAGE_BYTES + 5
    assert host.unread_answers.ended == 0
    full.read()
    assert host.unread_answers.octets == PAGE_BYTES + 5
    caller.connection.pause_writing()
    caller.connection.connection_lost(None)
    other.connection.connection_lost(None)
    assert not host.unread_answers._held


async def test_all_of_it_goes_where_the_socket_takes_it() -> None:
    """In as many rounds as it takes."""
    host = a_host(2_000_000)
    caller = Caller(host, window=WIDE)
    for stream in range(1, 61, 2):
        caller.call(stream, PAGE, b"")
    got = await caller.answered()
    assert sum(len(body_of(got, stream)) for stream in range(1, 61, 2)) == 65_535
    caller.send(frames.window_update(0, WIDE))
    got += await caller.answered()
    assert {len(body_of(got, stream)) for stream in range(1, 61, 2)} == {PAGE_BYTES + 5}
    assert 30 * PAGE_BYTES > 3 * ROUND_BYTES
    assert host.open_calls == host.unread_answers.octets == 0
