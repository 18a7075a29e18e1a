"""Coming back to a long history: events a second, the server's memory, and what others notice of it."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import h2, servers
from benchmarks.fanout import SUBSCRIBE, open_loop, percentile
from benchmarks.fill import fill
from grpc_chat.wire import chat_pb2 as pb


def database(events: int, members: list[str]) -> Path:
    """A folder with one room of so many events."""
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
    fill(folder, members=members, events=events)
    return folder


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
    """One row for each number of readers at once."""
    members = [f"m{at}" for at in range(100)] + ["s0"]
    folder = database(events, members)
    lines = []
    try:
        for count in readers:
            rates, cpus, memory = [], [], []
            # Many at once are an average of themselves.
            for _ in range(runs if count == 1 else 1):
                with servers.chat(members, data=folder) as server:
                    before, cpu = server.memory_mb, server.cpu_seconds

                    async def together(port: int = server.port, count: int = count) -> float:
                        start = time.perf_counter()
                        await asyncio.gather(*[_read_all(port, f"m{at}") for at in range(count)])
                        return time.perf_counter() - start

                    seconds = asyncio.run(together())
                    rates.append(events * count / seconds)
                    cpus.append((server.cpu_seconds - cpu) / (events * count) * 1e6)
                    memory.append(server.memory_mb - before)
            lines.append(
                f"| {events:,} events, {count} reader(s) | {statistics.median(rates):,.0f} | "
                f"{statistics.median(cpus):.2f} | {max(memory):+.0f} MB |"
            )
        lines.append(_others(members, folder))
    finally:
        shutil.rmtree(folder)
    return lines


def _others(members: list[str], folder: Path) -> str:
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
        with servers.chat(members, data=folder) as server:
            figures.append(asyncio.run(measure(server.port, server, disturbed=disturbed)))
    quiet, busy = figures
    return f"| live messages to 20 others, p99: {quiet:.1f} ms alone, {busy:.1f} ms during a catch-up | | | |"
