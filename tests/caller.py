"""A connection of the asyncio server without a server, a socket or a wait: bytes in, bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import hpack

from grpc_chat.transport.grpc_connection import GrpcConnection
from grpc_chat.transport.host import Guest, Sending
from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import Counts
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.served import Served
from grpc_chat.transport.slow_lane import SlowLane
from grpc_chat.transport.unfinished import Unfinished
from grpc_chat.transport.unread import Unread
from tests import http2
from tests.http2 import Frame


class Host:
    """What a connection needs of its server, see ``grpc_chat.transport.grpc_connection``."""

    def __init__(
        self,
        methods: Mapping[str, Served],
        options: Http2Options | None = None,
        unread_bytes: int = 64 * 1024,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.http2 = options or Http2Options()
        self.counts = Counts()
        self.methods = dict(methods)
        self.buffer = memoryview(bytearray(64 * 1024))
        self.slow_lane = SlowLane(self.loop)
        self.now = 0.0
        self.most_bytes = 10_000
        self.most_calls = 100
        self.open_calls = 0
        self.stopping = False
        self.keepalive_seconds = 10.0
        self.keepalive_timeout_seconds = 5.0
        self.timeout_milliseconds = 5_000
        self.client_ping_seconds = 8.0
        self.handshake_seconds = 5.0
        self.grace_seconds = 30.0
        self.tick_seconds = 1.0
        self.unfinished = Unfinished(64 * 1024)
        self.unread_answers = Unread(unread_bytes, self.loop.call_soon)
        self.here: set[Guest] = set()

    def age(self) -> float:
        return 3600.0

    def joined(self, connection: Guest, address: str) -> bool:
        self.here.add(connection)
        return True

    def left(self, connection: Guest, address: str) -> None:
        self.here.discard(connection)

    def ended_call(self) -> None:
        self.open_calls -= 1

    def flush_soon(self, connection: Sending) -> None:
        self.loop.call_soon(connection.flush)


class Wire(asyncio.Transport):
    """Keeps what is written, and tells nobody of the end before it is asked to.

    Attributes:
        ended: Whether the server has closed it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has no buffer that could be full; see ``GrpcConnection.pause_writing``."""

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """See ``pause_reading``."""

    def write(self, data: Any) -> None:
        if not self.ended:
            self.written += data

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True


class Caller:
    """A client, and the connection that a server has with it.

    Args:
        window: How much the client takes of each answer.
    """

    def __init__(self, host: Host, *, window: int = 65_535) -> None:
        self.host = host
        self.wire = Wire()
        self.connection = GrpcConnection(host)
        self.connection.connection_made(self.wire)
        self._decoder = hpack.Decoder()
        self.send(frames.PREFACE, http2.settings(initial_window_size=window), frames.SETTINGS_ACK)
        self.sent()

    def send(self, *data: bytes) -> None:
        self.connection.received(b"".join(data))

    def call(
        self, stream: int, path: str, *bodies: bytes, fields: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Call a method, with messages."""
        given = [(name, path.encode() if name == b":path" else value) for name, value in http2.REQUEST]
        block = http2.literal([*given, *fields])
        data = b"".join(b"\0" + len(body).to_bytes(4, "big") + body for body in bodies)
        self.send(http2.headers(stream, block, flags=frames.END_HEADERS), http2.data(stream, data, end=True))

    def sent(self) -> list[Frame]:
        """What the server has sent since this was asked last."""
        data, self.wire.written = bytes(self.wire.written), bytearray()
        return http2.parse(data)

    async def answered(self) -> list[Frame]:
        """The same, after everything has had its turn."""
        for _ in range(6):
            await asyncio.sleep(0)
        return self.sent()

    def statuses(self, sent: Iterable[Frame]) -> dict[int, int]:
        """The gRPC status of each call that has ended."""
        found = {}
        for each in sent:
            if each.kind == frames.HEADERS:
                fields = dict(self._decoder.decode(each.payload, raw=True))
                # What is not gRPC is answered in HTTP.
                if each.flags & frames.END_STREAM and b"grpc-status" in fields:
                    found[each.stream] = int(fields[b"grpc-status"])
        return found


def body_of(sent: Iterable[Frame], stream: int) -> bytes:
    """The data of a stream."""
    return b"".join(each.payload for each in sent if each.kind == frames.DATA and each.stream == stream)
