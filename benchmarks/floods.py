"""Floods of frames that cost the server something and bring nothing, and what they do to somebody else.

python -m benchmarks floods

An attacker, in a process of its own, has some connections and sends one kind of frame on them: as many as
the budgets of :mod:`grpc_chat.transport.http2.budgets` allow, and then as many as the sockets take. When the
server ends a connection the attacker makes another after a pause, as often as that goes in the time. Somebody
else meanwhile sends messages at a fixed pace, which a third user reads.

Attackers have limits in time and number, and are only good against a server that this program has started.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import hpack

from benchmarks import h2, servers
from benchmarks.fanout import SEND, SUBSCRIBE, request
from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import BudgetRates, Rate
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, frame
from grpc_chat.transport.http2.settings import MAX_WINDOW
from grpc_chat.wire import chat_pb2 as pb

CONNECTIONS = 4
"""Of the attacker."""
PAUSE_SECONDS = 0.1
"""Until it connects again."""
MOST_FRAMES = 20_000
"""On one connection, before it makes another."""
PER_SECOND = 100
"""Messages of the good client."""
_PIECE_BYTES = 64 * 1024
_PATIENCE = 30.0
_LOOK = "/chat.v1.RoomService/GetRoom"
_LIST = "/chat.v1.MessageService/ListMessages"
_NOTHING = "/chat.v1.Nothing/Nothing"
_FIRST_WINDOW = 4

Frames = Iterator[bytes]
"""What costs one of the budget each, with whatever else is needed for it."""


class Flood(NamedTuple):
    """One kind.

    Attributes:
        begin: What its connection sends first, after the preface and its settings.
        settings: What these set, by identifier.
        rate: How much is allowed; of what has no budget, a pace at which a busy client might do it.
        reads: Whether the attacker reads what comes back.
    """

    frames: Callable[[], Frames]
    rate: Rate
    begin: bytes = b""
    settings: tuple[tuple[int, int], ...] = ()
    reads: bool = True


def _block(path: str, *more: tuple[str, str]) -> bytes:
    """Headers as most clients send them again and again: all of it literals, none of them new to a table."""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", "Bearer a0"),
        *more,
    )
    return b"".join(
        b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
        for name, value in fields
    )


def _call(stream: int, path: str, message: Any) -> bytes:
    data = h2.message(message.SerializeToString())
    return frame(frames.HEADERS, END_HEADERS, stream, _block(path)) + frame(
        frames.DATA, END_STREAM, stream, data
    )


def _open(count: int) -> bytes:
    """Calls whose requests do not end, on the first streams."""
    block = _block(_LOOK)
    return b"".join(frame(frames.HEADERS, END_HEADERS, 2 * at + 1, block) for at in range(count))


def _streams(first: int = 0) -> Iterator[int]:
    return itertools.count(2 * first + 1, 2)


_LOOKING = pb.GetRoomRequest(room_id="general")
_PAGE = pb.ListMessagesRequest(room_id="general", page_size=500)
_STREAMS = 90
"""So many does an attacker have open: fewer than it may."""


def _resets() -> Frames:
    for stream in _streams():
        yield _call(stream, _LOOK, _LOOKING) + frames.rst_stream(stream, 8)


def _settings() -> Frames:
    for at in itertools.count():
        yield frames.settings([(_FIRST_WINDOW, 65_535 + at % 2)])


def _window_updates() -> Frames:
    # Each lets one byte of a page out, which is a frame with ten.
    return itertools.repeat(frames.window_update(1, 1))


def _continuations() -> Frames:
    for stream in _streams():
        yield frame(frames.HEADERS, END_STREAM, stream, _block(_NOTHING)) + frame(
            frames.CONTINUATION, 0, stream, b""
        )
        yield from itertools.repeat(frame(frames.CONTINUATION, 0, stream, b""), 28)
        yield frame(frames.CONTINUATION, END_HEADERS, stream, b"")


def _refused_streams() -> Frames:
    block = _block(_LOOK)
    for stream in _streams(100):
        yield frame(frames.HEADERS, END_HEADERS | END_STREAM, stream, block)


def _new_blocks(octets: int, *, huffman: bool) -> Callable[[], Frames]:
    """Each with values that no other one has, so that nothing that is remembered helps."""

    def blocks() -> Frames:
        encoder = hpack.Encoder()
        for at, stream in enumerate(_streams()):
            value = f"{at:08d}" * (octets // 8)
            block = encoder.encode([(":method", "POST"), (":scheme", "http"), (":path", _NOTHING)], huffman)
            block += encoder.encode([(":authority", "localhost"), ("x-new", value)], huffman)
            yield frame(frames.HEADERS, END_HEADERS | END_STREAM, stream, block)

    return blocks


_RATES = BudgetRates()
FLOODS: dict[str, Flood] = {
    "resets": Flood(_resets, _RATES.resets),
    "settings": Flood(_settings, _RATES.settings, begin=_open(_STREAMS)),
    "pings": Flood(lambda: itertools.repeat(frames.ping(b"12345678")), _RATES.pings),
    "priorities": Flood(
        lambda: itertools.repeat(frame(frames.PRIORITY, 0, 1, b"\0\0\0\0\1")), _RATES.priorities
    ),
    "empty_data": Flood(
        lambda: itertools.repeat(frame(frames.DATA, 0, 1, b"")), _RATES.empty_data, begin=_open(1)
    ),
    "continuations": Flood(_continuations, _RATES.continuations),
    "window_updates": Flood(
        _window_updates,
        _RATES.window_updates,
        begin=_call(1, _LIST, _PAGE),
        settings=((_FIRST_WINDOW, 0),),
    ),
    "refused_streams": Flood(_refused_streams, _RATES.refused_streams, begin=_open(100)),
    "late_frames": Flood(
        lambda: itertools.repeat(frame(frames.DATA, 0, 201, b"late")),
        _RATES.late_frames,
        begin=_open(100) + frame(frames.HEADERS, END_HEADERS, 201, _block(_LOOK)),
    ),
    "unknown_frames": Flood(lambda: itertools.repeat(frame(0xFA, 0, 0, b"whatever")), _RATES.unknown_frames),
    "unread_answers": Flood(
        lambda: itertools.repeat(frames.settings([])),
        _RATES.unread_answers,
        begin=b"".join(_call(stream, _LIST, _PAGE) for stream in (1, 3, 5, 7)),
        settings=((_FIRST_WINDOW, MAX_WINDOW),),
        reads=False,
    ),
    "large_headers": Flood(_new_blocks(1_000, huffman=True), _RATES.large_headers),
    "new headers": Flood(_new_blocks(64, huffman=True), Rate(100, 100)),
}


# The attacker


@dataclass(slots=True)
class _Done:
    frames: int = 0
    connections: int = 0
    ended: int = 0


async def _attack_once(port: int, flood: Flood, end: float, beyond: bool, done: _Done) -> None:
    """One connection, until the server ends it or the time is over."""
    loop = asyncio.get_running_loop()
    with socket.socket() as raw:
        raw.setblocking(False)
        if not flood.reads:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(raw, ("127.0.0.1", port))
        done.connections += 1
        reading = asyncio.ensure_future(_read(raw)) if flood.reads else None
        try:
            hello = frames.PREFACE + frames.settings(list(flood.settings)) + frames.SETTINGS_ACK
            hello += frames.window_update(0, MAX_WINDOW - 65_535)
            await loop.sock_sendall(raw, hello + flood.begin)
            # So that what is to be flooded is there.
            await asyncio.sleep(0.05)
            await _send(raw, flood, end, beyond, done, reading)
        except OSError:
            done.ended += 1
        finally:
            if reading:
                reading.cancel()


async def _read(raw: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while await loop.sock_recv(raw, 1 << 18):
            pass


async def _send(
    raw: socket.socket,
    flood: Flood,
    end: float,
    beyond: bool,
    done: _Done,
    reading: asyncio.Future[None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    made = flood.frames()
    begun, sent = time.monotonic(), 0
    while sent < MOST_FRAMES:
        now = time.monotonic()
        if now >= end:
            return
        if reading and reading.done():
            raise ConnectionError("the server has closed it")
        if beyond:
            few = list(itertools.islice(made, 500))
        else:
            allowed = 0.9 * (flood.rate.burst + (now - begun) * flood.rate.per_second) - sent
            few = list(itertools.islice(made, max(0, int(allowed))))
        for at in range(0, len(few), 500):
            async with asyncio.timeout(max(0.0, end - now) + 0.1):
                await loop.sock_sendall(raw, b"".join(few[at : at + 500]))
            sent += len(few[at : at + 500])
            done.frames += len(few[at : at + 500])
        if not beyond:
            await asyncio.sleep(0.02)
    await asyncio.sleep(max(0.0, min(PAUSE_SECONDS, end - time.monotonic())))


def attack(name: str, port: int, seconds: float, beyond: bool, ready: Any, told: Any) -> None:
    """A process of its own."""
    done = _Done()

    async def one(end: float) -> None:
        while time.monotonic() < end:
            with suppress(OSError, TimeoutError):
                await _attack_once(port, FLOODS[name], end, beyond, done)
            await asyncio.sleep(max(0.0, min(PAUSE_SECONDS, end - time.monotonic())))

    async def run() -> None:
        ready.set()
        end = time.monotonic() + seconds
        await asyncio.gather(*[one(end) for _ in range(CONNECTIONS)])

    asyncio.run(run())
    told.put((done.frames, done.connections, done.ended))


# The good client


class _Reader:
    """Knows when each number came."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        self.caught_up = asyncio.Event()
        self.last = asyncio.Event()
        self.until = -1
        self._buffer = bytearray()

    def read(self, data: memoryview) -> None:
        now = time.perf_counter()
        self._buffer += data
        while len(self._buffer) >= 5 and len(self._buffer) >= 5 + int.from_bytes(self._buffer[1:5], "big"):
            end = 5 + int.from_bytes(self._buffer[1:5], "big")
            response = pb.SubscribeResponse.FromString(bytes(self._buffer[5:end]))
            del self._buffer[:end]
            if response.HasField("caught_up"):
                self.caught_up.set()
            for event in response.events:
                if event.user_id == "s0":
                    self.came[int(event.message.text[1:8])] = now
        if self.until in self.came:
            self.last.set()


