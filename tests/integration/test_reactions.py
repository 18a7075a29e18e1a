"""Reactions: what is counted, who is told, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import reactions
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        "alice", "bob", "dan", network=False, limits={"calls_per_second": 0, "adds_per_second": 0}
    ) as made:
        yield made


async def events(client: chat.Client, room: str) -> list[chat.ReactionChanged]:
    return [event async for event in client.events(room) if isinstance(event, chat.ReactionChanged)]


async def listed(client: chat.Client, room: str, seq: int) -> list[tuple[str, str]]:
    return [(each.emoji, each.user_id) async for each in client.reactions(room, seq)]


async def test_each_user_has_each_emoji_once(node: RunningNode) -> None:
    """What changes nothing stores nothing, and one emoji has one spelling."""
    await node.put_room("once", {"alice": "owner", "bob": "member", "dan": "reader"})
    alice, bob, dan = node.client("alice"), node.client("bob"), node.client("dan")
    seq = (await alice.send("once", "hello")).seq
    await alice.react("once", seq, "👍")
    await bob.react("once", seq, "❤")
    counts = await bob.react("once", seq, "👍")
    assert counts == [chat.ReactionCount("👍", 2, mine=True), chat.ReactionCount("❤️", 1, mine=True)]
    assert await bob.react("once", seq, "❤️") == counts
    assert await alice.unreact("once", seq, "🎉") == await alice.react("once", seq, "👍")
    assert await dan.reaction_counts("once", seq, seq + 1, 999) == {
        seq: [chat.ReactionCount(each.emoji, each.count, mine=False) for each in counts]
    }
    assert await listed(dan, "once", seq) == [("❤️", "bob"), ("👍", "alice"), ("👍", "bob")]
    assert await bob.unreact("once", seq, "👍") == [
        chat.ReactionCount("👍", 1, mine=False),
        chat.ReactionCount("❤️", 1, mine=True),
    ]
    told = await events(dan, "once")
    assert [(each.actor_id, each.emoji, each.removed, each.message_seq) for each in told] == [
        ("alice", "👍", False, seq),
        ("bob", "❤️", False, seq),
        ("bob", "👍", False, seq),
        ("bob", "👍", True, seq),
    ]
    with pytest.raises(errors.PermissionDenied, match="you may not react"):
        await dan.react("once", seq, "👍")
    for wrong in ("", "x", "1", "👍👍", "👍x", "👍" * 20):
        with pytest.raises(errors.InvalidRequest, match="emoji must"):
            await bob.react("once", seq, wrong)
    assert await events(dan, "once") == told


async def test_reactions_go_with_the_message(node: RunningNode) -> None:
    """And nobody reacts to one that is deleted, or to what is no message."""
    await node.put_room("gone", {"alice": "owner"})
    alice = node.client("alice")
    seq = (await alice.send("gone", "hello")).seq
    await alice.react("gone", seq, "👍")
    await alice.delete("gone", seq)
    assert await alice.reaction_counts("gone", seq) == {}
    assert await listed(alice, "gone", seq) == []
    for wrong in (seq, seq + 1, 999):
        for change in (alice.react, alice.unreact):
            with pytest.raises(errors.MessageNotFound):
                await change("gone", wrong, "👍")


async def test_reactions_to_hidden_messages_are_hidden(node: RunningNode) -> None:
    """Live, in pages, in lists and counts."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    hidden = (await alice.send(room, "hidden")).seq
    await alice.react(room, hidden, "👍")
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)
    seen = (await alice.send(room, "seen")).seq
    async with dan.subscribe(room, from_latest=True) as live:
        updates = live.updates()
        async with asyncio.timeout(20):
            while not isinstance(await anext(updates), chat.CaughtUp):
                pass
            await alice.react(room, hidden, "🎉")
            await alice.react(room, seen, "👀")
            while not isinstance(told := await anext(updates), chat.ReactionChanged):
                pass
    assert (told.emoji, told.message_seq) == ("👀", seen)
    assert [each.emoji for each in await events(dan, room)] == ["👀"]
    assert list(await dan.reaction_counts(room, hidden, seen)) == [seen]
    with pytest.raises(errors.MessageNotFound):
        await listed(dan, room, hidden)
    for change in (dan.react, dan.unreact):
        with pytest.raises(errors.MessageNotFound):
            await change(room, hidden, "👍")


async def test_a_message_has_only_so_many(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of kinds, and in all; one that is there can still be chosen by others, and taken back."""
    await node.put_room("many", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    seq = (await alice.send("many", "hello")).seq
    monkeypatch.setattr(reactions, "KINDS", 2)
    monkeypatch.setattr(reactions, "REACTIONS", 3)
    await alice.react("many", seq, "👍")
    await alice.react("many", seq, "🎉")
    with pytest.raises(errors.LimitExceeded, match="2 different emoji"):
        await bob.react("many", seq, "👀")
    await bob.react("many", seq, "👍")
    with pytest.raises(errors.LimitExceeded, match="3 reactions"):
        await bob.react("many", seq, "🎉")
    await bob.unreact("many", seq, "👍")
    assert len(await bob.react("many", seq, "🎉")) == 2


async def test_one_message_comes_with_its_reactions(node: RunningNode) -> None:
    """As it is now; what is no message, or hidden from the caller, is answered alike."""
    alice, bob = node.client("alice"), node.client("bob")
    room = (await alice.create_room("one message", public=True)).room_id
    hidden = await alice.send(room, "before bob")
    await alice.update_room(room, history="since_join")
    await bob.join_room(room)
    sent = await alice.send(room, "typo")
    await alice.edit(room, sent.seq, "text")
    await bob.react(room, sent.seq, "👍")
    await alice.react(room, sent.seq, "👍")

    request = pb.GetMessageRequest(room_id=room, seq=sent.seq)
    response = await bob._repeat("MessageService/GetMessage", request, pb.GetMessageResponse)
    assert (response.event.message.text, response.event.seq, response.epoch) == ("text", sent.seq, sent.epoch)
    assert list(response.reactions) == [pb.ReactionCount(emoji="👍", count=2, mine=True)]
    message = await bob.message(room, sent.seq)
    assert (message.text, message.edits, message.sender_id) == ("text", 1, "alice")

    answers = []
    for seq in (hidden.seq, 1, 10_000):
        with pytest.raises(errors.MessageNotFound) as refused:
            await bob.message(room, seq)
        answers.append((str(refused.value), refused.value.field))
    assert len(set(answers)) == 1
    await alice.delete(room, sent.seq)
    gone = await bob.message(room, sent.seq)
    assert gone.deleted
    assert gone.text == ""
