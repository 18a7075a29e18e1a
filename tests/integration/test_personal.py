"""What users keep for themselves: drafts and saved messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import user_entries
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.effects import Told
from grpc_chat.core.user_log import entry
from grpc_chat.store.records import user_log
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAFTS, SAVED = 3, 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone"},
        limits={
            "calls_per_second": 0,
            "adds_per_second": 0,
            "drafts_per_user": DRAFTS,
            "saved_per_user": SAVED,
            "page_bytes": 2000,
        },
        network=False,
    ) as made:
        for user in ("alice", "bob"):
            await made.register(user)
        yield made


async def told(node: RunningNode, user_id: str) -> list[pb.Event]:
    """What stands in a user's own log."""
    found = await node.node.readers.run(
        lambda snapshot: snapshot.events_after(user_log(user_id), 0, limit=10_000, max_bytes=1 << 24)
    )
    return [pb.Event.FromString(stored.payload) for stored in found]


async def room_of(client: chat.Client, name: str, *others: str) -> str:
    room_id = (await client.create_room(name)).room_id
    for other in others:
        await client.add_member(room_id, other)
    return room_id


async def test_a_draft_is_shared_by_sessions_and_the_last_write_wins(node: RunningNode) -> None:
    """Each room, and each thread, has one draft; nobody else's log or listing has it; a text that was
    replaced or deleted is nowhere, the user's own log included."""
    bob, phone, alice = await node.log_in("bob"), await node.log_in("bob"), await node.log_in("alice")
    room = await room_of(bob, "drafting", "alice")
    before = len(await told(node, "bob"))

    made = await bob.save_draft(room, "I think-secret", reply_to=1)
    assert made
    assert (made.room_id, made.thread_root, made.text, made.reply_to) == (room, 0, "I think-secret", 1)
    assert [each async for each in phone.drafts()] == [made]
    in_thread = await phone.save_draft(room, "and here", thread_root=7)
    later = await phone.save_draft(room, "I know")
    assert in_thread
    assert later
    assert later.update_time > made.update_time
    assert [each async for each in bob.drafts(room)] == [later, in_thread]
    assert [each async for each in alice.drafts()] == []

    # What is so already, stores nothing.
    entries = await told(node, "bob")
    assert await bob.save_draft(room, "I know") == later
    assert await told(node, "bob") == entries
    assert [each.draft_changed.thread_root for each in entries[before:]] == [0, 7, 0]
    assert all(each.draft_changed.room_id == room for each in entries[before:])
    assert b"secret" not in b"".join(each.SerializeToString() for each in entries)

    assert await bob.save_draft(room, "") is None
    assert await bob.save_draft(room, "") is None
    assert len(await told(node, "bob")) == len(entries) + 1
    assert [each async for each in phone.drafts()] == [in_thread]
    await phone.save_draft(room, "", thread_root=7)


async def test_drafts_are_bounded_and_come_in_pages_of_bounded_size(node: RunningNode) -> None:
    """One more than allowed is refused, and changing one is not; a page of long texts ends early."""
    bob = await node.log_in("bob")
    room = await room_of(bob, "many")
    for root in range(DRAFTS):
        await bob.save_draft(room, f"{root}" * 1500, thread_root=root)
    with pytest.raises(errors.LimitExceeded, match=f"you have {DRAFTS} drafts, which is the maximum"):
        await bob.save_draft(room, "one more", thread_root=DRAFTS)
    await bob.save_draft(room, "changed", thread_root=1)
    assert [each.thread_root async for each in bob.drafts()] == [1, 2, 0]

    sizes: list[int] = []
    token = ""
    while True:
        request = pb.ListDraftsRequest(page_token=token)
        page = await bob._repeat("PersonalService/ListDrafts", request, pb.ListDraftsResponse)
        sizes.append(len(page.drafts))
        token = page.next_page_token
        if not token:
            break
    assert sizes == [2, 1]
    for root in range(DRAFTS):
        await bob.save_draft(room, "", thread_root=root)