async def good(port: int, seconds: float, tls: ssl.SSLContext | None = None) -> list[float]:
    """How long each message takes until its sender has the answer and its reader the message, in ms."""
    sender = await h2.Connection.open("127.0.0.1", port, "s0", tls=tls)
    room = pb.GetRoomResponse.FromString(await sender.call(_LOOK, _LOOKING.SerializeToString())).room
    follower = await h2.Connection.open("127.0.0.1", port, "m0", tls=tls)
    cursor = pb.Cursor(room_id="general", seq=room.last_seq, epoch=room.epoch)
    reader = _Reader()
    follower.stream(SUBSCRIBE, pb.SubscribeRequest(cursors=[cursor]).SerializeToString(), reader.read)
    await reader.caught_up.wait()
    count = int(seconds * PER_SECOND)
    requests = [request(at, 1) for at in range(count)]
    reader.until = count - 1
    due, answered = [0.0] * count, [0.0] * count

    async def send(at: int) -> None:
        await sender.call(SEND, requests[at])
        answered[at] = time.perf_counter()

    start = time.perf_counter()
    calls = []
    for at in range(count):
        due[at] = start + at / PER_SECOND
        await asyncio.sleep(max(0.0, due[at] - time.perf_counter()))
        calls.append(asyncio.create_task(send(at)))
    await asyncio.gather(*calls, reader.last.wait())
    sender.close()
    follower.close()
    return [1000 * (max(answered[at], reader.came[at]) - due[at]) for at in range(count)]


