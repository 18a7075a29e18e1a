"""The short form of `make torture`: each fault a few times, on real servers, judged by the checker.

That the suite bites, `make mutants` shows; here it is tried that each mutant still applies.
"""

from __future__ import annotations

import ast

import pytest

from tests.looped import each
from tests.mutants.planting import ROOT, planted
from tests.torture.disks import Unavailable
from tests.torture.faults import FAULTS
from tests.torture.mutants import MUTANTS
from tests.torture.run import Report, run, schedule

# They wait for conditions, most of the time for a server to start; on a busy machine that takes long.
pytestmark = pytest.mark.timeout(180)


async def short(*faults: str) -> Report:
    """A run that takes as little time as it can; skips where the machine can't do what it needs."""
    try:
        return await run("short", faults, short=True, load_seconds=0.1, lost_answers=5, keep=False)
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize(
    "faults",
    [
        ("F1", "F7", "F26", "RESTORE"),
        ("F13", "F14", "F22", "F24"),
        ("F3", "F5"),
    ],
    ids=" ".join,
)
async def test_nothing_is_lost_doubled_or_reordered(faults: tuple[str, ...]) -> None:
    """Whatever happens to the server, clients see what is promised, and the fault itself ends as promised."""
    report = await short(*faults)

    assert not report.names, (report.problems, report)
    assert set(report.done) == set(faults)
    assert report.verdict.acked > 0
    assert report.verdict.received > 0
    assert report.verdict.changed > 0
    assert report.verdict.counted > 0
    assert report.verdict.kept > 0


@each("name", MUTANTS)
def test_every_mutant_still_applies(name: str) -> None:
    """The code that each mutant replaces is there: a mutant that changes nothing proves nothing."""
    changed = planted(MUTANTS[name].edits, ROOT / "grpc_chat")

    assert changed
    for file, text in changed.items():
        assert text != (ROOT / "grpc_chat" / file).read_text()
        ast.parse(text, file)


def test_a_seed_is_a_schedule() -> None:
    """The same seed plays the same faults in the same order, and another one others."""
    assert schedule("7", 50, []) == schedule("7", 50, [])
    assert schedule("7", 50, []) != schedule("8", 50, [])
    assert sorted(schedule("7", 4, ["F1", "F7"])) == ["F1", "F1", "F7", "F7"]
    assert set(schedule("7", 400, [])) <= set(FAULTS)
