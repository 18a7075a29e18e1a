"""Calls on a connection of the asyncio server: what their clients see, and what their handlers are told."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from grpc_chat.errors import ChatError, RoomNotFound
from grpc_chat.transport import grpc_connection, served_call
from grpc_chat.transport.grpc_messages import framed
from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import window_update
from grpc_chat.transport.http2.receiving import ENOUGH
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call
from tests import http2
from tests.caller import Caller, Host, body_of
from tests.support import until

ECHO, HOLD = "/t/Echo", "/t/Hold"
OK, DEADLINE, NOT_FOUND, EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE = 0, 4, 5, 8, 12, 14


class Handlers:
    """A method that answers with its request, and one that only ends when it is told to.

    Attributes:
        calls: Those that have begun, in order.
        cancelled: Those whose handler was cancelled.
        ending: What ends the handlers of the second: an error, or None.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.cancelled: list[Call] = []
        self.ending: asyncio.Future[ChatError | None] = asyncio.get_running_loop().create_future()
        self.methods = {ECHO: Served(self.echo), HOLD: Served(self.hold)}

    async def echo(self, call: Call) -> None:
        self.calls.append(call)
        call.answer(call.request)

    async def hold(self, call: Call) -> None:
        self.calls.append(call)
        try:
            error = await asyncio.shield(self.ending)
        except asyncio.CancelledError:
            self.cancelled.append(call)
            raise
        if error:
            raise error
        call.finish()


async def held(*, window: int = 65_535, **fields: str) -> tuple[Caller, Handlers, Call]:
    """A client whose call has begun, and is held."""
    handlers = Handlers()
    caller = Caller(Host(handlers.methods), window=window)
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    caller.call(1, HOLD, b"", fields=given)
    assert caller.statuses(await caller.answered()) == {}
    return caller, handlers, handlers.calls[0]


async def test_room_is_told_of_once() -> None:
    """A push that does not fit is sent once, as the client makes room, and then the next may come."""
    caller, _, call = await held(window=10)
    told: list[int] = []
    assert not call.push(b"a" * 20, lambda: told.append(1))
    sent = await caller.answered()
    assert told == []

    caller.send(window_update(1, 100))
    sent += await caller.answered()
    assert told == [1]
    assert call.push(b"b" * 20, lambda: told.append(2))
    caller.send(window_update(1, 100))
    sent += await caller.answered()
    assert told == [1]
    assert body_of(sent, 1) == framed(b"a" * 20) + framed(b"b" * 20)


async def test_an_awaited_write_ends_when_it_was_read() -> None:
    """And not before; what was written is sent once."""
    caller, _, call = await held(window=10)
    writing = asyncio.create_task(call(b"a" * 20))
    sent = await caller.answered()
    assert not writing.done()
    caller.send(window_update(1, 5))
    sent += await caller.answered()
    assert not writing.done()

    caller.send(window_update(1, 100))
    sent += await caller.answered()
    assert writing.done()
    await writing
    assert body_of(sent, 1) == framed(b"a" * 20)


async def test_the_end_comes_after_what_was_not_read() -> None:
    """OK means that all of it was sent."""
    caller, handlers, call = await held(window=10)
    call.push(b"a" * 20, lambda: None)
    handlers.ending.set_result(None)
    sent = await caller.answered()
    assert body_of(sent, 1) == framed(b"a" * 20)[:10]
    assert caller.statuses(sent) == {}
    assert caller.host.open_calls == 1

    caller.send(window_update(1, 100))
    rest = await caller.answered()
    assert [each.kind for each in rest] == [frames.DATA, frames.HEADERS]
    assert caller.statuses(rest) == {1: OK}
    assert caller.host.open_calls == 0


@pytest.mark.parametrize("how", ["reset", "gone"])
async def test_a_client_that_ends_a_call_ends_its_handler(how: str) -> None:
    """At once, and the call is counted no longer."""
    caller, handlers, call = await held(window=10)
    call.push(b"a" * 20, lambda: None)
    if how == "reset":
        caller.send(frames.rst_stream(1, ErrorCode.CANCEL))
    else:
        caller.connection.connection_lost(None)
    await caller.answered()

    assert handlers.cancelled == [call]
    assert caller.host.open_calls == 0
    assert not call.push(b"late", lambda: None)
    assert await caller.answered() == []


