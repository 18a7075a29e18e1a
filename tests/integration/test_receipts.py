"""Who has received and read a message, who sees that, and why somebody has not."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.cli.receipts import sentences
from grpc_chat.core import receipts as core
from grpc_chat.core import received
from grpc_chat.sdk import confirming
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone", "direct_messages": "anyone"},
        limits={"calls_per_second": 0, "adds_per_second": 0},
        network=False,
    ) as made:
        for user in ("admin", "alice", "bob", "carol", "dave"):
            await made.register(user, admin=user == "admin")
        yield made


async def acknowledge(client: chat.Client, room: str, seq: int, consumer: str = "phone") -> None:
    cursor = pb.Cursor(room_id=room, seq=seq, epoch=(await client.room(room)).epoch)
    await client._acknowledge(pb.AcknowledgeRequest(consumer=consumer, cursors=[cursor]))


async def receipts(client: chat.Client, room: str, seq: int, *which: str) -> dict[str, str]:
    """What a user sees of each member: received (r), with a time (t), read (R)."""
    found = [receipt async for receipt in client.receipts(room, seq, *which)]  # type: ignore[arg-type]
    return {
        each.user_id: "r" * each.received + "t" * (each.receive_time is not None) + "R" * each.read
        for each in found
    }


async def test_what_is_received_and_read_is_seen_by_those_whom_the_room_lets_see_it(
    node: RunningNode,
) -> None:
    """Nobody sees what is read until the room shows it; a member's own is theirs to see."""
    alice, bob, carol, dave = [await node.log_in(name) for name in ("alice", "bob", "carol", "dave")]
    room = (await alice.create_room("receipts")).room_id
    for name in ("bob", "carol"):
        await alice.add_member(room, name)
    sent = await alice.send(room, "who has read this?")
    assert await receipts(alice, room, sent.seq) == {"bob": "", "carol": ""}

    await acknowledge(bob, room, sent.seq)
    await carol.mark_read(room, sent.seq)
    assert await receipts(alice, room, sent.seq) == {"bob": "rt", "carol": ""}
    assert await receipts(carol, room, sent.seq) == {"bob": "rt", "carol": "rR"}
    delivery = await alice.delivery(room, sent.seq)
    assert (delivery.members, delivery.received, delivery.read, delivery.missing) == (2, 1, 0, 1)
    assert (delivery.store_time, delivery.shows_read) == (sent.create_time, False)

    await alice.update_room(room, receipts="members")
    for client in (alice, bob):
        assert await receipts(client, room, sent.seq) == {"bob": "rt", "carol": "rR"}
    delivery = await bob.delivery(room, sent.seq)
    assert (delivery.received, delivery.read, delivery.shows_read) == (2, 1, True)
    assert await receipts(alice, room, sent.seq, "read") == {"carol": "rR"}
    assert await receipts(alice, room, sent.seq, "missing") == {}

    await alice.update_room(room, receipts="senders")
    assert await receipts(alice, room, sent.seq) == {"bob": "rt", "carol": "rR"}
    assert await receipts(bob, room, sent.seq) == {"bob": "rt", "carol": ""}
    assert (await alice.room(room)).receipts == "senders"

    # Members who come later are not among those whom it was for.
    await alice.add_member(room, "dave")
    assert list(await receipts(dave, room, sent.seq)) == ["bob", "carol"]
    with pytest.raises(errors.MessageNotFound):
        await alice.delivery(room, 1)
    with pytest.raises(errors.PermissionDenied):
        await bob.update_room(room, receipts="off")


