"""What HTTP/2 itself costs: our core beside the `h2` library, fed the same bytes, without a socket.

Python's bytecodes are counted, which no other process disturbs, and the times are the least of many rounds in
turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Protocol

import h2.config
import h2.connection
import h2.events
import hpack

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, frame
from grpc_chat.transport.http2.headers import Headers, encode
from grpc_chat.transport.http2.settings import MAX_WINDOW, Http2Options

REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/chat.v1.MessageService/SendMessages"),
    (":authority", "127.0.0.1:50051"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
    ("user-agent", "grpc-python-asyncio/1.76.0 grpc-c/50.0.0 (linux; chttp2)"),
    ("authorization", "Bearer gct_0123456789abcdefghijklmnopqrstuvwxyz"),
]
ANSWER = [(":status", "200"), ("content-type", "application/grpc")]
TRAILERS = [("grpc-status", "0")]
_ANSWER, _TRAILERS = (
    encode([(name.encode(), value.encode()) for name, value in fields]) for fields in (ANSWER, TRAILERS)
)
MESSAGE = b"\0\0\0\0\x64" + b"m" * 100
"""A message of gRPC with 100 bytes."""


class Server(Protocol):
    """One connection of either library, whose client has said hello."""

    def receive(self, data: bytes) -> int:
        """Take what a client sent, answer each call that is complete; how many bytes go back."""

    def deliver(self, data: bytes) -> int:
        """Send a message on the stream that was opened first; how many bytes go out."""


class Ours:
    """The core, with a handler that does as little as a handler can."""

    def __init__(self) -> None:
        self.connection = Connection(self, options=Http2Options(max_streams=10_000), now=time.monotonic)

    def receive(self, data: bytes) -> int:
        self.connection.receive(data)
        return len(b"".join(self.connection.data_to_send()))

    def deliver(self, data: bytes) -> int:
        self.connection.send_data(1, data)
        return len(b"".join(self.connection.data_to_send()))

    def request(self, stream: int, headers: Headers, end: bool) -> None:
        if end:
            self.connection.send_headers(stream, _ANSWER)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        self.connection.consumed(stream, len(data))
        if end:
            self.connection.respond(stream, _ANSWER, MESSAGE, _TRAILERS)

    def headers_too_large(self, stream: int, octets: int) -> None: ...
    def trailers(self, stream: int, headers: Headers) -> None: ...
    def was_reset(self, stream: int, code: int) -> None: ...
    def drained(self, stream: int) -> None: ...
    def answered_early(self) -> None: ...
    def pinged(self, after_data: bool) -> None: ...
    def pong(self) -> None: ...
    def went_away(self, code: int) -> None: ...


class Theirs:
    """The `h2` library, in the same role."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()

    def receive(self, data: bytes) -> int:
        connection = self.connection
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                if event.stream_ended:
                    connection.send_headers(event.stream_id, ANSWER)
            elif isinstance(event, h2.events.DataReceived):
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_ended:
                    connection.send_headers(event.stream_id, ANSWER)
                    connection.send_data(event.stream_id, MESSAGE)
                    connection.send_headers(event.stream_id, TRAILERS, end_stream=True)
        return len(connection.data_to_send())

    def deliver(self, data: bytes) -> int:
        self.connection.send_data(1, data)
        return len(self.connection.data_to_send())


def hello() -> bytes:
    """A client's first bytes, with windows that are never used up."""
    return (
        frames.PREFACE
        + frames.settings([(4, MAX_WINDOW)])
        + frames.window_update(0, MAX_WINDOW - 65_535)
        + frames.SETTINGS_ACK
    )


def calls(count: int) -> Iterator[bytes]:
    """Unary calls as a client makes them that encodes with a table: the first block is long."""
    encoder = hpack.Encoder()
    for stream in range(1, 2 * count, 2):
        block = encoder.encode(REQUEST)
        yield frame(frames.HEADERS, END_HEADERS, stream, block) + frame(
            frames.DATA, END_STREAM, stream, MESSAGE
        )


def _unary(server: Server, sent: list[bytes]) -> Callable[[], None]:
    def run() -> None:
        for call in sent:
            server.receive(call)

    server.receive(hello())
    for _ in range(2):
        # The client's table is full then, and its blocks repeat.
        answered = server.receive(sent.pop(0))
        assert answered > len(MESSAGE)
    return run


def _deliveries(server: Server, count: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(count):
            server.deliver(MESSAGE)

    encoder = hpack.Encoder()
    server.receive(hello() + frame(frames.HEADERS, END_HEADERS | END_STREAM, 1, encoder.encode(REQUEST)))
    delivered = server.deliver(MESSAGE)
    assert delivered == 9 + len(MESSAGE)
    return run


def bytecodes(run: Callable[[], None]) -> int:
    """How many of Python's instructions it takes; what is written in C counts as one."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return count


def rows(*, count: int, rounds: int) -> list[str]:
    """A row for each thing that is measured: ours and theirs, in turns."""
    servers: tuple[Callable[[], Server], ...] = (Ours, Theirs)
    made: dict[str, Callable[[Server], Callable[[], None]]] = {
        "a unary call": lambda server: _unary(server, list(calls(count + 2))),
        "a delivery": lambda server: _deliveries(server, count),
    }
    lines = []
    for name, make in made.items():
        codes = [bytecodes(make(server())) / count for server in servers]
        best = [float("inf")] * 2
        for _ in range(rounds):
            for which, server in enumerate(servers):
                run = make(server())
                began = time.process_time()
                run()
                best[which] = min(best[which], time.process_time() - began)
        ours, theirs = (1e6 * seconds / count for seconds in best)
        lines.append(
            f"| {name} | {codes[0]:,.0f} | {ours:.1f} | {codes[1]:,.0f} | {theirs:.1f} | "
            f"{codes[1] / codes[0]:.0f} / {theirs / ours:.0f} |"
        )
    return lines
