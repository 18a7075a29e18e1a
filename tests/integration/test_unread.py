"""How far members have read, and how many messages wait for them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.caller import SYSTEM
from grpc_chat.store.base import Transaction
from grpc_chat.testing import RunningNode, running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone"}, limits={"calls_per_second": 0, "adds_per_second": 0}
    ) as made:
        for user in ("alice", "bob", "carol"):
            await made.register(user, admin=user == "alice")
        yield made


async def unread(client: chat.Client, room: str) -> int:
    """How many messages wait, which two calls must agree on."""
    found = await client.room(room)
    [listed] = [each async for each in client.rooms() if each.room_id == room]
    assert (found.read_seq, found.unread) == (listed.read_seq, listed.unread)
    return found.unread


async def test_a_marker_is_shared_by_all_sessions_and_moves_both_ways(node: RunningNode) -> None:
    """Only messages of others are unread; older markers change nothing unless they are to go back."""
    alice, bob, other = await node.log_in("alice"), await node.log_in("bob"), await node.log_in("bob")
    room = (await alice.create_room("markers")).room_id
    await alice.send(room, "before bob")
    await alice.add_member(room, "bob")
    joined = (await bob.room(room)).last_seq
    assert await unread(bob, room) == 0

    first, second, third = [await alice.send(room, text) for text in "abc"]
    assert await unread(bob, room) == 3
    assert await unread(alice, room) == 0
    assert await bob.mark_read(room, second.seq) == 1
    assert await unread(other, room) == 1
    assert await bob.mark_read(room, first.seq) == 1
    assert await bob.mark_read(room, 0, back=True) == 3
    assert (await other.room(room)).read_seq == joined

    await alice.delete(room, second.seq)
    assert await unread(bob, room) == 2
    mine = await bob.send(room, "mine")
    assert await unread(bob, room) == 0
    assert (await unread(alice, room)) == 1
    assert await bob.mark_read(room, joined, back=True) == 2
    assert await bob.mark_read(room, third.seq) == 0
    with pytest.raises(errors.BadCursor) as refused:
        await bob.mark_read(room, mine.seq + 2)
    assert refused.value.field == "markers[0].seq"
    with pytest.raises(errors.RoomNotFound):
        await (await node.log_in("carol")).mark_read("1" * 32, 1)


async def test_what_was_stored_before_messages_were_counted_is_counted_when_it_matters(
    node: RunningNode,
) -> None:
    """The numbers of an upgraded database begin in the middle of its logs."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.create_room("upgraded")).room_id
    await alice.add_member(room, "bob")
    sent = [await alice.send(room, "old") for _ in range(4)]

    def forget(transaction: Transaction) -> None:
        # As the migration leaves it.
        conn = transaction._batch.conn  # type: ignore[attr-defined]
        for sql in (
            "UPDATE events SET messages = NULL WHERE room_id = ?",
            "UPDATE rooms SET message_count = 0 WHERE room_id = ?",
            "UPDATE members SET read_count = 0, read_seq = (SELECT last_seq FROM rooms"
            " WHERE rooms.room_id = members.room_id) WHERE room_id = ?",
        ):
            conn.exec_driver_sql(sql, (room,))

    await node.node.committer.transact(SYSTEM, forget)

    assert await unread(bob, room) == 0
    assert await bob.mark_read(room, sent[1].seq, back=True) == 2
    await alice.send(room, "new")
    assert await unread(bob, room) == 3
    assert await bob.mark_read(room, sent[0].seq, back=True) == 4


async def test_counts_are_those_of_a_naive_count(node: RunningNode) -> None:
    """After whatever was sent, edited, deleted, read, marked as unread, left and joined again."""
    pick = random.Random(4)
    clients = [await node.log_in(name) for name in ("alice", "bob", "carol")]
    alice = clients[0]
    room = (await alice.create_room("naive")).room_id
    names = ["alice", "bob", "carol"]
    for name in names[1:]:
        await alice.add_member(room, name)
    for _ in range(150):
        at = pick.randrange(3)
        client = clients[at]
        head = (await alice.room(room)).last_seq
        log = [event async for event in alice.history(room)]
        mine = [
            e.seq for e in log if isinstance(e, chat.Message) and e.sender_id == names[at] and not e.deleted
        ]
        match pick.randrange(7):
            case 0 | 1 | 2:
                await client.send(room, "x")
            case 3 if mine:
                await client.delete(room, pick.choice(mine))
            case 4 if mine:
                await client.edit(room, pick.choice(mine), f"{pick.random()}")
            case 5:
                await client.mark_read(room, pick.randrange(head + 1), back=pick.random() < 0.6)
            case 6 if at and pick.random() < 0.4:
                if pick.random() < 0.5:
                    await client.leave_room(room)
                else:
                    await alice.ban_member(room, names[at])
                    await alice.unban_member(room, names[at])
                await alice.add_member(room, names[at])
        log = [event async for event in alice.history(room)]
        for name, each in zip(names, clients, strict=True):
            seq = (await each.room(room)).read_seq
            naive = [
                event
                for event in log
                if isinstance(event, chat.Message)
                and event.seq > seq
                and event.sender_id != name
                and not event.deleted
            ]
            assert await unread(each, room) == len(naive)
