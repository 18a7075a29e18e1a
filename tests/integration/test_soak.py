"""Clients that come and go leave nothing behind; ``make soak`` does it for half an hour."""

from __future__ import annotations

import dataclasses

import pytest

from tests import soak


async def test_clients_that_come_and_go_leave_nothing_behind() -> None:
    """After all have left, the server has the tasks, streams and descriptors that it had before they came."""
    report = await soak.soak(seconds=2, connects=100)

    assert report.connects == 100
    assert report.clean, str(report)
    assert max(state.streams for state in report.states) >= soak.STAYING
    assert report.states[-1].memory_mb - report.states[0].memory_mb < 50


@pytest.mark.parametrize("left", ["tasks", "descriptors", "streams", "connections"])
def test_what_is_left_behind_is_found(left: str) -> None:
    """One task, stream, descriptor or connection more than before is one too many."""
    start = soak.State(seconds=0, memory_mb=80, tasks=9, descriptors=20, streams=0)
    more = dataclasses.replace(start, **{left: getattr(start, left) + 1})

    assert soak.Report(states=[start, start]).clean
    assert not soak.Report(states=[start, more]).clean


def test_growing_memory_is_found() -> None:
    """What memory does in the second half is told by the hour."""
    states = [
        soak.State(seconds=at, memory_mb=80 + max(0, at - 300) / 36, tasks=9, descriptors=20, streams=0)
        for at in range(600)
    ]

    assert soak.Report(states=states).slope_mb_per_hour == pytest.approx(100)
