"""The two engines of ``grpc.engine`` and the floor, in turns: the server's CPU for a delivery or a call.

python -m benchmarks engines
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import fanout, idle, servers, unary
from benchmarks.fill import fill

Once = Callable[[servers.Server], Coroutine[Any, Any, float]]


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


def _row(name: str, once: Once, ids: list[str], *, runs: int, rooms: int = 1, floor: bool = True) -> str:
    names = (*servers.ENGINES, "floor") if floor else servers.ENGINES
    figures: dict[str, list[float]] = {engine: [] for engine in names}
    for _ in range(runs):
        for engine in names:
            with _server(engine, ids, rooms) as server:
                figures[engine].append(asyncio.run(once(server)))
    middle = {engine: statistics.median(found) for engine, found in figures.items()}
    ours, theirs = (middle[engine] for engine in servers.ENGINES)
    bare = f"{middle['floor']:.2f} | {ours / middle['floor']:.2f}" if floor else "|"
    return f"| {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {bare} |"


def rows(*, runs: int, seconds: int, messages: int, calls: int, idle_members: int) -> list[str]:
    """The rows of the table."""
    servers.raise_descriptor_limit()

    def names(members: int, senders: int) -> list[str]:
        return [f"m{at}" for at in range(members)] + [f"s{at}" for at in range(senders)]

    async def lone(server: servers.Server) -> float:
        return (await fanout.open_loop(server, members=100, per_second=50, seconds=seconds)).cpu_us

    async def crowd(server: servers.Server) -> float:
        load = {"members": 100, "senders": 1, "window": 32, "messages": messages}
        return (await fanout.closed_loop(server, **load)).cpu_us

    async def small_rooms(server: servers.Server) -> float:
        load = {"members": 200, "senders": 10, "window": 32, "messages": messages, "rooms": 10}
        return (await fanout.closed_loop(server, **load)).cpu_us

    def sends(at_once: int) -> Once:
        async def run(server: servers.Server) -> float:
            return (await unary.calls(server, at_once=at_once, count=calls))[1]

        return run

    async def kilobytes(server: servers.Server) -> float:
        for connection in await idle.join(server.port, 20, at_once=20):
            connection.close()
        before = server.memory_mb
        connections = await idle.join(server.port, idle_members, at_once=100)
        grown = server.memory_mb - before
        for connection in connections:
            connection.close()
        return grown * 1024 / idle_members

    return [
        _row("lone message, 50/s to 100 members", lone, names(100, 1), runs=runs),
        _row("1 room x 100, window 32", crowd, names(100, 1), runs=runs),
        _row("10 rooms x 20, window 32", small_rooms, names(200, 10), runs=runs, rooms=10),
        _row("SendMessages, 1 at once", sends(1), names(0, 1), runs=runs),
        _row("SendMessages, 64 at once", sends(64), names(0, 64), runs=runs),
        _row("KB of an idle member", kilobytes, names(idle_members, 0), runs=1, floor=False),
    ]
