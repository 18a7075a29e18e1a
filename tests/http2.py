"""The client's side of an HTTP/2 connection by hand, and a handler that writes down what it is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import hpack

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import Counts
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM
from grpc_chat.transport.http2.headers import Fields, Headers
from grpc_chat.transport.http2.settings import Http2Options

REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/chat.v1.MessageService/SendMessage"),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)
ANSWER = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS = ((b"grpc-status", b"0"),)


class Frame(NamedTuple):
    """What came from the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Why RST_STREAM or GOAWAY."""
        return int.from_bytes(
            self.payload[:4] if self.kind == frames.RST_STREAM else self.payload[4:8], "big"
        )


def parse(data: bytes) -> list[Frame]:
    """Whole frames."""
    found, at = [], 0
    while at < len(data):
        size, flags, stream = frames.unpack_header(data, at)
        end = at + 9 + (size >> 8)
        assert end <= len(data), "a frame was cut"
        found.append(Frame(size & 0xFF, flags, stream, data[at + 9 : end]))
        at = end
    return found


def settings(**values: int) -> bytes:
    """SETTINGS by the names of section 6.5.2, in lower case."""
    names = (
        "header_table_size",
        "enable_push",
        "max_concurrent_streams",
        "initial_window_size",
        "max_frame_size",
        "max_header_list_size",
    )
    return frames.settings([(names.index(name) + 1, value) for name, value in values.items()])


def literal(fields: Iterable[tuple[bytes, bytes]], first: bytes = b"\0") -> bytes:
    """A block in the plainest form there is, also of what no encoder would write: short names and values."""
    return b"".join(
        first + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in fields
    )


def headers(stream: int, block: bytes, *, flags: int = END_HEADERS | END_STREAM) -> bytes:
    return frames.frame(frames.HEADERS, flags, stream, block)


def request(stream: int, *more: tuple[bytes, bytes], end: bool = True) -> bytes:
    """HEADERS of a usual request."""
    flags = END_HEADERS | (END_STREAM if end else 0)
    return headers(stream, literal((*REQUEST, *more)), flags=flags)


def data(stream: int, payload: bytes, *, end: bool = False) -> bytes:
    return frames.frame(frames.DATA, int(end), stream, payload)


class Server:
    """A connection, as its own handler, with a client that has said hello.

    Attributes:
        events: What the handler was told, as (method, arguments …).
        clock: What the connection takes for the time.
        answering: Whether whole requests are answered at once with 200 and no data.
        consuming: Whether data is consumed at once.
    """

    def __init__(
        self,
        options: Http2Options | None = None,
        *,
        greet: bool = True,
        answering: bool = False,
        consuming: bool = False,
        counts: Counts | None = None,
    ) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.clock = 0.0
        self.answering = answering
        self.consuming = consuming
        self.connection = Connection(
            self, options=options or Http2Options(), now=lambda: self.clock, counts=counts
        )
        self.decoder = hpack.Decoder()
        self.first = self.sent()
        if greet:
            self.take(frames.PREFACE, settings(), frames.SETTINGS_ACK)

    def take(self, *data: bytes) -> list[Frame]:
        """Send it to the server; what the server sends then, however often it holds the rest for a while."""
        self.connection.receive(b"".join(data))
        while self.connection.waits:
            self.connection.release()
            self.connection.receive(b"")
        return self.sent()

    def sent(self) -> list[Frame]:
        return parse(b"".join(self.connection.data_to_send()))

    def told(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of a handler's method."""
        return [event[1:] for event in self.events if event[0] == name]

    def fails(self, *data: bytes) -> ErrorCode:
        """Send what must be a connection error, and is answered with GOAWAY; its code."""
        last = self.take(*data)[-1]
        assert last.kind == frames.GOAWAY
        assert self.connection.closing == last.code
        assert self.connection.open_streams == 0
        return ErrorCode(last.code)

    def breaks(self, *data: bytes) -> tuple[int, ErrorCode]:
        """Send what must be a stream error, and is answered with RST_STREAM; its stream and code."""
        last = self.take(*data)[-1]
        assert last.kind == frames.RST_STREAM
        assert self.connection.closing is None
        return last.stream, ErrorCode(last.code)

    def fields(self, frame: Frame) -> list[tuple[bytes, bytes]]:
        """The headers of a frame of the server's."""
        return [(name, value) for name, value in self.decoder.decode(frame.payload, raw=True)]

    # The handler.

    def request(self, stream: int, headers: Headers, end: bool) -> None:
        self.events.append(("request", stream, headers, end))
        if end:
            self._answer(stream)

    def headers_too_large(self, stream: int, octets: int) -> None:
        self.events.append(("headers_too_large", stream, octets))

    def data(self, stream: int, data: bytes, end: bool) -> None:
        self.events.append(("data", stream, data, end))
        if self.consuming:
            self.connection.consumed(stream, len(data))
        if end:
            self._answer(stream)

    def trailers(self, stream: int, headers: Headers) -> None:
        self.events.append(("trailers", stream, headers))
        self._answer(stream)

    def was_reset(self, stream: int, code: int) -> None:
        self.events.append(("was_reset", stream, code))

    def drained(self, stream: int) -> None:
        self.events.append(("drained", stream))

    def answered_early(self) -> None:
        self.events.append(("answered_early",))

    def pinged(self, after_data: bool) -> None:
        self.events.append(("pinged", after_data))

    def pong(self) -> None:
        self.events.append(("pong",))

    def went_away(self, code: int) -> None:
        self.events.append(("went_away", code))

    def _answer(self, stream: int) -> None:
        if self.answering:
            self.connection.send_headers(stream, ANSWER, end=True)


def kinds(sent: Iterable[Frame]) -> list[int]:
    return [frame.kind for frame in sent]


def encoded(fields: Fields, encoder: hpack.Encoder) -> bytes:
    """A block as a usual client makes it, with its table."""
    block: bytes = encoder.encode(list(fields))
    return block
