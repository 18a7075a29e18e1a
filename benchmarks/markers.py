"""What read markers cost the server where everyone reads everything, against what the deliveries cost it.

python -m benchmarks markers

A room with many members, each with a stream, and messages at a pace. Then the same once more, and each
member marks what was delivered as clients of this project do (:mod:`grpc_chat.sdk.marks`). The difference is
what the markers cost.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import h2, servers
from benchmarks.fanout import SEND, SUBSCRIBE, request
from benchmarks.fill import fill
from grpc_chat.sdk.marks import Marks, _Place, pause
from grpc_chat.sdk.models import Message
from grpc_chat.wire import chat_pb2 as pb

_ROOM = "general"
_NOW = datetime(2026, 5, 1, tzinfo=UTC)
_MARK = "/chat.v1.MessageService/MarkRead"


@dataclass(frozen=True, slots=True)
class _Result:
    """One run."""

    deliveries: int
    markers: int
    server_cpu: float


class _Reader:
    """A member who reads along."""

    def __init__(self, connection: h2.Connection, members: int, *, marks: bool, rare: bool) -> None:
        self._connection = connection
        self._members = members
        self._rare = rare
        self.seen = self.markers = 0
        self.end = 0
        self.done = asyncio.Event()
        self.caught_up = asyncio.Event()
        self._marks = Marks(self) if marks else None
        if self._marks:
            # They have all been reading for a while, and are not at the same place of their pauses.
            place = _Place(_ROOM, 0, members, marked_at=time.monotonic() - random.random() * pause(members))
            self._marks._places[_ROOM, 0] = place
        subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=_ROOM)], include_own=True)
        connection.stream(SUBSCRIBE, subscribe.SerializeToString(), self._read)

    def _read(self, data: memoryview) -> None:
        found = bytes(data)
        if b"\x2a\x00" in found:
            self.caught_up.set()
        if (messages := found.count(b"# a message")) == 0:
            return
        self.seen += messages
        if self._marks:
            if self._rare:
                # As if the message before it were long ago.
                self._marks._places[_ROOM, 0].marked_at = float("-inf")
            # A room without other events: the number is the count.
            message = Message(_ROOM, self.seen, "s0", "", _NOW, "")
            self._marks.shown(message, members=self._members)
        if self.seen == self.end:
            self.done.set()

    async def mark_read(self, room: str, seq: int, *, thread_root: int = 0, back: bool = False) -> int:
        self.markers += 1
        marker = pb.ReadMarker(room_id=room, seq=seq, thread_root=thread_root)
        await self._connection.call(_MARK, pb.MarkReadRequest(markers=[marker]).SerializeToString())
        return 0

    async def stop(self, *, at_once: bool) -> None:
        if self._marks and at_once:
            for place in self._marks._places.values():
                if place.task:
                    place.task.cancel()
        elif self._marks:
            await asyncio.gather(*[place.task for place in self._marks._places.values() if place.task])


async def _measure(
    server: servers.Server, *, members: int, gap: float, messages: int, marks: bool, rare: bool
) -> _Result:
    readers = []
    for at in range(members):
        connection = await h2.Connection.open("127.0.0.1", server.port, f"m{at}")
        readers.append((connection, _Reader(connection, members, marks=marks, rare=rare)))
    await asyncio.gather(*[reader.caught_up.wait() for _, reader in readers])
    sender = await h2.Connection.open("127.0.0.1", server.port, "s0")
    for _, reader in readers:
        reader.end = messages
    cpu, start = server.cpu_seconds, time.perf_counter()
    for at in range(messages):
        await asyncio.sleep(max(0.0, start + at * gap - time.perf_counter()))
        await sender.call(SEND, request(at, 1))
    await asyncio.gather(*[reader.done.wait() for _, reader in readers])
    # Where each message is marked by itself, the last ones are as well; otherwise their markers would count
    # more than those of others.
    await asyncio.sleep(max(0.0, start + messages * gap - time.perf_counter()))
    await asyncio.gather(*[reader.stop(at_once=not rare) for _, reader in readers])
    result = _Result(
        messages * members, sum(reader.markers for _, reader in readers), server.cpu_seconds - cpu
    )
    for connection, _ in readers:
        connection.close()
    sender.close()
    return result


def _run(*, members: int, gap: float, messages: int, marks: bool, rare: bool) -> _Result:
    ids = [f"m{at}" for at in range(members)] + ["s0"]
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
    try:
        fill(folder, members=ids, events=0, rooms=[_ROOM])
        with servers.chat(ids, data=folder) as server:
            return asyncio.run(
                _measure(server, members=members, gap=gap, messages=messages, marks=marks, rare=rare)
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row(*, members: int, per_minute: float, seconds: float, runs: int) -> str:
    """A row of the table. The runs without and with markers are in turns."""
    gap = 60 / per_minute
    # Where each message is followed by a pause in which all mark it, one long pause says as much as several.
    rare = gap >= pause(members)
    load = {"members": members, "gap": 3.0 if rare else gap, "rare": rare}
    messages = 4 if rare else max(2, int(seconds / gap))
    pairs = [
        (_run(**load, messages=messages, marks=False), _run(**load, messages=messages, marks=True))  # type: ignore[arg-type]
        for _ in range(runs)
    ]
    without = statistics.median(bare.server_cpu for bare, _ in pairs)
    extra = statistics.median(marked.server_cpu - bare.server_cpu for bare, marked in pairs)
    deliveries = pairs[0][0].deliveries
    markers = statistics.median(marked.markers for _, marked in pairs)
    return (
        f"| {members:,} members, {per_minute:g} a minute | {deliveries:,} | "
        f"{without / deliveries * 1e6:.0f} | "
        f"{markers:,.0f} | {extra / max(markers, 1) * 1e6:.0f} | {extra / without:.2f} |"
    )
