"""One connection of the asyncio server: bytes of a socket on one side, calls on the other."""

from __future__ import annotations

import asyncio
import logging

import grpc

from grpc_chat.errors import Unimplemented
from grpc_chat.transport.grpc_headers import ANSWER, NOT_GRPC, NOT_GRPC_TEXT, Fields, Request, trailers
from grpc_chat.transport.host import Host
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import MAX_STREAM
from grpc_chat.transport.http2.headers import Headers
from grpc_chat.transport.sending_connection import SendingConnection
from grpc_chat.transport.served_call import LAST_SECONDS, Call
from grpc_chat.transport.socket_connection import give_up_after, named
from grpc_chat.wire.status import to_status

log = logging.getLogger(__name__)

_STRIKES = 2
"""How often a client may ping too early, until it sends or gets something."""


class GrpcConnection(SendingConnection):
    """Plain text. With TLS, see :class:`grpc_chat.transport.tls_connection.TlsConnection`.

    Attributes:
        core: HTTP/2 itself.
        due: When the server looks at it again, by the event loop's clock.
    """

    __slots__ = (
        "_address",
        "_begun_at",
        "_client_pinged_at",
        "_cut_at",
        "_heard_at",
        "_holds",
        "_ip",
        "_leave_at",
        "_pinged_at",
        "_waits_for_ends",
        "_why",
        "due",
        "loop",
        "most_bytes",
        "unfinished",
        "unread_answers",
    )

    def __init__(self, server: Host) -> None:
        super().__init__()
        self.server = server
        self.loop = server.loop
        self.most_bytes = server.most_bytes
        self.unfinished = server.unfinished
        self.unread_answers = server.unread_answers
        # Whether the core keeps a part of a frame, or of headers.
        self._holds = False
        self.core = Connection(self, options=server.http2, counts=server.counts, now=self.loop.time)
        self.calls: dict[int, Call] = {}
        self._address = ""
        self._ip = ""
        now = server.now
        self._begun_at = self._heard_at = now
        self._pinged_at: float | None = None
        self._client_pinged_at = 0.0
        self._leave_at = now + server.age()
        self._why = b""
        # Whether clients are left some time to end requests that have been answered.
        self._waits_for_ends = False
        self._cut_at = float("inf")
        self.due = min(now + server.handshake_seconds, now + server.keepalive_seconds, self._leave_at)

    # As Peer, see grpc_chat.api.pipeline

    def address(self) -> str:
        return self._address

    def names(self) -> tuple[str, ...]:
        return ()

    # As asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._address, self._ip = named(transport.get_extra_info("peername"))
        give_up_after(transport, self.server.timeout_milliseconds)
        if not self.server.joined(self, self._ip):
            self.abort()
            return
        self.begin()

    def begin(self) -> None:
        """Bytes can be sent."""
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        # One for all connections: what is in it has been taken when buffer_updated returns.
        return self.server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received(bytes(self.server.buffer[:nbytes]))

    def received(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self.is_closed:
            return
        self._heard_at = self.server.now
        self._pinged_at = None
        try:
            self.core.receive(data)
        except Exception:
            # A fault of ours; it must not cost more than this connection.
            log.exception("a connection was given up")
            self.abort()
            return
        held = self.core.held
        if held or self._holds:
            self._holds = held > 0
            self.unfinished.hold(self, held)
        self.flush()
        if self.core.waits and self.pause_reading():
            self.server.slow_lane.take(self)

    def give_way(self) -> None:
        """See :meth:`grpc_chat.transport.unfinished.Holder.give_way`."""
        self._holds = False
        self.core.go_away(ErrorCode.ENHANCE_YOUR_CALM, debug=b"too many pending requests")
        self.flush()

    def go_on(self) -> None:
        """Take what the client has sent meanwhile, after its turn in the slow lane."""
        if self.resume_reading():
            self.core.release()
            self.received(b"")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.core.eof()
        self.unfinished.hold(self, 0)
        self.unread_answers.release(self)
        for call in list(self.calls.values()):
            call.lost()
        self.server.left(self, self._ip)

    def close(self) -> None:
        super().close()
        self.due = now = self.server.now
        self._cut_at = min(self._cut_at, now + self.server.keepalive_timeout_seconds)

    # As Handler, see grpc_chat.transport.http2.handler

    def request(self, stream: int, headers: Headers, end: bool) -> None:
        head = headers.memo
        if head is None:
            # Most clients send the same headers with each call, and the core knows them again.
            head = headers.memo = Request(headers)
        assert isinstance(head, Request)
        if not head.is_grpc:
            self.core.count_work()
            if head.is_head:
                self.core.send_headers(stream, NOT_GRPC, end=True)
            elif end:
                self._answer_http(stream)
            return
        # Also while the connection is leaving: the call may have been on its way before its client knew.
        server = self.server
        served = server.methods.get(head.path)
        if served is None:
            self._refuse(stream, _UNKNOWN_METHOD)
        elif head.fault:
            self._refuse(stream, head.refusal())
        elif server.open_calls >= server.most_calls:
            self._refuse(stream, _TOO_MANY_CALLS)
        else:
            server.open_calls += 1
            call = self.calls[stream] = Call(self, stream, head, served)
            if end:
                call.take(b"", True)

    def _answer_http(self, stream: int) -> None:
        # At the end of the request: many clients of HTTP don't look for an answer earlier, and take the reset
        # that an early one ends with for a fault.
        self.core.send_headers(stream, NOT_GRPC)
        self.core.send_data(stream, NOT_GRPC_TEXT, end=True)

    def _refuse(self, stream: int, fields: Fields) -> None:
        self.core.count_work()
        self.core.send_headers(stream, [*ANSWER, *fields], end=True)

    def headers_too_large(self, stream: int, octets: int) -> None:
        most = self.server.http2.header_list_bytes
        text = f"received metadata size exceeds limit ({octets} vs. {most})"
        self._refuse(stream, trailers(grpc.StatusCode.RESOURCE_EXHAUSTED, text))

    def data(self, stream: int, data: bytes, end: bool) -> None:
        call = self.calls.get(stream)
        if call is None:
            # What was refused has been answered, and what would be sent now goes nowhere.
            self.core.consumed(stream, len(data))
            if end:
                self._answer_http(stream)
        else:
            call.take(data, end)

    def trailers(self, stream: int, headers: Headers) -> None:
        if call := self.calls.get(stream):
            call.take(b"", True)
        else:
            self._answer_http(stream)

    def was_reset(self, stream: int, code: int) -> None:
        if call := self.calls.get(stream):
            call.lost()

    def drained(self, stream: int) -> None:
        if call := self.calls.get(stream):
            call.drained()

    def answered_early(self) -> None:
        if not self._waits_for_ends:
            self._waits_for_ends = True
            self.loop.call_later(LAST_SECONDS, self._stop_requests)

    def _stop_requests(self) -> None:
        self._waits_for_ends = False
        if not self.is_closed and self._transport is not None:
            if self.core.stop_requests():
                self.answered_early()
            self.flush()

    def pinged(self, after_data: bool) -> None:
        now = self.loop.time()
        early = now - self._client_pinged_at < self.server.client_ping_seconds
        self._strikes = 0 if after_data else self._strikes + early
        if self._strikes > _STRIKES:
            self.core.go_away(ErrorCode.ENHANCE_YOUR_CALM, debug=b"too_many_pings")
        self._client_pinged_at = now

    def pong(self) -> None:
        if self._leaving:
            self._tell_last()

    def went_away(self, code: int) -> None:
        pass

    # Calls

    def consumed(self, stream: int, octets: int) -> None:
        """Let the client send as much again on a stream."""
        self.core.consumed(stream, octets)
        self.flush_soon()

    def ended(self, stream: int) -> None:
        """A call is over. Called by it."""
        if self.calls.pop(stream, None) is not None:
            self.server.ended_call()
            if self._leaving and not self.calls:
                self.flush_soon()

    # Time

    def look(self, now: float) -> None:
        """See to what is due."""
        server, core = self.server, self.core
        if self.is_closed:
            if self.has_arrived or now >= self._cut_at:
                self.abort()
            return
        if core.closing is not None or now >= self._cut_at:
            self._cut(now)
            return
        if not core.ready:
            if now >= self._begun_at + server.handshake_seconds:
                self._end(b"Did not receive HTTP/2 settings before handshake timeout")
            self.due = self._begun_at + server.handshake_seconds
            return
        if self._pinged_at is not None:
            if now >= self._pinged_at + server.keepalive_timeout_seconds:
                self._end(b"ping_timeout")
                return
        elif now >= self._heard_at + server.keepalive_seconds:
            self._pinged_at = now
            core.ping()
            self.flush()
        if now >= self._leave_at:
            if not self._leaving:
                self.leave(b"max_age", now + server.grace_seconds)
            elif not self._told_last:
                self._tell_last()
        waits = self._heard_at + server.keepalive_seconds
        if self._pinged_at is not None:
            waits = self._pinged_at + min(server.keepalive_timeout_seconds, server.tick_seconds)
        self.due = min(waits, self._leave_at if not self._told_last else self._cut_at, self._cut_at)

    def leave(self, why: bytes, cut_at: float) -> None:
        """Ask the client to open no more calls here, in two steps (RFC 9113, section 6.8): those that are on
        their way are still carried out. It is closed when the last has ended.

        Args:
            cut_at: When it is closed in any case.
        """
        if self._leaving:
            self._cut_at = min(cut_at, self._cut_at)
        else:
            self._leaving = True
            self._why = why
            self._cut_at = cut_at
            self._leave_at = self.server.now + self.server.tick_seconds
            self.core.go_away(ErrorCode.NO_ERROR, last=MAX_STREAM, debug=why)
            # The answer comes when the client has read it.
            self.core.ping()
            self.flush()
        self.due = self.server.now

    def _tell_last(self) -> None:
        if not self._told_last:
            self._told_last = True
            self.core.go_away(ErrorCode.NO_ERROR, debug=self._why)
            self.flush()

    def end(self) -> None:
        """Close it, whatever is under way; the server stops."""
        self._cut(self.server.now)

    def _end(self, why: bytes) -> None:
        """Close it, and say why."""
        self.core.go_away(ErrorCode.CANCEL, debug=why)
        self._cut_at = self.server.now + self.server.keepalive_timeout_seconds
        self.due = self._cut_at
        self.flush()

    def _cut(self, now: float) -> None:
        """Close it, whatever is under way."""
        if self.core.closing is not None or self._transport is None:
            # It was to be closed before this.
            self.abort()
            return
        # In grpc's words: by GOAWAY alone some clients take an end without a status for a fault.
        why = "the server stops" if self.server.stopping else "max connection age"
        for call in list(self.calls.values()):
            call.cut_off(grpc.StatusCode.UNAVAILABLE, why)
        self._tell_last()
        self.flush()
        self.close()
        self._cut_at = self.due = now + LAST_SECONDS
        self.core.eof()


_UNKNOWN = to_status(Unimplemented("this server does not know the method; it may be an older version"))
_UNKNOWN_METHOD = trailers(grpc.StatusCode.UNIMPLEMENTED, _UNKNOWN.message, _UNKNOWN)
_TOO_MANY_CALLS = trailers(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")
