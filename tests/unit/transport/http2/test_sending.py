"""Answers, and a client that does not read them."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, rst_stream, window_update
from grpc_chat.transport.http2.headers import Fields, encode
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import ANSWER, TRAILERS, Server, kinds, request, settings

WHOLE = [
    (frames.HEADERS, END_HEADERS),
    (frames.DATA, 0),
    (frames.HEADERS, END_HEADERS | END_STREAM),
]


@pytest.mark.parametrize(
    ("block", "trailers"),
    [(encode(ANSWER), encode(TRAILERS)), (ANSWER, TRAILERS), (list(ANSWER), encode(TRAILERS))],
    ids=["bytes", "fields", "mixed"],
)
def test_whole_answers(block: Fields | bytes, trailers: Fields | bytes) -> None:
    server = Server()
    server.take(request(1), settings(header_table_size=0), request(3))
    for stream in (1, 3):
        assert server.connection.respond(stream, block, b"data", trailers)
        sent = server.sent()
        assert [(each.kind, each.flags) for each in sent] == WHOLE
        assert {each.stream for each in sent} == {stream}
        assert server.fields(sent[0]) == list(ANSWER)
        assert sent[1].payload == b"data"
        assert server.fields(sent[2]) == list(TRAILERS)
    assert server.connection.open_streams == 0
    assert not server.connection.respond(1, block, b"data", trailers) or server.sent() == []


def test_whole_answers_that_do_not_fit() -> None:
    server = Server()
    server.take(settings(initial_window_size=2), request(1))
    assert not server.connection.respond(1, encode(ANSWER), b"data", encode(TRAILERS))
    assert kinds(server.sent()) == [frames.HEADERS, frames.DATA]
    assert kinds(server.take(window_update(1, 2))) == [frames.DATA, frames.HEADERS]
    assert server.told("drained") == [(1,)]


def test_a_client_that_does_not_read() -> None:
    """What is sent while sending is paused is kept with its streams, in order, and goes when it goes on."""
    server = Server()
    server.take(request(1), request(3))
    server.connection.send_headers(3, ANSWER)
    server.sent()
    server.connection.pause_sending()
    server.connection.pause_sending()
    assert not server.connection.respond(1, encode(ANSWER), b"data", encode(TRAILERS))
    assert not server.connection.send_data(3, b"more")
    assert not server.connection.send_data(3, b"than that")
    assert server.take(window_update(0, 10), window_update(1, 10), window_update(3, 10)) == []
    assert kinds(server.take(settings(initial_window_size=100_000))) == [frames.SETTINGS]
    assert server.connection.open_streams == 2
    server.connection.resume_sending()
    server.connection.resume_sending()
    sent = server.sent()
    assert [(each.kind, each.flags) for each in sent if each.stream == 1] == WHOLE
    assert [each.payload for each in sent if each.stream == 3] == [b"more", b"than that"]
    assert sorted(server.told("drained")) == [(1,), (3,)]
    assert server.connection.open_streams == 1


def test_a_frame_that_goes_by_itself() -> None:
    """It uses up the windows as any other; and where something is to go before it, or not all of it can go,
    nothing happens."""
    server = Server()
    server.take(settings(initial_window_size=10), request(1), request(3), request(5))
    connection = server.connection
    for stream in (1, 3):
        connection.send_headers(stream, ANSWER)
    assert connection.data_frame(1, b"data") is None
    server.sent()

    assert connection.data_frame(1, b"123456") == frames.frame(frames.DATA, 0, 1, b"123456")
    assert connection.data_frame(1, b"78901") is None
    assert connection.data_frame(1, b"7890") == frames.frame(frames.DATA, 0, 1, b"7890")
    assert connection.data_frame(7, b"data") is None
    assert not connection.send_data(1, b"x")
    server.take(window_update(3, 10))
    server.sent()
    connection.pause_sending()
    assert connection.data_frame(3, b"data") is None
    assert not connection.send_data(3, b"data")
    assert connection.data_frame(3, b"data") is None
    connection.resume_sending()
    assert [each.payload for each in server.sent()] == [b"data"]
    server.take(window_update(3, 100_000))
    assert connection.data_frame(3, b"x" * 16_385) is None
    assert connection.data_frame(3, b"x" * 16_384)


def test_the_window_of_a_connection_counts_for_a_frame_that_goes_by_itself() -> None:
    server = Server()
    server.take(settings(initial_window_size=2**20), request(1))
    server.connection.send_headers(1, ANSWER)
    server.sent()
    for _ in range(4):
        sent = server.connection.data_frame(1, b"x" * 16_000)
        assert sent is not None
    assert server.connection.data_frame(1, b"x" * 16_000) is None
    assert server.connection.data_frame(1, b"x" * 1_535)


def test_windows_are_kept_while_sending_is_paused() -> None:
    server = Server()
    server.take(request(1), settings(initial_window_size=2**20))
    server.connection.send_headers(1, ANSWER)
    server.connection.pause_sending()
    server.connection.send_data(1, b"x" * 100_000)
    server.take(window_update(0, 1_000))
    server.connection.resume_sending()
    assert sum(len(each.payload) for each in server.sent() if each.kind == frames.DATA) == 65_535 + 1_000


def test_a_client_that_does_not_read_has_only_so_many_answers() -> None:
    """Streams whose answers are kept count: it can't have more made for it than it may have streams."""
    server = Server(Http2Options(max_streams=3), answering=True)
    server.connection.pause_sending()
    sent = server.take(*[request(stream) for stream in range(1, 21, 2)])
    assert [each.code for each in sent] == [ErrorCode.REFUSED_STREAM] * 7
    assert len(server.told("request")) == 3
    server.connection.resume_sending()
    assert kinds(server.sent()) == [frames.HEADERS] * 3
    assert kinds(server.take(request(21))) == [frames.HEADERS]


