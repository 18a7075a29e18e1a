"""The half of a connection that lets a peer send data: its windows, and who has read what (section 6.9)."""

from __future__ import annotations

from typing import Final

from grpc_chat.transport.http2 import budgets
from grpc_chat.transport.http2.budgets import Budgets
from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode
from grpc_chat.transport.http2.frames import (
    END_STREAM,
    PADDED,
    rst_stream,
    window_update,
    without_padding,
)
from grpc_chat.transport.http2.handler import Handler
from grpc_chat.transport.http2.sending import Sender
from grpc_chat.transport.http2.settings import DEFAULT_WINDOW, Http2Options
from grpc_chat.transport.http2.streams import Stream

ENOUGH: Final = 32
"""So many frames that bring nothing are handled in one go: less than a millisecond of work."""


class Receiver(Sender):
    """Opens windows again when half of them is used up: one WINDOW_UPDATE for many frames.

    Attributes:
        waits: Whether the peer caused much work for nothing, so that the rest waits for ``release``.
    """

    __slots__ = (
        "_budgets",
        "_credit",
        "_first_receive_window",
        "_options",
        "_receive_window",
        "_stops",
        "_worked",
        "waits",
    )

    def __init__(self, handler: Handler, options: Http2Options, budgets: Budgets) -> None:
        super().__init__(handler)
        self._budgets = budgets
        self._options = options
        self._worked = 0
        self.waits = False
        # Whether nothing is handled after the frame that is handled now: it is held, or closing.
        self._stops = False
        self._receive_window = options.connection_window
        self._credit = 0
        # What a peer that has not read our settings yet takes for granted (section 6.5.3).
        self._first_receive_window = DEFAULT_WINDOW

    def consumed(self, stream: int, octets: int) -> None:
        """The handler no longer keeps that much of a stream's data, and the peer may send as much again.

        What is not consumed when a stream ends is, then.
        """
        open_ = self._streams.get(stream)
        if open_ is None:
            return
        octets = min(octets, open_.unread)
        open_.unread -= octets
        self._give_back(octets)
        if not open_.ended:
            self._widen(open_, octets)

    def _charge(self, size: int) -> None:
        """A frame of that much data takes its part of the connection's window, whatever becomes of it."""
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window")

    def _give_back(self, octets: int) -> None:
        self._credit += octets
        if self._credit * 2 >= self._options.connection_window:
            self.out.append(self._opened_window())

    def _opened_window(self) -> bytes:
        """WINDOW_UPDATE of the connection for what was consumed."""
        update = window_update(0, self._credit)
        self._receive_window += self._credit
        self._credit = 0
        return update

    def _widen(self, stream: Stream, octets: int) -> None:
        stream.credit += octets
        if stream.credit * 2 >= self._first_receive_window:
            self.out.append(window_update(stream.id, stream.credit))
            stream.receive_window += stream.credit
            stream.credit = 0

    def _set_stream_windows(self) -> None:
        """The peer has acknowledged our settings; open streams change with them (section 6.9.2)."""
        change = self._options.stream_window - self._first_receive_window
        self._first_receive_window = self._options.stream_window
        for stream in self._streams.values():
            stream.receive_window += change

    def _remove(self, stream: Stream) -> None:
        super()._remove(stream)
        if stream.unread:
            self._give_back(stream.unread)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.1."""
        size = len(payload)
        self._charge(size)
        open_ = self._streams.get(stream)
        if open_ is None or open_.ended:
            self._give_back(size)
            if flags & END_STREAM and self._unended:
                self._unended.ended(stream)
            self._late(stream, open_)
            return
        open_.receive_window -= size
        if open_.receive_window < 0:
            self._give_back(size)
            self._break(open_, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if flags & PADDED:
            payload = without_padding(payload)
            padding, size = size - len(payload), len(payload)
            self._give_back(padding)
            self._widen(open_, padding)
        end = flags & END_STREAM != 0
        if open_.expected >= 0:
            # Section 8.1.1: a body is as long as content-length says.
            open_.expected -= size
            if open_.expected < 0 or (end and open_.expected):
                self._give_back(size)
                self._break(open_, ErrorCode.PROTOCOL_ERROR)
                return
        if not size and not end:
            self._spend(budgets.EMPTY_DATA)
            return
        open_.ended = end
        if open_.discarded or open_.answered:
            self._give_back(size)
            if not end:
                self._widen(open_, size)
            return
        open_.unread += size
        self._handler.data(stream, payload, end)

    def _late(self, stream: int, open_: Stream | None) -> None:
        """DATA or HEADERS for a stream that is over for its peer, or for both (section 5.1)."""
        if open_ is not None:
            self._break(open_, ErrorCode.STREAM_CLOSED)
            return
        self._must_not_be_idle(stream)
        self._spend(budgets.LATE_FRAMES)
        if not self._closed.was_cut(stream):
            raise ConnectionFailed(ErrorCode.STREAM_CLOSED, "a frame on a stream that has ended")

    def _must_not_be_idle(self, stream: int) -> None:
        if not stream & 1 or stream > self._closed.highest:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that was never opened")

    def _break(self, stream: Stream, code: ErrorCode) -> None:
        """A stream error of the peer's (section 5.4.2)."""
        self._spend(budgets.RESETS)
        self._cut(stream, code)
        self._handler.was_reset(stream.id, code)

    def _cut(self, stream: Stream, code: ErrorCode) -> None:
        self.out.append(rst_stream(stream.id, code))
        self._closed.cut(stream.id)
        self._remove(stream)

    def _spend(self, kind: int, cost: int = 1) -> None:
        self.count_work(cost)
        if not self._budgets.spend(kind, cost):
            raise ConnectionFailed(
                ErrorCode.ENHANCE_YOUR_CALM, f"too many of one kind: {budgets.KINDS[kind]}"
            )

    def count_work(self, amount: int = 1) -> None:
        """Something was done that brings nothing. The handler says so too, of requests that it refuses."""
        self._worked += amount
        if self._worked >= ENOUGH:
            self.waits = self._stops = True
