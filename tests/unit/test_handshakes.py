"""What ``make bench BENCH=handshakes`` makes of its runs."""

from __future__ import annotations

from benchmarks.handshakes import Run, row


def test_the_medians_of_the_turns_are_compared() -> None:
    """One turn in which the machine was busy with something else changes nothing."""
    quiet = [Run([1.0] * 99 + [at]) for at in (2.0, 2.0, 500.0)]
    busy = [Run([3.0] * 99 + [at], per_second=50) for at in (6.0, 900.0, 6.0)]

    found = row("asyncio", quiet, busy, costs=[700.0, 9_000.0, 650.0])

    assert found == "| asyncio | 700 | 1.0 / 2.0 | 3.0 / 6.0 (3.0 x) | 50 |"