async def test_people_hide_what_they_have_read_and_when_they_were_there(node: RunningNode) -> None:
    """Who hides it in one way or another shows no times; who has blocked the caller shows nothing."""
    alice, bob, carol = [await node.log_in(name) for name in ("alice", "bob", "carol")]
    room = (await alice.create_room("hiding")).room_id
    for name in ("bob", "carol"):
        await alice.add_member(room, name)
    await alice.update_room(room, receipts="members")
    sent = await alice.send(room, "hello")
    for client in (bob, carol):
        await acknowledge(client, room, sent.seq)
        await client.mark_read(room, sent.seq)
    assert await receipts(alice, room, sent.seq) == {"bob": "rtR", "carol": "rtR"}

    await bob.show_presence(hide_receipts=True)
    await carol.show_presence(hide_last_seen=True)
    assert await receipts(alice, room, sent.seq) == {"bob": "r", "carol": "rR"}
    assert (await alice.explain_delivery(room, sent.seq, "bob")).read_seq == 0
    [position] = (await alice.explain_delivery(room, sent.seq, "carol")).positions
    assert (position.seq, position.consumer, position.acknowledge_time) == (sent.seq, "", None)
    assert (await receipts(bob, room, sent.seq))["bob"] == "rtR"
    await bob.show_presence(hide_receipts=False)
    await carol.show_presence(hide_last_seen=False, appear_offline=True)
    assert await receipts(alice, room, sent.seq) == {"bob": "rtR", "carol": ""}
    assert (await receipts(carol, room, sent.seq))["carol"] == "rtR"
    told = await alice.explain_delivery(room, sent.seq, "carol")
    assert (told.positions, told.read_seq, told.may_read) == ((), 0, True)
    await carol.show_presence(appear_offline=False)

    await bob.block("alice")
    assert await receipts(alice, room, sent.seq) == {"bob": "", "carol": "rtR"}
    assert await receipts(carol, room, sent.seq) == {"bob": "rtR", "carol": "rtR"}
    await bob.unblock("alice")

    direct = (await alice.direct_room("bob")).room_id
    asked = await alice.send(direct, "seen?")
    await bob.mark_read(direct, asked.seq)
    assert await receipts(alice, direct, asked.seq) == {"bob": "rR"}
    with pytest.raises(errors.PermissionDenied):
        await bob.update_room(direct, receipts="off")


