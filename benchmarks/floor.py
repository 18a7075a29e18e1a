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

from grpc_chat.transport.grpc_server import Transport


class Floor:
    """A log of bytes, and those who read it."""

    def __init__(self, event_bytes: int) -> None:
        self._event_bytes = event_bytes
        self._log: list[bytes] = []
        self._shared: dict[int, bytes] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def send(self, request: bytes, _context: object) -> bytes:
        # As long as our server's events would be; the request's own bytes are shorter.
        count = request.count(b"general")
        self._log.append(request.ljust(count * self._event_bytes, b"."))
        self._shared.clear()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return b"\x0a\x00" * count

    async def subscribe(self, _request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        at = len(self._log)
        await context.write(b"\x2a\x00")
        while True:
            if at < len(self._log):
                data = self._shared.get(at)
                if data is None:
                    data = self._shared[at] = b"".join(self._log[at:])
                at = len(self._log)
                await context.write(data)
            else:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                await future


async def main(event_bytes: int) -> None:
    floor = Floor(event_bytes)
    server = grpc.aio.server(options=Transport().options(), maximum_concurrent_rpcs=50_000)
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
