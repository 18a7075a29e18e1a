"""Mentions: who is called, what is listed and counted, and what is left."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import mentions
from grpc_chat.testing import RunningNode, running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        network=False,
        accounts={"adding": "anyone"},
        limits={"calls_per_second": 0, "adds_per_second": 0},
    ) as made:
        for user in ("alice", "bob", "carol", "dan"):
            await made.register(user, admin=user == "alice")
        yield made


async def made_room(node: RunningNode, name: str, *users: str) -> str:
    alice = await node.log_in("alice")
    room = (await alice.create_room(name)).room_id
    for user in users:
        await alice.add_member(room, user)
    return room


async def listed(client: chat.Client, room: str | None = None, **how: bool) -> list[tuple[str, bool]]:
    return [(each.message.text, each.unread) async for each in client.mentions(room, **how)]


async def read(client: chat.Client, room: str, seq: int) -> chat.Message:
    [message] = [each async for each in client.history(room, after=seq - 1, limit=1)]
    return message


async def counted(client: chat.Client, room: str) -> int:
    """How many unread messages mention the user, which two calls must agree on."""
    found = (await client.room(room)).unread_mentions
    [listed] = [each async for each in client.rooms() if each.room_id == room]
    assert listed.unread_mentions == found
    return found


async def test_members_are_mentioned_by_name_and_everyone_by_admins(node: RunningNode) -> None:
    """Live, in history and in the list; who is no member, and @room of a member, stays text."""
    room = await made_room(node, "names", "bob", "carol")
    alice, bob, carol = [await node.log_in(user) for user in ("alice", "bob", "carol")]
    live = bob.subscribe(room, from_latest=True)
    while not isinstance(await live.next(), chat.CaughtUp):
        pass
    first = await alice.send(room, "@Bob @dan @nobody and @alice")
    told = await live.next()
    assert isinstance(told, chat.Message)
    assert (told.mentions, told.mentions_room) == (("bob",), False)
    assert told.mentioning("bob")
    assert not told.mentioning("alice")
    assert await read(carol, room, first.seq) == told
    await bob.send(room, "@room and @carol")
    await alice.send(room, "@room")
    assert await listed(bob) == [("@room", True), (told.text, False)]
    assert await listed(carol) == [("@room", True), ("@room and @carol", True)]
    assert await listed(alice, room) == []
    assert [await counted(each, room) for each in (alice, bob, carol)] == [0, 1, 2]
    await carol.mark_read(room, first.seq + 1)
    assert await listed(carol, room, unread_only=True) == [("@room", True)]
    assert await counted(carol, room) == 1
    await live.aclose()


async def test_edits_and_deletions_change_who_is_mentioned(node: RunningNode) -> None:
    """Somebody whom an edit adds is mentioned, one whom it leaves out is not, and a deletion leaves none."""
    room = await made_room(node, "edits", "bob", "carol")
    alice, bob, carol = [await node.log_in(user) for user in ("alice", "bob", "carol")]
    seq = (await alice.send(room, "@bob")).seq
    assert (await alice.edit(room, seq, "@carol")).mentions == ("carol",)
    assert await listed(bob, room) == []
    assert await listed(carol, room) == [("@carol", True)]
    [edit] = [each async for each in bob.events(room) if isinstance(each, chat.MessageEdited)]
    assert edit.mentions == ("carol",)
    await alice.delete(room, seq)
    assert await listed(carol, room) == []
    assert await counted(carol, room) == 0
    assert (await read(bob, room, seq)).mentions == ()


async def test_only_what_may_be_read_now_is_listed(node: RunningNode) -> None:
    """Nothing of a room that one has left; @room only since one joined; nothing that the room hides."""
    room = await made_room(node, "seen", "bob")
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    await alice.send(room, "@room before")
    await alice.send(room, "@bob before")
    await bob.leave_room(room)
    assert [text for text, _ in await listed(bob) if "before" in text] == []
    with pytest.raises(errors.RoomNotFound):
        await listed(bob, room)
    await alice.add_member(room, "bob")
    await alice.send(room, "@room after")
    assert await listed(bob, room) == [("@room after", True), ("@bob before", False)]
    assert [hit.message.text async for hit in bob.search(room=room, mentions_me=True)] == [
        "@room after",
        "@bob before",
    ]
    await alice.update_room(room, history="since_join")
    assert await listed(bob, room) == [("@room after", True)]
    assert [hit.message.text async for hit in bob.search("before", room=room, mentions_me=True)] == []


async def test_who_is_blocked_calls_nobody(node: RunningNode) -> None:
    """Neither do their bots; the messages are there, and are found."""
    room = await made_room(node, "blocked", "bob", "carol")
    bob, carol = await node.log_in("bob"), await node.log_in("carol")
    alice = await node.log_in("alice")
    await carol.create_bot("carols-bot")
    token = (await carol.create_access_token("test", bot_id="carols-bot")).token
    await alice.add_member(room, "carols-bot")
    await carol.send(room, "@bob one")
    await node.client_within(token=token).send(room, "@bob beep")
    assert await counted(bob, room) == 2
    await bob.block("carol")
    assert await counted(bob, room) == 0
    assert await listed(bob, room) == []
    found = [hit.message.text async for hit in bob.search(room=room, mentions_me=True)]
    assert found == ["@bob beep", "@bob one"]
    await alice.send(room, "@bob two")
    assert await listed(bob, room, unread_only=True) == [("@bob two", True)]
    await bob.unblock("carol")
    assert await counted(bob, room) == 3


async def test_pages_have_each_mention_once(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all sizes, across rooms, while more are stored, and where a page is cut for its size."""
    rooms = [await made_room(node, f"pages-{at}", "dan") for at in range(3)]
    alice, dan = await node.log_in("alice"), await node.log_in("dan")
    texts = [f"@dan {at}" if at % 3 else f"@room {at}" for at in range(24)]
    for at, text in enumerate(texts):
        await alice.send(rooms[at % 3], text)
    for unread in (False, True):
        for limit in (1, 5, 24, 30):
            found = [each async for each in dan.mentions(unread_only=unread, limit=limit)]
            assert [each.message.text for each in found] == texts[::-1][:limit]
    monkeypatch.setattr(mentions, "_MOST_READ", 5)
    monkeypatch.setattr(node.node.system.mentions, "_page_bytes", 300)
    seen = []
    async for each in dan.mentions():
        seen.append(each.message.text)
        if len(seen) == 3:
            await alice.send(rooms[0], "@dan later")
    assert seen == texts[::-1]