async def test_what_is_kept_of_a_room_ends_with_the_membership(node: RunningNode) -> None:
    """A member who comes back finds nothing of before, also after being removed and added at once."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = await room_of(alice, "coming and going", "bob")
    seq = (await alice.send(room, "hello")).seq

    async def keep() -> None:
        await bob.save_draft(room, "mine")
        await bob.save_message(room, seq)
        assert [each.seq async for each in bob.saved_messages(room)] == [seq]

    for leave in (lambda: bob.leave_room(room), lambda: alice.remove_member(room, "bob")):
        await keep()
        await leave()
        assert [each async for each in bob.drafts()] == []
        with pytest.raises(errors.RoomNotFound):
            await bob.save_draft(room, "outside")
        await alice.add_member(room, "bob")
        assert [each async for each in bob.drafts(room)] == []
        assert [each async for each in bob.saved_messages(room)] == []
    # All in one transaction, in this order.
    await asyncio.gather(
        bob.save_draft(room, "too late"), alice.remove_member(room, "bob"), alice.add_member(room, "bob")
    )
    assert [each async for each in bob.drafts(room)] == []
    await keep()
    await alice.delete_room(room, confirm_name="coming and going")
    assert [each async for each in bob.drafts()] == []
    assert [each async for each in bob.saved_messages()] == []


async def test_saved_messages_are_listed_as_they_are_now(node: RunningNode) -> None:
    """The last saved first, with edits; a deleted one is gone, and is told to be; saving twice keeps the
    time; they are bounded."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = await room_of(alice, "saving", "bob")
    seqs = [(await alice.send(room, f"text {at}")).seq for at in range(SAVED + 1)]
    before = len(await told(node, "bob"))
    first = await bob.save_message(room, seqs[0])
    assert first.message
    assert (first.message.text, first.message.sender_id) == ("text 0", "alice")
    for seq in seqs[1:SAVED]:
        await bob.save_message(room, seq)
    assert await bob.save_message(room, seqs[0]) == first
    with pytest.raises(errors.LimitExceeded, match=f"you have {SAVED} saved messages"):
        await bob.save_message(room, seqs[SAVED])
    assert [each.seq async for each in bob.saved_messages()] == seqs[SAVED - 1 :: -1]
    assert [each async for each in alice.saved_messages()] == []

    await alice.edit(room, seqs[1], "edited")
    await alice.delete(room, seqs[2])
    await bob.unsave_message(room, seqs[3])
    await bob.unsave_message(room, seqs[3])
    left = [each async for each in bob.saved_messages(room)]
    assert [each.message and each.message.text for each in left] == ["edited", "text 0"]
    changes = [each.saved_changed for each in (await told(node, "bob"))[before:]]
    assert [(each.seq, each.removed) for each in changes] == [
        *[(seq, False) for seq in seqs[:SAVED]],
        (seqs[3], True),
    ]
    for seq in (seqs[2], seqs[-1] + 100, 1):
        with pytest.raises(errors.MessageNotFound):
            await bob.save_message(room, seq)
    for seq in seqs[:2]:
        await bob.unsave_message(room, seq)