async def fill(port: int) -> None:
    """Give the room pages to ask for."""
    connection = await h2.Connection.open("127.0.0.1", port, "a0")
    messages = [
        pb.OutgoingMessage(
            room_id="general", client_message_id=f"00000000-0000-4000-8000-{at:012d}", text="x" * 900
        )
        for at in range(200)
    ]
    await connection.call(SEND, pb.SendMessagesRequest(messages=messages).SerializeToString())
    connection.close()


def within_time(measuring: Any) -> Any:
    """What comes of it, if it does not hang."""
    return asyncio.run(asyncio.wait_for(measuring, _PATIENCE))


@dataclass(frozen=True, slots=True)
class _Under:
    """What came of one flood."""

    latencies: list[float]
    cpu_seconds: float
    frames: int
    connections: int
    ended: int


def _beside(server: servers.Server, name: str, seconds: float, *, beyond: bool) -> _Under:
    context = multiprocessing.get_context("spawn")
    ready, told = context.Event(), context.Queue()
    process = context.Process(
        target=attack, args=(name, server.port, seconds + 0.5, beyond, ready, told), daemon=True
    )
    process.start()
    try:
        if not ready.wait(_PATIENCE):
            raise RuntimeError("the attacker did not begin")
        before = server.cpu_seconds
        time.sleep(0.3)
        latencies = within_time(good(server.port, seconds))
        done = told.get(timeout=_PATIENCE)
        return _Under(latencies, server.cpu_seconds - before, *done)
    finally:
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()


