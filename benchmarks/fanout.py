"""One room, many members: how many deliveries a second, and what each costs the server.

Each figure is taken from our server and from the floor in turns, in one run. Every message of ours is on disk
before anybody hears of it; the floor has no disk.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from benchmarks import h2, servers
from benchmarks.fill import TEXT, fill
from grpc_chat import new_message_id
from grpc_chat.wire import chat_pb2 as pb

SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
# What an event with such a text has on the wire: see `event_bytes` in our own run.
EVENT_BYTES = 134
_INDEX = re.compile(rb"#(\d{7})#")


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one scenario on one server."""

    deliveries: int
    seconds: float
    server_cpu: float
    load_cpu: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> float:
        return self.deliveries / self.seconds

    @property
    def cpu_us(self) -> float:
        """Server CPU for one delivery."""
        return self.server_cpu / self.deliveries * 1e6


def request(start: int, count: int, room_id: str = "general") -> bytes:
    """``count`` messages to a room, numbered from ``start`` in their texts."""
    messages = [
        pb.OutgoingMessage(
            room_id=room_id, client_message_id=new_message_id(), text=f"#{start + at:07d}# {TEXT}"
        )
        for at in range(count)
    ]
    return pb.SendMessagesRequest(messages=messages).SerializeToString()


class _Member:
    """A reader that only looks for the last message of a run; its streams are ours to count on."""

    def __init__(self) -> None:
        self.end = b""
        """What stands in the last message; nothing until it is known."""
        self.done = asyncio.Event()
        self.caught_up = asyncio.Event()
        self._rest = b""

    def read(self, data: memoryview) -> None:
        # A marker may lie across two frames.
        seen = self._rest + bytes(data)
        if self.end and self.end in seen:
            self.done.set()
        if not self.caught_up.is_set() and b"\x2a\x00" in seen:
            self.caught_up.set()
        self._rest = seen[-16:]


class Following(Protocol):
    """A connection with an open stream.

    Attributes:
        on_data: Who reads what each stream brings.
    """

    on_data: dict[int, Callable[[memoryview], None]]

    def close(self) -> None:
        """End it."""


Follow = Callable[[int, str, bytes, Callable[[memoryview], None]], Awaitable[Following]]
"""Opens a stream: the port, the token, the request, and who reads it."""


async def _by_grpc(
    port: int, token: str, subscribe: bytes, read: Callable[[memoryview], None]
) -> h2.Connection:
    connection = await h2.Connection.open("127.0.0.1", port, token)
    connection.stream(SUBSCRIBE, subscribe, read)
    return connection


async def _open(
    port: int,
    members: int,
    cursors: Sequence[pb.Cursor],
    *,
    signals: bool = False,
    follow: Follow = _by_grpc,
) -> tuple[list[Following], list[_Member]]:
    """Connect so many members; each follows one of the rooms, in turns."""
    connections: list[Following] = []
    readers = []
    for at in range(members):
        cursor = cursors[at % len(cursors)]
        asked = pb.SubscribeRequest(cursors=[cursor], include_own=True, signals=signals)
        subscribe = asked.SerializeToString()
        reader = _Member()
        connections.append(await follow(port, f"m{at}", subscribe, reader.read))
        readers.append(reader)
    await asyncio.gather(*[reader.caught_up.wait() for reader in readers])
    return connections, readers


