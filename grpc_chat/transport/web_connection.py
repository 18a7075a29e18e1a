"""A connection of the web server: uvicorn's HTTP/1.1, within bounds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from grpc_chat.transport.socket_connection import give_up_after, named
from grpc_chat.transport.tls_connection import names_in
from grpc_chat.transport.web_options import WebOptions

_WRITE_BUFFER_BYTES = 16 * 1024
"""How much may wait for the socket before a stream waits for its client."""

_DISCARDED_BYTES = 1024 * 1024
"""How much of a request is read that was answered already, so that its client gets to read the answer."""

_UNACKNOWLEDGED_MILLISECONDS = 20_000
"""How long the other machine may not confirm what was sent."""


class Host(Protocol):
    """What connections need of their server."""

    options: WebOptions

    def joined(self, connection: WebConnection, address: str) -> bool:
        """Count a connection; whether it may stay."""

    def left(self, connection: WebConnection, address: str) -> None:
        """Forget a connection."""


class WebConnection(H11Protocol):
    """One connection, with one request at a time.

    Attributes:
        secure: Whether it is encrypted.
        ip: The client's address, without its port.
    """

    transport: asyncio.Transport

    def __init__(self, server: Host, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config, state, {"connection": self}, asyncio.get_running_loop())
        self._host = server
        self._arriving: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._then: Callable[[], None] | None = None
        self._discarded = 0
        self._address = ""
        self.ip = ""
        self.secure = False

    # As grpc_chat.api.pipeline.Peer

    def address(self) -> str:
        return self._address

    def names(self) -> tuple[str, ...]:
        tls = self.transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        # It was verified, or the handshake would have failed.
        return names_in(certificate) if certificate else ()

    # As asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address, self.ip = named(transport.get_extra_info("peername"))
        self.secure = transport.get_extra_info("ssl_object") is not None
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        connected: socket.socket | None = transport.get_extra_info("socket")
        if connected is not None:
            # asyncio does so only where it made the socket itself. Otherwise, a second piece of an answer
            # waits 40 ms for the client to acknowledge the first.
            with suppress(OSError):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        give_up_after(transport, _UNACKNOWLEDGED_MILLISECONDS)
        if not self._host.joined(self, self.ip):
            transport.abort()
            return
        self._watch_arrival()

    def data_received(self, data: bytes) -> None:
        self._watch_arrival()
        if self.conn.their_state is h11.IDLE and self._begins_too_large(data):
            # h11 has bounds for headers that come in pieces, not for those that come at once.
            self.send_400_response("The headers of the request are too large.")
            return
        if self.cycle is not None and self.cycle.response_complete and self.conn.their_state is h11.SEND_BODY:
            self._discarded += len(data)
            if self._discarded > _DISCARDED_BYTES:
                self.transport.abort()
                return
        super().data_received(data)
        self._note_arrival()

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = self._host.options.read_time.total_seconds()
        self._stalled = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()
        if self._then:
            then, self._then = self._then, None
            then()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._arriving, self._stalled):
            if timer:
                timer.cancel()
        self._arriving = self._stalled = self._then = None
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._host.left(self, self.ip)

    # As uvicorn's

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note_arrival()

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            # It is in the middle of an answer, and after that there is no telling where the next begins.
            self.transport.abort()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.abort()

    # For streams

    @property
    def is_unread(self) -> bool:
        """Whether its client has yet to read what it was sent."""
        return self.flow.write_paused

    @property
    def is_over(self) -> bool:
        """Whether its client is gone."""
        return self.cycle is None or self.cycle.disconnected or self.transport.is_closing()

    def put(self, data: bytes, then: Callable[[], None]) -> bool:
        """Send a part of an answer past uvicorn, which would spend as much on it as all else together.

        Returns:
            Whether the next can be taken. If not, ``then`` is called when it can, unless the client is gone.
        """
        if self.is_over:
            return False
        self.transport.write(data)
        if not self.is_unread:
            return True
        self._then = then
        return False

    def forget(self) -> None:
        """Forget ``then``."""
        self._then = None

    def abort(self) -> None:
        """End it at once, and drop what its client has not read."""
        self.transport.abort()

    def _begins_too_large(self, data: bytes) -> bool:
        most = self._host.options.header_bytes
        if len(data) <= most:
            return False
        return not any(end in data[:most] for end in (b"\n\r\n", b"\n\n"))

    def _watch_arrival(self) -> None:
        """A request begins to arrive, or goes on."""
        if self._arriving is None:
            seconds = self._host.options.request_time.total_seconds()
            self._arriving = self.loop.call_later(seconds, self.transport.abort)

    def _note_arrival(self) -> None:
        """See whether all of the request is there, or nothing of the next."""
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY or (theirs is h11.IDLE and self.conn.trailing_data[0]):
            return
        self._discarded = 0
        if self._arriving and not (theirs is h11.IDLE and self.cycle is None):
            self._arriving.cancel()
            self._arriving = None
