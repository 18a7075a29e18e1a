"""Bytes that are nearly HTTP/2: python -m tests.fuzz_http2 [--inputs 1000000] [--seed N]

Each input is what a client might send from its first byte on: frames that are right, wrong and cut, with
bits turned, given to a connection whose handler does anything that a handler may. The connection must take it
all without an exception, keep every bound, and send nothing but whole frames, none after the end of a stream;
and when it is gone, nothing of it may be left. The seed is printed, and the same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import BudgetRates, Counts, Rate
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, frame
from grpc_chat.transport.http2.headers import Headers, encode
from grpc_chat.transport.http2.settings import DEFAULT_WINDOW, MAX_WINDOW, Http2Options
from grpc_chat.transport.http2.streams import REMEMBERED
from tests import http2
from tests.http2 import ANSWER, REQUEST, TRAILERS

_FEW = Rate(4, 1)
OPTIONS = Http2Options(
    max_streams=5,
    stream_window=2_000,
    connection_window=70_000,
    header_list_bytes=500,
    continuations=4,
    # Small ones, so that inputs reach them.
    budgets=replace(BudgetRates(), pings=_FEW, empty_data=_FEW, window_updates=_FEW, unread_answers=_FEW),
)
# Wide streams on a connection that is not, whose own window is what a client comes up against.
# Its headers may be large enough to have a budget.
_WIDE = replace(
    OPTIONS,
    stream_window=60_000,
    header_list_bytes=3_000,
    budgets=replace(OPTIONS.budgets, large_headers=_FEW),
)
_ENCODED = encode(ANSWER)
_TRAILERS = encode(TRAILERS)
# Longer than a frame.
_LONG = encode((*ANSWER, (b"x-long", b"y" * 40_000)))
# Blocks that use a client's table, also before anything is in it, and some that mean nothing.
_BLOCKS = [
    http2.literal(REQUEST),
    http2.literal(REQUEST, b"\x40"),
    http2.literal(REQUEST[:2]) + b"\x84\x86\xbe\xbf",
    b"\x83\x86\x84\x41\x04host",
    b"\x83\x86\x84\xc0",
    b"\x20" + http2.literal(REQUEST),
    b"\x3f\xe1\x1f\x83\x86\x84",
    http2.literal((*REQUEST, (b"content-length", b"10"))),
    http2.literal((*REQUEST, (b"x", b"y" * 100), (b"x", b"y" * 100))),
    http2.literal(TRAILERS),
    b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
    http2.literal((*REQUEST, (b"host", b"localhost"))),
    http2.literal((*REQUEST, (b"host", b"elsewhere"))),
    http2.literal((*REQUEST, (b"host", b"localhost"), (b"host", b"elsewhere"))),
    http2.literal(REQUEST[:1] + REQUEST[2:]),
    http2.literal([(b":method", b"CONNECT"), (b":authority", b"localhost")]),
    http2.literal([(b":method", b"CONNECT"), *REQUEST[1:]]),
    http2.literal((*TRAILERS, (b"x", b"\0"))),
    # Much from little: fields of the table, and more than any headers may be.
    b"\x83\x86\x84" + b"\x82" * 1_100,
    http2.literal((*REQUEST, *[(b"x", b"y" * 120)] * 12)),
]


_RIGHT = [
    _BLOCKS[0],
    _BLOCKS[1],
    _BLOCKS[3],
    http2.literal((*REQUEST, (b"content-length", b"300"))),
    _BLOCKS[8],
    http2.literal((*REQUEST, (b"x", b"y" * 120), (b"x", b"y" * 120))),
]
"""Those that any server takes, or answers."""


class Broken(Exception):
    """An input did what none may do; the text has all that is needed to do it again."""


class Anything:
    """A handler that does anything, and checks that what it is told makes sense."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.options = _WIDE if chance.random() < 0.2 else OPTIONS
        self.connection = Connection(self, options=self.options, now=lambda: 0.0, counts=_COUNTS)
        self.open: set[int] = set()
        self.ended: set[int] = set()
        self.highest = 0

    def request(self, stream: int, headers: Headers, end: bool) -> None:
        _require(stream > self.highest, "a stream twice")
        _require(headers.fault is None, "a request that is none")
        self.highest = stream
        self.open.add(stream)
        self._ended(stream, end)
        self.act(stream)

    def headers_too_large(self, stream: int, octets: int) -> None:
        _require(
            stream > self.highest and octets > self.options.header_list_bytes,
            "headers that are not too large",
        )
        self.highest = stream
        self.connection.send_headers(stream, ANSWER, end=self.chance.random() < 0.5)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        _require(stream in self.open and stream not in self.ended, "data of no stream")
        _require(bool(data) or end, "data that is nothing")
        _require(len(data) <= OPTIONS.frame_bytes, "data longer than a frame")
        self._ended(stream, end)
        # Whether it is taken at all decides what fills up.
        if self.chance.random() < (0.1 if self.options is _WIDE else 0.8):
            self.connection.consumed(stream, self.chance.choice((len(data), 1, MAX_WINDOW)))
        self.act(stream)

    def trailers(self, stream: int, headers: Headers) -> None:
        _require(stream in self.open and stream not in self.ended, "trailers of no stream")
        self._ended(stream, True)
        self.act(stream)

    def was_reset(self, stream: int, code: int) -> None:
        self.open.discard(stream)
        self.ended.add(stream)
        self.act(stream)

    def drained(self, stream: int) -> None:
        if self.chance.random() < 0.3:
            self.act(stream)

    def answered_early(self) -> None:
        pass

    def pinged(self, after_data: bool) -> None:
        self.act(0)

    def pong(self) -> None:
        pass

    def went_away(self, code: int) -> None:
        self.act(0)

    def _ended(self, stream: int, end: bool) -> None:
        if end:
            self.ended.add(stream)

    def act(self, stream: int) -> None:
        """Something that a handler may do, mostly something sensible."""
        connection, chance = self.connection, self.chance
        match chance.randrange(16):
            case 0 | 1:
                block = _LONG if chance.random() < 0.1 else _ENCODED
                connection.respond(stream, block, b"x" * chance.choice((0, 10, 3_000, 40_000)), _TRAILERS)
            case 2:
                connection.send_headers(stream, ANSWER, end=chance.random() < 0.3)
            case 3 | 4:
                connection.send_data(stream, b"x" * chance.choice((0, 10, 3_000)), end=chance.random() < 0.3)
            case 5:
                connection.send_trailers(stream, _TRAILERS)
            case 6:
                connection.reset(stream, ErrorCode.CANCEL)
            case 7:
                connection.discard(stream)
            case 8:
                connection.pause_sending()
            case 9 | 10:
                connection.resume_sending()
            case 11 if chance.random() < 0.1:
                last = chance.choice((None, MAX_WINDOW, None))
                code = ErrorCode.NO_ERROR if chance.random() < 0.9 else ErrorCode.INTERNAL_ERROR
                connection.go_away(code, last)
            case 12:
                connection.ping()
            case 13:
                frame_ = connection.data_frame(stream, b"x" * chance.choice((1, 10, 3_000)))
                if frame_ is not None:
                    _require(not connection.out, "a frame that passes what was to go before it")
                    connection.out.append(frame_)
            case _:
                pass