async def test_a_deadline_passes_although_nothing_is_read() -> None:
    """Its client learns that the answer is cut short: no status but DEADLINE_EXCEEDED may follow it."""
    caller, handlers, call = await held(window=10, grpc_timeout="1m")
    call.push(b"a" * 20, lambda: None)
    sent = caller.sent()
    await until(lambda: bool(handlers.cancelled))
    sent += await caller.answered()

    assert caller.statuses(sent) == {1: DEADLINE}
    assert body_of(sent, 1) == framed(b"a" * 20)[:10]
    assert caller.host.open_calls == 0


async def test_an_answer_that_nobody_reads_is_cut_off_with_an_error() -> None:
    """Also when its end, which says OK, is kept already."""
    caller, handlers, call = await held(window=10)
    call.push(b"a" * 20, lambda: None)
    handlers.ending.set_result(None)
    sent = await caller.answered()
    call.cut_off(grpc.StatusCode.UNAVAILABLE, "the server stops")
    sent += await caller.answered()

    assert caller.statuses(sent) == {1: UNAVAILABLE}
    assert caller.host.open_calls == 0
    caller.send(window_update(1, 100))
    assert await caller.answered() == []


async def test_an_error_does_not_wait_for_a_client_that_reads_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not longer than it takes a good one."""
    monkeypatch.setattr(served_call, "LAST_SECONDS", 0.001)
    caller, handlers, call = await held(window=10)
    call.push(b"a" * 20, lambda: None)
    handlers.ending.set_result(RoomNotFound("there is no such room"))
    sent = await caller.answered()
    await until(lambda: caller.host.open_calls == 0)
    sent += await caller.answered()

    assert caller.statuses(sent) == {1: NOT_FOUND}


async def test_a_long_request_is_given_back() -> None:
    """Otherwise a client could send no more than a window on each connection."""
    handlers = Handlers()
    caller = Caller(Host(handlers.methods, Http2Options(stream_window=1_000)))
    body = b"x" * 4_000
    rest = framed(body)
    caller.send(http2.headers(1, http2.literal(_named(ECHO)), flags=frames.END_HEADERS))
    room, sent = 1_000, []
    while rest:
        assert room, "the client may send no more"
        size = min(room, len(rest))
        caller.send(http2.data(1, rest[:size], end=size == len(rest)))
        rest, room = rest[size:], room - size
        came = await caller.answered()
        sent += came
        room += sum(
            int.from_bytes(each.payload, "big")
            for each in came
            if each.kind == frames.WINDOW_UPDATE and each.stream == 1
        )

    assert body_of(sent, 1) == framed(body)


def _named(path: str) -> list[tuple[bytes, bytes]]:
    return [(name, path.encode() if name == b":path" else value) for name, value in http2.REQUEST]


async def test_each_call_has_the_caller_that_it_says() -> None:
    """A connection's calls may be those of several users, with headers that the server knows already."""
    handlers = Handlers()
    caller = Caller(Host(handlers.methods))
    for number, user in enumerate(("alice", "bob", "alice")):
        caller.call(2 * number + 1, ECHO, user.encode(), fields=[(b"authorization", user.encode())])
    sent = await caller.answered()

    assert [dict(call.metadata)["authorization"] for call in handlers.calls] == ["alice", "bob", "alice"]
    assert [body_of(sent, stream) for stream in (1, 3, 5)] == [
        framed(user) for user in (b"alice", b"bob", b"alice")
    ]


async def test_calls_beyond_the_most_are_refused() -> None:
    """Their handlers never hear of them."""
    caller, handlers, _ = await held()
    caller.host.most_calls = 1
    caller.call(3, ECHO, b"")

    assert caller.statuses(await caller.answered()) == {3: EXHAUSTED}
    assert len(handlers.calls) == 1
    handlers.ending.set_result(None)
    await caller.answered()
    caller.call(5, ECHO, b"")
    assert caller.statuses(await caller.answered()) == {5: OK}


async def test_what_was_not_read_survives_goodbye() -> None:
    """The server asks its client to leave; what it owes it is still sent, and then it hangs up."""
    caller, handlers, call = await held(window=10)
    call.push(b"a" * 20, lambda: None)
    handlers.ending.set_result(None)
    sent = await caller.answered()
    caller.connection.leave(b"old", 60.0)
    first = await caller.answered()
    assert [each.kind for each in first] == [frames.GOAWAY, frames.PING]
    caller.send(frames.ping(first[1].payload, ack=True))
    assert [each.kind for each in await caller.answered()] == [frames.GOAWAY]
    assert not caller.wire.ended

    caller.send(window_update(1, 100))
    sent += await caller.answered()
    assert body_of(sent, 1) == framed(b"a" * 20)
    assert caller.statuses(sent) == {1: OK}
    assert caller.wire.ended


