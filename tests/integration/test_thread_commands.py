"""Replies and threads on the command line, and in `chat`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import click
import pytest

import grpc_chat as chat
from grpc_chat.cli import output, talk, threads
from grpc_chat.cli.chatting import Chat
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.testing import RunningNode, running_node

Run = Callable[..., Awaitable[list[str]]]

_GIVEN: dict[str, dict[str, Any]] = {
    "send": {
        "text": ("hello",),
        "file": None,
        "reply_to": None,
        "thread": None,
        "message_id": None,
        "timeout": 9.0,
        "cards": (),
        "body_type": None,
        "body_file": None,
    },
    "reply": {"thread": False, "timeout": 9.0},
    "threads": {"name": "", "unread": False},
    "thread": {
        "limit": 50,
        "everything": False,
        "change": None,
        "until": None,
        "mark_read": False,
    },
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
    async with running_node("alice", "bob", network=False) as running:
        yield running


@pytest.fixture
def run(node: RunningNode, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as bob, and return the lines that it prints: ``await run(threads.threads)``."""

    async def run(command: click.Command, *, as_json: bool = False, **given: Any) -> list[str]:
        cli = cli_of(node.client("bob"), as_json=as_json)
        function: Any = command.callback
        await function.__wrapped__(cli, **_GIVEN[str(command.name)] | given)
        return capsys.readouterr().out.splitlines()

    return run


def cli_of(client: chat.Client, *, as_json: bool = False) -> Cli:
    return Cli(client, Target("localhost:1"), cast("Any", None), Output(as_json=as_json))


async def test_threads_are_written_listed_and_read(node: RunningNode, run: Run) -> None:
    """A number of any message of a thread stands for it; what is changed is the caller's own."""
    alice = node.client("alice")
    root = (await alice.send("general", "root")).seq
    await run(threads.reply, name="general", seq=root, text=("in", "it"), thread=True)
    await run(threads.reply, name="general", seq=root + 1, text=("more",))
    await run(talk.send, name="general", thread=root, reply_to=root + 2)
    await run(threads.reply, name="general", seq=root, text=("outside",))
    await alice.send("general", "news", thread_root=root)

    shown = await run(talk.read, name="general", numbers=True)
    assert [line.split("  ", 1)[1] for line in shown] == [
        f"#{root}  alice  root",
        f"#{root + 1}  bob  [thread #{root}] in it",
        f"#{root + 2}  bob  [thread #{root}, reply to #{root + 1}] more",
        f"#{root + 3}  bob  [thread #{root}, reply to #{root + 2}] hello",
        f"#{root + 4}  bob  [reply to #{root}] outside",
        f"#{root + 5}  alice  [thread #{root}] news",
    ]
    assert (await run(threads.threads))[1].split()[:4] == ["general", f"#{root}", "4", "1"]
    assert (await run(threads.threads, name="general", unread=True))[1].split()[:3] == [f"#{root}", "4", "1"]
    for seq in (root, root + 2):
        lines = await run(threads.thread, name="general", seq=seq, limit=2)
        assert [line.split("  ")[-1].rsplit("] ")[-1] for line in lines] == ["root", "hello", "news"]
    assert len(await run(threads.thread, name="general", seq=root, everything=True, mark_read=True)) == 5
    [thread] = await run(threads.threads, as_json=True)
    assert (json.loads(thread)["unread"], json.loads(thread)["root_seq"]) == (0, root)

    [muted] = await run(threads.thread, as_json=True, name="general", seq=root + 1, change="mute")
    assert json.loads(muted)["muted"]
    assert (await run(threads.threads))[1].endswith("muted  alice: root")
    for change, state in (("unmute", (True, False)), ("unfollow", (False, False)), ("follow", (True, False))):
        [now] = await run(threads.thread, as_json=True, name="general", seq=root, change=change)
        assert (json.loads(now)["following"], json.loads(now)["muted"]) == state
    with pytest.raises(chat.MessageNotFound):
        await run(threads.thread, name="general", seq=99)
    with pytest.raises(chat.MessageNotFound):
        await run(threads.reply, name="general", seq=99, text=("x",))
    with pytest.raises(Failure, match="no such message"):
        await run(talk.send, name="general", reply_to=99)
    with pytest.raises(click.UsageError, match="--until is for --mute"):
        await run(threads.thread, name="general", seq=root, change="follow", until=1)


async def test_threads_in_chat(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By commands, which answer the newest message or the one with a number."""
    monkeypatch.setattr(output, "_is_terminal", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("general", "root")).seq
    talking = Chat(cli_of(bob), await bob.room("general"), 0)

    async def say(line: str) -> str:
        talking._command(line)
        await asyncio.gather(*talking._asks, *talking._sends)
        told = capsys.readouterr()
        return told.out + told.err

    await say("/reply to the newest")
    await say(f"/thread #{root} in a thread")
    await say(f"/reply #{root + 2} goes on")
    await alice.send("general", "news", thread_root=root)
    said = [(m.text, m.reply_to, m.thread_root) async for m in bob.history("general", after=root)]
    assert said == [
        ("to the newest", root, 0),
        ("in a thread", root, root),
        ("goes on", root + 2, root),
        ("news", 0, root),
    ]
    shown = await say(f"/thread #{root + 2}")
    assert [line.split("  ")[1] for line in shown.splitlines()[1:]] == [
        f"#{root}",
        f"#{root + 2}",
        f"#{root + 3}",
        f"#{root + 4}",
    ]
    assert (await bob.thread("general", root)).unread == 0
    for line, words in (
        ("/reply", "needs a text"),
        (f"/reply #{root}", "needs a text"),
        ("/thread", "needs #N"),
        ("/thread words", "needs #N"),
        ("/thread #99", "no such message"),
        ("/thread #99 words", "there is no such message"),
    ):
        assert words in await say(line)
    assert (await bob.room("general")).last_seq == root + 4
