"""The floor: a bare grpc.aio server, no chat and no disk, that writes as many bytes to as many streams.

What it costs is grpc.aio's; what our server costs above it is ours. It follows the same rule (what gathers
while a write is under way is the next one) with as little code as that takes, and checks nothing.

    python -m benchmarks.floor BYTES_PER_EVENT
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc

from grpc_chat.transport.grpc_server import GrpcOptions
from grpc_chat.wire import chat_pb2 as pb


class _Room:
    """A log of bytes, and those who wait for more of it."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.shared: dict[int, bytes] = {}
        self.waiting: list[asyncio.Future[None]] = []


class Floor:
    """Rooms; all but `general` are made by their first subscriber."""

    def __init__(self, event_bytes: int) -> None:
        self._event_bytes = event_bytes
        self._rooms = {b"general": _Room()}

    async def send(self, request: bytes, _context: object) -> bytes:
        # The first message's room is right at the beginning.
        start = request[:48]
        room_id = next(room_id for room_id in self._rooms if room_id in start)
        room = self._rooms[room_id]
        # As long as our server's events would be; the request's own bytes are shorter.
        count = request.count(room_id)
        room.log.append(request.ljust(count * self._event_bytes, b"."))
        room.shared.clear()
        waiting, room.waiting = room.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return b"\x0a\x00" * count

    async def subscribe(self, request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        room_id = pb.SubscribeRequest.FromString(request).cursors[0].room_id.encode()
        room = self._rooms.setdefault(room_id, _Room())
        at = len(room.log)
        await context.write(b"\x2a\x00")
        while True:
            if at < len(room.log):
                data = room.shared.get(at)
                if data is None:
                    data = room.shared[at] = b"".join(room.log[at:])
                at = len(room.log)
                await context.write(data)
            else:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                room.waiting.append(future)
                await future


async def main(event_bytes: int) -> None:
    floor = Floor(event_bytes)
    server = grpc.aio.server(options=GrpcOptions().options(), maximum_concurrent_rpcs=50_000)
    handlers: list[tuple[str, str, Any]] = [
        ("chat.v1.MessageService", "SendMessages", grpc.unary_unary_rpc_method_handler(floor.send)),
        ("chat.v1.SubscribeService", "Subscribe", grpc.unary_stream_rpc_method_handler(floor.subscribe)),
    ]
    for service, method, handler in handlers:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
