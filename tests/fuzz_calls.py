"""Calls that are nearly right: python -m tests.fuzz_calls [--inputs 100000] [--seed N]

Each input is a connection of the asyncio server, and a client that sends requests right, wrong, packed, cut
and in pieces, reads late or never, resets and pings; methods that answer, fail, wait and write in every way
that they may; and a server that runs out of room, time and patience meanwhile. Nothing may be logged as a
fault of the server, OK may follow nothing but whole messages, and when the connection is gone nothing of it
may be left: no call that counts as open, no handler that runs, no timer. The seed is printed, and the same
seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import logging
import os
import random
import sys
import time
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import grpc

from grpc_chat.errors import RoomNotFound
from grpc_chat.transport.grpc_messages import framed
from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, window_update
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call
from tests import http2
from tests.caller import Caller, Host
from tests.fuzz_http2 import Broken

_OPTIONS = Http2Options(max_streams=8, stream_window=20_000, connection_window=70_000, header_list_bytes=600)
_SIGN = b"\0\0\0\0\0\0\0\1"
"""What the server's own pings say."""
_SIZES = (0, 1, 50, 3_000)
_FIELDS: list[tuple[bytes, bytes]] = [
    *((b"grpc-timeout", value) for value in (b"0n", b"1u", b"1S", b"99999999H", b"1", b"S", b"-1S")),
    *((b"grpc-encoding", value) for value in (b"gzip", b"deflate", b"identity", b"br", b"\xff")),
    *((b"x-bin", value) for value in (b"YQ", b"YQ==", b"YQ,Yg", b"!", b"")),
    (b"authorization", b"Bearer \xc3\xa9"),
    (b"authorization", b"Bearer "),
    (b"content-type", b"application/grpc+proto"),
    (b"content-type", b"text/plain"),
    (b"content-length", b"7"),
    (b"x", b"y" * 100),
]


_Method = Callable[[Call], Coroutine[Any, Any, None]]


class Methods:
    """Methods that do what any method may, by chance.

    Attributes:
        running: How many handlers are under way.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.running = 0
        self.calls: list[Call] = []
        self.served = {
            "/t/Unary": Served(self._counted(self._unary)),
            "/t/Stream": Served(self._counted(self._stream)),
            "/t/Asks": Served(self._counted(self._asks), streams_requests=True),
            "/t/Watch": Served(self._counted(self._stream), watches=True),
        }

    def _counted(self, method: _Method) -> _Method:
        async def run(call: Call) -> None:
            self.running += 1
            self.calls.append(call)
            try:
                await method(call)
            finally:
                self.running -= 1

        return run

    def _response(self) -> bytes:
        return b"r" * self.chance.choice(_SIZES)

    async def _turn(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)
        if self.chance.random() < 0.05:
            await asyncio.get_running_loop().create_future()
        if self.chance.random() < 0.1:
            raise RoomNotFound("there is no such room: é%\n")

    async def _unary(self, call: Call) -> None:
        await self._turn()
        call.answer(self._response())

    async def _stream(self, call: Call) -> None:
        for _ in range(self.chance.randrange(4)):
            await self._turn()
            if self.chance.random() < 0.5:
                await call(self._response())
                continue
            room = asyncio.Event()
            if call.push(self._response(), room.set):
                continue
            if call.over or call.answered:
                return
            if self.chance.random() < 0.2:
                call.give_up()
                raise RoomNotFound("nobody reads")
            await room.wait()
        call.finish()

    async def _asks(self, call: Call) -> None:
        while (question := await call.read()) is not None:
            await self._turn()
            await call(question)
        call.finish()


def _body(chance: random.Random) -> bytes:
    """Messages, or something like them."""
    body = bytearray()
    for _ in range(chance.choice((1, 1, 1, 1, 0, 2, 5))):
        data = b"q" * chance.choice((*_SIZES, 12_000))
        match chance.randrange(12):
            case 0 | 1:
                bits = chance.choice((16 + zlib.MAX_WBITS, zlib.MAX_WBITS))
                packing = zlib.compressobj(wbits=bits)
                packed = packing.compress(data) + packing.flush()
                if chance.random() < 0.3:
                    packed = packed[: chance.randrange(len(packed))] + chance.randbytes(chance.randrange(3))
                body += b"\1" + len(packed).to_bytes(4, "big") + packed
            case 2:
                body += (
                    bytes((chance.randrange(4),)) + chance.choice((0, 9, 2**32 - 1)).to_bytes(4, "big") + data
                )
            case _:
                body += framed(data)
    if chance.random() < 0.1:
        del body[chance.randrange(len(body) + 1) :]
    return bytes(body)


class _Client:
    """Sends by chance, and looks at what comes."""

    def __init__(self, chance: random.Random, methods: Methods) -> None:
        self.chance = chance
        self.host = Host(methods.served, _OPTIONS)
        self.host.most_calls = 6
        self.methods = methods
        self.caller = Caller(self.host, window=chance.choice((0, 10, 1_000, 65_535)))
        self.highest = -1
        self.going: dict[int, list[bytes]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.ended: set[int] = set()

    def begin(self) -> None:
        chance = self.chance
        self.highest += 2
        path = chance.choice((*self.methods.served, "/t/Unary", "/t/Nobody", "/grpc", "/"))
        given = [(name, path.encode() if name == b":path" else value) for name, value in http2.REQUEST]
        if chance.random() < 0.05:
            given[0] = (b":method", chance.choice((b"GET", b"HEAD")))
        given += chance.sample(_FIELDS, chance.choice((0, 0, 1, 2)))
        given += [(b"x", b"y" * 100)] * chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 4))
        end = chance.random() < 0.05
        self.caller.send(
            http2.headers(self.highest, http2.literal(given), flags=END_HEADERS | (1 if end else 0))
        )
        if not end:
            body = _body(chance)
            cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
            edges = [0, *cuts, len(body)]
            self.going[self.highest] = [body[a:b] for a, b in itertools.pairwise(edges)]

    def act(self) -> None:
        chance, caller, connection, host = self.chance, self.caller, self.caller.connection, self.host
        match chance.randrange(24):
            case 0 | 1 | 2 | 3 | 4 | 5:
                self.begin()
            case 6 | 7 | 8 | 9 | 10 | 11 if self.going:
                stream = chance.choice(list(self.going))
                pieces = self.going[stream]
                piece = pieces.pop(0)
                if not pieces:
                    del self.going[stream]
                caller.send(http2.data(stream, piece, end=not pieces))
            case 12 | 13 | 14 if self.highest > 0:
                stream = chance.choice((0, chance.randrange(1, self.highest + 1, 2)))
                caller.send(window_update(stream, chance.choice((1, 10, 1_000, 10_000))))
            case 15 if self.highest > 0:
                stream = chance.randrange(1, self.highest + 1, 2)
                self.going.pop(stream, None)
                caller.send(frames.rst_stream(stream, ErrorCode.CANCEL))
            case 16 if self.going:
                stream, _ = self.going.popitem()
                caller.send(http2.headers(stream, http2.literal(http2.TRAILERS)))
            case 17:
                caller.send(frames.ping(chance.choice((b"12345678", _SIGN)), ack=chance.random() < 0.5))
            case 18:
                connection.pause_writing()
            case 19:
                connection.resume_writing()
            case 20:
                host.now += chance.choice((0.1, 1.0, 6.0, 20.0, 4_000.0))
                connection.look(host.now)
            case 21 if chance.random() < 0.2:
                host.stopping = chance.random() < 0.5
                connection.leave(b"the server stops", host.now + chance.choice((0.0, 5.0)))
            case 22 if connection.calls:
                call = chance.choice(list(connection.calls.values()))
                if call.answered or chance.random() < 0.1:
                    call.cut_off(grpc.StatusCode.UNAVAILABLE, "the server stops")
            case 23 if chance.random() < 0.2:
                caller.send(chance.choice((chance.randbytes(20), frames.goaway(0, ErrorCode.NO_ERROR))))
            case _:
                pass

    def look(self) -> None:
        """See what came: the end of each call once, and OK after nothing but whole messages."""
        for each in (sent := self.caller.sent()):
            if each.kind == frames.DATA:
                _require(each.stream not in self.ended, "data after the end")
                self.bodies.setdefault(each.stream, bytearray()).extend(each.payload)
            if each.kind in (frames.DATA, frames.HEADERS) and each.flags & frames.END_STREAM:
                _require(each.stream not in self.ended, "two ends of one call")
                self.ended.add(each.stream)
        for stream, status in self.caller.statuses(sent).items():
            rest = bytes(self.bodies.pop(stream, b""))
            while status == 0 and rest:
                end = 5 + int.from_bytes(rest[1:5], "big")
                _require(len(rest) >= 5 and len(rest) >= end, "OK after half of a message")
                rest = rest[end:]
        open_ = len(self.caller.connection.calls)
        _require(self.host.open_calls == open_ <= self.host.most_calls, "calls that are counted wrongly")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


class _Faults(logging.Handler):
    """What is logged as a fault of the server."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")


