"""What one SendMessages of one message costs, over a bare unary call that does nothing."""

from __future__ import annotations

import asyncio
import statistics
import time

from benchmarks import h2, servers
from benchmarks.fanout import EVENT_BYTES, SEND, request


async def _calls(server: servers.Server, *, at_once: int, count: int) -> tuple[float, float]:
    """Calls a second, and server CPU for one in µs; each of ``at_once`` connections awaits its answers."""
    connections = [await h2.Connection.open("127.0.0.1", server.port, f"s{at}") for at in range(at_once)]
    each = count // at_once
    requests = [[request(n, 1) for n in range(each)] for _ in connections]
    for connection in connections:
        await connection.call(SEND, request(0, 1))
    cpu, start = server.cpu_seconds, time.perf_counter()

    async def run(connection: h2.Connection, datas: list[bytes]) -> None:
        for data in datas:
            await connection.call(SEND, data)

    await asyncio.gather(*map(run, connections, requests))
    seconds = time.perf_counter() - start
    used = server.cpu_seconds - cpu
    for connection in connections:
        connection.close()
    return each * at_once / seconds, used / (each * at_once) * 1e6


def row(*, at_once: int, count: int, runs: int) -> str:
    """A row of the table."""
    ours, floors = [], []
    for _ in range(runs):
        with servers.chat([f"s{at}" for at in range(at_once)]) as server:
            ours.append(asyncio.run(_calls(server, at_once=at_once, count=count)))
        with servers.floor(EVENT_BYTES) as server:
            floors.append(asyncio.run(_calls(server, at_once=at_once, count=count)))
    mine, bare = (
        [statistics.median(column) for column in zip(*rows, strict=True)] for rows in (ours, floors)
    )
    return (
        f"| {at_once} at once | {mine[0]:,.0f} | {bare[0]:,.0f} | {mine[1]:.0f} | {bare[1]:.0f} | "
        f"{mine[1] / bare[1]:.2f} |"
    )
