"""Calls of raw bytes, and HTTP/2 by hand: what a client of another make, or no proper client, can send."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

Metadata = Sequence[tuple[str, str | bytes]]
# Without (de)serialisers, which the stubs have no way to say.
UnaryUnary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
UnaryStream = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]

PATIENCE = 20.0  # seconds until something that should happen counts as not happening


@dataclass(frozen=True)
class Answer:
    """What became of a call, as a client of any make sees it."""

    code: grpc.StatusCode
    text: str = ""
    reason: str = ""
    field: str = ""
    """The path of the request's field that is wrong."""
    metadata: Mapping[str, str] | None = None
    response: bytes = b""
    """The response; of a stream, the first."""


async def call(
    channel: grpc.aio.Channel,
    path: str,
    request: bytes,
    metadata: Metadata,
    *,
    streams: bool = False,
    timeout: float = PATIENCE,
) -> Answer:
    """Call a method with the bytes of a request, whether they are one or not.

    Args:
        streams: Whether the method answers with a stream; it is left after its first response.
    """
    given = grpc.aio.Metadata(*metadata)
    response = b""
    try:
        if streams:
            open_ = cast("UnaryStream", channel.unary_stream(path))
            stream = open_(request, metadata=given, timeout=timeout)
            first = await stream.read()
            if isinstance(first, bytes):
                response = first
                stream.cancel()
        else:
            ask = cast("UnaryUnary", channel.unary_unary(path))
            response = await ask(request, metadata=given, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        return answer_of(error)
    return Answer(grpc.StatusCode.OK, response=response)


def answer_of(error: grpc.aio.AioRpcError) -> Answer:
    """An error with what ``grpc-status-details-bin`` says."""
    details = b""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            details = value
    return refusal(error.code(), error.details() or "", details)


def refusal(code: grpc.StatusCode, text: str, details: bytes) -> Answer:
    """An error, given the encoded google.rpc.Status that came with it."""
    status = status_pb2.Status()
    with suppress(DecodeError):
        status.ParseFromString(details)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(request)
    fields = [violation.field for violation in request.field_violations]
    return Answer(code, text, info.reason, fields[0] if fields else "", dict(info.metadata))


class Frame(NamedTuple):
    """One frame of HTTP/2, https://www.rfc-editor.org/rfc/rfc9113#section-4.1"""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def __bytes__(self) -> bytes:
        head = struct.pack(">I", len(self.payload))[1:] + bytes((self.kind, self.flags))
        return head + struct.pack(">I", self.stream) + self.payload


DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
PROTOCOL_ERROR = struct.pack(">I", 1)


def request_headers(path: str, *extra: tuple[str, str | bytes]) -> bytes:
    """The header block of a call, all of it literal."""
    names: list[tuple[str, str | bytes]] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    block = b""
    for name, value in [*names, *extra]:
        data = value if isinstance(value, bytes) else value.encode()
        assert len(name) < 127, "needs an integer of several bytes"
        assert len(data) < 127, "needs an integer of several bytes"
        block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(data)]) + data
    return block


class Http2Peer:
    """A client of the server that does nothing by itself, as opening windows.

    Blocks, so beside a server in the same process it belongs on another thread.

    Args:
        settings: Its own, as it tells them to the server.
        timeout: How long it waits for the server, in seconds.
        answers: Whether it answers pings, when it reads them.
    """

    def __init__(
        self, port: int, *settings: tuple[int, int], timeout: float = PATIENCE, answers: bool = False
    ) -> None:
        self._answers = answers
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._received = b""
        payload = b"".join(struct.pack(">HI", *setting) for setting in settings)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(Frame(SETTINGS, 0, 0, payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> None:
        """Send frames."""
        self.socket.sendall(b"".join(bytes(frame) for frame in frames))

    def read(self) -> Frame | None:
        """The next frame; None when the server has closed the connection.

        Raises:
            TimeoutError: Nothing came.
        """
        while (frame := self._take()) is None:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._received += data
        if self._answers and frame.kind == PING and not frame.flags & ACK:
            self.send(Frame(PING, ACK, 0, frame.payload))
        return frame

    def _take(self) -> Frame | None:
        buffer = self._received
        end = 9 + int.from_bytes(buffer[:3], "big")
        if len(buffer) < 9 or len(buffer) < end:
            return None
        self._received = buffer[end:]
        return Frame(buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big"), buffer[9:end])

    def read_until(self, kind: int, *, flags: int | None = None) -> Frame | None:
        """The next frame of a kind, and the others before it left out; None when there is none."""
        while (frame := self.read()) is not None:
            if frame.kind == kind and flags in (None, frame.flags):
                return frame
        return None

    def settle(self) -> dict[int, int]:
        """Agree to the server's settings, which count from then on; what they are."""
        frame = self.read_until(SETTINGS, flags=0)
        assert frame
        self.send(Frame(SETTINGS, ACK, 0, b""))
        pairs = [frame.payload[at : at + 6] for at in range(0, len(frame.payload), 6)]
        return dict(struct.unpack(">HI", pair) for pair in pairs)

    def status(self) -> int | None:
        """The gRPC status of the connection's first call; None where there is none.

        Later ones may be spelled by a number in HPACK's table, which is not read here. A call that breaks the
        rules of HTTP/2 may be reset instead: clients take that for INTERNAL.
        """
        while (frame := self.read()) is not None:
            if frame.kind == RST_STREAM and frame.payload == PROTOCOL_ERROR:
                return int(grpc.StatusCode.INTERNAL.value[0])
            if frame.kind == HEADERS and frame.flags & END_STREAM:
                found = re.search(rb"grpc-status[\x01-\x02](\d+)", frame.payload)
                return int(found[1]) if found else None
        return None