_COUNTS = Counts()


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


def _number(chance: random.Random) -> int:
    return chance.choice((0, 1, 2, 9, 100, 16_384, DEFAULT_WINDOW, MAX_WINDOW, 2**31, 2**32 - 1))


def _frame(chance: random.Random, stream: int) -> bytes:
    """One frame, mostly right."""
    match chance.randrange(14):
        case 0 | 1 | 2:
            return http2.headers(
                stream, chance.choice(_BLOCKS), flags=chance.choice((5, 5, 5, 4, 4, 1, 0, 0x2D, 0x0D))
            )
        case 3 | 4 | 5:
            return frame(
                frames.DATA,
                chance.choice((0, 0, END_STREAM, 8, 9)),
                stream,
                chance.randbytes(chance.choice((0, 1, 10, 300, 1_500))),
            )
        case 6:
            return frame(
                frames.CONTINUATION, chance.choice((0, END_HEADERS)), stream, chance.choice(_BLOCKS)[:60]
            )
        case 7:
            return frames.rst_stream(stream, chance.randrange(16))
        case 8 | 9:
            return frames.window_update(chance.choice((0, stream)), _number(chance))
        case 10:
            pairs = [(chance.randrange(9), _number(chance)) for _ in range(chance.randrange(4))]
            return frames.SETTINGS_ACK if chance.random() < 0.3 else frames.settings(pairs)
        case 11:
            return frames.ping(chance.choice((b"12345678", b"\0\0\0\0\0\0\0\1")), ack=chance.random() < 0.3)
        case 12:
            return frames.goaway(_number(chance) & MAX_WINDOW, chance.randrange(16), b"bye")
        case _:
            return frame(
                chance.randrange(12), chance.randrange(256), stream, chance.randbytes(chance.randrange(20))
            )


