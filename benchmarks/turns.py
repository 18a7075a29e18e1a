"""How long floods hold the server's event loop, in CPU time, which other programs disturb little.

python -m benchmarks turns

Whatever a turn of the loop does, everybody else waits for it. So the longest turn, and how much of the time
goes by in long ones, say what a flood does to a good client on a machine that is too busy to measure it.
The server is in this process; the floods are those of :mod:`benchmarks.floods`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import time
from typing import Any

from benchmarks import floods, servers
from grpc_chat.testing import running_node

LONG_SECONDS = 0.005
"""A turn that is longer would be noticed."""
_PATIENCE = 30.0


class _Turns:
    """Watches an event loop's selector: between two looks at it lies a turn."""

    def __init__(self, loop: Any) -> None:
        self.cpu: list[float] = []
        self._select = loop._selector.select
        self._since = time.thread_time()
        loop._selector.select = self._watched

    def _watched(self, timeout: float | None) -> Any:
        self.cpu.append(time.thread_time() - self._since)
        try:
            return self._select(timeout)
        finally:
            self._since = time.thread_time()

    def __str__(self) -> str:
        long = sum(turn for turn in self.cpu if turn > LONG_SECONDS)
        return f"{1000 * max(self.cpu):.1f} | {1000 * sum(self.cpu):.0f} | {1000 * long:.0f}"


async def _measure(engine: str, seconds: float, only: str) -> list[str]:
    context = multiprocessing.get_context("spawn")
    lines = []
    limits = {"calls_per_second": 0, "work_per_second": 0}
    async with running_node("a0", grpc={"engine": engine}, limits=limits) as node:
        port = int(node.address.rpartition(":")[2])
        await floods.fill(port)
        turns = _Turns(asyncio.get_running_loop())
        for name in [name for name in floods.FLOODS if only in name]:
            for beyond in (False, True):
                ready, told = context.Event(), context.Queue()
                process = context.Process(
                    target=floods.attack, args=(name, port, seconds, beyond, ready, told), daemon=True
                )
                process.start()
                try:
                    await asyncio.to_thread(ready.wait, _PATIENCE)
                    turns.cpu.clear()
                    sent, connections, ended = await asyncio.to_thread(told.get, True, _PATIENCE)
                except queue.Empty:
                    raise RuntimeError(f"the attacker with {name} did not come to an end") from None
                finally:
                    process.kill()
                    process.join()
                how = "beyond" if beyond else "within"
                lines.append(f"| {name}, {how} | {engine} | {sent:,} | {ended} of {connections} | {turns} |")
    return lines


def rows(*, seconds: float, engines: tuple[str, ...] = servers.ENGINES, only: str = "") -> list[str]:
    """Two rows for each flood and engine, within the budget and beyond it."""
    return [line for engine in engines for line in asyncio.run(_measure(engine, seconds, only))]
