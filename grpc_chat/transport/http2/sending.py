"""The half of a connection that sends: frames out, within the peer's windows (RFC 9113, section 6.9)."""

from __future__ import annotations

from typing import Final

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS, pack_header
from grpc_chat.transport.http2.handler import Handler
from grpc_chat.transport.http2.headers import Fields, encode
from grpc_chat.transport.http2.settings import DEFAULT_WINDOW
from grpc_chat.transport.http2.streams import Closed, Stream, Unended

LARGEST_FRAME: Final = 64 * 1024
"""How much of one stream goes before others have their turn, also if the peer would take more in a frame."""
ROUND_BYTES: Final = 256 * 1024
"""How much goes of what all streams keep before the caller is asked whether the transport takes more."""
_NO_TABLE: Final = b"\x20"
"""An update of the size of the table of repeated fields, to none (RFC 7541, section 6.3)."""


class Sender:
    """Sends on streams, and keeps what does not fit in their windows.

    Everything returns at once, and what is sent on a stream that is over goes nowhere: the peer may have
    reset it while the answer was made.

    Attributes:
        has_more: Whether streams keep something that may go. See :meth:`advance`.
        open_streams: How many requests are not answered, or not read, to the end.
        out: Everything that is to be written now, in order. Clear it, or use :meth:`data_to_send`.
    """

    __slots__ = (
        "_advanced",
        "_blocked",
        "_closed",
        "_first_send_window",
        "_frame_limit",
        "_handler",
        "_held_window",
        "_paused",
        "_send_window",
        "_streams",
        "_tell_no_table",
        "_unended",
        "has_more",
        "out",
    )

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.out: list[bytes] = []
        self._streams: dict[int, Stream] = {}
        self._closed = Closed()
        # None for most connections, of which there may be many.
        self._unended: Unended | None = None
        self._blocked: dict[int, Stream] = {}
        # Whether data went out that had been kept, since somebody looked.
        self._advanced = False
        self._first_send_window = DEFAULT_WINDOW
        self._send_window = DEFAULT_WINDOW
        # While sending is paused the window is 0 for those who look at it, and this is what it would be.
        self._held_window = 0
        self._paused = False
        self._frame_limit = frames.MIN_FRAME_BYTES
        self._tell_no_table = False
        self.has_more = False

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    def data_to_send(self) -> list[bytes]:
        """What is in ``out``, which is empty then."""
        out = self.out
        self.out = []
        return out

    def send_headers(self, stream: int, block: Fields | bytes, *, end: bool = False) -> bool:
        """Send the headers of an answer, or what comes after its data.

        Args:
            block: Fields, or what ``headers.encode`` made of them once for all.
            end: These are trailers, or the answer is nothing but headers.

        Returns:
            As of :meth:`send_data`.
        """
        open_ = self._streams.get(stream)
        if open_ is None or open_.answered:
            return True
        if type(block) is not bytes:
            block = encode(block)  # type: ignore[arg-type]
        if end:
            open_.answered = True
        if self._paused or open_.kept is not None:
            self._keep(open_, block, True, end)
            return False
        self._write_headers(stream, block, end)
        if end:
            self._finish(open_)
        return True

    def send_trailers(self, stream: int, block: Fields | bytes) -> bool:
        """End an answer, after what is kept of its data."""
        return self.send_headers(stream, block, end=True)

    def send_data(self, stream: int, data: bytes, *, end: bool = False) -> bool:
        """Send data of an answer.

        Returns:
            Whether all of it is on its way. If not, the rest is kept, and ``Handler.drained`` tells when it
            is gone; more that is sent before that is kept as well, without a bound.
        """
        open_ = self._streams.get(stream)
        if open_ is None:
            return True
        size = len(data)
        # What is answered and still open keeps something; and nothing fits in while sending is paused.
        if (
            open_.kept is None
            and size <= open_.send_window
            and size <= self._send_window
            and size <= self._frame_limit
            and size
        ):
            open_.send_window -= size
            self._send_window -= size
            self.out += (pack_header(size << 8, end, stream), data)
            if end:
                open_.answered = True
                self._finish(open_)
            return True
        if open_.answered:
            return True
        if end:
            open_.answered = True
        if open_.kept is not None:
            open_.kept.append((data, False, end))
            return False
        self._keep(open_, data, False, end)
        if not self._paused:
            self._advance(open_, all_of_it=True)
        return open_.kept is None

    def data_frame(self, stream: int, data: bytes) -> bytes | None:
        """As :meth:`send_data`, where all of it can go at once and by itself, in fewer steps.

        Returns:
            The frame, which the caller MUST send before anything else; None if nothing was done.
        """
        open_ = self._streams.get(stream)
        size = len(data)
        if (
            open_ is None
            or open_.kept is not None
            or self.out
            or size > open_.send_window
            or size > self._send_window
            or size > self._frame_limit
        ):
            return None
        open_.send_window -= size
        self._send_window -= size
        return pack_header(size << 8, 0, stream) + data

    def respond(self, stream: int, block: Fields | bytes, data: bytes, trailers: Fields | bytes) -> bool:
        """Send a whole answer: the same as headers, data and trailers one after the other, in fewer steps."""
        open_ = self._streams.get(stream)
        if open_ is None or open_.answered:
            return True
        size = len(data)
        if (
            size <= open_.send_window
            and size <= self._send_window
            and size <= self._frame_limit
            and not self._paused
            and not self._tell_no_table
            and open_.kept is None
            and type(block) is bytes
            and type(trailers) is bytes
            and len(block) <= frames.MIN_FRAME_BYTES
            and len(trailers) <= frames.MIN_FRAME_BYTES
        ):
            self._send_window -= size
            open_.answered = True
            self.out += (
                pack_header(len(block) << 8 | HEADERS, END_HEADERS, stream),
                block,
                pack_header(size << 8, 0, stream),
                data,
                pack_header(len(trailers) << 8 | HEADERS, END_HEADERS | END_STREAM, stream),
                trailers,
            )
            self._finish(open_)
            return True
        self.send_headers(stream, block)
        self.send_data(stream, data)
        return self.send_headers(stream, trailers, end=True)

    def kept(self, stream: int) -> int:
        """How many bytes of a stream's answer wait for the peer."""
        open_ = self._streams.get(stream)
        if open_ is None or open_.kept is None:
            return 0
        return sum([len(payload) for payload, _, _ in open_.kept]) - open_.at

    def discard(self, stream: int) -> None:
        """Drop what is kept of a stream's data, so that trailers need not wait for a peer that takes nothing.

        The end of the answer is dropped as well if it is kept already, and is to be sent anew: what it said
        is not true of data that is cut short. Headers before the data stay. Nothing is told of it.
        """
        open_ = self._streams.get(stream)
        if open_ is None or open_.kept is None:
            return
        open_.kept = [kept for kept in open_.kept if kept[1] and not kept[2]]
        open_.at = 0
        open_.answered = False
        if not self._paused:
            self._advance(open_, all_of_it=True)

    def pause_sending(self) -> None:
        """The transport takes no more: from now on answers are kept, and streams stay open until they can go.

        So a client that does not read can neither have more answers on their way than it may have streams,
        nor fill the transport's buffer by opening its windows wide.
        """
        if not self._paused:
            self._paused = True
            self._held_window, self._send_window = self._send_window, 0

    def resume_sending(self) -> None:
        """The transport takes more again."""
        if self._paused:
            self._paused = False
            self._send_window, self._held_window = self._held_window, 0
            self.advance()

    def stop_requests(self) -> bool:
        """Tell the peer to stop sending requests that had been answered when this was called last.

        Returns:
            Whether there are others, for which it is to be called once more.
        """
        if not self._unended:
            return False
        self.out += [frames.rst_stream(stream, ErrorCode.NO_ERROR) for stream in self._unended.due()]
        return bool(self._unended)

    def _write_headers(self, stream: int, block: bytes, end: bool) -> None:
        if self._tell_no_table:
            # The peer made its table smaller, and waits to hear that this side knows (RFC 7541, section 4.2).
            # Nothing was ever put into it.
            self._tell_no_table = False
            block = _NO_TABLE + block
        size = len(block)
        if size <= self._frame_limit:
            self.out.append(pack_header(size << 8 | HEADERS, END_HEADERS | end, stream))
            self.out.append(block)
            return
        limit = self._frame_limit
        self.out.append(frames.frame(HEADERS, int(end), stream, block[:limit]))
        for at in range(limit, size, limit):
            flags = END_HEADERS if at + limit >= size else 0
            self.out.append(frames.frame(frames.CONTINUATION, flags, stream, block[at : at + limit]))

    def _keep(self, stream: Stream, payload: bytes, is_headers: bool, end: bool) -> None:
        if stream.kept is None:
            stream.kept = []
            stream.at = 0
            self._blocked[stream.id] = stream
        stream.kept.append((payload, is_headers, end))

    def _advance(self, stream: Stream, *, all_of_it: bool) -> bool:
        """Send what the windows allow of what a stream keeps; of its data one frame, or all of it.

        Returns:
            Whether there may be more to send now.
        """
        kept = stream.kept
        while kept:
            payload, is_headers, end = kept[0]
            if is_headers:
                self._write_headers(stream.id, payload, end)
                del kept[0]
                continue
            rest = len(payload) - stream.at
            size = min(rest, stream.send_window, self._send_window, self._frame_limit)
            if size <= 0:
                if rest:
                    return False
                # Nothing needs no window, and a window may be negative.
                size = 0
            last = size == rest
            self._advanced = True
            self.out.append(pack_header(size << 8 | DATA, end and last, stream.id))
            self.out.append(payload[stream.at : stream.at + size] if size < len(payload) else payload)
            stream.send_window -= size
            self._send_window -= size
            stream.at += size
            if last:
                stream.at = 0
                del kept[0]
            if kept and not all_of_it:
                return True
        stream.kept = None
        self._blocked.pop(stream.id, None)
        if stream.answered:
            self._finish(stream)
        return False

    def _advance_one(self, stream: Stream) -> None:
        """A stream's window is wider."""
        if stream.kept is not None and not self._paused:
            self._advance(stream, all_of_it=True)
            self._tell_drained(stream)

    def advance(self) -> None:
        """Send of what streams keep what their windows and that of the connection allow, a frame of each in
        turn. However wide they are, it is a bounded amount at a time: where ``has_more`` says so, this MUST
        be called once more when the transport has that.
        """
        self.has_more = False
        enough = self._send_window - ROUND_BYTES
        waiting = list(self._blocked.values())
        while waiting and not self._paused:
            again = []
            for stream in waiting:
                kept = stream.kept
                if kept is None:
                    continue
                if self._send_window <= enough:
                    self.has_more = True
                    return
                if kept and (stream.send_window <= 0 or self._send_window <= 0):
                    payload, is_headers, _ = kept[0]
                    if payload and not is_headers:
                        # Found out here, it costs next to nothing: peers widen windows a byte at a time.
                        continue
                # What is out of turn comes first next time.
                self._blocked[stream.id] = self._blocked.pop(stream.id)
                if self._advance(stream, all_of_it=False):
                    again.append(stream)
                else:
                    self._tell_drained(stream)
            waiting = again

    def _tell_drained(self, stream: Stream) -> None:
        if stream.kept is None:
            self._handler.drained(stream.id)

    def _finish(self, stream: Stream) -> None:
        """The answer is on its way to its end.

        Nobody reads what is left of a request that has been answered, so a stream whose peer does not end it
        soon is ended with NO_ERROR, which tells the peer to stop (section 8.1).
        """
        if not stream.ended:
            self._closed.cut(stream.id)
            if self._unended is None:
                self._unended = Unended()
            if not self._unended:
                self._handler.answered_early()
            if too_many := self._unended.add(stream.id):
                self.out.append(frames.rst_stream(too_many, ErrorCode.NO_ERROR))
        self._remove(stream)

    def _remove(self, stream: Stream) -> None:
        """Forget a stream. The receiving half gives back what it held of the connection's window."""
        del self._streams[stream.id]
        if stream.kept is not None:
            stream.kept = None
            self._blocked.pop(stream.id, None)