def _right(chance: random.Random, open_: dict[int, bool], begin: Callable[[], int], *, wide: bool) -> bytes:
    """One or more frames as a client may send them, given its streams and whether each has ended.

    Args:
        wide: Whether it sends as much as streams take that are wider than their connection.
    """
    going = [stream for stream, ended in open_.items() if not ended]
    any_ = chance.choice(list(open_)) if open_ else 0
    what = chance.randrange(20)
    if what < 6 or not going:
        stream, end = begin(), chance.random() < 0.4
        open_[stream] = end
        block, flags = chance.choice(_RIGHT), END_STREAM if end else 0
        if chance.random() < 0.1:
            # One that is not known yet, and is forgotten when there are too many.
            block = http2.literal((*REQUEST, (b"x", b"%d" % chance.randrange(10**6))))
        if chance.random() < 0.7:
            return http2.headers(stream, block, flags=flags | END_HEADERS)
        cut = chance.randrange(len(block))
        last = frame(frames.CONTINUATION, END_HEADERS, stream, block[cut:])
        return http2.headers(stream, block[:cut], flags=flags) + last
    stream = chance.choice(going)
    if what < 11:
        end = chance.random() < 0.3
        open_[stream] = end
        size = chance.choice((0, 1, 10, 300, 900) if not wide else (300, 16_000))
        if chance.random() < 0.2:
            return frame(frames.DATA, 8 | end, stream, b"\x07" + b"d" * size + b"\0" * 7)
        return http2.data(stream, b"d" * size, end=end)
    if what == 11:
        open_[stream] = True
        return http2.headers(stream, http2.literal(TRAILERS))
    if what == 12:
        return frames.rst_stream(any_, ErrorCode.CANCEL)
    if what < 17:
        return frames.window_update(chance.choice((0, any_)), chance.choice((1, 100, 5_000, 50_000)))
    if what == 17:
        return http2.settings(
            initial_window_size=chance.choice((0, 10, DEFAULT_WINDOW)),
            header_table_size=chance.choice((0, 4_096)),
            max_frame_size=chance.choice((16_384, 100_000)),
        )
    if what == 18:
        return frames.ping(b"12345678")
    return frame(frames.PRIORITY, 0, stream, b"\0\0\0\0\1")


def make_input(chance: random.Random) -> bytes:
    """What a client sends: mostly what is right, with some of it wrong."""
    sent = [frames.PREFACE, http2.settings(initial_window_size=chance.choice((0, 10, DEFAULT_WINDOW)))]
    if chance.random() < 0.8:
        sent.append(frames.SETTINGS_ACK)
    open_: dict[int, bool] = {}
    highest = -1

    def begin() -> int:
        nonlocal highest
        highest += chance.choice((2, 2, 2, 2, 4))
        return highest

    wrong = chance.choice((0, 0.02, 0.1, 0.5))
    wide = chance.random() < 0.1
    for _ in range(chance.randrange(1, 60)):
        if chance.random() < wrong:
            sent.append(_frame(chance, max(0, highest + chance.choice((0, 0, 0, 2, -2, 1)))))
        else:
            sent.append(_right(chance, open_, begin, wide=wide))
    if chance.random() < 0.05:
        chance.shuffle(sent)
    whole = bytearray(b"".join(sent))
    for _ in range(chance.choice((0, 0, 0, 1, 2, 5))):
        at = chance.randrange(len(whole))
        match chance.randrange(3):
            case 0:
                whole[at] ^= 1 << chance.randrange(8)
            case 1:
                del whole[at : at + chance.randrange(1, 12)]
            case _:
                whole[at:at] = chance.randbytes(chance.randrange(1, 12))
    return bytes(whole)


