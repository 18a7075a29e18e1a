"""What was deleted is nowhere: not in the database, its log, or any other file of the data folder."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from grpc_chat.cli.main import main
from grpc_chat.core import forgetting
from grpc_chat.testing import running_node
from tests.support import until

SECRET = b"what nobody should ever read again"


def found(folder: Path) -> dict[str, int]:
    """How often the words are in each file of a folder."""
    counts = {str(path): path.read_bytes().count(SECRET) for path in folder.rglob("*") if path.is_file()}
    return {path: count for path, count in counts.items() if count}


async def test_deleted_words_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of the message nor those of its edits, of any size, among others' messages."""
    pick, data = random.Random(3), tmp_path / "data"
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    async with running_node("alice", data=data, limits={"calls_per_second": 0}) as node:
        alice = node.client("alice")
        await node.put_room("general", {"alice": "owner"})
        told = []
        for _ in range(40):
            words = SECRET.decode() * pick.choice([1, 3, 100, 500])
            others = [alice.send("general", "others' words " * pick.randrange(1, 40)) for _ in range(9)]
            sent, *_ = await asyncio.gather(alice.send("general", words), *others)
            told.append(sent.seq)
        for seq in told[::2]:
            await alice.edit("general", seq, SECRET.decode() + "!")
            await alice.edit("general", seq, SECRET.decode() + "?")
        assert found(data)
        await alice.delete("general", *told)

        await until(lambda: not any(path.endswith("-wal") for path in found(data)))
        left = [message async for message in alice.history("general")]
        assert len(left) == 400
        assert sum(message.deleted is not None for message in left) == 40

    # Where pages were divided, copies may be left in the database itself.
    result = CliRunner().invoke(main, ["admin", "compact", "--data", str(data)])

    assert result.exit_code == 0, result.output
    assert found(data) == {}
    async with running_node("alice", data=data) as node:
        alice = node.client("alice")
        again = [message async for message in alice.history("general")]
    assert again == left


async def test_deleted_drafts_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what was begun, nor what stood there before; without messages, which clear the same log."""
    data = tmp_path / "data"
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    async with running_node("alice", data=data) as node:
        alice = node.client("alice")
        await node.put_room("general", {"alice": "owner"})
        for words in (SECRET.decode() * 100, SECRET.decode()):
            await alice.save_draft("general", words)
        assert found(data)
        await alice.save_draft("general", "")

        await until(lambda: not any(path.endswith("-wal") for path in found(data)))

    result = CliRunner().invoke(main, ["admin", "compact", "--data", str(data)])

    assert result.exit_code == 0, result.output
    assert found(data) == {}
