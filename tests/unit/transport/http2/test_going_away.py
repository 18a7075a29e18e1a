"""GOAWAY (RFC 9113, section 6.8), and settings (6.5) that nothing else tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import frame
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import Frame, Server, data, kinds, request, settings


def last(sent: Frame) -> tuple[int, int]:
    assert sent.kind == frames.GOAWAY
    return int.from_bytes(sent.payload[:4], "big"), sent.code


def test_two_steps() -> None:
    """First a warning, which leaves time for requests that are on their way; then the truth."""
    server = Server(answering=True)
    server.take(request(1, end=False))
    server.connection.go_away(last=2**31 - 1)
    assert [last(each) for each in server.sent()] == [(2**31 - 1, ErrorCode.NO_ERROR)]
    assert kinds(server.take(request(3))) == [frames.HEADERS]
    server.connection.go_away()
    assert [last(each) for each in server.sent()] == [(3, ErrorCode.NO_ERROR)]
    assert server.connection.closing is None
    # As if it had never come, but for the table of headers and the windows.
    assert server.take(request(5, end=False), data(5, b"x", end=True)) == []
    assert len(server.told("request")) == 2
    assert server.connection.open_streams == 1
    assert kinds(server.take(data(1, b"x", end=True))) == [frames.HEADERS]
    assert server.connection.open_streams == 0
    server.connection.go_away(last=2**31 - 1)
    assert [last(each) for each in server.sent()] == [(3, ErrorCode.NO_ERROR)]


def test_errors_end_everything() -> None:
    server = Server()
    server.take(request(1), request(7, end=False))
    server.connection.go_away(ErrorCode.ENHANCE_YOUR_CALM, debug=b"too_many_pings")
    [sent] = server.sent()
    assert (last(sent), sent.payload[8:]) == ((7, ErrorCode.ENHANCE_YOUR_CALM), b"too_many_pings")
    assert server.connection.closing == ErrorCode.ENHANCE_YOUR_CALM
    assert server.told("was_reset") == [(1, 11), (7, 11)]
    server.connection.go_away(ErrorCode.INTERNAL_ERROR)
    server.connection.go_away()
    assert server.sent() == []
    assert server.connection.closing == ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_that_goes_away() -> None:
    server = Server(answering=True)
    server.take(request(1, end=False), frame(frames.GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x02debug"))
    assert server.told("went_away") == [(2,)]
    assert kinds(server.take(data(1, b"", end=True))) == [frames.HEADERS]


def test_settings_that_nobody_may_send() -> None:
    """6.5.2; unknown ones are ignored."""
    assert Server().fails(settings(enable_push=2)) == ErrorCode.PROTOCOL_ERROR
    assert Server().fails(settings(initial_window_size=2**31)) == ErrorCode.FLOW_CONTROL_ERROR
    assert kinds(Server().take(frames.settings([(0xF0F0, 2**32 - 1), (7, 1), (8, 9)]))) == [frames.SETTINGS]
    assert kinds(Server().take(settings(enable_push=1, max_concurrent_streams=0))) == [frames.SETTINGS]


def test_what_a_client_is_told() -> None:
    options = Http2Options(
        max_streams=7,
        stream_window=70_000,
        connection_window=65_536,
        frame_bytes=20_000,
        header_list_bytes=9_000,
        header_table_bytes=0,
    )
    told, window = Server(options, greet=False).first
    pairs = {
        int.from_bytes(told.payload[at : at + 2], "big"): int.from_bytes(told.payload[at + 2 : at + 6], "big")
        for at in range(0, len(told.payload), 6)
    }
    assert pairs == {3: 7, 6: 9_000, 1: 0, 4: 70_000, 5: 20_000}
    assert (window.stream, window.payload) == (0, b"\0\0\0\1")
    assert kinds(Server(Http2Options(connection_window=65_535), greet=False).first) == [frames.SETTINGS]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_streams", -1),
        ("stream_window", 0),
        ("stream_window", 2**31),
        ("connection_window", 65_534),
        ("frame_bytes", 16_383),
        ("frame_bytes", 2**24),
        ("header_list_bytes", 0),
        ("header_table_bytes", -1),
        ("continuations", 0),
    ],
)
def test_options_that_no_client_could_be_told(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        replace(Http2Options(), **{name: value})
