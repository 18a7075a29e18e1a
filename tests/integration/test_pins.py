"""Pins: what is listed and counted, who is told, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import pins
from grpc_chat.testing import RunningNode, running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        "alice", "bob", "dan", network=False, limits={"calls_per_second": 0, "adds_per_second": 0}
    ) as made:
        yield made


async def listed(client: chat.Client, room: str) -> list[tuple[int, str]]:
    return [(each.message.seq, each.user_id) async for each in client.pins(room)]


async def counted(client: chat.Client, room: str) -> int:
    """How many pins a room has, which two calls must agree on."""
    found = (await client.room(room)).pins
    [listed] = [each async for each in client.rooms() if each.room_id == room]
    assert listed.pins == found
    return found


async def events(client: chat.Client, room: str) -> list[tuple[int, bool, str]]:
    return [
        (event.message_seq, event.pinned, event.actor_id)
        async for event in client.events(room)
        if isinstance(event, chat.PinChanged)
    ]


async def test_pins_are_listed_last_pinned_first(node: RunningNode) -> None:
    """What changes nothing stores nothing; any admin unpins; members read and do not pin."""
    await node.put_room("order", {"alice": "owner", "bob": "admin", "dan": "member"})
    alice, bob, dan = node.client("alice"), node.client("bob"), node.client("dan")
    one, two, three = [(await dan.send("order", text)).seq for text in "abc"]
    made = await alice.pin("order", two)
    assert (made.message.text, made.user_id, made.message.epoch) == ("b", "alice", made.message.epoch)
    await alice.pin("order", one)
    again = await bob.pin("order", two)
    assert again == made
    await bob.pin("order", three)
    assert await listed(dan, "order") == [(three, "bob"), (one, "alice"), (two, "alice")]
    await bob.unpin("order", one)
    await bob.unpin("order", one)
    assert await listed(dan, "order") == [(three, "bob"), (two, "alice")]
    assert await counted(dan, "order") == 2
    assert await events(dan, "order") == [
        (two, True, "alice"),
        (one, True, "alice"),
        (three, True, "bob"),
        (one, False, "bob"),
    ]
    for change in (dan.pin, dan.unpin):
        with pytest.raises(errors.PermissionDenied, match="you may not pin"):
            await change("order", one)


async def test_a_deleted_message_is_not_pinned(node: RunningNode) -> None:
    """An edited one is, as it is now; what is no message never was."""
    await node.put_room("gone", {"alice": "owner"})
    alice = node.client("alice")
    seq, other = (await alice.send("gone", "hello")).seq, (await alice.send("gone", "other")).seq
    await alice.pin("gone", seq)
    await alice.pin("gone", other)
    await alice.edit("gone", other, "changed")
    assert [each.message.text async for each in alice.pins("gone")] == ["changed", "hello"]
    await alice.delete("gone", seq)
    assert await listed(alice, "gone") == [(other, "alice")]
    assert await counted(alice, "gone") == 1
    for wrong in (seq, other + 1, 999):
        for change in (alice.pin, alice.unpin):
            with pytest.raises(errors.MessageNotFound):
                await change("gone", wrong)


async def test_pins_of_hidden_messages_are_hidden(node: RunningNode) -> None:
    """Live, in pages, in lists and counts."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    hidden, other = (await alice.send(room, "hidden")).seq, (await alice.send(room, "other")).seq
    await alice.pin(room, hidden)
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)
    await alice.set_role(room, "dan", "admin")
    seen = (await alice.send(room, "seen")).seq
    async with dan.subscribe(room, from_latest=True) as live:
        updates = live.updates()
        async with asyncio.timeout(20):
            while not isinstance(await anext(updates), chat.CaughtUp):
                pass
            await alice.pin(room, other)
            await alice.pin(room, seen)
            while not isinstance(told := await anext(updates), chat.PinChanged):
                pass
    assert told.message_seq == seen
    assert await events(dan, room) == [(seen, True, "alice")]
    assert await listed(dan, room) == [(seen, "alice")]
    assert [await counted(each, room) for each in (alice, dan)] == [3, 1]
    for change in (dan.pin, dan.unpin):
        with pytest.raises(errors.MessageNotFound):
            await change(room, hidden)


async def test_a_room_has_only_so_many(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do; pinning again what is pinned is no further one. Pages have each once."""
    await node.put_room("many", {"alice": "owner"})
    alice = node.client("alice")
    monkeypatch.setattr(pins, "MOST", 5)
    sent = [(await alice.send("many", f"{at}")).seq for at in range(6)]
    for seq in sent[:5]:
        await alice.pin("many", seq)
    with pytest.raises(errors.LimitExceeded, match="5 pinned messages, which is the maximum; unpin one"):
        await alice.pin("many", sent[5])
    await alice.pin("many", sent[0])
    await alice.unpin("many", sent[0])
    await alice.pin("many", sent[5])
    monkeypatch.setattr(node.node.system.pins, "_page_bytes", 100)
    monkeypatch.setattr(pins, "_READ_AT_ONCE", 2)
    assert [seq for seq, _ in await listed(alice, "many")] == sent[:0:-1]


async def test_both_members_of_a_direct_room_pin(node: RunningNode) -> None:
    alice, bob = node.client("alice"), node.client("bob")
    room = (await alice.direct_room("bob")).room_id
    seq = (await alice.send(room, "hello")).seq
    await (await anext(bob.history(room, before=seq + 1))).pin()
    assert await listed(alice, room) == [(seq, "bob")]
    await (await anext(alice.history(room, before=seq + 1))).unpin()
    assert await listed(bob, room) == []
