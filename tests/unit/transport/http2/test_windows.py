"""Flow control (RFC 9113, sections 5.2 and 6.9), both ways."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_STREAM, PADDED, frame, window_update
from grpc_chat.transport.http2.settings import MAX_WINDOW, Http2Options
from tests.http2 import ANSWER, TRAILERS, Frame, Server, data, kinds, request, settings

WINDOW = 65_535


def sizes(sent: list[Frame]) -> list[int]:
    """Of DATA."""
    return [len(each.payload) for each in sent if each.kind == frames.DATA]


def updates(sent: list[Frame]) -> list[tuple[int, int]]:
    return [
        (each.stream, int.from_bytes(each.payload, "big"))
        for each in sent
        if each.kind == frames.WINDOW_UPDATE
    ]


def started(server: Server, *streams: int) -> None:
    for stream in streams:
        server.take(request(stream))
        server.connection.send_headers(stream, ANSWER)
    server.sent()


def test_data_within_the_windows() -> None:
    """Exactly as much as the client takes, in frames that it takes; the rest is kept, and told when gone."""
    server = Server()
    started(server, 1)
    assert server.connection.send_data(1, b"a" * 16_384)
    assert not server.connection.send_data(1, b"b" * 60_000)
    assert sizes(server.sent()) == [16_384, 16_384, 16_384, 16_383]
    assert server.take(window_update(1, 100_000)) == []
    assert sizes(server.take(window_update(0, 1))) == [1]
    assert server.told("drained") == []
    assert sizes(server.take(window_update(0, 100_000))) == [60_000 - 49_152]
    assert server.told("drained") == [(1,)]
    assert server.connection.send_data(1, b"c", end=True)
    assert server.connection.open_streams == 0


def test_each_window_counts_by_itself() -> None:
    """What fits at once is taken from both: neither is used twice when the other one is wider."""
    for wider in (0, 1):
        server = Server()
        started(server, 1)
        server.take(window_update(wider, 100_000))
        for _ in range(4):
            server.connection.send_data(1, b"x" * 16_000)
        assert not server.connection.send_data(1, b"x" * 16_000)
        assert sum(sizes(server.sent())) == WINDOW


def test_a_window_of_one_byte() -> None:
    server = Server()
    server.take(settings(initial_window_size=1))
    started(server, 1)
    assert not server.connection.send_data(1, b"abc", end=True)
    sent = server.sent() + server.take(window_update(1, 1)) + server.take(window_update(1, 5))
    assert [(each.payload, each.flags) for each in sent] == [(b"a", 0), (b"b", 0), (b"c", END_STREAM)]


def test_no_window_is_needed_for_nothing() -> None:
    """6.9.1: an empty frame that ends its stream goes at once, as headers do."""
    server = Server()
    server.take(settings(initial_window_size=0))
    started(server, 1, 3)
    assert server.connection.send_data(1, b"", end=True)
    assert server.connection.send_headers(3, TRAILERS, end=True)
    assert kinds(server.sent()) == [frames.DATA, frames.HEADERS]
    # Neither does nothing need one when the window is below zero.
    server = Server()
    started(server, 1)
    server.connection.send_data(1, b"x" * 100)
    server.take(settings(initial_window_size=0))
    assert server.connection.send_data(1, b"", end=True)
    assert [(each.kind, each.flags) for each in server.sent()] == [(frames.DATA, END_STREAM)]


def test_trailers_wait_for_data() -> None:
    server = Server()
    server.take(settings(initial_window_size=2))
    started(server, 1)
    assert not server.connection.send_data(1, b"abc")
    assert not server.connection.send_trailers(1, TRAILERS)
    assert sizes(server.sent()) == [2]
    assert kinds(server.take(window_update(1, 1))) == [frames.DATA, frames.HEADERS]
    assert server.told("drained") == [(1,)]
    assert server.connection.open_streams == 0


def test_settings_change_the_windows_of_open_streams() -> None:
    """6.9.2: also below zero, where they have to grow again before anything goes."""
    server = Server()
    started(server, 1)
    assert not server.connection.send_data(1, b"a" * 70_000)
    assert sum(sizes(server.sent())) == WINDOW
    assert server.take(window_update(0, WINDOW)) == []
    assert kinds(server.take(settings(initial_window_size=10))) == [frames.SETTINGS]
    assert server.take(window_update(1, WINDOW - 10)) == []
    assert sizes(server.take(window_update(1, 7))) == [7]
    assert sizes(server.take(settings(initial_window_size=20))) == [10]
    assert server.take(settings(initial_window_size=5, max_frame_size=2**24 - 1))
    assert server.take(window_update(1, 15)) == []
    assert sizes(server.take(settings(initial_window_size=MAX_WINDOW))) == [70_000 - WINDOW - 17]


def test_only_the_last_of_a_setting_counts() -> None:
    """6.5.3: in one frame; so none of its streams is widened and narrowed again and again."""
    server = Server()
    started(server, 1)
    both = frames.settings([(4, 0), (4, MAX_WINDOW), (4, 3)])
    server.take(both)
    assert not server.connection.send_data(1, b"abcd")
    assert sizes(server.sent()) == [3]


def test_windows_wider_than_any_may_be() -> None:
    """6.9.1: a stream error for a stream, a connection error for the connection, or by a setting."""
    server = Server()
    started(server, 1)
    assert server.breaks(window_update(1, MAX_WINDOW)) == (1, ErrorCode.FLOW_CONTROL_ERROR)
    assert server.told("was_reset") == [(1, ErrorCode.FLOW_CONTROL_ERROR)]
    assert server.take(window_update(0, MAX_WINDOW - WINDOW)) == []
    assert server.fails(window_update(0, 1)) == ErrorCode.FLOW_CONTROL_ERROR
    server = Server()
    started(server, 1)
    server.take(window_update(1, 1))
    assert server.fails(settings(initial_window_size=MAX_WINDOW)) == ErrorCode.FLOW_CONTROL_ERROR
    server = Server()
    server.connection.pause_sending()
    assert server.fails(window_update(0, MAX_WINDOW)) == ErrorCode.FLOW_CONTROL_ERROR


def test_windows_widened_by_nothing() -> None:
    server = Server()
    started(server, 1)
    assert server.breaks(window_update(1, 0)) == (1, ErrorCode.PROTOCOL_ERROR)


def test_streams_take_turns() -> None:
    """A frame of each, so that a long answer does not hold up the short ones; who waited longest is first."""
    server = Server()
    server.take(settings(initial_window_size=2**20))
    started(server, 1, 3, 5)
    server.connection.send_data(1, b"x" * WINDOW)
    server.sent()
    for stream in (1, 3, 5):
        assert not server.connection.send_data(stream, b"x" * 40_000)
    sent = server.take(window_update(0, 16_384 * 3 + 10))
    assert [(each.stream, len(each.payload)) for each in sent] == [
        (1, 16_384),
        (3, 16_384),
        (5, 16_384),
        (1, 10),
    ]
    sent = server.take(window_update(0, 16_384))
    assert [(each.stream, len(each.payload)) for each in sent] == [(3, 16_384)]
    sent = server.take(window_update(0, 10**6))
    assert sum(sizes(sent)) == 120_000 - 4 * 16_384 - 10
    assert sorted(server.told("drained")) == [(1,), (3,), (5,)]


def test_streams_without_room_are_passed_over() -> None:
    """Those with room go at once, however many wait for their own windows; and they keep their turn."""
    server = Server()
    server.take(settings(initial_window_size=1))
    streams = range(1, 200, 2)
    started(server, *streams)
    for stream in streams:
        server.connection.send_data(stream, b"abc")
    server.sent()
    assert server.take(window_update(0, 1)) == []
    for rest in (b"b", b"c"):
        [only] = server.take(window_update(101, 1))
        assert (only.stream, only.payload) == (101, rest)
    assert server.told("drained") == [(101,)]
    sent = server.take(settings(initial_window_size=3))[1:]
    assert [each.stream for each in sent] == [stream for stream in streams if stream != 101]


def test_what_comes_is_within_the_windows() -> None:
    """The client may fill a stream's window and the connection's, not a byte more."""
    server = Server(Http2Options(connection_window=200_000))
    chunk = b"x" * 16_000
    server.take(request(1, end=False), *[data(1, chunk)] * 4)
    assert server.breaks(data(1, b"x" * (WINDOW - 64_000 + 1))) == (1, ErrorCode.FLOW_CONTROL_ERROR)
    server = Server(Http2Options(connection_window=100_000))
    for stream in (1, 3):
        server.take(request(stream, end=False), *[data(stream, chunk)] * 3)
    assert server.take(data(1, b"x" * 4_000)) == []
    assert server.fails(data(1, b"x")) == ErrorCode.FLOW_CONTROL_ERROR


def test_windows_open_again_in_batches() -> None:
    """When half is used: one WINDOW_UPDATE for many frames, and none for a stream that has ended."""
    server = Server(Http2Options(connection_window=200_000), consuming=True)
    sent = server.take(request(1, end=False), *[data(1, b"x" * 1_000)] * 66)
    assert updates(sent) == [(1, 33_000), (1, 33_000)]
    sent = server.take(*[data(1, b"x" * 1_000)] * 33, data(1, b"x" * 1_000, end=True))
    assert updates(sent) == [(1, 33_000), (0, 100_000)]


def test_what_nobody_takes_stays_used() -> None:
    """Back-pressure: the windows open when the handler has consumed, and no earlier."""
    server = Server(Http2Options(connection_window=WINDOW))
    sent = server.take(request(1, end=False), *[data(1, b"x" * 16_000)] * 4)
    assert updates(sent) == []
    server.connection.consumed(1, 64_000)
    assert updates(server.sent()) == [(0, 64_000), (1, 64_000)]
    server.connection.consumed(1, 64_000)
    assert server.sent() == []


def test_what_was_not_consumed_comes_back_when_the_stream_ends() -> None:
    """To the connection's window; consumed later, it gives nothing twice."""
    server = Server(Http2Options(connection_window=WINDOW))
    server.take(request(1, end=False), *[data(1, b"x" * 16_000)] * 4)
    server.connection.reset(1, ErrorCode.CANCEL)
    assert updates(server.sent()) == [(0, 64_000)]
    server.connection.consumed(1, 64_000)
    assert server.sent() == []


