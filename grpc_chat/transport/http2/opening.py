"""The half of a connection that opens streams: blocks of headers (RFC 9113, sections 6.2, 6.10 and 8)."""

from __future__ import annotations

from grpc_chat.transport.http2 import budgets
from grpc_chat.transport.http2.budgets import Budgets
from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode
from grpc_chat.transport.http2.frames import (
    END_HEADERS,
    END_STREAM,
    MAX_STREAM,
    PADDED,
    WITH_PRIORITY,
    rst_stream,
    unpack_number,
    without_padding,
)
from grpc_chat.transport.http2.handler import Handler
from grpc_chat.transport.http2.headers import HeaderDecoder, Headers, trailers_fault
from grpc_chat.transport.http2.receiving import Receiver
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.http2.streams import Stream


class _Block:
    """A block of headers whose end has not come."""

    __slots__ = ("broken", "data", "flags", "frames", "stream")

    def __init__(self, stream: int, flags: int, data: bytes, broken: bool) -> None:
        self.stream = stream
        self.flags = flags
        self.data = bytearray(data)
        self.broken = broken
        self.frames = 0


class Opener(Receiver):
    """Puts blocks together, decodes each, and opens a stream if the request is one."""

    __slots__ = ("_accepted", "_block", "_decoder")

    def __init__(self, handler: Handler, options: Http2Options, budgets: Budgets) -> None:
        super().__init__(handler, options, budgets)
        # Twice the bound, so that headers somewhat beyond it get an answer that says so.
        self._decoder = HeaderDecoder(2 * options.header_list_bytes)
        self._accepted = MAX_STREAM
        self._block: _Block | None = None

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.2."""
        if not stream & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that clients don't open")
        broken = False
        if flags & PADDED:
            payload = without_padding(payload, fixed=5 if flags & WITH_PRIORITY else 0)
        if flags & WITH_PRIORITY:
            # Priorities are no more (section 5.3.2), but the fields are still there.
            if len(payload) < 5:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
            broken = unpack_number(payload)[0] & MAX_STREAM == stream
            payload = payload[5:]
        if flags & END_HEADERS:
            self._whole_block(stream, flags, payload, broken)
        else:
            self._block = _Block(stream, flags, payload, broken)

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        """Section 6.10."""
        block = self._block
        if block is None or block.stream != stream:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._spend(budgets.CONTINUATIONS)
        block.data += payload
        block.frames += 1
        # Compressed, a block is hardly ever larger than its fields; twice the bound is where decoding ends.
        limit = 2 * self._options.header_list_bytes
        if block.frames > self._options.continuations or len(block.data) > limit:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "a block of headers without an end")
        if flags & END_HEADERS:
            self._block = None
            self._whole_block(stream, block.flags, bytes(block.data), block.broken)

    def _whole_block(self, stream: int, flags: int, block: bytes, broken: bool) -> None:
        # Whatever becomes of it: the peer's table changes with each block (section 4.3).
        headers = self._decoder.known(block)
        if headers is None:
            headers = self._decoder.decode(block)
            if large := headers.octets >> 10:
                self._spend(budgets.LARGE_HEADERS, large)
        end = flags & END_STREAM != 0
        open_ = self._streams.get(stream)
        if open_ is not None:
            self._trailers(open_, headers, end and not broken)
            return
        closed = self._closed
        if stream <= closed.highest:
            if closed.was_skipped(stream):
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a stream below one that was opened before")
            self._late(stream, None)
            return
        closed.opened(stream)
        if stream > self._accepted:
            # Section 6.8: the peer knows that nothing will be done for it.
            self._spend(budgets.REFUSED_STREAMS)
            closed.cut(stream)
            return
        if len(self._streams) >= self._options.max_streams:
            self._spend(budgets.REFUSED_STREAMS)
            self._refuse(stream, ErrorCode.REFUSED_STREAM)
            return
        # Section 8.1.1: malformed.
        if broken or headers.fault or (end and headers.content_length > 0):
            self._spend(budgets.RESETS)
            self._refuse(stream, ErrorCode.PROTOCOL_ERROR)
            return
        open_ = Stream(stream, self._first_send_window, self._first_receive_window, end)
        open_.expected = headers.content_length
        self._streams[stream] = open_
        if headers.octets > self._options.header_list_bytes:
            open_.discarded = True
            self._handler.headers_too_large(stream, headers.octets)
        else:
            self._handler.request(stream, headers, end)

    def _trailers(self, stream: Stream, headers: Headers, end: bool) -> None:
        if stream.ended:
            self._break(stream, ErrorCode.STREAM_CLOSED)
        elif not end or stream.expected > 0 or trailers_fault(headers):
            self._break(stream, ErrorCode.PROTOCOL_ERROR)
        else:
            stream.ended = True
            if not stream.discarded and not stream.answered:
                self._handler.trailers(stream.id, headers)

    def _refuse(self, stream: int, code: ErrorCode) -> None:
        """A request that does not become a stream."""
        self.out.append(rst_stream(stream, code))
        self._closed.cut(stream)
