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
        accounts={"adding": "anyone"}, limits={"calls_per_second": 0, "adds_per_second": 0}, network=False
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
    """After whatever was sent, also in threads, edited, deleted, read, marked as unread, muted, left and
    joined again, also where members may read only what came since; in both sessions of each user, and in the
    inbox."""
    pick = random.Random(4)
    names = ["alice", "bob", "carol"]
    sessions = {name: [await node.log_in(name) for _ in range(2)] for name in names}
    alice = sessions["alice"][0]
    room = (await alice.create_room("naive")).room_id
    for name in names[1:]:
        await alice.add_member(room, name)
    alive: dict[int, str] = {}
    muted = dict.fromkeys(names, False)
    for _ in range(150):
        name, at = pick.choice(names), pick.randrange(2)
        client, head = sessions[name][at], (await alice.room(room)).last_seq
        mine = [seq for seq, sender in alive.items() if sender == name]
        joined = (await client.room(room)).first_seq
        seen = [seq for seq in alive if seq >= joined]
        match pick.randrange(10):
            case 0 | 1 | 2:
                alive[(await client.send(room, "x")).seq] = name
            case 3 if seen:
                root = pick.choice(seen)
                await client.send(room, "in a thread", thread_root=root)
            case 4 if gone := [seq for seq in mine if seq in seen]:
                await client.delete(room, seq := pick.choice(gone))
                del alive[seq]
            case 5 if changed := [seq for seq in mine if seq in seen]:
                await client.edit(room, pick.choice(changed), f"{pick.random()}")
            case 6:
                await client.mark_read(room, pick.randrange(head + 1), back=pick.random() < 0.6)
            case 7 if name != "alice":
                if pick.random() < 0.5:
                    await client.leave_room(room)
                else:
                    await alice.ban_member(room, name)
                    await alice.unban_member(room, name)
                await alice.add_member(room, name)
                muted[name] = False
            case 8:
                await alice.update_room(room, history=pick.choice(("all", "since_join")))
            case 9:
                muted[name] = not muted[name]
                await (client.mute(room) if muted[name] else client.unmute(room))
        for user, (first, second) in sessions.items():
            truth = await (first if at else second).room(room)
            naive = sum(seq > truth.read_seq and sender != user for seq, sender in alive.items())
            assert truth.unread == naive
            if user == name:
                assert await unread(client, room) == naive
                waits = [each.unread for each in (await client.inbox(limit=500)).rooms if each == truth]
                assert waits == [naive] * bool(naive and not muted[user])