async def test_a_mention_waits_in_a_muted_room(node: RunningNode) -> None:
    """Also one in a thread, which makes nothing unread; until it is read."""
    room = await made_room(node, "muted", "dan")
    alice, dan = await node.log_in("alice"), await node.log_in("dan")

    async def waits() -> bool:
        return room in [each.room_id for each in (await dan.inbox()).rooms]

    await dan.mute(room)
    root = await alice.send(room, "words")
    assert not await waits()
    reply = await alice.reply(room, root.seq, "@dan", in_thread=True)
    assert await waits()
    assert [(each.message.seq, each.unread) async for each in dan.mentions(room)] == [(reply.seq, True)]
    assert await counted(dan, room) == 1
    await dan.mark_read(room, reply.seq)
    assert not await waits()


async def test_a_direct_room_has_no_everyone(node: RunningNode) -> None:
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.direct_room("bob")).room_id
    await alice.send(room, "@room @bob")
    found = [each.message async for each in bob.mentions(room)]
    assert [(each.mentions, each.mentions_room) for each in found] == [(("bob",), False)]


async def expected(client: chat.Client, me: str) -> dict[str, tuple[int, list[tuple[str, int, bool]]]]:
    """By room, how many unread mentions there are and which mentions, from a look at every message."""
    found = {}
    async for room in client.rooms():
        [joined] = [each.join_seq async for each in client.members(room.room_id) if each.user.user_id == me]
        mine = [
            (room.room_id, event.seq, event.seq > room.read_seq)
            async for event in client.events(room.room_id)
            if isinstance(event, chat.Message)
            and event.sender_id != me
            and (me in event.mentions or (event.mentions_room and event.seq > joined))
        ]
        found[room.room_id] = sum(unread for *_, unread in mine), mine
    return found


async def test_lists_and_counts_are_those_of_a_look_at_every_message() -> None:
    """Whatever was said, edited and deleted, and however people came and went."""
    pick = random.Random(3)
    async with running_node(
        "alice", "bob", "carol", network=False, limits={"calls_per_second": 0, "adds_per_second": 0}
    ) as node:
        people = {user: node.client(user) for user in ("alice", "bob", "carol")}
        alice, rooms, sent = people["alice"], [], []
        for history in ("all", "since_join"):
            made = await alice.create_room(history, history=history, public=True)
            rooms.append(made.room_id)
        names = ["@alice", "@bob", "@carol", "@room", "@nobody", "`@bob`", "words"]
        total = 0
        for step in range(72):
            user, room = pick.choice(list(people)), pick.choice(rooms)
            client, text = people[user], " ".join(pick.sample(names, 3))
            inside = {each.room_id: each async for each in client.rooms()}
            if room not in inside:
                await client.join_room(room)
            elif (chance := pick.random()) < 0.5:
                sent.append((user, room, (await client.send(room, text)).seq))
            elif chance < 0.75 and sent:
                author, where, seq = pick.choice(sent)
                try:
                    if pick.random() < 0.3:
                        await alice.delete(where, seq)
                    else:
                        await people[author].edit(where, seq, text)
                except (errors.MessageNotFound, errors.NotAMember):
                    pass
            elif chance < 0.9 or user == "alice":
                seq = pick.randint(0, inside[room].last_seq)
                await client.mark_read(room, seq, back=pick.random() < 0.5)
            else:
                await client.leave_room(room)
            if step % 9:
                continue
            for me, client in people.items():
                by_room = await expected(client, me)
                listed = [each async for each in client.mentions()]
                places = [(each.message.room_id, each.message.seq, each.unread) for each in listed]
                assert sorted(places) == sorted(each for _, mine in by_room.values() for each in mine)
                times = [each.message.create_time for each in listed]
                assert times == sorted(times, reverse=True)
                unread = [each.message async for each in client.mentions(unread_only=True)]
                assert unread == [each.message for each in listed if each.unread]
                for room, (waiting, mine) in by_room.items():
                    assert await counted(client, room) == waiting
                    in_room = [each.message.seq async for each in client.mentions(room)]
                    assert in_room == [seq for _, seq, _ in mine][::-1]
                total += len(places)
        assert total > 40