class _Windows:
    """What the client allowed, read from what it sent and what was acknowledged."""

    def __init__(self) -> None:
        self.headed: set[int] = set()
        self.over: set[int] = set()
        self.data = 0

    def check(self, sent: list[http2.Frame]) -> None:
        for each in sent:
            if each.kind == frames.HEADERS or each.kind == frames.DATA:
                _require(each.stream not in self.over, "an answer after its end")
                _require(len(each.payload) <= 64 * 1024, "a frame that is too long")
                if each.kind == frames.HEADERS:
                    self.headed.add(each.stream)
                if each.flags & END_STREAM:
                    self.over.add(each.stream)
            elif each.kind == frames.RST_STREAM:
                self.over.add(each.stream)
            elif each.kind == frames.WINDOW_UPDATE:
                octets = int.from_bytes(each.payload, "big")
                _require(0 < octets <= OPTIONS.connection_window, "a window that was never used")


def try_out(data: bytes, chance: random.Random) -> None:
    """Give an input to a connection, in pieces.

    Raises:
        Broken: Something did not hold.
    """
    handler = Anything(chance)
    connection, windows = handler.connection, _Windows()
    at = 0
    while at < len(data):
        size = chance.choice((1, 9, 30, 500, 100_000))
        connection.receive(data[at : at + size])
        while connection.waits:
            connection.release()
            connection.receive(b"")
        at += size
        if chance.random() < 0.1:
            handler.act(handler.highest)
        windows.check(http2.parse(b"".join(connection.data_to_send())))
        _check(connection)
    connection.eof()
    connection.resume_sending()
    windows.check(http2.parse(b"".join(connection.data_to_send())))
    _require(connection.open_streams == 0, "a stream outlives its connection")
    _require(not handler.open - handler.ended or not connection._streams, "a stream that nobody ended")


def _check(connection: Connection) -> None:
    _require(connection.open_streams <= OPTIONS.max_streams, "more streams than allowed")
    _require(set(connection._blocked) <= set(connection._streams), "a stream that waits and is over")
    _require(len(connection._partial) <= OPTIONS.frame_bytes + 9, "more kept than a frame")
    _require(connection._decoder._cached <= 16 * 1024, "more known headers than allowed")
    _require(len(connection._closed._cut or ()) <= REMEMBERED, "more remembered than allowed")
    _require(connection._receive_window <= OPTIONS.connection_window, "a window that is too wide")
    if connection.closing is not None:
        _require(connection.open_streams == 0, "a stream on a connection that has failed")
        return
    unread = sum(stream.unread for stream in connection._streams.values())
    _require(
        connection._receive_window + connection._credit + unread == OPTIONS.connection_window,
        "a part of the connection's window is lost",
    )


def run(inputs: int, seed: int, tell: Callable[[str], None] | None = None) -> None:
    """Try that many.

    Raises:
        Broken: With the input's number and its bytes.
    """
    at_first = 0
    began = time.monotonic()
    for number in range(inputs):
        chance = random.Random(f"{seed} {number}")
        data = make_input(chance)
        try:
            try_out(data, chance)
        except Exception as error:
            raise Broken(
                f"{error!r} by input {number} of seed {seed}, after {len(data)} bytes: {data.hex()}"
            ) from error
        if tell and number % 50_000 == 49_999:
            gc.collect()
            blocks = sys.getallocatedblocks()
            at_first = at_first or blocks
            _require(blocks < at_first + 2_000, f"{blocks - at_first} more blocks of memory than at first")
            rate = (number + 1) / (time.monotonic() - began)
            tell(f"{number + 1:,} inputs, {rate:,.0f}/s, {blocks:,} blocks of memory")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_http2", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many; 1,000,000 by default")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}, process {os.getpid()}", flush=True)
    run(asked.inputs, asked.seed, lambda text: print(text, flush=True))
    print(f"{asked.inputs:,} inputs: nothing broke; {sum(_COUNTS.exceeded):,} went over a budget")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
