"""What a lone message costs to browsers that follow a room over Connect, beside gRPC and the floor.

python -m benchmarks browsers
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable

from benchmarks.fanout import SUBSCRIBE, Result, Start, both, in_turns, median, open_loop, percentile


class _Browser(asyncio.Protocol):
    """A stream over HTTP/1.1; what reads it looks for the messages' texts alone."""

    def __init__(self, token: str, request: bytes, read: Callable[[memoryview], None]) -> None:
        self.on_data = {1: read}
        body = b"\0" + len(request).to_bytes(4, "big") + request
        head = (
            f"POST {SUBSCRIBE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/connect+proto\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._asks = head.encode() + body
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._asks)

    def data_received(self, data: bytes) -> None:
        self.on_data[1](memoryview(data))

    def close(self) -> None:
        assert self._transport
        self._transport.close()


async def _by_connect(
    port: int, token: str, subscribe: bytes, read: Callable[[memoryview], None]
) -> _Browser:
    loop = asyncio.get_running_loop()
    _, browser = await loop.create_connection(lambda: _Browser(token, subscribe, read), "127.0.0.1", port)
    return browser


def row(*, members: int, per_second: int, seconds: int, runs: int) -> str:
    """A row of the table."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        web = taken.getsockname()[1]
    ours, floor = both(members, 1, GRPC_CHAT_WEB__PORT=str(web))

    def once(start: Start) -> tuple[Result, Result | None]:
        measure = functools.partial(open_loop, members=members, per_second=per_second, seconds=seconds)
        with start() as server:
            by_grpc = asyncio.run(measure(server))
            if start is floor:
                return by_grpc, None
            return by_grpc, asyncio.run(measure(server, port=web, follow=_by_connect))

    mine, bare = in_turns([ours, floor], runs, once)
    results = [
        [found for _, found in mine if found],
        [found for found, _ in mine],
        [found for found, _ in bare],
    ]
    cells = [
        f"{percentile(each, 0.5):.1f} / {percentile(each, 0.99):.1f} | {median(each, lambda r: r.cpu_us):.1f}"
        for each in results
    ]
    ratio = median(results[0], lambda r: r.cpu_us) / median(results[2], lambda r: r.cpu_us)
    return f"| {per_second}/s to {members} browsers | {' | '.join(cells)} | {ratio:.2f} |"
