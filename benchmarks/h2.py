"""A gRPC client on bare sockets, so cheap that the server stays the one that is measured.

It speaks just enough of HTTP/2 (RFC 9113) for that: windows for what comes back that are never used up,
headers without compression, and no look at those that come back. A call without a response message failed.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Callable

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_CANCEL = 0x8
_MAX_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _headers(path: str, token: str, authority: str) -> bytes:
    """Literals that are not indexed (RFC 7541, section 6.2.2); all lengths are below 127."""
    block = bytearray()
    for name, value in (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", f"Bearer {token}"),
    ):
        block += b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
    return bytes(block)


def any_certificate() -> ssl.SSLContext:
    """TLS with whichever server answers: it is one that the benchmark has started."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.set_alpn_protocols(["h2"])
    return tls


def message(data: bytes) -> bytes:
    """A gRPC message as it lies in DATA frames: not compressed, length, data."""
    return b"\0" + len(data).to_bytes(4, "big") + data


class Connection(asyncio.Protocol):
    """One connection. Each stream's DATA goes to a callback as it comes, frames of gRPC included.

    Attributes:
        received: Bytes of DATA so far.
    """

    def __init__(self, token: str, authority: str, window: int) -> None:
        self.received = 0
        self._window = window
        self._token = token
        self._authority = authority
        self._next_stream = 1
        self._buffer = b""
        # How much the server lets us send, on a stream and (0) on all together.
        self._first_window = _DEFAULT_WINDOW
        self._windows = {0: _DEFAULT_WINDOW}
        self._unsent: list[tuple[int, bytes]] = []
        self.on_data: dict[int, Callable[[memoryview], None]] = {}
        self._replies: dict[int, tuple[asyncio.Future[bytes], bytearray]] = {}
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        token: str,
        *,
        window: int = _MAX_WINDOW,
        tls: ssl.SSLContext | None = None,
        local: str | None = None,
    ) -> Connection:
        """Connect.

        Args:
            window: How many bytes a stream, and all together, may send before :meth:`widen`; at least 65,535.
            tls: With which to encrypt, if at all.
            local: The address to connect from; each has some 28,000 ports.
        """
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: cls(token, f"{host}:{port}", window),
            host,
            port,
            ssl=tls,
            local_addr=(local, 0) if local else None,
        )
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        settings = struct.pack(">HIHIHI", 0x1, 0, 0x4, self._window, 0x5, 2**24 - 1)
        transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings))
        if self._window > _DEFAULT_WINDOW:
            grow = (self._window - _DEFAULT_WINDOW).to_bytes(4, "big")
            transport.write(_frame(_WINDOW, 0, 0, grow))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        for future, _ in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionError("the connection was lost"))

    def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    def widen(self) -> None:
        """Take as much as comes from now on, on a connection that was opened with a small window."""
        grow = (_MAX_WINDOW - self._window).to_bytes(4, "big")
        for stream in (0, *self.on_data):
            self._transport.write(_frame(_WINDOW, 0, stream, grow))
        self._window = _MAX_WINDOW

    def abort(self) -> None:
        """Be gone, without a word."""
        self._transport.abort()

    def stream(self, path: str, request: bytes, on_data: Callable[[memoryview], None]) -> None:
        """Call a method with a streamed answer."""
        self.on_data[self._send(path, request)] = on_data

    async def first(self, path: str, request: bytes) -> None:
        """Call a method with a streamed answer, wait for the first of it, and cancel the call.

        Raises:
            RuntimeError: There was no answer.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        stream = self._send(path, request)
        self._replies[stream] = (future, bytearray())
        self.on_data[stream] = lambda data: None if future.done() else future.set_result(bytes(data))
        await future
        self.on_data.pop(stream, None)
        self._replies.pop(stream, None)
        self._windows.pop(stream, None)
        self._transport.write(_frame(_RST, 0, stream, _CANCEL.to_bytes(4, "big")))

    async def call(self, path: str, request: bytes) -> bytes:
        """Call a unary method.

        Raises:
            RuntimeError: There was no response message.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._replies[self._send(path, request)] = (future, bytearray())
        return await future

    def _send(self, path: str, request: bytes) -> int:
        stream = self._next_stream
        self._next_stream += 2
        data = message(request)
        headers = _frame(_HEADERS, _END_HEADERS, stream, _headers(path, self._token, self._authority))
        self._windows[stream] = self._first_window
        if not self._unsent and len(data) <= min(16_384, self._first_window, self._windows[0]):
            self._spend(stream, len(data))
            self._transport.write(headers + _frame(_DATA, _END_STREAM, stream, data))
        else:
            self._transport.write(headers)
            self._unsent.append((stream, data))
            self._send_on()
        return stream

    def _spend(self, stream: int, size: int) -> None:
        self._windows[stream] -= size
        self._windows[0] -= size

    def _send_on(self) -> None:
        """Send what the server's windows leave room for."""
        waiting, self._unsent = self._unsent, []
        for stream, data in waiting:
            rest = data
            # 16,384 bytes is what every server takes in one frame.
            while (
                rest and (size := min(len(rest), 16_384, self._windows.get(stream, 0), self._windows[0])) > 0
            ):
                self._spend(stream, size)
                last = size == len(rest)
                self._transport.write(_frame(_DATA, _END_STREAM if last else 0, stream, rest[:size]))
                rest = rest[size:]
            if rest and stream in self._windows:
                self._unsent.append((stream, rest))

    def _widened(self, stream: int, by: int) -> None:
        if stream in self._windows:
            self._windows[stream] += by
            if self._unsent:
                self._send_on()

    def _settings(self, payload: memoryview) -> None:
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HI", payload, at)
            if name == 0x4:
                more, self._first_window = value - self._first_window, value
                for stream in self._windows:
                    self._windows[stream] += more if stream else 0

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        view = memoryview(data)
        at, end = 0, len(data)
        while end - at >= 9:
            size = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2]
            if end - at < 9 + size:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big")
            self._frame(kind, flags, stream, view[at + 9 : at + 9 + size])
            at += 9 + size
        self._buffer = data[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: memoryview) -> None:
        if kind == _DATA:
            self.received += len(payload)
            on_data = self.on_data.get(stream)
            if on_data:
                on_data(payload)
            elif stream in self._replies:
                self._replies[stream][1].extend(payload)
        elif kind == _WINDOW:
            self._widened(stream, int.from_bytes(payload, "big"))
        elif kind == _SETTINGS and not flags & _ACK:
            self._settings(payload)
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, bytes(payload)))
        if (kind in (_DATA, _HEADERS) and flags & _END_STREAM) or kind == _RST:
            self.on_data.pop(stream, None)
            self._windows.pop(stream, None)
            future, reply = self._replies.pop(stream, (None, bytearray()))
            if future and not future.done():
                if len(reply) >= 5:
                    future.set_result(bytes(reply[5:]))
                else:
                    # Headers as they came, of which a status mostly can be read, or the code of a reset.
                    future.set_exception(RuntimeError(f"the call failed: {bytes(payload)!r}"))
