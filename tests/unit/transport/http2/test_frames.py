"""Frames (RFC 9113, sections 3.4, 4 and 6): what they look like, and what becomes of others."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, PADDED, WITH_PRIORITY, frame
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import REQUEST, Frame, Server, data, headers, kinds, literal, request, settings
from tests.looped import each

BLOCK = literal(REQUEST)
PING = frame(frames.PING, 0, 0, b"12345678")


def test_settings_come_first() -> None:
    """3.4: the server's preface is SETTINGS; the client's is answered."""
    server = Server(greet=False)
    assert kinds(server.first) == [frames.SETTINGS, frames.WINDOW_UPDATE]
    state = [(server.connection.ready, server.connection.acknowledged)]
    assert server.take(frames.PREFACE, settings()) == [Frame(frames.SETTINGS, frames.ACK, 0, b"")]
    state.append((server.connection.ready, server.connection.acknowledged))
    assert server.take(frames.SETTINGS_ACK) == []
    state.append((server.connection.ready, server.connection.acknowledged))
    assert state == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"P",
        frames.PREFACE[:-1] + b"X",
        frames.PREFACE + PING,
        frames.PREFACE + frames.SETTINGS_ACK,
        frames.PREFACE + request(1),
    ],
    ids=["http/1", "short", "wrong end", "ping", "acknowledgement", "request"],
)
def test_a_preface_that_is_none(first: bytes) -> None:
    """3.4: PROTOCOL_ERROR, as soon as it can no longer become a preface."""
    server = Server(greet=False)
    if first == b"P":
        assert server.take(first) == []
        first = b"UT"
    assert server.fails(first) == ErrorCode.PROTOCOL_ERROR
    assert server.events == []
    assert server.take(frames.PREFACE, settings()) == []


def test_frames_in_pieces() -> None:
    """Nothing depends on how the bytes come."""
    whole = frames.PREFACE + settings() + request(1, end=False) + data(1, b"x" * 1000, end=True) + PING
    server = Server(greet=False)
    for at in range(len(whole)):
        server.connection.receive(memoryview(whole)[at : at + 1])
    assert [event[0] for event in server.events] == ["request", "data", "pinged"]
    assert kinds(server.sent()) == [frames.SETTINGS, frames.PING]


def test_a_frame_longer_than_allowed() -> None:
    """4.2: FRAME_SIZE_ERROR, before any of it is kept."""
    longest = Http2Options().frame_bytes
    assert Server().take(request(1, end=False), data(1, b"x" * longest)) == []
    header = frames.pack_header((longest + 1) << 8 | frames.DATA, 0, 1)
    assert Server().fails(request(1, end=False), header) == ErrorCode.FRAME_SIZE_ERROR


def test_unknown_frames_and_flags_are_ignored() -> None:
    """4.1 and 5.5, also the reserved bit of the stream."""
    server = Server()
    assert server.take(frame(0xFF, 0xFF, 7, b"whatever")) == []
    [answer] = server.take(frame(frames.PING, 0xFE, 0, b"12345678"))
    assert answer == Frame(frames.PING, frames.ACK, 0, b"12345678")
    assert kinds(server.take(frame(frames.PING, 0, 0x80000000, b"12345678"))) == [frames.PING]


@each(
    ("kind", "stream", "payload", "code"),
    [
        (frames.DATA, 0, b"x", ErrorCode.PROTOCOL_ERROR),
        (frames.HEADERS, 0, BLOCK, ErrorCode.PROTOCOL_ERROR),
        (frames.HEADERS, 2, BLOCK, ErrorCode.PROTOCOL_ERROR),
        (frames.PRIORITY, 0, b"\0\0\0\1\0", ErrorCode.PROTOCOL_ERROR),
        (frames.PRIORITY, 1, b"\0\0\0\1", ErrorCode.FRAME_SIZE_ERROR),
        (frames.PRIORITY, 1, b"\0\0\0\1\0", ErrorCode.PROTOCOL_ERROR),
        (frames.RST_STREAM, 0, b"\0\0\0\0", ErrorCode.PROTOCOL_ERROR),
        (frames.RST_STREAM, 1, b"\0\0\0", ErrorCode.FRAME_SIZE_ERROR),
        (frames.SETTINGS, 1, b"", ErrorCode.PROTOCOL_ERROR),
        (frames.SETTINGS, 0, b"\0\1\0\0\0", ErrorCode.FRAME_SIZE_ERROR),
        (frames.PUSH_PROMISE, 1, b"\0\0\0\2" + BLOCK, ErrorCode.PROTOCOL_ERROR),
        (frames.PING, 1, b"12345678", ErrorCode.PROTOCOL_ERROR),
        (frames.PING, 0, b"1234567", ErrorCode.FRAME_SIZE_ERROR),
        (frames.GOAWAY, 1, b"\0" * 8, ErrorCode.PROTOCOL_ERROR),
        (frames.GOAWAY, 0, b"\0" * 7, ErrorCode.FRAME_SIZE_ERROR),
        (frames.WINDOW_UPDATE, 0, b"\0\0\1", ErrorCode.FRAME_SIZE_ERROR),
        (frames.WINDOW_UPDATE, 0, b"\0\0\0\0", ErrorCode.PROTOCOL_ERROR),
        (frames.CONTINUATION, 1, BLOCK, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_frames_of_a_wrong_length_or_stream(kind: int, stream: int, payload: bytes, code: ErrorCode) -> None:
    """6.1 to 6.10: connection errors that say which."""
    server = Server()
    assert server.fails(frame(kind, 0, stream, payload)) == code
    assert server.connection.reason
    assert server.events == []


def test_settings_that_acknowledge_set_nothing() -> None:
    """6.5."""
    wrong = frame(frames.SETTINGS, frames.ACK, 0, b"\0\4\0\0\0\1")
    assert Server().fails(wrong) == ErrorCode.FRAME_SIZE_ERROR


def test_padding_is_not_data() -> None:
    """6.1 and 6.2: it is dropped, and counts in the windows."""
    server = Server()
    server.take(headers(1, b"\3" + BLOCK + b"\0\0\0", flags=END_HEADERS | PADDED))
    server.take(frame(frames.DATA, PADDED, 1, b"\4data\0\0\0\0"), frame(frames.DATA, PADDED, 1, b"\0more"))
    server.take(frame(frames.DATA, PADDED | END_STREAM, 1, b"\2\0\0"))
    assert server.told("request") == [(1, REQUEST, False)]
    assert server.told("data") == [(1, b"data", False), (1, b"more", False), (1, b"", True)]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", ErrorCode.FRAME_SIZE_ERROR),
        (b"\1", ErrorCode.PROTOCOL_ERROR),
        (b"\5data", ErrorCode.PROTOCOL_ERROR),
        (b"\xff" + b"\0" * 100, ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_more_padding_than_frame(payload: bytes, code: ErrorCode) -> None:
    """6.1: of DATA and of HEADERS."""
    assert Server().fails(request(1, end=False), frame(frames.DATA, PADDED, 1, payload)) == code
    assert Server().fails(headers(1, payload, flags=END_HEADERS | PADDED)) == code


def test_priorities_are_read_over() -> None:
    """5.3.2 and 6.3: the fields are there, and mean nothing."""
    server = Server()
    priority = (7).to_bytes(4, "big") + b"\x10"
    assert server.take(frame(frames.PRIORITY, 0, 5, priority)) == []
    server.take(headers(1, priority + BLOCK, flags=END_HEADERS | WITH_PRIORITY))
    server.take(headers(3, b"\2" + priority + BLOCK + b"\0\0", flags=END_HEADERS | WITH_PRIORITY | PADDED))
    assert server.told("request") == [(1, REQUEST, False), (3, REQUEST, False)]
    assert server.take(frame(frames.PRIORITY, 0, 1, priority)) == []


def test_priorities_that_are_none() -> None:
    """6.2 and 6.3: too short for one, or of a stream on itself."""
    short = headers(1, b"\0\0\0", flags=END_HEADERS | WITH_PRIORITY)
    assert Server().fails(short) == ErrorCode.FRAME_SIZE_ERROR
    padded = headers(1, b"\3" + b"\0" * 7, flags=END_HEADERS | WITH_PRIORITY | PADDED)
    assert Server().fails(padded) == ErrorCode.PROTOCOL_ERROR
    itself = (1).to_bytes(4, "big") + b"\0"
    server = Server()
    assert server.breaks(headers(1, itself + BLOCK, flags=END_HEADERS | WITH_PRIORITY)) == (1, 1)
    assert server.events == []
    assert server.breaks(request(3, end=False), frame(frames.PRIORITY, 0, 3, b"\0\0\0\3\0")) == (3, 1)
    assert server.breaks(request(5, end=False), frame(frames.PRIORITY, 0, 5, b"\0\0\0")) == (5, 6)
    assert server.told("was_reset") == [(3, 1), (5, 6)]


def test_pings() -> None:
    """6.7."""
    server = Server()
    assert server.take(PING) == [Frame(frames.PING, frames.ACK, 0, b"12345678")]
    server.connection.ping()
    [ping] = server.sent()
    assert (ping.kind, ping.flags) == (frames.PING, 0)
    assert server.take(frame(frames.PING, frames.ACK, 0, b"87654321")) == []
    assert server.told("pong") == []
    assert server.take(frame(frames.PING, frames.ACK, 0, ping.payload)) == []
    assert server.events == [("pinged", False), ("pong",)]


def test_pings_after_data_that_was_kept() -> None:
    """Clients measure with them how fast it comes."""
    server = Server()
    server.take(settings(initial_window_size=1), request(1))
    server.connection.send_data(1, b"abc")
    for sent in ([PING], [frames.window_update(1, 1), PING], [PING]):
        server.take(*sent)
    assert server.told("pinged") == [(True,), (True,), (False,)]


def test_nothing_is_read_after_an_error() -> None:
    """5.4.1: neither in the same bytes nor in later ones."""
    server = Server()
    assert server.fails(PING[:-1] + b"9", frames.SETTINGS_ACK[:-1] + b"\1", request(1)) == 1
    assert server.told("request") == []
    assert server.take(request(1)) == []
    assert server.told("request") == []
