"""What one SendMessages of one message costs, over a bare unary call that does nothing."""

from __future__ import annotations

import asyncio
import statistics
import time

from benchmarks import h2, servers
from benchmarks.fanout import EVENT_BYTES, SEND, request
from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.core.rates import Rate
from grpc_chat.core.trusted import TrustedIds
from grpc_chat.metrics import Metrics
from grpc_chat.wire import chat_pb2 as pb


async def calls(server: servers.Server, *, at_once: int, count: int) -> tuple[float, float]:
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


class _Nothing:
    """Services whose every method returns at once."""

    async def nothing(self, _caller: object, _request: object, _write: object = None) -> bytes:
        return b""

    def __getattr__(self, name: str) -> object:
        return self.nothing


def pipeline_row(*, count: int, runs: int) -> str:
    """What identity, limits, metrics, logs and reading the request cost, beside a bare call: the CPU of both.

    In this process, of calls that are given to the pipeline as bytes; the floor's as in the rows above it.
    """
    line = Pipeline(
        dict.fromkeys(pb.DESCRIPTOR.services_by_name, _Nothing()),
        authenticator=TrustedIds(["s0"]),
        checker=RequestChecker(Limits()),
        rate=Rate(per_second=1e9, burst=1e9),
        metrics=Metrics(),
    )
    method = next(method for method in line.methods if method.path == SEND)
    metadata = [("user-agent", "benchmark"), ("authorization", "Bearer s0")]
    data = request(0, 1)

    async def carried_out() -> float:
        start = time.process_time()
        for _ in range(count):
            await line.call(method, metadata, data)
        return (time.process_time() - start) / count * 1e6

    ours, floors = [], []
    for _ in range(runs):
        ours.append(asyncio.run(carried_out()))
        with servers.floor(EVENT_BYTES) as server:
            floors.append(asyncio.run(calls(server, at_once=64, count=count))[1])
    mine, bare = statistics.median(ours), statistics.median(floors)
    return f"| identity, limits, metrics, logs alone | | | {mine:.0f} | {bare:.0f} | {mine / bare:.2f} |"


def row(*, at_once: int, count: int, runs: int) -> str:
    """A row of the table."""
    ours, floors = [], []
    for _ in range(runs):
        with servers.chat([f"s{at}" for at in range(at_once)]) as server:
            ours.append(asyncio.run(calls(server, at_once=at_once, count=count)))
        with servers.floor(EVENT_BYTES) as server:
            floors.append(asyncio.run(calls(server, at_once=at_once, count=count)))
    mine, bare = (
        [statistics.median(column) for column in zip(*rows, strict=True)] for rows in (ours, floors)
    )
    return (
        f"| {at_once} at once | {mine[0]:,.0f} | {bare[0]:,.0f} | {mine[1]:.0f} | {bare[1]:.0f} | "
        f"{mine[1] / bare[1]:.2f} |"
    )
