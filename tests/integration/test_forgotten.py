"""What was deleted is nowhere: not in the database, its log, or any other file of the data folder."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import grpc_chat as chat
from grpc_chat.cli.main import main
from grpc_chat.core import forgetting
from grpc_chat.core.erasing import Erasing
from grpc_chat.store import trace_rows
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

SECRET = b"what nobody should ever read again"
# Sequences that nothing else here holds, of several characters, and of one in two spellings.
EMOJI = ("\N{FLEUR-DE-LIS}\ufe0f", "\U0001f9d1\u200d\U0001f680", "\U0001f1fa\U0001f1f3")


def found(folder: Path, *words: bytes) -> dict[str, int]:
    """How often the words are in each file of a folder."""
    contents = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    counts = {path: sum(map(content.count, words or [SECRET])) for path, content in contents.items()}
    return {path: count for path, count in counts.items() if count}


async def happened(client: chat.Client, room: str) -> list[chat.Event]:
    """What a room's log says besides messages."""
    return [event async for event in client.events(room) if not isinstance(event, chat.Message)]


async def test_deleted_words_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of the message nor those of its edits, of any size, among others' messages."""
    pick, data = random.Random(3), tmp_path / "data"
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    async with running_node("alice", data=data, limits={"calls_per_second": 0}, network=False) as node:
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
    async with running_node("alice", data=data, network=False) as node:
        alice = node.client("alice")
        again = [message async for message in alice.history("general")]
    assert again == left


async def test_deleted_drafts_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what was begun, nor what stood there before; without messages, which clear the same log."""
    data = tmp_path / "data"
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    async with running_node("alice", data=data, network=False) as node:
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


async def test_what_was_said_about_a_deleted_message_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither emoji, also those that were taken back, nor options and votes, cards, bodies, reports, what
    somebody saved, nor what a thread showed."""
    data = tmp_path / "data"
    words = [SECRET, *(emoji.rstrip("\ufe0f").encode() for emoji in EMOJI)]
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    async with running_node("alice", "bob", data=data, limits={"calls_per_second": 0}, network=False) as node:
        alice, bob = node.client("alice"), node.client("bob")
        await node.put_room("general", {"alice": "owner", "bob": "member"})
        secret = SECRET.decode()
        poll = await alice.send("general", f"{secret} @bob", poll=chat.Poll((f"{secret} 1", f"{secret} 2")))
        body = chat.Body.pack(pb.Poll(options=[secret]))
        card = chat.LinkCard(
            "https://example.com/?" + secret.replace(" ", "+"), title=secret, description=secret
        )
        carrying = await alice.send("general", secret, body=body, cards=[card])
        root = await alice.send("general", secret)
        reply = await bob.send("general", secret, thread_root=root.seq)
        for emoji in EMOJI:
            await bob.react("general", root.seq, emoji)
        await bob.react("general", poll.seq, EMOJI[0])
        await bob.unreact("general", poll.seq, EMOJI[0])
        await bob.vote("general", poll.seq, 1)
        await bob.vote("general", poll.seq, 0)
        await alice.close_poll("general", poll.seq)
        await alice.pin("general", root.seq)
        await bob.save_message("general", root.seq)
        await bob.report("general", root.seq, secret)
        await alice.edit("general", root.seq, f"{secret} again")
        await until(lambda: bool(found(data, *words)))
        before = await happened(alice, "general")

        await alice.delete("general", poll.seq, carrying.seq, root.seq, reply.seq)

        after = await happened(alice, "general")
        assert [type(event) for event in before] == [type(event) for event in after[:-4]]
        for event in after:
            match event:
                case chat.ReactionChanged():
                    assert (event.actor_id, event.emoji) == ("bob", "")
                case chat.PollVoted() | chat.PollClosed():
                    assert (event.message_seq, event.counts, event.voters) == (poll.seq, (), 0)
        assert sum(isinstance(event, chat.PollVoted) and event.choices == () for event in after) == 2
        await until(lambda: not any(path.endswith("-wal") for path in found(data, *words)))

    result = CliRunner().invoke(main, ["admin", "compact", "--data", str(data)])

    assert result.exit_code == 0, result.output
    assert found(data, *words) == {}


async def test_a_crash_keeps_no_reaction_of_a_deleted_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there were too many for the deletion, and the server died: they are erased when it is back."""
    data, crashed = tmp_path / "data", tmp_path / "crashed"
    monkeypatch.setattr(trace_rows, "ERASED_AT_ONCE", 3)
    members = [f"user-{at}" for at in range(11)]

    async def never(_: Erasing) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as dying:
        dying.setattr(Erasing, "run", never)
        async with running_node(*members, data=data, network=False, limits={"calls_per_second": 0}) as node:
            await node.put_room("general", dict.fromkeys(members, "owner"))
            sent = await node.client("user-0").send("general", "one")
            for user in members:
                await node.client(user).react("general", sent.seq, EMOJI[0])
            await node.client("user-0").delete("general", sent.seq)
            assert len(await reactions(node)) == 8
            # As a power cut leaves it: nothing is closed.
            shutil.copytree(data, crashed)

    async with running_node(*members, data=crashed, network=False) as node:
        async with asyncio.timeout(20):
            while left := await reactions(node):
                assert len(left) in (8, 5, 2)
        # The next deletion is seen to as well.
        sent = await node.client("user-0").send("general", "two")
        for user in members:
            await node.client(user).react("general", sent.seq, EMOJI[1])
        await node.client("user-0").delete("general", sent.seq)
        async with asyncio.timeout(20):
            while await reactions(node):
                pass


async def reactions(node: RunningNode) -> list[chat.Event]:
    """The events that say with what somebody reacted."""
    events = await happened(node.client("user-0"), "general")
    return [event for event in events if isinstance(event, chat.ReactionChanged) and event.emoji]


async def next_event(subscription: chat.Subscription) -> Any:
    """The next event of a room."""
    while True:
        update = await subscription.next()
        if isinstance(update, chat.Message | chat.ReactionChanged | chat.PollVoted | chat.MessageDeleted):
            return update


async def test_who_comes_back_after_a_deletion_sees_it_as_it_is(tmp_path: Path) -> None:
    """A client that was away when it had the message alone, or all but the deletion. The server has all of it
    in memory, from which it is sent."""
    async with running_node("alice", "bob", data=tmp_path / "data", network=False) as node:
        alice, bob = node.client("alice"), node.client("bob")
        await node.put_room("general", {"alice": "owner", "bob": "member"})
        async with bob.subscribe("general") as watching:
            poll = await alice.send("general", "?", poll=chat.Poll(("a", "b")))
            await alice.react("general", poll.seq, EMOJI[1])
            await alice.vote("general", poll.seq, 1)
            seen = [await next_event(watching) for _ in range(3)]
            assert [type(each) for each in seen] == [chat.Message, chat.ReactionChanged, chat.PollVoted]
            await alice.delete("general", poll.seq)
            gone = await next_event(watching)
            told = []
            for each in seen:
                at = chat.Cursor("general", each.seq, each.epoch)
                async with node.client("bob").subscribe(at) as back:
                    told.append([await next_event(back) for _ in range(gone.seq - each.seq)])

        reacted, voted, _ = told[0]
        assert (reacted.message_seq, reacted.emoji) == (poll.seq, "")
        assert (voted.message_seq, voted.choices, voted.counts, voted.voters) == (poll.seq, (), (), 0)
        assert told == [[reacted, voted, gone], [voted, gone], [gone]]
