"""Streams (RFC 9113, section 5.1): what may come when, and what becomes of what comes too late."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, frame, rst_stream, window_update
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.http2.streams import MOST_UNENDED, REMEMBERED, Closed
from tests.http2 import ANSWER, TRAILERS, Server, data, headers, kinds, literal, request, settings


@pytest.mark.parametrize(
    "sent",
    [
        data(1, b"x"),
        rst_stream(1, 8),
        window_update(1, 1),
        data(2, b"x"),
        window_update(2, 1),
        rst_stream(2, 8),
    ],
    ids=["DATA", "RST_STREAM", "WINDOW_UPDATE", "DATA of the server's", "a window of its", "a reset of its"],
)
def test_idle_streams(sent: bytes) -> None:
    """Only HEADERS and PRIORITY may come."""
    assert Server().fails(sent) == ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("late", [data(1, b"x"), headers(1, literal(TRAILERS))], ids=["DATA", "HEADERS"])
def test_half_closed_streams(late: bytes) -> None:
    """The client has ended its side and goes on: STREAM_CLOSED, and the handler hears of it."""
    server = Server()
    assert server.breaks(request(1), late) == (1, ErrorCode.STREAM_CLOSED)
    assert server.told("was_reset") == [(1, ErrorCode.STREAM_CLOSED)]
    assert server.told("data") == server.told("trailers") == []
    assert server.connection.open_streams == 0
    server = Server()
    server.take(request(1), window_update(1, 1), frame(frames.PRIORITY, 0, 1, b"\0\0\0\3\0"))
    assert server.connection.open_streams == 1


@pytest.mark.parametrize("late", [data(1, b"x"), headers(1, literal(TRAILERS))], ids=["DATA", "HEADERS"])
def test_streams_that_both_have_ended(late: bytes) -> None:
    server = Server(answering=True)
    server.take(request(1))
    # These may have crossed the answer.
    assert server.take(window_update(1, 1), rst_stream(1, 8), frame(frames.PRIORITY, 0, 1, b"\0" * 5)) == []
    assert server.fails(late) == ErrorCode.STREAM_CLOSED


@pytest.mark.parametrize("late", [data(1, b"x"), headers(1, literal(TRAILERS))], ids=["DATA", "HEADERS"])
def test_streams_that_the_client_reset(late: bytes) -> None:
    server = Server()
    assert server.take(request(1, end=False), rst_stream(1, ErrorCode.CANCEL)) == []
    assert server.told("was_reset") == [(1, ErrorCode.CANCEL)]
    assert server.connection.open_streams == 0
    assert server.take(window_update(1, 1), rst_stream(1, 8)) == []
    assert server.fails(late) == ErrorCode.STREAM_CLOSED


def test_streams_that_the_server_reset() -> None:
    """What was on its way is read over, and its data is given back to the connection's window."""
    server = Server(Http2Options(connection_window=65_535))
    server.take(request(1, end=False))
    server.connection.reset(1, ErrorCode.CANCEL)
    assert [(each.kind, each.code) for each in server.sent()] == [(frames.RST_STREAM, ErrorCode.CANCEL)]
    assert server.told("was_reset") == []
    server.connection.reset(1, ErrorCode.CANCEL)
    late = [data(1, b"x" * 16_000), data(1, b"x" * 16_000), data(1, b"x" * 16_000, end=True)]
    assert kinds(server.take(*late)) == [frames.WINDOW_UPDATE]
    assert server.take(headers(1, literal(TRAILERS)), window_update(1, 1), rst_stream(1, 0)) == []
    assert server.told("data") == []


def test_answers_before_the_end_of_the_request() -> None:
    """8.1: a client that does not end it then is told to stop, with NO_ERROR and after the answer."""
    server = Server()
    server.take(*[request(stream, end=False) for stream in (1, 3, 5)], data(1, b"x"))
    for stream in (1, 3, 5):
        assert server.connection.send_headers(stream, ANSWER, end=True)
    assert kinds(server.sent()) == [frames.HEADERS] * 3
    assert server.told("answered_early") == [()]
    assert server.connection.open_streams == 0

    assert server.take(data(3, b"late", end=True), rst_stream(5, ErrorCode.CANCEL)) == []
    assert server.connection.stop_requests()
    assert server.sent() == []
    server.take(request(7, end=False))
    server.connection.send_headers(7, ANSWER, end=True)
    assert kinds(server.sent()) == [frames.HEADERS]
    assert server.connection.stop_requests()
    (reset,) = server.sent()
    assert (reset.stream, reset.kind, reset.code) == (1, frames.RST_STREAM, ErrorCode.NO_ERROR)
    assert server.take(data(1, b"late"), data(1, b"later", end=True)) == []
    assert not server.connection.stop_requests()
    assert [each.stream for each in server.sent()] == [7]
    assert not server.connection.stop_requests()
    assert server.told("answered_early") == [()]


def test_many_answers_before_the_end_of_the_request() -> None:
    """Only so many clients are left the time to end theirs."""
    server = Server(Http2Options(max_streams=1))
    sent = []
    for number in range(MOST_UNENDED + 2):
        server.take(request(2 * number + 1, end=False))
        server.connection.send_headers(2 * number + 1, ANSWER, end=True)
        sent += server.sent()
    assert [each.stream for each in sent if each.kind == frames.RST_STREAM] == [1, 3]


