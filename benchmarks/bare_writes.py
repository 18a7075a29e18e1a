"""What the operating system takes of a delivery: bytes written to sockets at a pace, and nothing else.

On loopback, the kernel delivers them within the write.

    python -m benchmarks.bare_writes MEMBERS PER_SECOND BYTES
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time

from benchmarks import servers


def main(members: int, per_second: int, size: int) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=members)
    print(f"listening on 127.0.0.1:{listening.getsockname()[1]}", flush=True)
    clients = [listening.accept()[0] for _ in range(members)]
    descriptors = [client.fileno() for client in clients]
    for client in clients:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data, due = bytes(size), time.perf_counter()
    while True:
        due += 1 / per_second
        time.sleep(max(0.0, due - time.perf_counter()))
        for descriptor in descriptors:
            os.write(descriptor, data)


async def measure(*, members: int, per_second: int, size: int, seconds: int) -> float:
    """CPU of one write in µs; the readers are on this event loop, as those of the other benchmarks are."""
    with servers.bare_writes(members, per_second, size) as server:
        loop = asyncio.get_running_loop()
        readers = [
            await loop.create_connection(asyncio.Protocol, "127.0.0.1", server.port) for _ in range(members)
        ]
        await asyncio.sleep(0.5)
        cpu = server.cpu_seconds
        await asyncio.sleep(seconds)
        used = server.cpu_seconds - cpu
        for transport, _ in readers:
            transport.pause_reading()
    for transport, _ in readers:
        transport.close()
    return used / (members * per_second * seconds) * 1e6


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
