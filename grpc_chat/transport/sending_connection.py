"""The half of a connection of the asyncio server that sends: what calls have to say goes to the socket."""

from __future__ import annotations

import logging

from grpc_chat.transport.host import Host
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.served_call import Call
from grpc_chat.transport.socket_connection import WRITE_BUFFER_BYTES, SocketConnection

log = logging.getLogger(__name__)

_FEW = 2
"""With fewer calls, what one of them sends goes out at once: hardly ever do two send at the same moment."""


class SendingConnection(SocketConnection):
    """See :class:`grpc_chat.transport.grpc_connection.GrpcConnection`, which makes what is used here."""

    __slots__ = ("_dirty", "_leaving", "_strikes", "_told_last", "calls", "core", "server")

    server: Host
    core: Connection
    calls: dict[int, Call]

    def __init__(self) -> None:
        super().__init__()
        # Whether it sends soon what there is to be sent.
        self._dirty = False
        self._leaving = self._told_last = False
        self._strikes = 0

    # As asyncio.BaseProtocol

    def pause_writing(self) -> None:
        self.core.pause_sending()
        self.server.unread_answers.hold(self, self, self.waiting)

    def resume_writing(self) -> None:
        self.server.unread_answers.release(self)
        self.core.resume_sending()
        self.flush_soon()

    def end_unread(self) -> None:
        """See :meth:`grpc_chat.transport.unread.Keeper.end_unread`."""
        waiting = self.waiting
        if waiting <= WRITE_BUFFER_BYTES:
            # Its client reads.
            self.server.unread_answers.hold(self, self, waiting)
        else:
            # What would say so could not get past that.
            log.debug("a connection was ended that did not read: %d bytes waited for it", waiting)
            self.server.unread_answers.release(self)
            self.abort()

    # For calls

    def flush_soon(self) -> None:
        """Send what is there to be sent, with what else comes up at the same moment."""
        if not self._dirty:
            self._dirty = True
            # What is sent to a client may well make it ask whether it arrived.
            self._strikes = 0
            self.server.flush_soon(self)

    def flush_if_few(self) -> None:
        """As :meth:`flush_soon`, or at once if other calls can have hardly anything to send: most connections
        have one stream of events, and few other calls. MUST NOT be called while what the client sent is read.
        """
        if len(self.calls) < _FEW:
            self._strikes = 0
            self.flush()
        else:
            self.flush_soon()

    def send_alone(self, stream: int, data: bytes) -> bool:
        """Nearly all deliveries go this way. See :class:`grpc_chat.transport.served_call.Carrier`."""
        if len(self.calls) >= _FEW or self._transport is None:
            return False
        frame = self.core.data_frame(stream, data)
        if frame is None:
            return False
        self._strikes = 0
        self.send(frame)
        return True

    def flush(self) -> None:
        """Send what is there to be sent."""
        self._dirty = False
        core = self.core
        while core.out:
            data = b"".join(core.out)
            core.out.clear()
            if self._transport is not None:
                self.send(data)
            if not core.has_more:
                break
            # Unless the transport has just paused it.
            core.advance()
        if core.closing is not None or (self._leaving and not self.calls and self._told_last):
            self.close()

    def unsent(self, stream: int) -> int:
        """How much waits for the client to read, of a stream and of the connection."""
        return self.core.kept(stream) + self.waiting
