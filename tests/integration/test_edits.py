"""Messages that are edited and deleted: who may, who is told, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.caller import SYSTEM
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.store.base import Transaction
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.memory import Mostly

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone"}, limits={"calls_per_second": 0, "adds_per_second": 0}
    ) as made:
        for user in ("alice", "bob", "carol", "dan"):
            await made.register(user, admin=user == "alice")
        yield made


async def people(node: RunningNode, *names: str) -> list[chat.Client]:
    return [await node.log_in(name) for name in names]


async def caught_up(stream: chat.Subscription) -> AsyncIterator[chat.Update]:
    """The stream's updates, of which those that were there at its beginning are read."""
    updates = stream.updates()
    async with asyncio.timeout(PATIENCE):
        while not isinstance(await anext(updates), chat.CaughtUp):
            pass
    return updates


async def the_next(updates: AsyncIterator[chat.Update], count: int) -> list[chat.Event]:
    """The next events about messages."""
    found: list[chat.Event] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            update = await anext(updates)
            if isinstance(update, chat.Message | chat.MessageEdited | chat.MessageDeleted):
                found.append(update)
    return found


async def events(client: chat.Client, room: str) -> list[chat.Event]:
    return [event async for event in client.events(room)]


async def test_an_edit_reaches_those_who_were_there_and_those_who_were_not(node: RunningNode) -> None:
    """Live it is an event; people who read later see what the message says now and nothing else."""
    alice, bob = await people(node, "alice", "bob")
    room = (await alice.create_room("edits")).room_id
    await alice.add_member(room, "bob")
    sent = await alice.send(room, "first")
    async with bob.subscribe(room, from_latest=True) as live:
        updates = await caught_up(live)
        for text in ("second", "third"):
            await alice.edit(room, sent.seq, text)
        edits = await the_next(updates, 2)

    assert [(type(edit), getattr(edit, "message_seq", 0), getattr(edit, "text", "")) for edit in edits] == [
        (chat.MessageEdited, sent.seq, "second"),
        (chat.MessageEdited, sent.seq, "third"),
    ]
    [message] = [event for event in await events(bob, room) if isinstance(event, chat.Message)]
    assert (message.text, message.edits, message.seq) == ("third", 2, sent.seq)
    assert (message.create_time, message.edit_time) == (sent.create_time, edits[1].create_time)
    async with bob.subscribe(room) as late:
        told = await the_next(late.updates(), 3)
    assert [getattr(event, "text", "") for event in told] == ["third", "", "third"]
    assert await alice.edit(room, sent.seq, "third") == message
    assert len(await events(bob, room)) == len(told) + 2, "the same text again is stored"


async def test_a_deletion_leaves_where_and_when_and_by_whom(node: RunningNode) -> None:
    """Everything that was said is gone, also from earlier edits; asked for again it is as it was."""
    alice, bob = await people(node, "alice", "bob")
    room = (await alice.create_room("deletions")).room_id
    await alice.add_member(room, "bob")
    id_ = new_message_id()
    sent = await bob.send(room, "secret one", client_message_id=id_)
    await bob.edit(room, sent.seq, "secret two")
    async with bob.subscribe(room, from_latest=True) as live:
        updates = await caught_up(live)
        [gone] = await alice.delete(room, sent.seq, reason="spam")
        [told] = await the_next(updates, 1)

    assert isinstance(told, chat.MessageDeleted)
    assert (told.message_seq, told.actor_id, told.reason) == (sent.seq, "alice", "spam")
    assert gone == chat.Message(
        room_id=room,
        seq=sent.seq,
        sender_id="bob",
        text="",
        create_time=sent.create_time,
        client_message_id=id_,
        epoch=gone.epoch,
        deleted=chat.Deletion("alice", told.create_time, "spam"),
    )
    before = await events(bob, room)
    assert gone in before
    assert "secret" not in repr(before)
    # Nothing is stored for what is so already, nor for a message that was sent before, whatever it says.
    assert await alice.delete(room, sent.seq, reason="other") == [gone]
    assert await bob.send(room, "other", client_message_id=id_) == sent
    with pytest.raises(errors.MessageNotFound):
        await bob.edit(room, sent.seq, "again")
    assert await events(bob, room) == before


