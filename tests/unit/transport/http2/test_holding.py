"""Much work for nothing is done a little at a time, so that others have their turns."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2 import budgets, frames
from grpc_chat.transport.http2.budgets import Counts
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import frame
from grpc_chat.transport.http2.receiving import ENOUGH
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import Server, data, request

PRIORITY = frame(frames.PRIORITY, 0, 99, b"\0\0\0\1\0")
PING = frame(frames.PING, 0, 0, b"12345678")
PRIORITIES = budgets.PRIORITIES


@pytest.mark.parametrize("piece", [10_000, 7])
def test_a_flood_is_handled_in_parts_and_in_order(piece: int) -> None:
    """However it comes, all of it is handled in the end, and no part is larger than it may be."""
    counts = Counts()
    server = Server(counts=counts)
    sent = PRIORITY * 100 + request(1) + PRIORITY * 100 + PING
    for at in range(0, len(sent), piece):
        server.connection.receive(sent[at : at + piece])
    done = 0
    while server.connection.waits:
        assert done < counts.frames[PRIORITIES] <= done + ENOUGH
        done = counts.frames[PRIORITIES]
        assert bool(server.told("request")) == (done >= 100)
        server.connection.release()
        server.connection.receive(b"")
    assert counts.frames[PRIORITIES] == 200
    assert [event[0] for event in server.events] == ["request", "pinged"]


def test_a_few_such_frames_hold_nothing_up() -> None:
    """Each client cancels a call now and then."""
    server = Server()
    server.take(PRIORITY * (ENOUGH - 10))
    server.connection.receive(PRIORITY + request(1))
    assert not server.connection.waits
    assert server.told("request")


def test_what_ends_while_it_is_held_stays_ended() -> None:
    server = Server()
    server.connection.receive(PRIORITY * 100 + request(1))
    server.connection.go_away(ErrorCode.ENHANCE_YOUR_CALM)
    server.connection.release()
    server.connection.receive(b"")
    assert not server.connection.waits
    assert not server.told("request")

    server = Server()
    server.connection.receive(request(1, end=False) + PRIORITY * 100 + data(1, b"x"))
    server.connection.eof()
    server.connection.release()
    server.connection.receive(b"")
    assert server.told("was_reset") == [(1, ErrorCode.CANCEL)]
    assert not server.told("data")


def test_long_headers_are_work() -> None:
    """To decode them takes as long as many small frames; usual ones are none, however many come."""
    long = [(f"x-{at}".encode(), b"v" * 120) for at in range(60)]
    server = Server(Http2Options(header_list_bytes=16 * 1024))
    server.connection.receive(b"".join(request(2 * at + 1, *long) for at in range(40)))
    assert server.connection.waits
    assert len(server.told("request")) < 10

    server = Server()
    server.connection.receive(b"".join(request(2 * at + 1, end=False) for at in range(90)))
    assert not server.connection.waits
    assert len(server.told("request")) == 90
