"""Files on the command line: what `upload` and `download` do, and what `read` and `chat` show."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import click
import pytest

import grpc_chat as chat
from grpc_chat.cli import files, talk
from grpc_chat.cli.chatting import Chat
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.testing import RunningNode, running_node
from tests.support import until

Run = Callable[..., Awaitable[None]]

_GIVEN: dict[str, dict[str, Any]] = {
    "upload": {"text": "", "keep_metadata": False, "upload_id": "", "timeout": 0.0},
    "download": {"output": None, "preview": False, "link": False, "force": False, "timeout": 0.0},
    "read": {
        "seq": None,
        "limit": None,
        "before": None,
        "after": None,
        "everything": False,
        "full": False,
        "numbers": False,
    },
}


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", network=False, files={"free_bytes": 0}) as running:
        yield running


@pytest.fixture
def run(node: RunningNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as bob, in a folder that is empty: ``await run(files.upload, name="general", …)``."""
    monkeypatch.chdir(tmp_path)

    async def run(command: click.Command, *, as_json: bool = False, **given: Any) -> None:
        cli = cli_of(node.client("bob"), as_json=as_json)
        function: Any = command.callback
        await function.__wrapped__(cli, **_GIVEN[str(command.name)] | given)

    return run


def cli_of(client: chat.Client, *, as_json: bool = False) -> Cli:
    return Cli(client, Target("localhost:1"), cast("Any", None), Output(as_json=as_json))


async def test_files_are_sent_and_saved(
    node: RunningNode, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one person uploads is what another one downloads, and a reader sees what there is."""
    (tmp_path / "plan.txt").write_bytes(b"the plan")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "plan.txt").write_bytes(os.urandom(1234))

    paths = (Path("plan.txt"), Path("x/plan.txt"))
    await run(files.upload, name="general", paths=paths, text="as promised")
    await run(talk.read, name="general")

    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith(
        "bob  as promised [file: plan.txt, 8 B, message 1] [file: plan.txt, 2 kB, message 1]"
    )
    (tmp_path / "saved").mkdir()
    await run(files.download, name="general", which="1", output=Path("saved"))
    assert capsys.readouterr().out.splitlines() == ["saved/plan.txt", "saved/plan (2).txt"]
    for path, saved in zip(paths, ("plan.txt", "plan (2).txt"), strict=True):
        assert (tmp_path / "saved" / saved).read_bytes() == path.read_bytes()


async def test_saving_replaces_nothing_and_leaves_no_folder(
    node: RunningNode, run: Run, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Whatever a sender calls a file; nothing is left of what failed."""
    file = await node.client("alice").upload(b"from alice", name="-rf")
    await node.client("alice").send("general", files=[file])

    await run(files.download, name="general", which="1")
    assert (tmp_path / "_rf").read_bytes() == b"from alice"
    (tmp_path / "_rf").write_bytes(b"mine")
    with pytest.raises(Failure, match="_rf exists; --force replaces it"):
        await run(files.download, name="general", which="1")
    with pytest.raises(Failure, match="carries nothing that has a preview"):
        await run(files.download, name="general", which="1", preview=True)
    with pytest.raises(Failure, match="_rf exists"):
        await run(files.download, name="general", which=file.file_id, output=Path("_rf"))
    assert (tmp_path / "_rf").read_bytes() == b"mine"
    await run(files.download, name="general", which="1", force=True)
    assert (tmp_path / "_rf").read_bytes() == b"from alice"
    with pytest.raises(Failure, match="can't be written"):
        await run(files.download, name="general", which="1", output=Path("nowhere/x"))
    assert os.listdir(tmp_path) == ["_rf"]

    capsysbinary.readouterr()
    await run(files.download, name="general", which="1", output=Path("-"))
    assert capsysbinary.readouterr().out == b"from alice"


async def test_what_carries_no_file_is_said(node: RunningNode, run: Run) -> None:
    """By the number that was given."""
    await node.client("alice").send("general", "words")

    for which, said in (
        ("1", "message 1 carries no files"),
        ("2", "no message 2"),
        ("0", "0 is not the number"),
    ):
        with pytest.raises(Failure, match=said):
            await run(files.download, name="general", which=which)
    with pytest.raises(chat.FileNotFound):
        await run(files.download, name="general", which="a" * 26)


async def test_upload_that_was_interrupted_says_how_to_go_on(
    node: RunningNode, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """And goes on there."""
    data = os.urandom(500_000)
    (tmp_path / "a file").write_bytes(data)
    append = node.node.system.uploads._arriving.append

    def breaks(upload_id: str, offset: int, part: bytes) -> None:
        if offset > 300_000:
            raise chat.StoreFull("the server's disk is full; nothing was stored")
        append(upload_id, offset, part)

    monkeypatch.setattr(node.node.system.uploads._arriving, "append", breaks)
    with pytest.raises(chat.StoreFull):
        await run(files.upload, name="general", paths=(Path("a file"),))
    monkeypatch.setattr(node.node.system.uploads._arriving, "append", append)
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith(
        "394 kB of 500 kB of a file are on the server; go on with: grpc-chat upload general"
    )
    assert "'a file'" in note or '"a file"' in note

    await run(files.upload, name="general", paths=(Path("a file"),), upload_id=note.split()[-1])

    [message] = [message async for message in node.client("alice").history("general")]
    assert b"".join([part async for part in node.client("alice").read_file(message.files[0])]) == data


async def test_programs_get_objects(node: RunningNode, run: Run, tmp_path: Path, capsys: Any) -> None:
    """With what they need to go on."""
    (tmp_path / "a").write_bytes(b"12345")

    await run(files.upload, as_json=True, name="general", paths=(Path("a"),))
    sent = json.loads(capsys.readouterr().out)
    await run(talk.read, as_json=True, name="general")
    read = json.loads(capsys.readouterr().out)

    assert (sent["seq"], sent["files"]) == (1, read["files"])
    [file] = read["files"]
    assert (file["name"], file["size"], len(file["sha256"])) == ("a", 5, 64)
    await run(files.download, as_json=True, name="general", which=file["file_id"], output=Path("b"))
    assert json.loads(capsys.readouterr().out) == {"path": "b"}
    assert (tmp_path / "b").read_bytes() == b"12345"


async def test_files_are_sent_and_saved_in_chat(
    node: RunningNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """By commands, which are no messages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a plan").write_bytes(b"the plan")
    bob = node.client("bob")
    room = await bob.room("general")
    talking = Chat(cli_of(bob), room, 0)

    async def say(line: str) -> None:
        talking._command(line)
        await asyncio.gather(*talking._asks)

    await say("/upload a plan")
    (tmp_path / "a plan").unlink()
    await say("/download 1")
    assert (tmp_path / "a plan").read_bytes() == b"the plan"
    for line, said in (
        ("/upload", "needs a file"),
        ("/download x", "needs the number"),
        ("/upload nothing", "can't be read"),
        ("/download 1", "a plan exists"),
        ("/download 7", "no message 7"),
    ):
        await say(line)
        told = capsys.readouterr()
        assert said in told.out + told.err
    await until(lambda: not talking._asks)
    assert [message.seq async for message in bob.history("general")] == [1]