def test_data_that_nobody_takes_can_be_dropped() -> None:
    """Then trailers go out past the windows; a frame that has gone stays gone."""
    server = Server()
    server.take(settings(initial_window_size=1), request(1), request(3))
    for stream in (1, 3):
        server.connection.send_headers(stream, ANSWER)
        server.connection.send_data(stream, b"data")
    server.connection.send_trailers(3, TRAILERS)
    server.sent()
    server.connection.discard(1)
    assert server.sent() == []
    assert server.connection.send_trailers(1, TRAILERS)
    assert kinds(server.sent()) == [frames.HEADERS]
    assert server.connection.open_streams == 1


def test_dropped_data_takes_the_end_of_the_answer_with_it() -> None:
    """It may say that all is well, which is not true of data that is cut short: another end is sent."""
    server = Server()
    server.take(settings(initial_window_size=1), request(1), request(3))
    server.connection.respond(1, ANSWER, b"data", TRAILERS)
    assert kinds(server.sent()) == [frames.HEADERS, frames.DATA]
    server.connection.pause_sending()
    server.connection.respond(3, ANSWER, b"data", TRAILERS)
    failed = ((b"grpc-status", b"1"),)
    for stream in (1, 3):
        server.connection.discard(stream)
        assert not server.connection.send_trailers(stream, failed)
    assert server.sent() == []
    server.connection.resume_sending()
    sent = server.sent()
    assert [(each.stream, each.flags) for each in sent] == [
        (1, END_HEADERS | END_STREAM),
        (3, END_HEADERS),
        (3, END_HEADERS | END_STREAM),
    ]
    assert sent[0].payload == sent[2].payload == encode(failed)
    assert server.connection.open_streams == 0


def test_a_reset_drops_what_is_kept() -> None:
    server = Server()
    server.take(settings(initial_window_size=1), request(1), request(3))
    for stream in (1, 3):
        server.connection.respond(stream, ANSWER, b"data", TRAILERS)
    server.sent()
    server.take(rst_stream(1, ErrorCode.CANCEL))
    server.connection.reset(3, ErrorCode.CANCEL)
    assert kinds(server.sent()) == [frames.RST_STREAM]
    assert server.take(window_update(0, 10**6), window_update(1, 10), window_update(3, 10)) == []
    assert server.told("drained") == []
    assert server.connection._blocked == {}


def test_what_a_handler_does_when_it_may_send_again() -> None:
    """Send more, reset another that waits, or end it all, in the middle of the turns."""

    class Eager(Server):
        def drained(self, stream: int) -> None:
            super().drained(stream)
            if stream == 1:
                self.connection.send_data(1, b"next")
                self.connection.reset(3, ErrorCode.CANCEL)
            if stream == 5:
                self.connection.go_away(ErrorCode.INTERNAL_ERROR)

    server = Eager()
    server.take(settings(initial_window_size=0), *[request(stream) for stream in (1, 3, 5, 7)])
    for stream in (1, 3, 5, 7):
        server.connection.send_headers(stream, ANSWER)
        assert not server.connection.send_data(stream, b"data")
    server.sent()
    sent = server.take(settings(initial_window_size=4))
    assert [(each.kind, each.stream) for each in sent] == [
        (frames.SETTINGS, 0),
        (frames.DATA, 1),
        (frames.RST_STREAM, 3),
        (frames.DATA, 5),
        (frames.GOAWAY, 0),
    ]
    assert server.told("drained") == [(1,), (5,)]
    assert server.told("was_reset") == [(1, 2), (5, 2), (7, 2)]
