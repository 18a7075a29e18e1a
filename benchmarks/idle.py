"""Members who say nothing: what each costs, and how long it takes until all are back after a restart."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from statistics import linear_regression

from benchmarks import h2, servers
from benchmarks.fanout import SUBSCRIBE
from grpc_chat.wire import chat_pb2 as pb

GOALS_KB = {"plain": 12, "TLS": 50}
"""The most that an idle member may take on the asyncio engine."""
WARM_UP = 20


async def join(
    port: int,
    members: int,
    at_once: int,
    *,
    first: int = 0,
    tls: ssl.SSLContext | None = None,
    local: str | None = None,
) -> list[h2.Connection]:
    """Connect and subscribe; returns when all have caught up.

    Args:
        first: The number of the first of them.
        tls: With which to encrypt, if at all.
        local: The address to connect from.
    """
    subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    places = asyncio.Semaphore(at_once)

    async def join(at: int) -> h2.Connection:
        async with places:
            connection = await h2.Connection.open("127.0.0.1", port, f"m{at}", tls=tls, local=local)
        caught_up = asyncio.Event()

        def read(data: memoryview) -> None:
            if bytes(data).endswith(b"\x2a\x00"):
                caught_up.set()

        connection.stream(SUBSCRIBE, subscribe, read)
        await caught_up.wait()
        return connection

    return await asyncio.gather(*[join(at) for at in range(first, first + members)])


def row(*, members: int, seconds: int) -> str:
    """Memory and CPU of idle members; then all reconnect in the same moment."""
    servers.raise_descriptor_limit()
    ids = [f"m{at}" for at in range(members)]

    async def measure(server: servers.Server) -> tuple[float, float, float]:
        before = server.memory_mb
        connections = await join(server.port, members, at_once=200)
        await asyncio.sleep(2)
        kilobytes = (server.memory_mb - before) * 1024 / members
        cpu = server.cpu_seconds
        await asyncio.sleep(seconds)
        idle = (server.cpu_seconds - cpu) / seconds
        for connection in connections:
            connection.close()
        start = time.perf_counter()
        for connection in await join(server.port, members, at_once=members):
            connection.close()
        return kilobytes, idle, time.perf_counter() - start

    with servers.chat(ids) as server:
        kilobytes, idle, back = asyncio.run(measure(server))
    return f"| {members:,} | {kilobytes:.0f} | {idle * 100:.1f} % | {back:.1f} s |"


def memory_rows(counts: Sequence[int]) -> list[str]:
    """What one more idle member takes, plain and with TLS, on each engine.

    Args:
        counts: Of members at which memory is read, ascending; what a member takes is the slope between them.
    """
    servers.raise_descriptor_limit()
    return [_memory_row(engine, name, counts) for name in GOALS_KB for engine in servers.ENGINES]


def _memory_row(engine: str, name: str, counts: Sequence[int]) -> str:
    tls = h2.any_certificate() if name == "TLS" else None

    async def measure(server: servers.Server) -> list[float]:
        # What is made when it is first needed is there before anything is counted.
        for connection in await join(server.port, WARM_UP, at_once=WARM_UP, tls=tls):
            connection.close()
        found: list[float] = []
        connections: list[h2.Connection] = []
        for count in counts:
            here = len(connections)
            connections += await join(server.port, count - here, at_once=50, first=here, tls=tls)
            await asyncio.sleep(1)
            found.append(server.memory_mb * 1024)
        for connection in connections:
            connection.close()
        return found

    ids = [f"m{at}" for at in range(counts[-1])]
    certificate = str(tls is not None)
    with servers.chat(
        ids, GRPC_CHAT_GRPC__ENGINE=engine, GRPC_CHAT_TLS__DEV_CERTIFICATE=certificate
    ) as server:
        found = asyncio.run(measure(server))
    each = linear_regression(counts, found).slope
    goal = f"{GOALS_KB[name]}" if engine == "asyncio" else ""
    steps = ", ".join(f"{kb / 1024:.0f}" for kb in found)
    return f"| {name} | {engine} | {each:.1f} | {goal} | {steps} |"
