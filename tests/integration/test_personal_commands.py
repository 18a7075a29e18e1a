"""Drafts, saved and scheduled messages on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import click
import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.cli import personal, scheduling, talk
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.testing import RunningNode, running_node

Run = Callable[..., Awaitable[list[str]]]

_GIVEN: dict[str, dict[str, Any]] = {
    "draft": {"text": (), "delete": False, "thread": None},
    "drafts": {"room": None},
    "saved": {"room": None, "limit": 50},
    "read": {
        "seq": None,
        "limit": None,
        "before": None,
        "after": None,
        "everything": False,
        "full": False,
        "numbers": False,
    },
    "schedule": {"text": (), "paths": ()},
    "reschedule": {"text": (), "when": None},
}


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", network=False) as running:
        await running.put_room("plans", {"alice": "owner", "bob": "member"})
        yield running


@pytest.fixture
def run(node: RunningNode, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as bob; the lines that it prints."""

    async def run(command: click.Command, *, as_json: bool = False, **given: Any) -> list[str]:
        cli = Cli(node.client("bob"), Target("localhost:1"), cast("Any", None), Output(as_json=as_json))
        function: Any = command.callback
        await function.__wrapped__(cli, **_GIVEN.get(str(command.name), {}) | given)
        return capsys.readouterr().out.splitlines()

    return run


async def test_drafts_are_kept_listed_and_deleted(run: Run) -> None:
    assert await run(personal.draft, name="plans") == []
    assert await run(personal.draft, name="plans", text=("I", "think")) == []
    [made] = await run(personal.draft, name="plans", text=("here",), thread=3, as_json=True)
    assert json.loads(made) | {"update_time": ""} == {
        "room_id": "plans",
        "thread_root": 3,
        "text": "here",
        "reply_to": 0,
        "update_time": "",
    }
    assert await run(personal.draft, name="plans") == ["I think"]
    titles, *rows = await run(personal.drafts)
    assert titles.split() == ["ROOM", "THREAD", "CHANGED", "TEXT"]
    assert [row.split()[0] for row in rows] == ["plans", "plans"]
    assert rows[0].endswith("here")
    assert await run(personal.draft, name="plans", delete=True) == []
    assert [json.loads(line)["text"] for line in await run(personal.drafts, as_json=True)] == ["here"]
    with pytest.raises(click.UsageError):
        await run(personal.draft, name="plans", text=("x",), delete=True)


async def test_saved_messages_are_listed_with_what_they_say(node: RunningNode, run: Run) -> None:
    sent = await node.client("alice").send("plans", "the \x1b[2Jplan")
    assert await run(personal.saved) == []
    assert await run(personal.save, name="plans", seq=sent.seq) == []
    [line] = await run(personal.saved)
    assert line.endswith(r"plans #1  alice: the \x1b[2Jplan")
    [line] = await run(personal.saved, room="plans", as_json=True)
    assert json.loads(line)["message"]["text"] == "the \x1b[2Jplan"
    assert await run(personal.unsave, name="plans", seq=sent.seq) == []
    assert await run(personal.saved) == []


async def test_one_message_is_read_by_its_number(node: RunningNode, run: Run) -> None:
    alice = node.client("alice")
    for text in ("first", "second"):
        await alice.send("plans", text)
    [line] = await run(talk.read, name="plans", seq=2)
    assert line.endswith("alice  second")
    with pytest.raises(errors.MessageNotFound):
        await run(talk.read, name="plans", seq=3)
    with pytest.raises(click.UsageError):
        await run(talk.read, name="plans", seq=2, after=1)


async def test_messages_are_scheduled_changed_and_cancelled(node: RunningNode, run: Run) -> None:
    """By the beginning of their ids."""
    when = datetime.now(UTC) + timedelta(days=2)
    [said] = await run(scheduling.schedule, name="plans", when=when, text=("see", "you"))
    bob = node.client("bob")
    [made] = [each async for each in bob.scheduled_messages()]
    short = made.scheduled_message_id[:8]
    local = f"{when.astimezone():%Y-%m-%d %H:%M}"
    assert said == f"it is sent on {local}; to cancel: grpc-chat unschedule {short}"
    titles, row = await run(scheduling.scheduled)
    assert titles.split() == ["ID", "TIME", "ROOM", "TEXT"]
    assert row.split() == [short, *local.split(), "plans", "see", "you"]

    later = when + timedelta(days=1)
    await run(scheduling.reschedule, id_=short.upper(), text=("bye",), when=later)
    [line] = await run(scheduling.scheduled, as_json=True)
    assert json.loads(line)["text"] == "bye"
    with pytest.raises(click.UsageError):
        await run(scheduling.reschedule, id_=short)
    with pytest.raises(Failure, match="you have no scheduled message nothing"):
        await run(scheduling.unschedule, id_="nothing")
    await bob.schedule("plans", "another", later, client_message_id=f"{short}{chat.new_message_id()[8:]}")
    with pytest.raises(Failure, match="2 scheduled messages have ids that begin with"):
        await run(scheduling.unschedule, id_=short)
    assert await run(scheduling.unschedule, id_=made.scheduled_message_id) == ["it will not be sent"]
    assert [each.text async for each in bob.scheduled_messages()] == ["another"]


async def test_a_scheduled_message_carries_files(node: RunningNode, run: Run, tmp_path: Path) -> None:
    """They are uploaded first, listed by their names, and gone when it is cancelled."""
    when = datetime.now(UTC) + timedelta(days=2)
    paths = (tmp_path / "one.txt", tmp_path / "two.txt")
    for path in paths:
        path.write_bytes(path.name.encode())

    for given in ({}, {"paths": (paths[0],) * 11}):
        with pytest.raises(click.UsageError):
            await run(scheduling.schedule, name="plans", when=when, **given)
    with pytest.raises(Failure, match="missing can't be read"):
        await run(scheduling.schedule, name="plans", when=when, paths=(paths[0], tmp_path / "missing"))
    assert await run(scheduling.scheduled) == []
    await run(scheduling.schedule, name="plans", when=when, paths=paths)
    [line] = await run(
        scheduling.schedule, name="plans", when=when, paths=paths[:1], text=("a", "b"), as_json=True
    )
    made = json.loads(line)
    assert [file["name"] for file in made["files"]] == ["one.txt"]
    _, *rows = await run(scheduling.scheduled)
    assert sorted(row.split("  ")[-1] for row in rows) == [
        "[file: one.txt] [file: two.txt]",
        "a b [file: one.txt]",
    ]
    await run(scheduling.unschedule, id_=made["scheduled_message_id"])
    with pytest.raises(errors.FileNotFound):
        await node.client("bob").send("plans", files=[made["files"][0]["file_id"]])
