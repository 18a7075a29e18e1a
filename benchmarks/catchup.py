"""Coming back to a long history: events a second, the server's memory, and what others notice of it."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import h2, servers
from benchmarks.fanout import SUBSCRIBE, open_loop, percentile
from benchmarks.fill import fill
from benchmarks.servers import ENGINES
from grpc_chat.wire import chat_pb2 as pb


def database(events: int, members: list[str]) -> Path:
    """A folder with one room of so many events."""
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
    fill(folder, members=members, events=events)
    return folder


async def _read_bytes(port: int) -> float:
    """Seconds until the floor has sent everything."""
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while await reader.read(1 << 20):
        pass
    writer.close()
    return time.perf_counter() - start


async def _read_all(port: int, who: str) -> float:
    """Seconds until a stream from the beginning has caught up."""
    connection = await h2.Connection.open("127.0.0.1", port, who)
    done = asyncio.Event()
    rest = b""

    def read(data: memoryview) -> None:
        nonlocal rest
        # CaughtUp is an empty field 5, and the last thing in its response: look only at the ends.
        tail = rest + bytes(data[-8:])
        if tail.endswith(b"\x2a\x00"):
            done.set()
        rest = tail[-2:]

    subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")], include_own=True)
    start = time.perf_counter()
    connection.stream(SUBSCRIBE, subscribe.SerializeToString(), read)
    await done.wait()
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def rows(*, events: int, readers: list[int], runs: int) -> list[str]:
    """One row for each number of readers at once, and for each engine of the server, in turns; of one reader
    also the floor's."""
    members = [f"m{at}" for at in range(100)] + ["s0"]
    folder = database(events, members)
    lines = []
    try:
        for count in readers:
            names = (*ENGINES, "floor") if count == 1 else ENGINES
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
            # Many at once are an average of themselves.
            for _ in range(runs if count == 1 else 1):
                for name in names:
                    found[name].append(_catch_up(name, members, folder, events=events, readers=count))
            for name in names:
                rates, cpus, memory = zip(*found[name], strict=True)
                lines.append(
                    f"| {events:,} events, {count} reader(s), {name} | {statistics.median(rates):,.0f} | "
                    f"{statistics.median(cpus):.2f} | {max(memory):+.0f} MB |"
                )
        lines += [_others(engine, members, folder) for engine in ENGINES]
    finally:
        shutil.rmtree(folder)
    return lines


def _server(engine: str, members: list[str], folder: Path) -> AbstractContextManager[servers.Server]:
    if engine == "floor":
        return servers.catchup_floor(folder)
    # A new server would make the index of search meanwhile, which takes more than catching up.
    settings = {"GRPC_CHAT_GRPC__ENGINE": engine, "GRPC_CHAT_SEARCH__ENABLED": "false"}
    return servers.chat(members, data=folder, **settings)


def _catch_up(
    engine: str, members: list[str], folder: Path, *, events: int, readers: int
) -> tuple[float, float, float]:
    """Events a second of all readers, the server's CPU for one in µs, and the memory it took in MB."""
    with _server(engine, members, folder) as server:
        before, cpu = server.memory_mb, server.cpu_seconds

        async def together() -> float:
            start = time.perf_counter()
            if engine == "floor":
                await _read_bytes(server.port)
            else:
                await asyncio.gather(*[_read_all(server.port, f"m{at}") for at in range(readers)])
            return time.perf_counter() - start

        seconds = asyncio.run(together())
        read = events * readers
        return read / seconds, (server.cpu_seconds - cpu) / read * 1e6, server.memory_mb - before


def _others(engine: str, members: list[str], folder: Path) -> str:
    """Live latency of 20 members while nobody, and while one other, catches up over and over."""

    async def measure(port: int, server: servers.Server, *, disturbed: bool) -> float:
        async def again() -> None:
            while True:
                await _read_all(port, "m99")

        connection = await h2.Connection.open("127.0.0.1", port, "s0")
        answer = await connection.call(
            "/chat.v1.RoomService/GetRoom", pb.GetRoomRequest(room_id="general").SerializeToString()
        )
        connection.close()
        room = pb.GetRoomResponse.FromString(answer).room
        other = asyncio.create_task(again()) if disturbed else None
        # The members begin at the head: their own history is not what is measured.
        cursor = pb.Cursor(room_id="general", seq=room.last_seq, epoch=room.epoch)
        result = await open_loop(server, members=20, per_second=50, seconds=5, cursor=cursor)
        if other:
            other.cancel()
        return percentile([result], 0.99)

    figures = []
    for disturbed in (False, True):
        with _server(engine, members, folder) as server:
            figures.append(asyncio.run(measure(server.port, server, disturbed=disturbed)))
    quiet, busy = figures
    return (
        f"| live messages to 20 others, {engine}, p99: {quiet:.1f} ms alone, {busy:.1f} ms during a catch-up "
        "| | | |"
    )
