"""Floods of HTTP/2 against a server of its own on this machine: python -m benchmarks.attacks [--seconds 15]

While each goes on, a good client sends a message every 20 ms. Measured are how long these take, how much the
server's memory grows, and how soon it is as quick as before when the flood is over. Everything is bounded,
and goes to the loopback address alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import grpc

from benchmarks import servers
from benchmarks.floods import ATTACKS
from grpc_chat import Client
from grpc_chat.errors import ChatError


class Flood:
    """Attackers at work, in a process of their own.

    Attributes:
        sent: Bytes sent, when it is over.
        connections: How many were made, when it is over.
    """

    sent = 0
    connections = 0

    def __init__(self, attack: str, port: int, connections: int, *, seconds: float) -> None:
        self._command = ["-m", "benchmarks.floods", attack, str(port), str(connections), str(seconds)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, *self._command],
            cwd=servers.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    def __exit__(self, *error: object) -> None:
        said, _ = self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError("the attackers failed")
        done = json.loads(said)
        self.sent, self.connections = done["sent"], done["connections"]


@dataclass(slots=True)
class Watch:
    """What a good client and the server's memory went through."""

    waits_ms: list[float] = field(default_factory=list)
    failed: int = 0
    memory_mb: float = 0

    def percentile(self, share: float) -> float:
        """Of the waits."""
        waits = sorted(self.waits_ms)
        return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else float("nan")


async def good_client(server: servers.Server, client: Client, seconds: float) -> Watch:
    """Send a message every 20 ms."""
    watch = Watch()
    end = time.perf_counter() + seconds
    sampling = asyncio.create_task(_sample(server, watch))
    while (begun := time.perf_counter()) < end:
        try:
            await client.send("general", "still here?", timeout=timedelta(seconds=10))
            watch.waits_ms.append((time.perf_counter() - begun) * 1000)
        except ChatError:
            watch.failed += 1
        await asyncio.sleep(max(0.0, begun + 0.02 - time.perf_counter()))
    sampling.cancel()
    return watch


async def _sample(server: servers.Server, watch: Watch) -> None:
    while True:
        watch.memory_mb = max(watch.memory_mb, server.memory_mb)
        await asyncio.sleep(0.05)


async def recovery(server: servers.Server, client: Client, usual_ms: float) -> float:
    """Seconds until ten sends in a row take no more than three times as long as usual."""
    begun = time.perf_counter()
    good_since: float | None = None
    in_a_row = 0
    while in_a_row < 10 and time.perf_counter() - begun < 30:
        sent = time.perf_counter()
        await client.send("general", "better?", timeout=timedelta(seconds=30))
        if (time.perf_counter() - sent) * 1000 <= 3 * usual_ms:
            good_since = good_since or sent
            in_a_row += 1
        else:
            good_since, in_a_row = None, 0
    return (good_since or time.perf_counter()) - begun


async def _row(attack: str, connections: int, seconds: float) -> str:
    with servers.chat(["attacker", "good"]) as server:
        async with Client(f"127.0.0.1:{server.port}", token="good") as client:
            before = await good_client(server, client, 2)
            with Flood(attack, server.port, connections, seconds=seconds + 1) as flood:
                during = await good_client(server, client, seconds)
            after = await recovery(server, client, max(1.0, before.percentile(0.99)))
            if server.process.poll() is not None:
                raise RuntimeError(f"{attack}: the server died")
        grown = during.memory_mb - before.memory_mb
        return (
            f"| {attack} | {connections} | {flood.sent / 1e6 / seconds:,.1f} | {flood.connections:,} | "
            f"{during.percentile(0.5):.1f} / {during.percentile(0.99):.1f} | {during.failed} | "
            f"{grown:+,.0f} | {after:.1f} |"
        )


async def run(attacks: Sequence[str], connections: Sequence[int], seconds: float) -> None:
    """Print the table."""
    print(f"# grpc {grpc.__version__}, {os.cpu_count()} cores, {seconds:g} s each", file=sys.stderr)
    print(
        "| attack | connections | MB/s sent | connections made | good client p50 / p99, ms | failed | "
        "memory, MB | recovered after, s |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    with servers.chat(["good"]) as server:
        async with Client(f"127.0.0.1:{server.port}", token="good") as client:
            calm = await good_client(server, client, seconds)
    print(
        f"| none | 0 | 0 | 0 | {calm.percentile(0.5):.1f} / {calm.percentile(0.99):.1f} | {calm.failed} | | |"
    )
    for attack in attacks:
        for count in connections:
            print(await _row(attack, count, seconds), flush=True)


def main() -> None:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("attacks", nargs="*", help=f"of: {', '.join(ATTACKS)}")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    given = parser.parse_args()
    unknown = set(given.attacks) - set(ATTACKS)
    if unknown:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    asyncio.run(run(given.attacks or list(ATTACKS), given.connections, given.seconds))


if __name__ == "__main__":
    main()