async def test_a_full_socket_takes_nothing_more() -> None:
    """Answers wait on their streams, and all of them go when there is room."""
    caller, _, call = await held()
    caller.connection.pause_writing()
    told: list[Any] = []
    assert not call.push(b"a", lambda: told.append("room"))
    caller.call(3, ECHO, b"b")
    assert [each for each in await caller.answered() if each.kind != frames.WINDOW_UPDATE] == []
    assert caller.host.open_calls == 2

    caller.connection.resume_writing()
    sent = await caller.answered()
    assert told == ["room"]
    assert (body_of(sent, 1), body_of(sent, 3)) == (framed(b"a"), framed(b"b"))
    assert caller.host.open_calls == 1


async def test_pings_without_calls_are_strikes() -> None:
    """Three of them in a row end the connection; whatever is sent to the client makes up for them."""
    handlers = Handlers()
    caller = Caller(Host(handlers.methods))
    ping = frames.ping(b"12345678")
    caller.send(ping)
    for stream in (1, 3, 5):
        caller.send(ping, ping)
        caller.call(stream, ECHO, b"")
        assert caller.statuses(await caller.answered()) == {stream: OK}
    caller.send(ping, ping)
    assert not caller.wire.ended

    caller.send(ping, ping)
    assert (await caller.answered())[-1].code == ErrorCode.ENHANCE_YOUR_CALM
    assert caller.wire.ended


@pytest.mark.parametrize("answers", [True, False])
async def test_a_silent_client_is_asked_for_a_sign_of_life(answers: bool) -> None:
    """One that gives it stays."""
    caller, *_ = await held()
    host, connection = caller.host, caller.connection
    host.now = 10.0
    connection.look(host.now)
    [ping] = await caller.answered()
    assert (ping.kind, ping.flags) == (frames.PING, 0)
    if answers:
        caller.send(frames.ping(ping.payload, ack=True))
    host.now = 15.0
    connection.look(host.now)

    assert bool([each for each in await caller.answered() if each.kind == frames.GOAWAY]) is not answers
    assert caller.wire.ended is not answers


async def test_calls_that_are_refused_wait_for_others() -> None:
    """A client that calls what does not exist is answered a little at a time, and all of it in the end."""
    caller = Caller(Host({}))
    fields = [(name, b"/t/None" if name == b":path" else value) for name, value in http2.REQUEST]
    count = 3 * ENOUGH
    block = http2.literal(fields)
    flags = frames.END_HEADERS | frames.END_STREAM
    caller.send(*[http2.headers(2 * at + 1, block, flags=flags) for at in range(count)])
    statuses = caller.statuses(caller.sent())
    assert 0 < len(statuses) <= ENOUGH
    while len(statuses) < count:
        caller.connection.go_on()
        answered = caller.statuses(caller.sent())
        assert 0 < len(answered) <= ENOUGH
        statuses |= answered
    assert set(statuses.values()) == {UNIMPLEMENTED}


async def test_a_client_that_goes_on_with_what_was_answered_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not at once: proxies drop what they have of an answer when a reset comes with it."""
    monkeypatch.setattr(grpc_connection, "LAST_SECONDS", 0.001)
    caller = Caller(Host(Handlers().methods))
    for stream in (1, 3):
        block = http2.literal([(k, ECHO.encode() if k == b":path" else v) for k, v in http2.REQUEST])
        begun = b"\0" + (10_001).to_bytes(4, "big")
        caller.send(http2.headers(stream, block, flags=frames.END_HEADERS), http2.data(stream, begun))
    sent = caller.sent()
    assert caller.statuses(sent) == {1: EXHAUSTED, 3: EXHAUSTED}
    assert http2.kinds(sent) == [frames.HEADERS] * 2
    caller.send(http2.data(3, b"", end=True))
    await until(lambda: caller.wire.written != b"")
    (reset,) = caller.sent()
    assert (reset.kind, reset.stream, reset.code) == (frames.RST_STREAM, 1, ErrorCode.NO_ERROR)
    await until(lambda: not caller.connection._waits_for_ends)