async def test_receipts_are_those_of_a_naive_count(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After whatever was sent, acknowledged with several consumers, and read, forth and back; also of more
    members than are read at once."""
    monkeypatch.setattr(core, "_MEMBERS_AT_ONCE", 2)
    pick = random.Random(11)
    clients = {name: await node.log_in(name) for name in ("alice", "bob", "carol", "dave")}
    alice = clients["alice"]
    room = (await alice.create_room("naive")).room_id
    await alice.update_room(room, receipts="members")
    for name in ("bob", "carol", "dave"):
        await alice.add_member(room, name)
    acknowledged = dict.fromkeys(clients, 0)
    sent: dict[int, str] = {}
    for _ in range(40):
        name = pick.choice(list(clients))
        head = (await alice.room(room)).last_seq
        match pick.randrange(4):
            case 0 | 1:
                sent[(await clients[name].send(room, "x")).seq] = name
            case 2:
                seq = pick.randrange(1, head + 1)
                await acknowledge(clients[name], room, seq, pick.choice(("phone", "laptop")))
                acknowledged[name] = max(acknowledged[name], seq)
            case 3:
                await clients[name].mark_read(room, pick.randrange(1, head + 1), back=pick.random() < 0.5)
    read = {name: (await client.room(room)).read_seq for name, client in clients.items()}
    for seq, sender in sent.items():
        others = [name for name in clients if name != sender]
        naive_read = [name for name in others if read[name] >= seq]
        naive = [name for name in others if name in naive_read or acknowledged[name] >= seq]
        missing = [name for name in others if name not in naive]
        assert list(await receipts(alice, room, seq)) == others
        assert list(await receipts(alice, room, seq, "read")) == naive_read
        assert list(await receipts(alice, room, seq, "received")) == naive
        assert list(await receipts(alice, room, seq, "missing")) == missing
        delivery = await alice.delivery(room, seq)
        assert (delivery.received, delivery.read, delivery.missing) == (
            len(naive),
            len(naive_read),
            len(missing),
        )


async def test_a_page_of_receipts_goes_on_where_the_one_before_ended(node: RunningNode) -> None:
    """With a filter, too."""
    alice = await node.log_in("alice")
    room = (await alice.create_room("pages of receipts")).room_id
    for name in ("bob", "carol", "dave"):
        await alice.add_member(room, name)
    sent = await alice.send(room, "x")
    await acknowledge(await node.log_in("carol"), room, sent.seq)
    request = pb.ListReceiptsRequest(
        room_id=room, seq=sent.seq, filter=pb.RECEIPT_FILTER_MISSING, page_size=1
    )
    method = "MessageService/ListReceipts"
    first = await alice._repeat(method, request, pb.ListReceiptsResponse)
    request.page_token = first.next_page_token
    second = await alice._repeat(method, request, pb.ListReceiptsResponse)
    assert [each.user_id for each in (*first.receipts, *second.receipts)] == ["bob", "dave"]
    assert (bool(first.next_page_token), second.next_page_token) == (True, "")


async def test_why_a_message_did_not_arrive(node: RunningNode) -> None:
    """For the user themselves, for those who look after the room, and for nobody else."""
    admin, alice, bob, carol = [await node.log_in(name) for name in ("admin", "alice", "bob", "carol")]
    room = (await alice.create_room("why", history="since_join")).room_id
    await alice.add_member(room, "carol")
    early = await alice.send(room, "before bob")
    await alice.add_member(room, "bob")
    joined = (await alice.room(room)).last_seq
    heard = await alice.send(room, "bob hears this")
    await acknowledge(bob, room, heard.seq)
    await alice.remove_member(room, "bob")
    left = (await alice.room(room)).last_seq
    missed = await alice.send(room, "bob does not")
    with pytest.raises(errors.RoomNotFound):
        await bob.explain_delivery(room, missed.seq)

    told = await alice.explain_delivery(room, missed.seq, "bob")
    assert [(span.from_seq, span.to_seq) for span in told.memberships] == [(joined, left)]
    assert (told.may_read, told.positions, told.sessions, told.store_time) == (
        False,
        (),
        (),
        missed.create_time,
    )
    await alice.add_member(room, "bob")
    again = (await alice.room(room)).last_seq
    told = await alice.explain_delivery(room, missed.seq, "bob")
    assert [(span.from_seq, span.to_seq) for span in told.memberships] == [(joined, left), (again, 0)]
    assert (told.may_read, told.hidden_until_seq, told.read_seq) == (False, again - 1, 0)

    # About what is hidden from them, they learn that, and nothing of the message.
    for seq in (early.seq, missed.seq):
        own = await bob.explain_delivery(room, seq)
        assert (own.store_time, own.deleted, own.may_read) == (None, False, False)
        assert (own.hidden_until_seq, own.read_seq) == (again - 1, again)
    for ask in (bob.delivery(room, early.seq), bob.explain_delivery(room, early.seq, "alice")):
        with pytest.raises((errors.MessageNotFound, errors.PermissionDenied)):
            await ask
    with pytest.raises(errors.MessageNotFound):
        [each async for each in bob.receipts(room, early.seq)]

    now = await alice.send(room, "now")
    for consumer in ("phone", "laptop"):
        await acknowledge(bob, room, now.seq if consumer == "phone" else now.seq - 1, consumer)
    own = await bob.explain_delivery(room, now.seq)
    assert [(each.consumer, each.seq) for each in own.positions] == [
        ("laptop", now.seq - 1),
        ("phone", now.seq),
    ]
    assert own.sessions
    assert own.sessions[0].device_name is not None
    [position] = (await alice.explain_delivery(room, now.seq, "bob")).positions
    assert (position.consumer, position.seq) == ("", now.seq)
    assert position.acknowledge_time

    with pytest.raises(errors.PermissionDenied):
        await carol.explain_delivery(room, now.seq, "bob")
    with pytest.raises(errors.RoomNotFound):
        await admin.explain_delivery(room, now.seq, "bob")
    await alice.add_member(room, "admin")
    later = await alice.send(room, "later")
    assert (await admin.explain_delivery(room, later.seq, "bob")).may_read
    assert (await alice.explain_delivery(room, later.seq, "nobody-of-this-name")).memberships == ()


async def say_received(
    client: chat.Client, room: str, after: int, seq: int, epoch: str, stamp: int = 0
) -> None:
    at = pb.Cursor(room_id=room, seq=seq, after_seq=after, epoch=epoch, stamp=stamp)
    await client._acknowledge(pb.AcknowledgeRequest(cursors=[at]))


async def test_a_client_with_its_own_position_says_what_it_has_received(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a consumer, some time after it was handed to the program; from where it began."""
    monkeypatch.setattr(received, "_SECONDS", 0.01)
    monkeypatch.setattr(confirming, "SECONDS", 0.01)
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.create_room("own positions")).room_id
    await alice.add_member(room, "bob")
    early, sent = [await alice.send(room, text) for text in ("early", "here")]
    async with bob.subscribe(early.cursor) as following:
        assert (await anext(following)).seq == sent.seq
        async with asyncio.timeout(20):
            while await receipts(alice, room, sent.seq) != {"bob": "rt"}:
                pass
    assert await receipts(alice, room, early.seq) == {"bob": ""}
    assert (await alice.delivery(room, sent.seq)).received == 1

    [mine] = (await bob.explain_delivery(room, early.seq)).positions
    assert (mine.consumer, mine.after_seq, mine.seq, mine.own_position) == ("", early.seq, sent.seq, True)
    assert mine.acknowledge_time
    [theirs] = (await alice.explain_delivery(room, sent.seq, "bob")).positions
    assert (theirs.seq, theirs.own_position) == (sent.seq, False)
    shown = await bob.room(room)
    said = sentences(await bob.explain_delivery(room, early.seq), shown, early.seq, "", when=lambda _: "now")
    assert (
        f"a client of yours that keeps its own position has acknowledged events from {sent.seq} up to "
        f"{sent.seq}, now, which is after it"
    ) in said
    assert (await bob.room(room)).unread == 2


