"""Breaks the code on purpose, and requires that it is noticed: python -m tests.mutants [--tests] [NAME…]

A mutant is a copy of the tree with a few lines replaced; the tree itself is left alone. One that survives
means that nobody would notice the mistake in the real code either. Those of ``mistakes.py`` must be noticed
by the tests that they name, which takes seconds; those of ``tests/torture/mutants.py``, by ``make torture``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.mutants.mistakes import MISTAKES
from tests.mutants.planting import Outcome, try_out
from tests.torture import mutants as torture


def main() -> int:
    """Hunt those that were asked for, or all; 0 if each was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--tests", action="store_true", help="leave out those that torture must notice")
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    known = {**MISTAKES, **torture.MUTANTS}
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"there is no mutant {', '.join(unknown)}; there are {', '.join(known)}")
    names = asked.names or [*MISTAKES, *([] if asked.tests else torture.MUTANTS)]
    survivors = asyncio.run(_by_tests([name for name in names if name in MISTAKES]))
    survivors += torture.hunt_all([name for name in names if name in torture.MUTANTS])
    if survivors:
        print(f"not noticed: {', '.join(survivors)}", file=sys.stderr)
    return int(bool(survivors))


async def _by_tests(names: list[str]) -> list[str]:
    """Hunt with tests; those that survive."""
    if not names:
        return []
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def hunt(name: str) -> bool:
        mistake = MISTAKES[name]
        async with turns:
            try:
                outcome = await try_out(mistake.edits, mistake.tests)
            except LookupError as stale:
                outcome = Outcome(False, str(stale), 0)
        told = outcome.told if outcome.noticed else f"SURVIVED: {outcome.told}"
        print(f"{name:36} {outcome.seconds:7.1f} {told}", flush=True)
        return outcome.noticed

    # A test that fails anyway notices nothing.
    tests = dict.fromkeys(test for name in names for test in MISTAKES[name].tests)
    print(f"{'mutant':36} seconds noticed by", flush=True)
    as_they_are = await try_out((), list(tests))
    if as_they_are.noticed:
        print(f"without any mutant, this fails: {as_they_are.told}")
        return names
    noticed = await asyncio.gather(*map(hunt, names))
    return [name for name, was in zip(names, noticed, strict=True) if not was]


if __name__ == "__main__":
    sys.exit(main())
