"""Replies and threads: who may answer what, and what is counted, told and left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.testing import RunningNode, running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    limits = {"calls_per_second": 0, "adds_per_second": 0}
    async with running_node("alice", "bob", "dan", network=False, limits=limits) as made:
        yield made


async def messages(client: chat.Client, room: str) -> list[chat.Message]:
    return [message async for message in client.history(room)]


async def test_a_message_says_what_it_answers(node: RunningNode) -> None:
    """A reply is in the thread of what it replies to; what is repeated must say the same."""
    await node.put_room("says", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("says", "root")).seq
    [said] = await messages(bob, "says")
    plain = await said.reply("plain")
    first = await said.reply_in_thread("first")
    second = await bob.reply("says", first.seq, "second")
    third = await alice.send("says", "third", thread_root=root)
    await bob.reply("says", plain.seq, "another thread", in_thread=True)

    assert [(each.text, each.reply_to, each.thread_root) for each in await messages(alice, "says")] == [
        ("root", 0, 0),
        ("plain", root, 0),
        ("first", root, root),
        ("second", first.seq, root),
        ("third", 0, root),
        ("another thread", plain.seq, plain.seq),
    ]
    again: dict[str, Any] = {"client_message_id": second.client_message_id}
    others: list[dict[str, Any]] = [
        {},
        {"thread_root": root},
        {"reply_to": first.seq},
        {"reply_to": root, "thread_root": root},
    ]
    assert await bob.send("says", "second", reply_to=first.seq, thread_root=root, **again) == second
    for other in others:
        with pytest.raises(errors.ClientMessageIdReused):
            await bob.send("says", "second", **other, **again)
    edited = await alice.edit("says", third.seq, "changed")
    assert (edited.text, edited.thread_root) == ("changed", root)


async def test_what_is_no_message_can_not_be_answered(node: RunningNode) -> None:
    """One error for all of it, which names the field; a thread has no threads, and says which one to use."""
    await node.put_room("wrong", {"alice": "owner", "bob": "member"})
    await node.put_room("other", {"alice": "owner"})
    alice, bob = node.client("alice"), node.client("bob")
    for _ in range(5):
        await alice.send("other", "x")
    root = (await alice.send("wrong", "root")).seq
    inside = (await bob.send("wrong", "in it", thread_root=root)).seq
    await alice.react("wrong", root, "👍")
    event = inside + 1
    before = await messages(bob, "wrong")

    for field in ("reply_to", "thread_root"):
        for seq in (event, event + 1, 2**62):
            wrong: dict[str, Any] = {field: seq}
            with pytest.raises(errors.MessageNotFound) as refused:
                await bob.send("wrong", "x", **wrong)
            assert refused.value.field == f"messages[0].{field}"
        below: dict[str, Any] = {field: -1}
        with pytest.raises(errors.InvalidRequest, match=f"{field} must be 0 or more"):
            await bob.send("wrong", "x", **below)
    with pytest.raises(errors.InvalidRequest, match=f"message {inside} is in the thread of message {root}"):
        await bob.send("wrong", "x", thread_root=inside)
    with pytest.raises(errors.MessageNotFound):
        await bob.reply("wrong", event, "x")

    assert await messages(bob, "wrong") == before
    assert (await bob.reply("wrong", inside, "fine")).seq == inside + 2


async def test_what_is_deleted_can_be_answered(node: RunningNode) -> None:
    """A reply to it stays readable, and a deleted reply says which thread it was in."""
    await node.put_room("gone", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("gone", "root")).seq
    reply = await bob.reply("gone", root, "a reply", in_thread=True)
    await alice.delete("gone", root)
    later = await bob.reply("gone", root, "later", in_thread=True)
    await bob.delete("gone", reply.seq)
    last = await alice.reply("gone", reply.seq, "to a deleted one")

    found = {message.seq: message for message in await messages(alice, "gone")}
    assert [found[seq].text for seq in (root, reply.seq, later.seq)] == ["", "", "later"]
    assert (found[later.seq].reply_to, found[later.seq].thread_root) == (root, root)
    assert (found[reply.seq].reply_to, found[reply.seq].thread_root) == (0, root)
    assert (found[last.seq].reply_to, found[last.seq].thread_root) == (reply.seq, root)


async def test_threads_do_not_count_in_the_room(node: RunningNode) -> None:
    """Neither what is said nor what is deleted in them; one's own there do not move the room's marker."""
    await node.put_room("counts", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("counts", "root")).seq
    inside = [await alice.send("counts", "x", thread_root=root) for _ in range(3)]
    assert (await bob.room("counts")).unread == 1
    await alice.delete("counts", inside[0].seq)
    assert (await bob.room("counts")).unread == 1
    await bob.send("counts", "x", thread_root=root)
    assert (await bob.room("counts")).unread == 1
    assert await alice.mark_read("counts", 0, back=True) == 0
    await bob.send("counts", "outside")
    assert ((await alice.room("counts")).unread, (await bob.room("counts")).unread) == (1, 0)
    assert await bob.mark_read("counts", 0, back=True) == 1
    await alice.send("counts", "x", thread_root=root)
    assert (await bob.room("counts")).unread == 1


async def test_hidden_messages_can_not_be_answered(node: RunningNode) -> None:
    """But a thread that goes on can be, though its root is hidden: what is visible of it names the root."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    root = (await alice.send(room, "hidden root")).seq
    inside = (await alice.send(room, "hidden", thread_root=root)).seq
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)

    wrongs: list[dict[str, Any]] = [
        {"reply_to": root},
        {"thread_root": root},
        {"reply_to": inside},
        {"thread_root": inside},
    ]
    for wrong in wrongs:
        with pytest.raises(errors.MessageNotFound):
            await dan.send(room, "x", **wrong)
    with pytest.raises(errors.MessageNotFound):
        await dan.message(room, inside)

    seen = (await alice.send(room, "visible", thread_root=root, reply_to=inside)).seq
    answer = await dan.reply(room, seq=seen, text="I see that")
    assert [(each.seq, each.reply_to, each.thread_root) for each in await messages(dan, room)] == [
        (seen, inside, root),
        (answer.seq, seen, root),
    ]
    for wrong in (*wrongs[:1], *wrongs[2:]):
        with pytest.raises(errors.MessageNotFound):
            await dan.send(room, "x", **wrong)