async def closed_loop(
    server: servers.Server, *, members: int, senders: int, window: int, messages: int, rooms: int = 1
) -> Result:
    """Each sender has ``window`` messages in flight, as the SDK sends them: all that wait in one call.

    Args:
        members: In all rooms together; each is in one.
        senders: Each writes to one of the rooms; at least one for each room.
    """
    ids = room_ids(rooms)
    connections, readers = await _open(server.port, members, [pb.Cursor(room_id=each) for each in ids])
    sending = [await h2.Connection.open("127.0.0.1", server.port, f"s{at}") for at in range(senders)]
    each = messages // senders // window * window
    for reader in readers:
        reader.end = b"#9999999#"
    requests = [
        [request(n, window, ids[at % rooms]) for n in range(0, each, window)] for at in range(senders)
    ]
    cpu, load, start = server.cpu_seconds, time.process_time(), time.perf_counter()

    async def send(at: int) -> None:
        for data in requests[at]:
            await sending[at].call(SEND, data)

    await asyncio.gather(*[send(at) for at in range(senders)])
    for at, room_id in enumerate(ids):
        await sending[at].call(SEND, request(9999999, 1, room_id))
    await asyncio.gather(*[reader.done.wait() for reader in readers])
    seconds = time.perf_counter() - start
    result = Result(
        deliveries=(each * senders // rooms + 1) * members,
        seconds=seconds,
        server_cpu=server.cpu_seconds - cpu,
        load_cpu=time.process_time() - load,
        latencies_ms=[],
    )
    for connection in [*connections, *sending]:
        connection.close()
    return result


async def open_loop(
    server: servers.Server,
    *,
    members: int,
    per_second: int,
    seconds: int,
    cursor: pb.Cursor | None = None,
    signals: bool = False,
    port: int = 0,
    follow: Follow = _by_grpc,
) -> Result:
    """Messages at a fixed pace, whatever the answers do; how long each takes to each member.

    Args:
        cursor: Where the members begin, in a room that has a history.
        signals: Whether the members ask for signals.
        port: Where they connect; 0 for the port of gRPC.
        follow: What connects them.
    """
    begin = cursor or pb.Cursor(room_id="general")
    connections, readers = await _open(port or server.port, members, [begin], signals=signals, follow=follow)
    sender = await h2.Connection.open("127.0.0.1", server.port, "s0")
    count = per_second * seconds
    requests = [request(at, 1) for at in range(count)]
    sent_at = [0.0] * count
    latencies: list[float] = []
    for reader in readers:
        reader.end = b"#%07d#" % (count - 1)

    def timed(read: Callable[[memoryview], None]) -> Callable[[memoryview], None]:
        def on_data(data: memoryview) -> None:
            now = time.perf_counter()
            latencies.extend((now - sent_at[int(index)]) * 1000 for index in _INDEX.findall(data))
            read(data)

        return on_data

    for connection in connections:
        for stream, read in connection.on_data.items():
            connection.on_data[stream] = timed(read)
    cpu, load, start = server.cpu_seconds, time.process_time(), time.perf_counter()
    calls = []
    for at, data in enumerate(requests):
        await asyncio.sleep(max(0.0, start + at / per_second - time.perf_counter()))
        sent_at[at] = time.perf_counter()
        calls.append(asyncio.create_task(sender.call(SEND, data)))
    await asyncio.gather(*calls, *[reader.done.wait() for reader in readers])
    result = Result(
        deliveries=count * members,
        seconds=time.perf_counter() - start,
        server_cpu=server.cpu_seconds - cpu,
        load_cpu=time.process_time() - load,
        latencies_ms=latencies,
    )
    for connection in [*connections, sender]:
        connection.close()
    return result


T = TypeVar("T")
Start = Callable[[], AbstractContextManager[servers.Server]]


def room_ids(count: int) -> list[str]:
    """The room that every server with trusted ids has, or so many others."""
    return ["general"] if count == 1 else [f"room-{at:05d}" for at in range(count)]


def both(members: int, senders: int, rooms: int = 1, **settings: str) -> list[Start]:
    """Our server with these members, and the floor."""
    ids = [f"m{at}" for at in range(members)] + [f"s{at}" for at in range(senders)]

    @contextmanager
    def ours() -> Iterator[servers.Server]:
        folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
        try:
            fill(folder, members=ids, events=0, rooms=room_ids(rooms))
            with servers.chat(ids, data=folder, **settings) as server:
                yield server
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return [ours, lambda: servers.floor(EVENT_BYTES)]


def median(results: list[Result], figure: Callable[[Result], float]) -> float:
    """Of several runs."""
    return statistics.median(figure(result) for result in results)


def percentile(results: list[Result], share: float) -> float:
    """Of all latencies of several runs, in ms."""
    latencies = sorted(latency for result in results for latency in result.latencies_ms)
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


def run_closed(*, members: int, senders: int, window: int, messages: int, runs: int, rooms: int = 1) -> str:
    """A row of the table."""
    load = {"members": members, "senders": senders, "window": window, "messages": messages, "rooms": rooms}
    ours, floors = in_turns(both(members, senders, rooms), runs, lambda start: _once(start, **load))
    each = f"{rooms} rooms x {members // rooms}" if rooms > 1 else f"{members} members"
    mine, bare = median(ours, lambda r: r.per_second), median(floors, lambda r: r.per_second)
    return (
        f"| {each}, {senders} sender(s), window {window} | {mine:,.0f} | {bare:,.0f} | "
        f"{mine / bare:.2f} | {median(ours, lambda r: r.cpu_us):.2f} | "
        f"{median(floors, lambda r: r.cpu_us):.2f} | {median(ours, lambda r: r.load_cpu / r.seconds):.2f} |"
    )


def in_turns(starts: list[Start], runs: int, once: Callable[[Start], T]) -> tuple[list[T], list[T]]:
    """Ours, the floor, ours, the floor, …: so that both meet the machine's good and bad moments."""
    pairs = [[once(start) for start in starts] for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _once(start: Start, **scenario: int) -> Result:
    with start() as server:
        return asyncio.run(closed_loop(server, **scenario))


def run_open(*, members: int, per_second: int, seconds: int, runs: int) -> str:
    """A row of the table."""

    def once(start: Start) -> Result:
        with start() as server:
            return asyncio.run(open_loop(server, members=members, per_second=per_second, seconds=seconds))

    ours, floors = in_turns(both(members, 1), runs, once)
    cells = []
    for results in (ours, floors):
        p50, p99 = percentile(results, 0.5), percentile(results, 0.99)
        cells.append(f"{p50:.1f} / {p99:.1f} | {median(results, lambda r: r.cpu_us):.1f}")
    return f"| {per_second}/s to {members} members | {cells[0]} | {cells[1]} |"