def test_a_connection_that_ends_stops_no_requests() -> None:
    server = Server()
    server.take(request(1, end=False))
    server.connection.send_headers(1, ANSWER, end=True)
    server.connection.go_away(ErrorCode.INTERNAL_ERROR)
    server.sent()
    assert not server.connection.stop_requests()
    assert server.sent() == []


@pytest.mark.parametrize("broken", [True, False])
def test_what_is_sent_on_a_stream_that_is_over_goes_nowhere(broken: bool) -> None:
    """The handler need not ask: it may not have heard yet."""
    server = Server()
    server.take(request(1), rst_stream(1, 8) if broken else b"")
    if not broken:
        server.connection.send_headers(1, ANSWER, end=True)
        server.sent()
    for stream in (1, 3):
        assert server.connection.send_data(stream, b"x")
        assert server.connection.send_headers(stream, ANSWER)
        assert server.connection.respond(stream, ANSWER, b"x", TRAILERS)
        server.connection.consumed(stream, 1)
        server.connection.discard(stream)
        server.connection.reset(stream, ErrorCode.CANCEL)
    assert server.sent() == []


def test_new_streams_have_higher_numbers() -> None:
    """5.1.1: those left out are closed, and using one is an error of the connection."""
    server = Server()
    server.take(request(1), request(5), request(11))
    for skipped in (3, 7, 9):
        assert server.connection._closed.was_skipped(skipped)
    assert not server.connection._closed.was_skipped(5)
    assert server.fails(request(7)) == ErrorCode.PROTOCOL_ERROR
    assert Server().fails(request(3), request(1)) == ErrorCode.PROTOCOL_ERROR


def test_the_last_stream_there_is() -> None:
    server = Server(answering=True)
    last = frames.MAX_STREAM
    assert kinds(server.take(request(last))) == [frames.HEADERS]
    assert server.fails(request(1)) == ErrorCode.PROTOCOL_ERROR


def test_more_streams_than_allowed() -> None:
    """5.1.2: REFUSED_STREAM says that nothing was done, so that the client may try again."""
    server = Server(Http2Options(max_streams=2))
    server.take(request(1, end=False), request(3))
    assert server.breaks(request(5, end=False)) == (5, ErrorCode.REFUSED_STREAM)
    assert server.take(data(5, b"on its way", end=True)) == []
    assert len(server.told("request")) == 2
    server.connection.send_headers(3, ANSWER, end=True)
    server.sent()
    assert server.take(request(7)) == []
    assert len(server.told("request")) == 3
    assert server.connection.open_streams == 2


def test_streams_of_a_peer_that_is_gone() -> None:
    server = Server()
    server.take(request(1), request(3, end=False), b"\0\0")
    server.connection.eof()
    assert server.told("was_reset") == [(1, ErrorCode.CANCEL), (3, ErrorCode.CANCEL)]
    assert server.connection.open_streams == 0
    server.take(request(5))
    assert len(server.told("request")) == 2
    server.connection.eof()
    assert len(server.told("was_reset")) == 2


def test_what_is_remembered_is_bounded() -> None:
    """Of the very old nobody knows whether anything is on its way, so it may be."""
    closed = Closed()
    for stream in range(1, 8 * REMEMBERED, 2):
        closed.opened(stream)
        if stream % 4 == 1:
            closed.cut(stream)
    assert closed._cut is not None
    assert len(closed._cut) == REMEMBERED
    assert closed.was_cut(stream - 2)
    assert not closed.was_cut(stream)
    assert closed.was_cut(3)
    for stream in range(10_001, 20_000, 10):
        closed.opened(stream)
    assert closed._skipped is not None
    assert len(closed._skipped) <= 16
    assert not closed.was_skipped(stream)
    assert closed.was_skipped(stream - 2)


def test_handlers_may_do_anything_at_any_time() -> None:
    """Also end the connection in the middle of what is being read."""

    class Leaving(Server):
        def data(self, stream: int, data: bytes, end: bool) -> None:
            super().data(stream, data, end)
            self.connection.go_away(ErrorCode.ENHANCE_YOUR_CALM, debug=b"too much")

    server = Leaving()
    sent = server.take(request(1, end=False), data(1, b"x"), data(1, b"y"), request(3))
    assert [(each.kind, each.code, each.payload[8:]) for each in sent] == [(frames.GOAWAY, 11, b"too much")]
    assert server.connection.reason == "too much"
    assert [event[0] for event in server.events] == ["request", "data", "was_reset"]
    assert server.take(settings()) == []


def test_headers_of_a_stream_that_is_answered_late() -> None:
    """An answer that is kept holds its stream open; the rest of the request is read over meanwhile."""
    server = Server()
    server.take(request(1, end=False))
    server.connection.pause_sending()
    assert not server.connection.send_headers(1, ANSWER, end=True)
    server.take(data(1, b"x"), headers(1, literal(TRAILERS)))
    assert server.told("data") == server.told("trailers") == []
    assert server.connection.open_streams == 1
    server.connection.resume_sending()
    assert [(each.kind, each.flags) for each in server.sent()] == [(frames.HEADERS, END_HEADERS | 1)]
    assert server.told("drained") == [(1,)]
    assert server.connection.open_streams == 0
