"""What grows with what: members, rooms of a user, the length of a history, the size of the database."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import h2, servers
from benchmarks.catchup import database
from benchmarks.fanout import SUBSCRIBE, closed_loop
from benchmarks.fill import fill
from grpc_chat.wire import chat_pb2 as pb


def members(counts: list[int]) -> list[str]:
    """CPU for each delivery, 32 messages in flight, by the number of members."""
    lines = []
    for count in counts:
        ids = [f"m{at}" for at in range(count)] + ["s0"]
        with servers.chat(ids) as server:
            messages = max(32, 200_000 // count // 32 * 32)
            result = asyncio.run(closed_loop(server, members=count, senders=1, window=32, messages=messages))
        lines.append(f"| {count:,} members | {result.cpu_us:.2f} µs a delivery |")
    return lines


def rooms(counts: list[int]) -> list[str]:
    """A user in many rooms: opening a stream over all of them, and one message in one of them."""
    lines = []
    for count in counts:
        folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
        names = [f"room-{at:05d}" for at in range(count)]
        try:
            # A server with trusted ids makes `general` beside them.
            fill(folder, members=["m0", "s0"], events=0, rooms=names)
            with servers.chat(["m0", "s0"], data=folder) as server:
                opening, message = asyncio.run(_many_rooms(server.port, names))
        finally:
            shutil.rmtree(folder)
        lines.append(
            f"| a user in {count:,} rooms | stream open after {opening * 1000:.1f} ms, "
            f"a message there after {message * 1000:.1f} ms |"
        )
    return lines


async def _many_rooms(port: int, names: list[str]) -> tuple[float, float]:
    reader = await h2.Connection.open("127.0.0.1", port, "m0")
    sender = await h2.Connection.open("127.0.0.1", port, "s0")
    caught_up, arrived = asyncio.Event(), asyncio.Event()

    def read(data: memoryview) -> None:
        if b"#hello#" in bytes(data):
            arrived.set()
        if bytes(data).endswith(b"\x2a\x00"):
            caught_up.set()

    start = time.perf_counter()
    reader.stream(SUBSCRIBE, pb.SubscribeRequest(consumer="bench").SerializeToString(), read)
    await caught_up.wait()
    opening = time.perf_counter() - start
    times = []
    for at in range(50):
        arrived.clear()
        message_id = f"00000000-0000-4000-8000-{at:012d}"
        message = pb.OutgoingMessage(room_id=names[-1], client_message_id=message_id, text="#hello#")
        start = time.perf_counter()
        await sender.call(
            "/chat.v1.MessageService/SendMessages",
            pb.SendMessagesRequest(messages=[message]).SerializeToString(),
        )
        await arrived.wait()
        times.append(time.perf_counter() - start)
    reader.close()
    sender.close()
    return opening, statistics.median(times)


def history(sizes: list[int]) -> list[str]:
    """A page of 50 at both ends and in the middle, and the start of the server, by the room's length."""
    lines = []
    for size in sizes:
        folder = database(size, ["m0"])
        try:
            start = time.perf_counter()
            with servers.chat(["m0"], data=folder) as server:
                starting = time.perf_counter() - start
                places = [{"before_seq": size}, {"around_seq": size // 2}, {"after_seq": 0}]
                pages = asyncio.run(_pages(server.port, places))
            megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        finally:
            shutil.rmtree(folder)
        newest, middle, oldest = (page * 1000 for page in pages)
        lines.append(
            f"| {size:,} events ({megabytes:,.0f} MB) | newest {newest:.2f} ms, middle {middle:.2f} ms, "
            f"oldest {oldest:.2f} ms; server up after {starting:.1f} s |"
        )
    return lines


async def _pages(port: int, places: list[dict[str, int]]) -> list[float]:
    connection = await h2.Connection.open("127.0.0.1", port, "m0")

    async def page(place: dict[str, int]) -> None:
        request = pb.ListMessagesRequest(room_id="general", page_size=50, **place)  # type: ignore[arg-type]
        answer = await connection.call("/chat.v1.MessageService/ListMessages", request.SerializeToString())
        assert len(pb.ListMessagesResponse.FromString(answer).events) == 50

    times = [await _median_time(lambda place=place: page(place)) for place in places]  # type: ignore[misc]
    connection.close()
    return times


async def _median_time(call: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(100):
        start = time.perf_counter()
        await call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
