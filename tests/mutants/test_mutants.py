"""The mutants of `make mutants` are what they were meant to be; hunting them here would take too long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.mistakes import MISTAKES
from tests.mutants.planting import ROOT, judge, plant, planted
from tests.torture.mutants import MUTANTS


def test_every_mistake_can_still_be_made() -> None:
    """The code that it replaces is there, once, and what replaces it is Python: all else proves nothing."""
    package = ROOT / "grpc_chat"
    code = {file: (package / file).read_text() for each in MISTAKES.values() for file, _, _ in each.edits}
    counts = {
        (name, file): code[file].count(old) for name, each in MISTAKES.items() for file, old, _ in each.edits
    }
    assert {where: count for where, count in counts.items() if count != 1} == {}, (
        "bring mistakes.py up to date"
    )
    for name, mistake in MISTAKES.items():
        for text in planted(mistake.edits, package).values():
            ast.parse(text, name)


def test_a_mistake_is_made_where_it_says(tmp_path: Path) -> None:
    """Of a copy, the files that it names are changed, one after the other where it names one twice."""
    (tmp_path / "one.py").write_text("a = 1\nb = 2\n")
    (tmp_path / "two.py").write_text("c = 3\n")

    plant([("one.py", "a = 1", "a = 4"), ("two.py", "c", "d"), ("one.py", "b = 2", "b = 5")], tmp_path)

    assert (tmp_path / "one.py").read_text() == "a = 4\nb = 5\n"
    assert (tmp_path / "two.py").read_text() == "d = 3\n"
    with pytest.raises(LookupError, match=r"two\.py no longer has 'c'"):
        plant([("two.py", "c", "d")], tmp_path)
    assert (tmp_path / "two.py").read_text() == "d = 3\n"


def test_every_mistake_has_tests_that_are_there() -> None:
    """A file, or a function in it: pytest would end with an error that is taken for no failure."""
    for name, mistake in MISTAKES.items():
        assert mistake.tests, name
        for test in mistake.tests:
            file, _, function = test.partition("::")
            text = (ROOT / "tests" / file).read_text()
            assert not function or f"def {function.partition('[')[0]}(" in text, (name, test)


def test_no_two_mutants_have_the_same_name() -> None:
    """Which is what they are asked for by."""
    assert not MISTAKES.keys() & MUTANTS.keys()


@pytest.mark.parametrize(
    ("returncode", "printed", "expected"),
    [
        (
            1,
            "F\nFAILED tests/unit/test_x.py::test_y - assert 1 == 2\n1 failed\n",
            (True, "unit/test_x.py::test_y"),
        ),
        (1, "ERROR tests/unit/test_x.py::test_y - OSError\n1 error\n", (False, "1 error")),
        (0, ".\n1 passed in 0.1s\n", (False, "1 passed in 0.1s")),
        (2, "ERROR tests/unit/test_x.py\n1 error during collection\n", (False, "1 error during collection")),
        (4, "ERROR: not found: tests/unit/test_z.py\n", (False, "ERROR: not found: tests/unit/test_z.py")),
        (5, "1 deselected\n", (False, "1 deselected")),
        (-9, "", (False, "pytest ended with -9")),
    ],
)
def test_only_a_test_that_fails_has_noticed(
    returncode: int, printed: str, expected: tuple[bool, str]
) -> None:
    """Tests that pass, are not there, or can't be begun have not."""
    assert judge(returncode, printed) == expected