async def test_hidden_messages_are_neither_saved_nor_shown(node: RunningNode) -> None:
    """A message that a member may not read answers as one that there is not. One that they could read when
    they saved it is listed without what it says, and can be removed."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = await room_of(alice, "hiding")
    old = (await alice.send(room, "before bob")).seq
    await alice.add_member(room, "bob")
    await bob.save_message(room, old)
    await alice.update_room(room, history="since_join")
    [listed] = [each async for each in bob.saved_messages()]
    assert (listed.seq, listed.message) == (old, None)
    errors_of = []
    for seq in (old, old + 1000):
        with pytest.raises(errors.MessageNotFound) as refused:
            await bob.save_message(room, seq)
        errors_of.append((str(refused.value), refused.value.field, refused.value.metadata))
    assert errors_of[0] == errors_of[1]
    await bob.unsave_message(room, old)
    assert [each async for each in bob.saved_messages()] == []


async def test_rooms_from_the_settings_end_memberships_too() -> None:
    """Members that the settings take out of a room get nothing more of it, though no event removes them."""
    async with running_node("ann", "ben", network=False) as node:
        await node.put_room("den", {"ann": "owner", "ben": "member"})
        ben = node.client("ben")
        sent = await ben.send("den", "hello")
        await ben.save_draft("den", "more")
        await ben.save_message("den", sent.seq)
        await node.put_room("den", {"ann": "owner"})
        assert [each async for each in ben.drafts()] == []
        assert [each async for each in ben.saved_messages()] == []
        await node.node.committer.transact(SYSTEM, lambda transaction: transaction.delete_room("den"))


async def the_next(updates: AsyncIterator[chat.Update], count: int) -> list[chat.Update]:
    async with asyncio.timeout(20):
        return [await anext(updates) for _ in range(count)]


async def test_streams_bring_what_other_sessions_change(node: RunningNode) -> None:
    """Those that ask, and of one's own alone; a client that does not read is told to look at everything."""
    bob, phone, alice = await node.log_in("bob"), await node.log_in("bob"), await node.log_in("alice")
    room = await room_of(bob, "streams", "alice")
    sent = await alice.send(room, "hello")
    mine = phone.subscribe(room, personal=True).updates()
    others = alice.subscribe(room, personal=True).updates()
    plain = bob.subscribe(room).updates()
    for updates in (mine, others, plain):
        while not isinstance(await anext(updates), chat.CaughtUp):
            pass

    await bob.save_draft(room, "I think", thread_root=sent.seq)
    await bob.save_message(room, sent.seq)
    await bob.unsave_message(room, sent.seq)
    made = await bob.schedule(room, "later", datetime.now(UTC) + timedelta(days=1))
    await phone.cancel_scheduled(made.scheduled_message_id)
    found: list[chat.Update] = []
    while chat.ScheduledChanged(made.scheduled_message_id, room, "cancelled", 0) not in found:
        found += await the_next(mine, 1)
    # What changed again before it was sent is told once.
    assert chat.DraftChanged(room, sent.seq) in found
    assert chat.SavedChanged(room, sent.seq, removed=True) in found
    assert all(
        isinstance(each, chat.DraftChanged | chat.SavedChanged | chat.ScheduledChanged) for each in found
    )
    await bob.save_draft(room, "", thread_root=sent.seq)
    await alice.send(room, "the end")
    # Nothing but the message, on a stream that does not ask.
    [message] = await the_next(plain, 1)
    assert isinstance(message, chat.Message)
    assert await the_next(mine, 2) == [chat.DraftChanged(room, sent.seq), message]
    await alice.save_draft(room, "mine")
    assert await the_next(others, 1) == [chat.DraftChanged(room, 0)]
    await alice.save_draft(room, "")


async def test_too_many_changes_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything may have changed then, whatever else does before it is sent."""
    monkeypatch.setattr(user_entries, "MOST_PERSONAL", 2)
    entries = user_entries.Entries(cast("Any", None), cast("Any", None), cast("Any", None))
    stream = cast("Any", SimpleNamespace(personal={}, wake=lambda: None))

    def changed(seq: int) -> None:
        entries.apply_to(stream, Told("bob", entry("bob", pb.SavedChanged(room_id="r", seq=seq))))

    for seq in (1, 2, 1):
        changed(seq)
    assert [each.saved.seq for each in stream.personal.values()] == [2, 1]
    for seq in (3, 1):
        changed(seq)
        assert list(stream.personal.values()) == [pb.PersonalChange()]
    stream.personal.clear()
    changed(1)
    assert [each.saved.seq for each in stream.personal.values()] == [1]
    stream.personal = None
    changed(1)
