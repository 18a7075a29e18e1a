"""Ten thousand at once: python -m tests.herd [--connections 10000] [--rounds 3] [--engine asyncio]

As many clients connect, follow the room on a stream each, stay a moment and leave, several times over.
Watched from inside the server, which has a process of its own, as in :mod:`tests.soak`. Exit code 0 if none
is left after each round, and the last round takes hardly more memory than the first.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks import idle, servers
from tests import soak
from tests.engine import ENGINE

AT_ONCE = 100
PATIENCE = 60.0
"""Seconds until connecting, or leaving, counts as hanging."""
SETTLE = 10.0


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        start: Before any of them came, with what is made when it is first needed.
        full: Of each round, with all of them there.
        after: Of each round, when all had left.
    """

    connections: int
    start: soak.State
    full: list[soak.State] = field(default_factory=list)
    after: list[soak.State] = field(default_factory=list)
    seconds: float = 0

    @property
    def complete(self) -> bool:
        """Whether all of them were there at once, in each round."""
        return all(state.streams == self.connections for state in self.full)

    @property
    def clean(self) -> bool:
        """Whether nothing of them was left after each round."""
        return all(state.back_to(self.start) for state in self.after)

    @property
    def kilobytes(self) -> float:
        """What each took, in the first round."""
        return (self.full[0].memory_mb - self.start.memory_mb) * 1024 / self.connections

    @property
    def grown_mb(self) -> float:
        """How much more the last round took than the first, or left behind."""
        return max(states[-1].memory_mb - states[0].memory_mb for states in (self.full, self.after))

    def __str__(self) -> str:
        states = [self.start, *self.after]
        return (
            f"{self.seconds:.0f} s, {len(self.full)} times {self.connections:,} connections, "
            f"{self.kilobytes:.1f} KB each: memory {self.start.memory_mb:.0f} MB before, "
            f"{_each(round(state.memory_mb) for state in self.full)} with all, "
            f"{_each(round(state.memory_mb) for state in self.after)} after; "
            f"streams {_each(state.streams for state in self.full)} with all; before and after: "
            f"streams {_each(state.streams for state in states)}, "
            f"connections {_each(state.connections for state in states)}, "
            f"tasks {_each(state.tasks for state in states)}, "
            f"descriptors {_each(state.descriptors for state in states)}"
        )


def _each(figures: Iterable[int]) -> str:
    return ", ".join(f"{figure:,}" for figure in figures)


async def herd(*, connections: int, rounds: int, engine: str, stay: float = 1.0) -> Report:
    """Run it against a server of its own.

    Args:
        stay: Seconds after all have come, and again after all have left, until anything is counted.

    Raises:
        TimeoutError: Connecting, or noticing that all have left, took too long.
    """
    async with soak.server(engine, members=connections) as target:
        # What is made when it is first needed is there before anything is counted.
        _, start = await _come_and_leave(target, min(connections, AT_ONCE), 0, stay)
        begun = time.monotonic()
        report = Report(connections, start)
        for round_ in range(rounds):
            full, after = await _come_and_leave(target, connections, round_, stay)
            report.full.append(full)
            report.after.append(after)
        report.seconds = time.monotonic() - begun
    return report


async def _come_and_leave(
    target: soak.Server, count: int, round_: int, stay: float
) -> tuple[soak.State, soak.State]:
    """One round; the states in the midst of it and after it."""
    # Ports of those that have closed are kept for a minute, and an address has not enough of them for all.
    async with asyncio.timeout(PATIENCE):
        members = await idle.join(target.port, count, at_once=AT_ONCE, local=f"127.0.0.{2 + round_}")
    await asyncio.sleep(stay)
    state = await target.state()
    for at, member in enumerate(members):
        # Half of them are just gone.
        if at % 2:
            member.close()
        else:
            member.abort()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*[member.closed for member in members])
    return state, await _left(target, stay)


async def _left(target: soak.Server, rest: float) -> soak.State:
    """The state some seconds after all have left, or when that has been waited for in vain."""
    end = time.monotonic() + SETTLE
    while ((state := await target.state()).streams or state.connections) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await asyncio.sleep(rest)
    return await target.state()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--most-mb", type=float, default=20, help="by which the last round may exceed the first"
    )
    parser.add_argument("--engine", default=ENGINE, choices=servers.ENGINES, help="see grpc.engine")
    given = parser.parse_args(arguments)
    servers.raise_descriptor_limit()
    report = asyncio.run(herd(connections=given.connections, rounds=given.rounds, engine=given.engine))
    print(f"{given.engine}: {report}")
    return 0 if report.complete and report.clean and report.grown_mb <= given.most_mb else 1


if __name__ == "__main__":
    sys.exit(main())
