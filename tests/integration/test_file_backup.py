"""Files in backups: what is copied beside the database, what is missing, and what comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import grpc_chat as chat
from grpc_chat.cli.main import main
from grpc_chat.testing import RunningNode, running_node

Run = Callable[..., Result]
SETTINGS: dict[str, Any] = {"files": {"free_bytes": 0}, "network": False}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``grpc-chat admin``, in a folder that is empty."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(main, ["admin", *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


async def two_files(node: RunningNode) -> list[chat.File]:
    alice = node.client("alice")
    files = [await alice.upload(data, name="a") for data in (b"one", os.urandom(3000))]
    await alice.send("general", files=files)
    return files


def place(folder: Path, file: chat.File) -> Path:
    digest = file.sha256.hex()
    return folder / digest[:2] / digest[2:]


async def test_backup_brings_the_files_back(run: Run, tmp_path: Path) -> None:
    """To another machine, say; those of one moment, while the server runs."""
    async with running_node("alice", **SETTINGS) as node:
        files = await two_files(node)
        made = run("backup", "b.db", "--data", node.config.data)
        contents = [[part async for part in node.client("alice").read_file(file)] for file in files]
    assert "; 2 files in b.db.files" in made.output
    assert oct((tmp_path / "b.db.files").stat().st_mode & 0o777) == "0o700"
    assert all(place(Path("b.db.files"), file).stat().st_mode & 0o077 == 0 for file in files)

    done = run("restore", "b.db", "--data", tmp_path / "data")

    assert "; 2 files in " in done.output
    async with running_node("alice", **SETTINGS | {"data": tmp_path / "data"}) as node:
        alice = node.client("alice")
        [message] = [message async for message in alice.history("general")]
        assert [[part async for part in alice.read_file(file)] for file in message.files] == contents


async def test_missing_and_damaged_files_are_counted(run: Run, tmp_path: Path) -> None:
    """When a backup is made, looked at or put back; the rest is there all the same."""
    async with running_node("alice", **SETTINGS) as node:
        one, other = await two_files(node)
        folder, data = node.config.data / "files", node.config.data
        run("backup", "whole.db", "--data", data)
        place(folder, one).unlink()
        place(folder, other).write_bytes(bytes(3000))

        made = run("backup", "b.db", "--data", data)

    said = "warning: of 2 files (4 kB), 1 is missing in {} and 1 is damaged"
    assert made.exit_code == 0
    assert said.format(folder) in made.output
    assert not any("new-" in name for _, _, names in os.walk("b.db.files") for name in names)
    checked = run("restore", "--check", "b.db", "--json")
    assert json.loads(checked.output)["files"] == {"files": 2, "size_bytes": 3003, "missing": 2, "damaged": 0}
    assert checked.exit_code == 1
    checked = run("restore", "--check", "whole.db", "--json")
    assert json.loads(checked.output)["files"]["missing"] == checked.exit_code == 0
    os.rename("whole.db.files", "elsewhere")
    checked = run("restore", "--check", "whole.db")
    assert "of 2 files (4 kB), 2 are missing in whole.db.files and 0 are damaged" in checked.output
    assert checked.exit_code == 1
    assert run("restore", "--check", "whole.db", "--files", "elsewhere").exit_code == 0
    os.rename("elsewhere", "whole.db.files")
    place(Path("whole.db.files"), one).write_bytes(b"two")
    damaged = run("restore", "--check", "whole.db")
    assert "0 are missing in whole.db.files and 1 is damaged" in damaged.output
    assert damaged.exit_code == 1
    put_back = run("restore", "whole.db", "--data", tmp_path / "data")
    assert "0 are missing in whole.db.files and 1 is damaged" in put_back.output
    assert not place(tmp_path / "data" / "files", one).exists()
    assert place(tmp_path / "data" / "files", other).exists()


async def test_backups_may_share_a_folder_or_leave_files_out(run: Run) -> None:
    """Then each content is copied once, or not at all, which is said."""
    async with running_node("alice", **SETTINGS) as node:
        [one, _] = await two_files(node)
        run("backup", "1.db", "--data", node.config.data, "--files", "shared")
        first = place(Path("shared"), one).stat()
        run("backup", "2.db", "--data", node.config.data, "--files", "shared")
        assert place(Path("shared"), one).stat().st_ino == first.st_ino
        without = run("backup", "3.db", "--data", node.config.data, "--no-files")
        assert run("backup", "4.db", "--files", "x", "--no-files").exit_code == 2

    assert "2 files (4 kB) are not in the backup, as --no-files says" in without.output
    assert sorted(os.listdir()) == ["1.db", "2.db", "3.db", "shared"]
    assert (
        json.loads(run("restore", "--check", "2.db", "--files", "shared", "--json").output)["files"][
            "missing"
        ]
        == 0
    )


async def test_server_without_files_has_no_folder_of_them(run: Run) -> None:
    """A backup stays one file."""
    async with running_node("alice", **SETTINGS) as node:
        await node.client("alice").send("general", "hello")
        made = run("backup", "b.db", "--data", node.config.data)
    assert "file" not in made.output.replace("b.db", "")
    assert os.listdir() == ["b.db"]
