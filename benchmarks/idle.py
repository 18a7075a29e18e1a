"""Members who say nothing: what each costs, and how long it takes until all are back after a restart."""

from __future__ import annotations

import asyncio
import resource
import time

from benchmarks import h2, servers
from benchmarks.fanout import SUBSCRIBE
from grpc_chat.wire import chat_pb2 as pb


async def join(port: int, members: int, at_once: int) -> list[h2.Connection]:
    """Connect and subscribe; returns when all have caught up."""
    subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    places = asyncio.Semaphore(at_once)

    async def join(at: int) -> h2.Connection:
        async with places:
            connection = await h2.Connection.open("127.0.0.1", port, f"m{at}")
        caught_up = asyncio.Event()

        def read(data: memoryview) -> None:
            if bytes(data).endswith(b"\x2a\x00"):
                caught_up.set()

        connection.stream(SUBSCRIBE, subscribe, read)
        await caught_up.wait()
        return connection

    return await asyncio.gather(*[join(at) for at in range(members)])


def row(*, members: int, seconds: int) -> str:
    """Memory and CPU of idle members; then all reconnect in the same moment."""
    # Ours and the server's: a descriptor for each connection.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
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
