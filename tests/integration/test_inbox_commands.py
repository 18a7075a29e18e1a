"""What waits, on the command line: `inbox`, `mute`, `unmute`, `notify` and what `rooms` shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import click
import pytest

from grpc_chat.cli import inbox, rooms
from grpc_chat.cli.chatting import Chat
from grpc_chat.cli.command import Cli
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.sdk import marks
from grpc_chat.testing import RunningNode, running_node
from tests.support import until

Run = Callable[..., Awaitable[list[str]]]


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", network=False) as running:
        yield running


@pytest.fixture
def run(node: RunningNode, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as bob, and return the lines that it prints."""

    async def run(command: click.Command, *, as_json: bool = False, **given: Any) -> list[str]:
        target = Target("localhost:1")
        cli = Cli(node.client("bob"), target, cast("Any", None), Output(as_json=as_json))
        function: Any = command.callback
        await function.__wrapped__(cli, **given)
        return capsys.readouterr().out.splitlines()

    return run


async def test_the_inbox_shows_what_waits_and_what_was_said_last(node: RunningNode, run: Run) -> None:
    """A muted room is left out, and shown as such among the others."""
    alice = node.client("alice")
    await node.put_room("plans", {"alice": "owner", "bob": "member"})
    assert await run(inbox.inbox, include_read=False, limit=50) == []
    await alice.send("general", "first\n\nof two")
    sent = await alice.send("plans", "wrong")
    await alice.send("plans", "right")

    head, plans, general = await run(inbox.inbox, include_read=False, limit=50)
    assert head.split() == ["ROOM", "UNREAD", "LAST", "MESSAGE"]
    assert plans.split()[:2] == ["plans", "2"]
    assert plans.endswith("alice: right")
    assert general.endswith("alice: first of two")
    await alice.delete("plans", sent.seq, sent.seq + 1)
    _, deleted, _ = await run(inbox.inbox, include_read=True, limit=50)
    assert deleted.endswith("alice: first of two")
    assert (await run(inbox.inbox, include_read=True, limit=50))[2].endswith("alice deleted a message")

    assert await run(inbox.mute, name="general", lifetime=None) == ["general is muted"]
    [hour] = await run(inbox.mute, name="plans", lifetime=timedelta(hours=1))
    assert hour.startswith("plans is muted until 20")
    assert await run(inbox.inbox, include_read=False, limit=50) == []
    first, *_ = [
        json.loads(line) for line in await run(inbox.inbox, as_json=True, include_read=True, limit=9)
    ]
    assert first == {
        "type": "inbox",
        "waiting_rooms": 0,
        "unread": 0,
        "mentions": 0,
        "threads": 0,
        "invitations": 0,
    }
    assert any("private, muted" in line for line in await run(rooms.room_list))
    assert await run(inbox.unmute, name="general") == ["general is not muted"]
    assert await run(inbox.notify, name="general", level="mentions") == [
        "general: notify of messages that mention you"
    ]
    first, general_ = [
        json.loads(line) for line in await run(inbox.inbox, as_json=True, include_read=False, limit=9)
    ]
    assert (first["waiting_rooms"], general_["unread"], general_["last_message"]["text"]) == (
        1,
        1,
        "first\n\nof two",
    )
    assert general_["notifications"] == {"level": "mentions", "muted": False, "mute_end_time": None}


async def test_chat_shows_first_what_was_missed_and_marks_it_as_read(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; what comes from a pipe is not read by a person."""
    monkeypatch.setattr(marks, "QUIET", 0)
    monkeypatch.setattr(marks, "pause", lambda _members: 0)
    alice, bob = node.client("alice"), node.client("bob")
    old = await alice.send("general", "old")
    await bob.mark_read("general", old.seq)
    for text in ("missed", "missed too"):
        await alice.send("general", text)

    async def chat(*, terminal: bool) -> tuple[Chat, list[str]]:
        out, lines = Output(), list[str]()
        out.terminal = terminal
        monkeypatch.setattr(out, "line", lines.append)
        cli = Cli(bob, Target("localhost:1"), cast("Any", None), out)
        return Chat(cli, await bob.room("general"), 0), lines

    pipe, piped = await chat(terminal=False)
    terminal, shown = await chat(terminal=True)
    assert terminal._follow.reading

    async def until_read(seq: int) -> None:
        async with asyncio.timeout(20):
            while (await bob.room("general")).read_seq < seq:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(each._follow.run()) for each in (pipe, terminal)]
        await until_read(old.seq + 2)
        words = [click.unstyle(line).split() for line in shown]
        [at] = [at for at, line in enumerate(words) if "new" in line]
        assert words[at][:4] == ["──", "2", "new", "messages"]
        assert [line[-1] for line in (words[at - 1], *words[at + 1 :])] == ["old", "missed", "too"]
        assert (await bob.room("general")).unread == 0
        sent = await alice.send("general", "live")
        await until_read(sent.seq)
        await until(lambda: len(piped) > 0)
        assert (pipe._follow.reading, (await bob.room("general")).unread) == (None, 0)
        for task in following:
            task.cancel()
