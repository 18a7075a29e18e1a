"""Copies of the tree with a mistake in them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Edit = tuple[str, str, str]
"""A file of the package, what stands there, and what stands there instead."""

_LEFT_OUT = shutil.ignore_patterns(".*", "node_modules", "data", "data-trusted", "build", "dist")
_FAILED = 1
"""What pytest ends with when it could run the tests, and some of them failed."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, and who must notice it.

    Attributes:
        what: The mistake in words.
        edits: How it is made.
        tests: Of which at least one must fail: files below ``tests``, or tests in them, as pytest names them.
    """

    what: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the tests in a copy.

    Attributes:
        noticed: Whether they ran, and one failed.
        told: That test, or why there is none.
    """

    noticed: bool
    told: str
    seconds: float


def plant(edits: Iterable[Edit], package: Path) -> None:
    """Make a mistake in a copy of the package.

    Raises:
        LookupError: The code is no longer what the mistake replaces.
    """
    for name, text in planted(edits, package).items():
        (package / name).write_text(text)


def planted(edits: Iterable[Edit], package: Path) -> dict[str, str]:
    """The files of a package that a mistake changes, as they are with it.

    Raises:
        LookupError: As :func:`plant`.
    """
    changed: dict[str, str] = {}
    for name, old, new in edits:
        text = changed.get(name) or (package / name).read_text()
        if old not in text:
            raise LookupError(
                f"{name} no longer has {old.strip().splitlines()[0]!r}: bring the mutant up to date"
            )
        changed[name] = text.replace(old, new)
    return changed


async def try_out(edits: Sequence[Edit], tests: Sequence[str]) -> Outcome:
    """Run tests in a copy of the whole tree that has a mistake; without edits, as they are.

    Raises:
        LookupError: As :func:`plant`.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=_LEFT_OUT)
        plant(edits, tree / "grpc_chat")
        # The copy's own package comes first: `python -m` looks in the current folder before anywhere else.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider"),
            *(f"tests/{test}" for test in tests),
            cwd=tree,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
    noticed, told = judge(process.returncode, printed.decode(errors="replace"))
    return Outcome(noticed, told, time.monotonic() - began)


def judge(returncode: int | None, printed: str) -> tuple[bool, str]:
    """Whether a test failed, and which, or what pytest says instead.

    That the tests could not even be collected proves nothing: it would be so with any mistake.
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if returncode == _FAILED:
        failed = [line.split(" ", 1)[1] for line in lines if line.startswith("FAILED ")]
        if failed:
            return True, failed[0].split(" - ")[0].removeprefix("tests/")
    return False, lines[-1] if lines else f"pytest ended with {returncode}"
