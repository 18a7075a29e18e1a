"""Members who do not read while many messages pass: the server's memory, the others' latency, and the end.

python -m benchmarks stalled
"""

from __future__ import annotations

import asyncio
import resource

from benchmarks import h2, servers
from benchmarks.fanout import SEND, SUBSCRIBE, Result, open_loop, percentile, request
from grpc_chat.wire import chat_pb2 as pb

_LIVE = 20
_WINDOW = 256
_MOST_SECONDS = 600


class _Follower:
    """Checks that each number of the room comes once and in order."""

    def __init__(self) -> None:
        self.next_seq = 1
        self.changed = asyncio.Event()
        self._buffer = bytearray()

    def read(self, data: memoryview) -> None:
        self._buffer += data
        while len(self._buffer) >= 5:
            end = 5 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < end:
                return
            response = pb.SubscribeResponse.FromString(bytes(self._buffer[5:end]))
            del self._buffer[:end]
            for event in response.events:
                assert event.seq == self.next_seq, f"{event.seq} came where {self.next_seq} was due"
                self.next_seq += 1
            self.changed.set()

    async def until(self, seq: int) -> None:
        while self.next_seq <= seq:
            self.changed.clear()
            await self.changed.wait()


async def _room(port: int) -> pb.Room:
    connection = await h2.Connection.open("127.0.0.1", port, "s0")
    data = pb.GetRoomRequest(room_id="general").SerializeToString()
    answer = await connection.call("/chat.v1.RoomService/GetRoom", data)
    connection.close()
    return pb.GetRoomResponse.FromString(answer).room


async def _lone(server: servers.Server) -> Result:
    """Messages at a fixed pace to members who read, from the head on."""
    room = await _room(server.port)
    cursor = pb.Cursor(room_id="general", seq=room.last_seq, epoch=room.epoch)
    return await open_loop(server, members=_LIVE, per_second=50, seconds=5, cursor=cursor)


async def _measure(server: servers.Server, *, stalled: int, messages: int, checked: int) -> str:
    before = percentile([await _lone(server)], 0.99)
    subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")], include_own=True)
    followers, connections = [], []
    for at in range(stalled):
        # As a gRPC client whose program does not read: it answers pings, and gives no window for more.
        connection = await h2.Connection.open("127.0.0.1", server.port, f"m{at % 100}", window=65_535)
        follower = _Follower()
        connection.stream(SUBSCRIBE, subscribe.SerializeToString(), follower.read)
        followers.append(follower)
        connections.append(connection)
    start = (await _room(server.port)).last_seq
    await asyncio.gather(*[follower.until(start) for follower in followers])
    memory = server.memory_mb
    server.forget_peak()
    sender = await h2.Connection.open("127.0.0.1", server.port, "s0")
    for number in range(0, messages, _WINDOW):
        await sender.call(SEND, request(number, _WINDOW))
    sender.close()
    grown, most = server.memory_mb - memory, server.peak_mb - memory
    during = percentile([await _lone(server)], 0.99)
    end = (await _room(server.port)).last_seq
    for connection in connections[checked:]:
        connection.abort()
    for connection in connections[:checked]:
        connection.widen()
    await asyncio.gather(*[follower.until(end) for follower in followers[:checked]])
    for connection in connections[:checked]:
        connection.close()
    return (
        f"{stalled:,} members, while {end - start:,} messages pass | "
        f"{grown:+.0f} MB ({grown * 1024 / stalled:.0f} KB each), at most {most:+.0f} MB | "
        f"{before:.1f} ms before, {during:.1f} ms during | "
        f"{checked} read on: {end:,} events each, once and in order |"
    )


def rows(*, stalled: int, messages: int, checked: int) -> list[str]:
    """A row for each engine: all of it on one server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ids = [f"m{at}" for at in range(100)] + ["s0"]
    found = []
    for engine in servers.ENGINES:
        with servers.chat(ids, GRPC_CHAT_GRPC__ENGINE=engine) as server:
            measuring = _measure(server, stalled=stalled, messages=messages, checked=checked)
            found.append(f"| {engine} | {asyncio.run(asyncio.wait_for(measuring, _MOST_SECONDS))}")
    return found