def test_a_client_that_makes_room_for_its_next_stream_hears_of_it() -> None:
    """Some send the next one only when something comes. Without room to make there is nothing to say."""
    for streams, told in ((2, [(0, 10)]), (3, [])):
        server = Server(Http2Options(max_streams=streams), consuming=True)
        server.take(request(1, end=False), request(3, end=False), data(1, b"x" * 10))
        cancel = frames.rst_stream(1, ErrorCode.CANCEL)
        assert updates(server.take(cancel)) == told
        assert server.take(frames.rst_stream(3, ErrorCode.CANCEL)) == []


def test_padding_is_given_back_at_once() -> None:
    server = Server(Http2Options(connection_window=WINDOW))
    padded = frame(frames.DATA, PADDED, 1, b"\xff" + b"x" + b"\0" * 255)
    sent = server.take(request(1, end=False), *[padded] * 130)
    assert updates(sent) == [(0, 128 * 256), (1, 128 * 256)]
    assert len(server.told("data")) == 130


def test_own_windows_hold_from_the_acknowledgement() -> None:
    """6.5.3 and 6.9.2: before it a client may go by the initial values."""
    server = Server(Http2Options(stream_window=1_000), greet=False)
    server.take(frames.PREFACE, settings(), request(1, end=False), data(1, b"x" * 16_000))
    server.connection.consumed(1, 16_000)
    assert server.told("was_reset") == []
    server.take(frames.SETTINGS_ACK)
    assert server.breaks(data(1, b"x")) == (1, ErrorCode.FLOW_CONTROL_ERROR)
    assert server.breaks(request(3, end=False), data(3, b"x" * 1_001)) == (3, ErrorCode.FLOW_CONTROL_ERROR)
    server = Server(Http2Options(stream_window=10**6))
    server.take(request(1, end=False), *[data(1, b"x" * 16_000)] * 60)
    assert server.told("was_reset") == []


@pytest.mark.parametrize("value", [0, 1, 16_383, 2**24])
def test_frames_are_as_long_as_the_client_takes(value: int) -> None:
    """6.5.2: 16,384 at least; longer ones up to a bound, so that streams still take turns."""
    assert Server().fails(settings(max_frame_size=value)) == ErrorCode.PROTOCOL_ERROR
    server = Server()
    server.take(settings(max_frame_size=2**24 - 1, initial_window_size=2**20), window_update(0, 2**20))
    started(server, 1)
    server.connection.send_data(1, b"x" * 200_000)
    assert sizes(server.sent()) == [65_536, 65_536, 65_536, 3_392]