async def try_out(chance: random.Random) -> None:
    """Play one connection.

    Raises:
        Broken: Something did not hold.
    """
    methods = Methods(chance)
    client = _Client(chance, methods)
    for _ in range(chance.randrange(5, 60)):
        client.act()
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        client.look()
        if client.caller.wire.ended:
            break
    client.caller.connection.connection_lost(None)
    for _ in range(8):
        await asyncio.sleep(0)
    _require(client.host.open_calls == 0, "calls outlive their connection")
    _require(not client.host.here, "a connection that is gone and counted")
    _require(not methods.running, f"{methods.running} handlers outlive their connection")
    for call in methods.calls:
        _require(call.over and call._deadline is None and call._last_call is None, "a timer is left")


async def run(inputs: int, seed: int, tell: Callable[[str], None] | None = None) -> None:
    """Try that many.

    Raises:
        Broken: With the input's number.
    """
    at_first = 0
    began = time.monotonic()
    faults = _Faults()
    loggers = [
        logging.getLogger(f"grpc_chat.transport.{name}") for name in ("grpc_connection", "served_call")
    ]
    with contextlib.ExitStack() as after:
        for each in loggers:
            each.addHandler(faults)
            after.callback(each.removeHandler, faults)
        for number in range(inputs):
            try:
                await try_out(random.Random(f"{seed} {number}"))
                _require(not faults.told, "; ".join(faults.told))
            except Exception as error:
                raise Broken(f"{error!r} by input {number} of seed {seed}") from error
            if tell and number % 10_000 == 9_999:
                gc.collect()
                blocks = sys.getallocatedblocks()
                at_first = at_first or blocks
                _require(
                    blocks < at_first + 2_000, f"{blocks - at_first} more blocks of memory than at first"
                )
                rate = (number + 1) / (time.monotonic() - began)
                tell(f"{number + 1:,} inputs, {rate:,.0f}/s, {blocks:,} blocks of memory")


def main() -> int:
    """Try as many as were asked for; 0 if nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_calls")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    asked = parser.parse_args()
    print(f"seed {asked.seed}, process {os.getpid()}", flush=True)
    asyncio.run(run(asked.inputs, asked.seed, lambda line: print(line, flush=True)))
    print(f"{asked.inputs:,} inputs: nothing broke")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
