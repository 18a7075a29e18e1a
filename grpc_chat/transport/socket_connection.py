"""The socket of a connection of the asyncio server: what is sent goes out, or waits for room."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import cast
from urllib.parse import quote

if sys.platform != "win32":
    import fcntl
    import termios

WRITE_BUFFER_BYTES = 64 * 1024
"""How much may wait for the socket before its protocol is told to pause."""

_ARE_FILES = sys.platform != "win32"
"""Whether sockets are written to as files are."""


class SocketConnection(asyncio.BufferedProtocol):
    """Writes to the socket itself as long as nothing waits for it in asyncio's transport, whose way there is
    twice as long.

    Attributes:
        is_closed: Whether :meth:`close` was called: nothing more is sent, and what comes is dropped.
    """

    __slots__ = ("_descriptor", "_queued", "_transport", "is_closed")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        # Of the socket; -1 when nothing more may be written to it past the transport.
        self._descriptor = -1
        # Whether something may wait in the transport.
        self._queued = False
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        connected: socket.socket | None = transport.get_extra_info("socket")
        if connected is not None and _ARE_FILES:
            self._descriptor = connected.fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._descriptor = None, -1

    @property
    def waiting(self) -> int:
        """How many bytes wait for the socket."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def send(self, data: bytes) -> None:
        """Give bytes to the socket; they go nowhere after its end."""
        if self.is_closed:
            return
        if self._descriptor >= 0 and not (self._queued and self._is_waiting()):
            try:
                sent = os.write(self._descriptor, data)
            except OSError:
                # It is full, or gone, which the transport finds out as well.
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        assert self._transport
        self._queued = True
        self._transport.write(data)

    def _is_waiting(self) -> bool:
        """Whether anything waits in the transport."""
        assert self._transport
        self._queued = self._transport.get_write_buffer_size() > 0
        return self._queued

    def pause_reading(self) -> bool:
        """Take nothing more for a while; whether it is still there."""
        if self._transport:
            self._transport.pause_reading()
        return self._transport is not None

    def resume_reading(self) -> bool:
        """Take bytes again; whether it is still there."""
        if self._transport:
            self._transport.resume_reading()
        return self._transport is not None

    @property
    def has_arrived(self) -> bool:
        """Whether the client's machine has acknowledged all that was sent; false where nobody knows."""
        if self._transport is None:
            return True
        if sys.platform == "win32" or self._transport.get_write_buffer_size():
            return False
        connected: socket.socket | None = self._transport.get_extra_info("socket")
        if connected is None:
            return False
        try:
            waiting = fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False
        return struct.unpack("i", waiting) == (0,)

    def close(self) -> None:
        """Close it when what was sent has arrived.

        The kernel answers what comes for a closed socket with a reset, and then forgets what the client's
        machine had no room for yet. So only the way out is closed at first, until the client closes the
        other, or all has arrived (see ``has_arrived``).
        """
        # The transport may close it at any time from now on, and the descriptor may be that of another one.
        self._descriptor = -1
        if self._transport and not self.is_closed:
            self.is_closed = True
            if not self.has_arrived and self._transport.can_write_eof():
                # Unless the client has ended it meanwhile.
                with suppress(OSError):
                    self._transport.write_eof()
                    return
            self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._descriptor = -1
        self.is_closed = True
        if self._transport:
            self._transport.abort()


def named(peer: object) -> tuple[str, str]:
    """The address of a client as gRPC names it, and without its port."""
    if not isinstance(peer, tuple):
        return "", ""
    host, port = str(peer[0]), int(peer[1])
    if ":" in host:
        return f"ipv6:{quote(f'[{host}]', safe='')}:{port}", host
    return f"ipv4:{host}:{port}", host


def give_up_after(transport: asyncio.BaseTransport, milliseconds: int) -> None:
    """Have the kernel end a connection on which nothing is acknowledged for so long; by itself it waits for a
    quarter of an hour."""
    connected: socket.socket | None = transport.get_extra_info("socket")
    if connected is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
