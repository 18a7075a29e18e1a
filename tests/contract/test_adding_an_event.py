"""docs/topics/adding-an-event.md, done to the letter in a copy of the program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "topics" / "adding-an-event.md"
BATCHES = "tests/contract/test_batches.py"
MIGRATIONS = "grpc_chat/store/migrations/versions"
COPIED = ("grpc_chat", "tools", "tests", "chat.proto", "buf.yaml", "pyproject.toml", "README.md")
# Blocks that change files or make them, and the command between them.
STEPS = re.compile(r"^```(diff|python)\n(?:---|#) (\S+)\n(.*?)^```$|^Run `(make proto)`", re.M | re.S)


def changed(text: str, diff: str) -> str:
    """A file as a block says: what is old in it has to be there, once, and is replaced by what is new.

    Raises:
        ValueError: It is not there, or more than once.
    """
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in ("- ", "+ "))
        if (found := len(re.findall(rf"^(?={re.escape(old)})", text, re.M))) != 1:
            raise ValueError(f"these lines stand there {found} times, not once:\n{old}")
        text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
    return text


def copy(folder: Path) -> dict[str, str]:
    """Make a copy of the program, with the tests and the tools; the environment that it runs in."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules"))
        else:
            shutil.copy2(ROOT / name, folder / name)
    # The pinned generator is for what is committed; that of the environment does as well.
    for venv in (".venv", ".venv-proto"):
        (folder / venv).symlink_to(sys.prefix)
    return os.environ | {"PYTHONPATH": str(folder)}


def run(*arguments: str, folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_exercise_works_as_it_is_written(tmp_path: Path) -> None:
    """In under ten files, an event is stored, projected, delivered live and later, and listed by the SDK."""
    env = copy(tmp_path)
    before = max(path.name[:4] for path in (tmp_path / MIGRATIONS).glob("[0-9]*.py"))
    touched = []
    for kind, name, block, command in STEPS.findall(PAGE.read_text()):
        if command:
            # Without what it notes of the API that was promised.
            run("tools/proto.py", ".", folder=tmp_path, env=env)
            continue
        file = tmp_path / name
        if kind == "diff":
            file.write_text(changed(file.read_text(), block))
        else:
            assert not file.exists()
            file.write_text(block.replace("LAST", before))
        touched.append(name)

    assert touched[-1] == "tests/scenarios/test_poke.py"
    assert len(set(touched[:-1])) == 9
    for arguments in (("format", "--check"), ("check",)):
        run("-m", "ruff", *arguments, *touched[1:], folder=tmp_path, env=env)
    tests = [
        "tests/scenarios/test_poke.py",
        f"{BATCHES}::test_a_log_read_again_gives_the_same_rows",
        f"{BATCHES}::test_one_transaction_does_what_many_do[sqlite-0]",
        "tests/integration/test_migrations.py::test_migrations_make_what_the_program_expects",
    ]
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests, folder=tmp_path, env=env)


@pytest.mark.parametrize("old", [" b\n", " b\n c\n", " a\n+x\n d\n"])
def test_a_page_that_says_something_else_than_the_code_is_noticed(old: str) -> None:
    """Lines that are not there, in this order and in one place, can't be found by a reader either."""
    assert changed("a\nb\nc\n", " b\n+x\n@@\n-c\n+d\n") == "a\nb\nx\nd\n"

    with pytest.raises(ValueError, match="stand there"):
        changed("a\nb\nb\n", old)
