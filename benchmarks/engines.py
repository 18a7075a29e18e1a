"""The two engines of ``grpc.engine`` and the floor, in turns: the server's CPU for a delivery or a call.

Each server has had messages before: its code is warm, and where messages come alone, SQLite's log has its
full size. While the log grows, each commit waits for the disk four times instead of three.

python -m benchmarks engines
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import bare_writes, fanout, idle, servers, unary
from benchmarks.fill import fill

Figures = Sequence[float]
Once = Callable[[servers.Server], Coroutine[Any, Any, Figures]]
_LONE_BEFORE = 1_000
"""Messages, each of which adds some five pages to SQLite's log, which is begun anew after 4,000."""

_FRAMING_BYTES = 14
"""The headers of an HTTP/2 frame and of a gRPC message."""


@contextmanager
def _server(engine: str, ids: list[str], rooms: int) -> Iterator[servers.Server]:
    if engine == "floor":
        with servers.floor(fanout.EVENT_BYTES) as server:
            yield server
        return
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
    try:
        fill(folder, members=ids, events=0, rooms=fanout.room_ids(rooms))
        with servers.chat(ids, data=folder, GRPC_CHAT_GRPC__ENGINE=engine) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rows(
    names: Sequence[str], once: Once, ids: list[str], *, runs: int, rooms: int = 1, floor: bool = True
) -> list[str]:
    """A row for each of the figures that ``once`` returns."""
    engines = (*servers.ENGINES, "floor") if floor else servers.ENGINES
    figures: dict[str, list[Figures]] = {engine: [] for engine in engines}
    for _ in range(runs):
        for engine in engines:
            with _server(engine, ids, rooms) as server:
                figures[engine].append(asyncio.run(once(server)))
    return [
        _row(name, {engine: [each[at] for each in figures[engine]] for engine in engines})
        for at, name in enumerate(names)
    ]


def _row(name: str, figures: dict[str, list[float]]) -> str:
    middle = {engine: statistics.median(found) for engine, found in figures.items()}
    ours, theirs = (middle[engine] for engine in servers.ENGINES)
    bare = f"{_told(middle['floor'])} | {ours / middle['floor']:.2f}" if "floor" in middle else "|"
    return f"| {name} | {_told(ours)} | {_told(theirs)} | {ours / theirs:.2f} | {bare} |"


def _told(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.2f}"


def rows(*, runs: int, seconds: int, messages: int, calls: int, idle_members: int) -> list[str]:
    """The rows of the table."""
    servers.raise_descriptor_limit()

    def names(members: int, senders: int) -> list[str]:
        return [f"m{at}" for at in range(members)] + [f"s{at}" for at in range(senders)]

    async def lone(server: servers.Server) -> Figures:
        before = min(messages, _LONE_BEFORE)
        await fanout.closed_loop(server, members=100, senders=1, window=1, messages=before)
        run = await fanout.open_loop(server, members=100, per_second=50, seconds=seconds)
        return run.cpu_us, fanout.percentile([run], 0.5), fanout.percentile([run], 0.99)

    async def twice(server: servers.Server, **load: int) -> Figures:
        await fanout.closed_loop(server, **load)
        run = await fanout.closed_loop(server, **load)
        return run.cpu_us, run.per_second

    async def crowd(server: servers.Server) -> Figures:
        return await twice(server, members=100, senders=1, window=32, messages=messages)

    async def small_rooms(server: servers.Server) -> Figures:
        return await twice(server, members=200, senders=10, window=32, messages=messages, rooms=10)

    def sends(at_once: int) -> Once:
        async def run(server: servers.Server) -> Figures:
            return (await unary.calls(server, at_once=at_once, count=calls))[1:]

        return run

    async def kilobytes(server: servers.Server) -> Figures:
        for connection in await idle.join(server.port, 20, at_once=20):
            connection.close()
        before = server.memory_mb
        connections = await idle.join(server.port, idle_members, at_once=100)
        grown = server.memory_mb - before
        for connection in connections:
            connection.close()
        return (grown * 1024 / idle_members,)

    def writes() -> str:
        paced = {"members": 100, "per_second": 50, "size": fanout.EVENT_BYTES + _FRAMING_BYTES}
        found = [asyncio.run(bare_writes.measure(**paced, seconds=seconds)) for _ in range(runs)]
        return f"| writes to 100 sockets, 50/s, and nothing else | {statistics.median(found):.2f} | | | | |"

    return [
        *_rows(
            ["lone message, 50/s to 100 members, CPU µs a delivery", "p50, ms", "p99, ms"],
            lone,
            names(100, 1),
            runs=runs,
        ),
        writes(),
        *_rows(
            ["1 room x 100, window 32, CPU µs a delivery", "deliveries/s"], crowd, names(100, 1), runs=runs
        ),
        *_rows(
            ["10 rooms x 20, window 32, CPU µs a delivery", "deliveries/s"],
            small_rooms,
            names(200, 10),
            runs=runs,
            rooms=10,
        ),
        *_rows(["SendMessages, 1 at once, CPU µs a call"], sends(1), names(0, 1), runs=runs),
        *_rows(["SendMessages, 64 at once, CPU µs a call"], sends(64), names(0, 64), runs=runs),
        *_rows(["an idle member, KB"], kilobytes, names(idle_members, 0), runs=1, floor=False),
    ]
