"""A herd comes and leaves, several times; ``make herd`` does it with ten thousand."""

from __future__ import annotations

import dataclasses

import pytest

from tests import herd
from tests.engine import ENGINE
from tests.soak import State

START = State(seconds=0, memory_mb=100, tasks=9, descriptors=20, streams=0)
FULL = dataclasses.replace(START, memory_mb=200, tasks=10_009, descriptors=10_020, streams=10_000)


async def test_a_herd_is_there_at_once_and_leaves_nothing_behind() -> None:
    """Each has a stream, and after each round the server has what it had before."""
    report = await herd.herd(connections=60, rounds=2, engine=ENGINE, stay=0.1)

    assert len(report.full) == len(report.after) == 2
    assert report.complete, str(report)
    assert report.clean, str(report)


def test_what_falls_short_is_found() -> None:
    """Somebody who is missing, something that is left behind, and memory that grows from round to round."""
    good = herd.Report(10_000, START, full=[FULL, FULL], after=[START, START])
    assert good.complete
    assert good.clean
    assert good.kilobytes == pytest.approx(10.24)
    assert good.grown_mb == 0

    missing = dataclasses.replace(FULL, streams=9_999)
    assert not dataclasses.replace(good, full=[FULL, missing]).complete
    assert not dataclasses.replace(good, after=[START, dataclasses.replace(START, tasks=10)]).clean
    assert dataclasses.replace(good, full=[FULL, dataclasses.replace(FULL, memory_mb=207)]).grown_mb == 7
    assert dataclasses.replace(good, after=[START, dataclasses.replace(START, memory_mb=105)]).grown_mb == 5