def share(values: list[float], of: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of))]


def _row(name: str, engine: str, quiet: list[list[float]], cpu: float, runs: dict[bool, list[_Under]]) -> str:
    calm = statistics.median(share(each, 0.99) for each in quiet)
    cells = [f"{statistics.median(share(each, 0.5) for each in quiet):.1f} / {calm:.1f}"]
    for beyond in (False, True):
        found = runs[beyond]
        p50 = statistics.median(share(each.latencies, 0.5) for each in found)
        p99 = statistics.median(share(each.latencies, 0.99) for each in found)
        sent = sum(each.frames for each in found)
        micros = 1e6 * (sum(each.cpu_seconds for each in found) - cpu * len(found)) / max(1, sent)
        ended = f"{sum(each.ended for each in found)} of {sum(each.connections for each in found)}"
        cells.append(f"{p50:.1f} / {p99:.1f} ({p99 / calm:.1f} x)")
        cells.append(f"{sent:,}, {max(0.0, micros):.0f} µs each; {ended} ended")
    return f"| {name} | {engine} | {' | '.join(cells)} |"


def rows(*, seconds: float, runs: int, only: str = "") -> list[str]:
    """A row for each kind and engine; the engines, quiet and floods take turns."""
    servers.raise_descriptor_limit()
    found = []
    with ExitStack() as stack:
        up = {
            engine: stack.enter_context(servers.chat(["a0", "m0", "s0"], GRPC_CHAT_GRPC__ENGINE=engine))
            for engine in servers.ENGINES
        }
        for server in up.values():
            within_time(fill(server.port))
            within_time(good(server.port, 0.5))
        for name in FLOODS:
            if only not in name:
                continue
            quiet: dict[str, list[list[float]]] = {engine: [] for engine in up}
            cpu = dict.fromkeys(up, 0.0)
            under: dict[str, dict[bool, list[_Under]]] = {engine: {False: [], True: []} for engine in up}
            for _ in range(runs):
                for engine, server in up.items():
                    before = server.cpu_seconds
                    quiet[engine].append(within_time(good(server.port, seconds)))
                    cpu[engine] += (server.cpu_seconds - before) / runs
                    for beyond in (False, True):
                        under[engine][beyond].append(_beside(server, name, seconds, beyond=beyond))
            found += [_row(name, engine, quiet[engine], cpu[engine], under[engine]) for engine in up]
    return found