async def test_what_became_of_hidden_messages_stays_hidden(node: RunningNode) -> None:
    """Live, on catching up and in pages; and a command about one is answered as about none."""
    alice, dan = await people(node, "alice", "dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    hidden = [await alice.send(room, f"hidden {at}") for at in range(3)]
    await alice.add_member(room, "dan")
    seen = await alice.send(room, "seen")
    async with dan.subscribe(room, from_latest=True) as live, Mostly(node) as calls:
        updates = await caught_up(live)
        for at in range(30):
            await alice.edit(room, hidden[at % 2].seq, f"hidden again {at}")
        await alice.delete(room, hidden[2].seq, reason="hidden reason")
        await alice.edit(room, seen.seq, "seen again")
        last = await alice.send(room, "last")
        assert [event.seq for event in await the_next(updates, 2)] == [last.seq - 1, last.seq]
        assert live.cursors[room].seq == last.seq

        found = await events(dan, room)
        assert [event.seq for event in found] == [seen.seq - 1, seen.seq, last.seq - 1, last.seq]
        async with dan.subscribe(room) as late:
            assert [event.seq for event in await the_next(late.updates(), 3)] == [
                seen.seq,
                last.seq - 1,
                last.seq,
            ]
        # A page is as long as it is asked to be, from either end, however much of the log is hidden.
        for request in (
            pb.ListMessagesRequest(room_id=room, page_size=4),
            pb.ListMessagesRequest(room_id=room, page_size=4, after_seq=0),
            pb.ListMessagesRequest(room_id=room, page_size=4, before_seq=last.seq + 1),
        ):
            page = (await calls("MessageService/ListMessages", request, dan.token)).read(
                pb.ListMessagesResponse
            )
            assert [event.seq for event in page.events] == [event.seq for event in found]
            assert b"hidden" not in page.SerializeToString()

        answers = set()
        for seq in (hidden[0].seq, hidden[2].seq, 1, seen.seq - 1, last.seq - 2, 10_000):
            for method, asked in (
                ("EditMessage", pb.EditMessageRequest(room_id=room, seq=seq, text="x")),
                ("DeleteMessages", pb.DeleteMessagesRequest(room_id=room, seqs=[seq])),
            ):
                reply = await calls(f"MessageService/{method}", asked, dan.token)
                answers.add((reply.reason, reply.text, reply.details, reply.field))
        assert {answer[0] for answer in answers} == {"MESSAGE_NOT_FOUND"}
        assert len(answers) == 1
        head = (await alice.room(room)).last_seq
        assert head == last.seq


async def test_what_is_hidden_follows_the_room(node: RunningNode) -> None:
    """An open stream is told of edits of old messages while their room lets everybody read them."""
    alice, dan = await people(node, "alice", "dan")
    room = (await alice.create_room("rules")).room_id
    old = await alice.send(room, "old")
    await alice.add_member(room, "dan")
    async with dan.subscribe(room, from_latest=True) as live:
        updates = await caught_up(live)
        for history in ("all", "since_join", "all", "since_join"):
            await alice.update_room(room, history=history)
            await alice.edit(room, old.seq, f"edited while {history}")
        last = await alice.send(room, "last")
        told: list[chat.Event] = []
        while not told or told[-1].seq < last.seq:
            told += await the_next(updates, 1)
    assert [getattr(event, "text", "") for event in told] == ["edited while all", "edited while all", "last"]


async def test_admins_delete_what_those_below_them_said(node: RunningNode) -> None:
    """Owners what anybody did, blocked users too. Nobody edits what somebody else said."""
    owner, admin, member = await people(node, "alice", "bob", "carol")
    room = (await owner.create_room("roles")).room_id
    await owner.add_member(room, "bob", role="admin")
    await owner.add_member(room, "carol")
    await owner.add_member(room, "dan", role="admin")
    said = {
        client: (await client.send(room, "words")).seq
        for client in (owner, admin, member, *await people(node, "dan"))
    }
    by_owner, by_admin, by_member, by_other = said.values()
    for client in (owner, admin):
        with pytest.raises(errors.PermissionDenied, match="only the user who sent it"):
            await client.edit(room, by_member, "x")
    for client, seq in ((admin, by_owner), (admin, by_other), (member, by_admin)):
        with pytest.raises(errors.PermissionDenied):
            await client.delete(room, seq)
    with pytest.raises(errors.PermissionDenied):
        await admin.delete(room, by_member, by_owner)
    assert all(
        event.deleted is None for event in await events(owner, room) if isinstance(event, chat.Message)
    )

    await owner.admin.block_user("carol")
    await admin.delete(room, by_member)
    await owner.admin.unblock_user("carol")
    await admin.delete(room, by_admin)
    await owner.set_role(room, "bob", "reader")
    await owner.delete(room, by_other, by_owner)

    left = [event for event in await events(owner, room) if isinstance(event, chat.Message)]
    assert {event.seq: event.deleted and event.deleted.user_id for event in left} == {
        by_owner: "alice",
        by_admin: "bob",
        by_member: "bob",
        by_other: "alice",
    }


async def test_rooms_that_are_closed_or_direct(node: RunningNode) -> None:
    """An archived room keeps what its members said, but for what its admins delete. To edit is to write."""
    alice, bob = await people(node, "alice", "bob")
    room = (await alice.create_room("closed")).room_id
    await alice.add_member(room, "bob")
    sent = await bob.send(room, "words")
    await alice.archive_room(room)
    with pytest.raises(errors.RoomArchived):
        await bob.edit(room, sent.seq, "x")
    with pytest.raises(errors.RoomArchived):
        await bob.delete(room, sent.seq)
    assert (await alice.delete(room, sent.seq))[0].deleted

    direct = (await bob.direct_room("alice")).room_id
    mine, other = await bob.send(direct, "mine"), await bob.send(direct, "other")
    with pytest.raises(errors.PermissionDenied):
        await alice.delete(direct, mine.seq)
    await alice.block("bob")
    with pytest.raises(errors.NotAccepted):
        await bob.edit(direct, mine.seq, "something new")
    assert (await bob.delete(direct, other.seq))[0].deleted
    await alice.unblock("bob")
    assert (await bob.edit(direct, mine.seq, "something new")).edits == 1


async def test_a_room_says_how_long_messages_may_be_edited(node: RunningNode) -> None:
    """Then nobody edits, and only those who run the room delete; until the room says otherwise."""
    alice, bob = await people(node, "alice", "bob")
    room = (await alice.create_room("window")).room_id
    await alice.add_member(room, "bob")
    sent = await bob.send(room, "words")
    told = await alice.update_room(room, edit_window=timedelta(microseconds=1))
    assert told.edit_window == timedelta(microseconds=1)
    for late in (bob.edit(room, sent.seq, "x"), bob.delete(room, sent.seq)):
        with pytest.raises(errors.EditWindowOver):
            await late
    assert (await bob.edit(room, sent.seq, "words")).edits == 0

    await alice.update_room(room, edit_window=timedelta(hours=1))
    assert (await bob.edit(room, sent.seq, "x")).edits == 1
    await alice.update_room(room, edit_window=timedelta(microseconds=1))
    assert (await alice.delete(room, sent.seq))[0].deleted
    assert (await alice.update_room(room, edit_window=timedelta(0))).edit_window is None
    changes = [event.changes async for event in alice.events(room) if isinstance(event, chat.RoomChange)]
    assert [change["edit_window"] for change in changes[1:]] == [
        timedelta(microseconds=1),
        timedelta(hours=1),
        timedelta(microseconds=1),
        timedelta(0),
    ]


async def test_a_room_keeps_what_messages_said_if_it_wants_to(node: RunningNode) -> None:
    """Members read it, page by page, who may read the message; a deletion removes all of it."""
    alice, dan = await people(node, "alice", "dan")
    room = (await alice.create_room("kept", history="since_join")).room_id
    sent = await alice.send(room, "never kept")
    await alice.edit(room, sent.seq, "0")
    await alice.update_room(room, keep_edits=True)
    for number in range(1, 105):
        await alice.edit(room, sent.seq, f"{number}")
    kept = [version async for version in alice.message_edits(room, sent.seq)]

    assert [(version.version, version.text) for version in kept] == [
        (number + 1, f"{number}") for number in range(103, 3, -1)
    ]
    assert kept == sorted(kept, key=lambda version: version.time, reverse=True)
    await alice.add_member(room, "dan")
    seen = await alice.send(room, "first")
    await alice.edit(room, seen.seq, "second")
    assert [version.text async for version in dan.message_edits(room, seen.seq)] == ["first"]
    for seq in (sent.seq, sent.seq + 1):
        with pytest.raises(errors.MessageNotFound):
            await anext(dan.message_edits(room, seq))

    await alice.delete(room, sent.seq, seen.seq)
    for seq in (sent.seq, seen.seq):
        assert [version async for version in alice.message_edits(room, seq)] == []

    def rows(transaction: Transaction) -> list[pb.MessageVersion]:
        return [
            version
            for seq in (sent.seq, seen.seq)
            for version in transaction.edits(room, seq, after=None, limit=1000)
        ]

    assert await node.node.committer.transact(SYSTEM, rows) == []
