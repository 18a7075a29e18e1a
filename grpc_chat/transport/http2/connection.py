"""One HTTP/2 connection of a server, without I/O (RFC 9113)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grpc_chat.transport.http2 import budgets, frames, settings
from grpc_chat.transport.http2.budgets import Budgets, Counts
from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode
from grpc_chat.transport.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    HEADER_BYTES,
    HEADERS,
    MAX_STREAM,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    unpack_header,
    unpack_number,
)
from grpc_chat.transport.http2.handler import Handler
from grpc_chat.transport.http2.opening import Opener
from grpc_chat.transport.http2.sending import LARGEST_FRAME
from grpc_chat.transport.http2.settings import MAX_WINDOW, Http2Options

_TINY_UPDATE: Final = 1_024
_WIDE_WINDOW: Final = 2**24
"""Window updates below the first, or that widen a window which is at least the second, bring little."""
_PING: Final = b"\0\0\0\0\0\0\0\1"


class Connection(Opener):
    """One connection: give it what the peer sends, and write what it has to send.

    ::

        connection.receive(data)
        transport.write(b"".join(connection.data_to_send()))

    The first frames (SETTINGS) are there to be sent from the beginning. Whatever is called, look for data to
    send afterwards; and if ``closing`` is set, close the transport after it.

    Args:
        handler: Gets requests and what belongs to them, see :class:`Handler`.
        options: What the peer may use.
        counts: Where frames that bring nothing are counted; one for all connections, if a metric is to tell.
        now: A clock in seconds that never goes back.

    Attributes:
        closing: Why nothing is read from now on: a connection error, or the code of :meth:`go_away`.
        reason: What the peer did wrong, for a log; it never holds what the peer sent.
        ready: Whether the peer has sent its preface and its settings.
        acknowledged: Whether it has acknowledged ours.
    """

    __slots__ = (
        "_greeted",
        "_need",
        "_partial",
        "_told_no_table",
        "acknowledged",
        "closing",
        "ready",
        "reason",
    )

    def __init__(
        self,
        handler: Handler,
        *,
        options: Http2Options,
        now: Callable[[], float],
        counts: Counts | None = None,
    ) -> None:
        super().__init__(handler, options, Budgets(options.budgets, counts or Counts(), now))
        # What came of a frame that is not complete, and how much has to be there before a look is worth it.
        self._partial = bytearray()
        self._need = len(PREFACE)
        self._greeted = False
        self._told_no_table = False
        self.closing: ErrorCode | None = None
        self.reason = ""
        self.ready = False
        self.acknowledged = False
        self.out.append(options.first_frames())

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the peer sent, in pieces of any size, and tell the handler what it means.

        A connection error queues GOAWAY and sets ``closing``; every open stream is reported as reset. If
        ``waits`` is set afterwards, read no more of the peer before :meth:`release`.
        """
        if self._stops:
            if self.closing is None:
                self._partial += data
            return
        if self._partial or len(data) < self._need or not self._greeted:
            # Joined once, however small the pieces are in which a frame comes.
            self._partial += data
            if not self._greeted and not PREFACE.startswith(self._partial[: len(PREFACE)]):
                self._fail(ErrorCode.PROTOCOL_ERROR, "the peer does not speak HTTP/2")
                return
            if len(self._partial) < self._need:
                return
            data = bytes(self._partial)
            self._partial = bytearray()
        elif type(data) is not bytes:
            data = bytes(data)
        try:
            rest = self._frames(data)
        except ConnectionFailed as error:
            self._fail(error.code, str(error))
        else:
            if rest < len(data) and self.closing is None:
                self._partial = bytearray(data[rest:])

    @property
    def held(self) -> int:
        """How many bytes are kept of frames, and of blocks of headers, that are not complete."""
        return len(self._partial) + (0 if self._block is None else len(self._block.data))

    def release(self) -> None:
        """Others had their turn: the next :meth:`receive`, of nothing if need be, goes on; see ``waits``."""
        self._worked = 0
        self.waits = False
        self._stops = self.closing is not None

    def eof(self) -> None:
        """The peer is gone: nothing more is read, and every open stream is reported as reset."""
        if self.closing is None:
            self.closing = ErrorCode.NO_ERROR
            self._stops = True
        self._partial = bytearray()
        self._reset_all(ErrorCode.CANCEL)

    def reset(self, stream: int, code: ErrorCode) -> None:
        """End a stream at once, in both directions; what is kept of its answer is dropped."""
        open_ = self._streams.get(stream)
        if open_ is not None:
            self._cut(open_, code)

    def ping(self) -> None:
        """Ask for a sign of life; the handler's ``pong`` tells that it came."""
        self.out.append(frames.ping(_PING))

    def go_away(
        self, code: ErrorCode = ErrorCode.NO_ERROR, last: int | None = None, debug: bytes = b""
    ) -> None:
        """Tell the peer that no more streams are accepted (section 6.8).

        To lose nothing: ``go_away(last=2**31 - 1)`` first, then ``go_away()`` when a round trip has passed,
        and close when ``open_streams`` is 0.

        Args:
            code: Anything but NO_ERROR ends the connection at once, and nothing more is read.
            last: The highest stream that will be carried out; by default the highest so far. Later ones are
                ignored, which the peer knows, and it tries them again elsewhere.
        """
        if code is not ErrorCode.NO_ERROR:
            self._fail(code, debug.decode("ascii", "replace"))
        if self.closing is not None:
            return
        self._accepted = min(self._accepted, self._closed.highest if last is None else last)
        self.out.append(frames.goaway(self._accepted, code, debug))

    def _frames(self, data: bytes) -> int:
        """Handle every whole frame.

        Returns:
            Where the first that is not whole begins.
        """
        at, end = 0, len(data)
        if not self._greeted:
            self._greeted = True
            at = len(PREFACE)
        limit = self._options.frame_bytes
        while end - at >= HEADER_BYTES:
            size, flags, stream = unpack_header(data, at)
            kind = size & 0xFF
            size >>= 8
            if size > limit:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, f"a frame longer than {limit} bytes")
            begin = at + HEADER_BYTES
            after = begin + size
            if after > end:
                self._need = HEADER_BYTES + size
                return at
            stream &= MAX_STREAM
            payload = data[begin:after]
            at = after
            if self._block is not None and kind != CONTINUATION:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a block of headers was interrupted")
            if not self.ready and (kind != SETTINGS or flags & ACK):
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS")
            if kind == DATA:
                self._on_data(flags, stream, payload)
            elif kind == HEADERS:
                self._on_headers(flags, stream, payload)
            elif kind == WINDOW_UPDATE:
                self._on_window_update(flags, stream, payload)
            elif kind <= CONTINUATION:
                _OTHERS[kind](self, flags, stream, payload)
            else:
                # Section 5.5: ignored, and discarded.
                self._spend(budgets.UNKNOWN_FRAMES)
            if self._stops:
                if self.closing is not None:
                    return end
                break
        self._need = HEADER_BYTES
        return at

    def _on_priority(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.3: checked, and ignored."""
        self._spend(budgets.PRIORITIES)
        if not stream:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PRIORITY on no stream")
        wrong = len(payload) != 5
        if wrong or unpack_number(payload)[0] & MAX_STREAM == stream:
            code = ErrorCode.FRAME_SIZE_ERROR if wrong else ErrorCode.PROTOCOL_ERROR
            open_ = self._streams.get(stream)
            if open_ is None:
                # Not a stream that could end; a peer that gets this wrong gets more wrong.
                raise ConnectionFailed(code, "PRIORITY that is none")
            self._break(open_, code)

    def _on_rst_stream(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.4."""
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of a wrong length")
        self._must_not_be_idle(stream)
        if self._unended and self._unended.ended(stream):
            # How clients end what has been answered.
            return
        self._spend(budgets.RESETS)
        open_ = self._streams.get(stream)
        if open_ is not None:
            had_no_room = len(self._streams) >= self._options.max_streams
            self._remove(open_)
            self._handler.was_reset(stream, unpack_number(payload)[0])
            if had_no_room:
                self._tell_credit()

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.5."""
        if stream:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        self._spend(budgets.SETTINGS)
        if flags & ACK:
            if payload:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS that acknowledges and sets")
            if not self.acknowledged:
                self.acknowledged = True
                self._set_stream_windows()
                self._decoder.set_table_limit(self._options.header_table_bytes)
            return
        values = settings.parse(payload)
        self.ready = True
        self._answer(frames.SETTINGS_ACK)
        self._apply(values)

    def _on_push_promise(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 8.4."""
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "clients don't push")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.7."""
        if stream:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "PING of a wrong length")
        self._spend(budgets.PINGS)
        if flags & ACK:
            if payload == _PING:
                self._handler.pong()
            return
        self._answer(frames.ping(payload, ack=True))
        after_data, self._advanced = self._advanced, False
        self._handler.pinged(after_data)

    def _on_goaway(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.8."""
        if stream:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY of a wrong length")
        self._spend(budgets.SETTINGS)
        self._handler.went_away(unpack_number(payload, 4)[0])

    def _on_window_update(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.9."""
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong length")
        octets = unpack_number(payload)[0] & MAX_WINDOW
        if not stream:
            if not octets:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            self._widen_connection(octets)
            return
        open_ = self._streams.get(stream)
        if open_ is None:
            self._must_not_be_idle(stream)
            return
        wide = open_.send_window
        if not octets or wide + octets > MAX_WINDOW:
            self._break(open_, ErrorCode.FLOW_CONTROL_ERROR if octets else ErrorCode.PROTOCOL_ERROR)
            return
        if octets < _TINY_UPDATE or wide >= _WIDE_WINDOW:
            self._spend(budgets.WINDOW_UPDATES)
        open_.send_window = wide + octets
        self._advance_one(open_)

    def _widen_connection(self, octets: int) -> None:
        wide = self._held_window if self._paused else self._send_window
        if wide + octets > MAX_WINDOW:
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "a window wider than any may be")
        if octets < _TINY_UPDATE or wide >= _WIDE_WINDOW:
            self._spend(budgets.WINDOW_UPDATES)
        if self._paused:
            self._held_window = wide + octets
            return
        self._send_window = wide + octets
        if self._blocked:
            self.advance()

    def _apply(self, values: dict[int, int]) -> None:
        """The peer's settings (section 6.5.2)."""
        table = values.get(settings.HEADER_TABLE_SIZE)
        if table is not None and table < settings.DEFAULT_TABLE_BYTES and not self._told_no_table:
            self._tell_no_table = self._told_no_table = True
        self._frame_limit = min(values.get(settings.MAX_FRAME_SIZE, self._frame_limit), LARGEST_FRAME)
        window = values.get(settings.INITIAL_WINDOW_SIZE, self._first_send_window)
        change = window - self._first_send_window
        if not change:
            return
        self._first_send_window = window
        # Section 6.9.2: also of those that are open, whose windows may be negative then.
        for stream in self._streams.values():
            stream.send_window += change
            if stream.send_window > MAX_WINDOW:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "a window wider than any may be")
        if change > 0 and self._blocked:
            self.advance()

    def _tell_credit(self) -> None:
        """Say something to a peer that has just made room for streams which it keeps back.

        Netty's client writes these when a stream ends, but flushes only when something comes or a call is
        made: if it was the client that ended the stream, they would wait for the next ping.
        """
        if self._credit:
            self._answer(self._opened_window())

    def _answer(self, answer: bytes) -> None:
        """Answer a frame of the peer's, which is kept for it as long as it does not read."""
        if self._paused:
            self._spend(budgets.UNREAD_ANSWERS)
        self.out.append(answer)

    def _fail(self, code: ErrorCode, reason: str) -> None:
        if self.closing is not None:
            return
        self.closing = code
        self._stops = True
        self.reason = reason
        self._partial = bytearray()
        self._block = None
        self._unended = None
        self.out.append(frames.goaway(self._closed.highest, code, reason.encode("ascii", "replace")))
        self._reset_all(code)

    def _reset_all(self, code: ErrorCode) -> None:
        streams = list(self._streams.values())
        self._streams.clear()
        self._blocked.clear()
        for stream in streams:
            stream.kept = None
        for stream in streams:
            self._handler.was_reset(stream.id, code)


_OTHERS: Final[dict[int, Callable[[Connection, int, int, bytes], None]]] = {
    frames.PRIORITY: Connection._on_priority,
    frames.RST_STREAM: Connection._on_rst_stream,
    SETTINGS: Connection._on_settings,
    frames.PUSH_PROMISE: Connection._on_push_promise,
    frames.PING: Connection._on_ping,
    frames.GOAWAY: Connection._on_goaway,
    CONTINUATION: Connection._on_continuation,
}