async def test_what_was_received_is_said_again_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not stored is not known then, and nothing more than was said ever is."""
    monkeypatch.setattr(received, "_SECONDS", 3600)
    data, crashed = tmp_path / "data", tmp_path / "crashed"
    async with running_node("alice", "bob", data=data, network=False) as node:
        await node.put_room("r", {"alice": "owner", "bob": "member"})
        alice, bob = node.client("alice"), node.client("bob")
        sent = [await alice.send("r", f"{at}") for at in range(3)]
        await say_received(bob, "r", 0, sent[0].seq, sent[0].epoch)
        await node.node.system.consumers.received.store()
        await say_received(bob, "r", 0, sent[1].seq, sent[0].epoch)
        shutil.copytree(data, crashed)
    # One that stops stores what it knows.
    for folder, known in ((data, 2), (crashed, 1)):
        async with running_node("alice", "bob", data=folder, network=False) as node:
            alice, bob = node.client("alice"), node.client("bob")
            seen = [(await alice.delivery("r", each.seq)).received for each in sent]
            assert seen == [1] * known + [0] * (3 - known)
            await say_received(bob, "r", 0, sent[2].seq, sent[0].epoch)
            await node.node.system.consumers.received.store()
            assert [(await alice.delivery("r", each.seq)).received for each in sent] == [1, 1, 1]


async def test_what_nobody_can_have_received_is_refused(node: RunningNode) -> None:
    """And nothing of it is stored."""
    alice, bob, carol = [await node.log_in(name) for name in ("alice", "bob", "carol")]
    room = (await alice.create_room("refused")).room_id
    await alice.add_member(room, "bob")
    sent = await alice.send(room, "here")
    epoch = sent.epoch
    for client, after, seq, said, stamp, error, field in (
        (bob, 0, sent.seq + 1, epoch, 0, errors.BadCursor, "cursors[0].seq"),
        (bob, sent.seq + 1, sent.seq, epoch, 0, errors.InvalidRequest, "cursors[0].after_seq"),
        (bob, -1, sent.seq, epoch, 0, errors.InvalidRequest, "cursors[0].after_seq"),
        (bob, 0, sent.seq, "other", 0, errors.EpochChanged, ""),
        (bob, 0, sent.seq, epoch, 5, errors.EpochChanged, ""),
        (carol, 0, sent.seq, epoch, 0, errors.RoomNotFound, ""),
    ):
        with pytest.raises(error) as refused:
            await say_received(client, room, after, seq, said, stamp)
        assert refused.value.field == field
    await node.node.system.consumers.received.store()
    assert await receipts(alice, room, sent.seq) == {"bob": ""}
