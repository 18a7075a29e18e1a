"""Clients that stay up while a copy of the server's data is put back, and while they lose rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat.store.sqlite import open_store
from grpc_chat.testing import FaultyProxy, RunningNode, running_node

ROOM = "general"
ROOMS = [ROOM, "r1", "r2"]
PATIENCE = 20
QUICK: dict[str, Any] = {"subscribe": {"heartbeat": 1.5, "reconnect_spread": 0.1}}


class Server:
    """A server whose data can be copied and put back under its clients."""

    def __init__(self, node: RunningNode, copy: Path) -> None:
        self.node, self._copy = node, copy

    async def say(self, words: str, count: int, rooms: Iterable[str] = ROOMS) -> None:
        alice = self.node.client("alice")
        for room in rooms:
            await asyncio.gather(*[alice.send(room, f"{words} {n}") for n in range(count)])

    async def keep(self) -> None:
        """Make a copy of the data folder."""
        await self.node.stop()
        shutil.copytree(self.node.config.data, self._copy)
        await self.node.start()

    async def put_back(self, *, begin_epoch: bool = False) -> None:
        """Have the copy be the data folder."""
        await self.node.stop()
        shutil.rmtree(self.node.config.data)
        shutil.copytree(self._copy, self.node.config.data)
        if begin_epoch:
            with contextlib.closing(open_store(self.node.config.data)) as store:
                store.begin_epoch()
        await self.node.start()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running_node("alice", "bob", **QUICK) as node:
        for room in ROOMS[1:]:
            await node.put_room(room, {"alice": "member", "bob": "member"})
        yield Server(node, tmp_path / "copy")


def words(word: str, count: int) -> list[str]:
    return [f"{word} {n}" for n in range(count)]


class Reader:
    """Reads updates, and sorts them."""

    def __init__(self, subscription: chat.Subscription) -> None:
        self.subscription = subscription
        self.texts: dict[str, list[str]] = {room: [] for room in ROOMS}
        self.updates: list[chat.Update] = []

    async def until(self, **count: int) -> None:
        """Until there are so many messages in rooms."""
        async with asyncio.timeout(PATIENCE):
            while any(len(self.texts[room]) < number for room, number in count.items()):
                update = await self.subscription.next()
                assert update is not None
                self.updates.append(update)
                if isinstance(update, chat.Message):
                    self.texts[update.room_id].append(update.text)

    @property
    def changes(self) -> list[chat.HistoryChanged]:
        return [update for update in self.updates if isinstance(update, chat.HistoryChanged)]


KINDS: dict[str, dict[str, Any]] = {
    "rooms": {"rooms": ROOMS},
    "all rooms": {"all_rooms": True},
    "consumer": {"consumer": "bot"},
}


@pytest.mark.parametrize("begin_epoch", [False, True], ids=["same epoch", "new epoch"])
@pytest.mark.parametrize("kind", KINDS)
async def test_client_that_stays_up_reads_on_where_histories_part(
    server: Server, kind: str, begin_epoch: bool
) -> None:
    """It is told once for each room, is not handed again what both know, and misses nothing."""
    how = dict(KINDS[kind])
    reader = Reader(server.node.client("bob").subscribe(*how.pop("rooms", ()), **how))
    await server.say("kept", 5)
    await reader.until(**dict.fromkeys(ROOMS, 5))
    await server.keep()
    await server.say("lost", 4, ROOMS[:2])
    await reader.until(general=9, r1=9)
    if kind == "consumer":
        await reader.subscription.acknowledge()

    await server.put_back(begin_epoch=begin_epoch)
    # More than was lost in one room, less in another.
    await server.say("new", 6, ROOMS[:1])
    await server.say("new", 2, ROOMS[1:])

    await reader.until(general=15, r1=11, r2=7)
    before, new = words("kept", 5) + words("lost", 4), words("new", 6)
    assert reader.texts == {ROOM: before + new, "r1": before + new[:2], "r2": words("kept", 5) + new[:2]}
    # (Trusted ids: the log of a room begins with its first message.)
    told = {change.room_id: change.last_seq for change in reader.changes}
    assert told == dict.fromkeys(ROOMS if begin_epoch else ROOMS[:2], 5)
    assert len(reader.changes) == len(told)
    if kind == "consumer":
        # What it acknowledges from now on counts, and nothing of before the log went back did.
        await reader.subscription.acknowledge()
        await reader.subscription.aclose()
        await server.say("later", 1)
        again = Reader(server.node.client("bob").subscribe(consumer="bot"))
        await again.until(**dict.fromkeys(ROOMS, 1))
        assert again.texts == {room: ["later 0"] for room in ROOMS}
        assert not again.changes
    else:
        # Its cursors are good ones.
        kept = pickle.loads(pickle.dumps(list(reader.subscription.cursors.values())))
        await server.say("later", 1)
        again = Reader(server.node.client("bob").subscribe(*kept))
        await again.until(**dict.fromkeys(ROOMS, 1))
        assert again.texts == {room: ["later 0"] for room in ROOMS}
        assert not again.changes


async def test_what_a_consumer_has_not_acknowledged_is_not_handed_out_twice(server: Server) -> None:
    """Its position is before the place where the histories part: the server sends again, the client drops."""
    reader = Reader(server.node.client("bob").subscribe(consumer="bot"))
    await server.say("kept", 3, [ROOM])
    await reader.until(general=1)
    await reader.subscription.acknowledge()
    await server.keep()
    await reader.until(general=3)
    await server.say("lost", 3, [ROOM])
    await reader.until(general=6)
    await server.put_back()
    await server.say("new", 5, [ROOM])

    await reader.until(general=11)

    assert reader.texts[ROOM] == words("kept", 3) + words("lost", 3) + words("new", 5)
    assert reader.changes == [chat.HistoryChanged(ROOM, 3)]


async def test_messages_alone_go_on_with_one_warning_for_all_rooms(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A bot that iterates over messages need not know of any of this."""
    subscription = server.node.client("bob").subscribe(all_rooms=True)
    await server.say("kept", 1)
    await server.keep()
    await server.say("lost", 1)
    got = [(await anext(subscription)).text for _ in range(6)]
    await server.put_back()
    with caplog.at_level(logging.WARNING, "grpc_chat.sdk.subscription"):
        await server.say("new", 2)
        async with asyncio.timeout(PATIENCE):
            got += [(await anext(subscription)).text for _ in range(6)]

    assert sorted(got) == sorted(3 * ["kept 0", "lost 0", "new 0", "new 1"])
    [warning] = [record.getMessage() for record in caplog.records if "restored" in record.getMessage()]
    assert "2 more rooms" in warning


async def test_place_of_ones_own_message_is_a_cursor(server: Server) -> None:
    """Also of one that is lost: the server tells where its log and that message's part."""
    await server.say("kept", 2, [ROOM])
    await server.keep()
    sent = await server.node.client("alice").send(ROOM, "lost")
    await server.put_back()
    await server.say("new", 3, [ROOM])

    reader = Reader(server.node.client("bob").subscribe(sent.cursor))
    await reader.until(general=3)

    assert reader.texts[ROOM] == words("new", 3)
    assert reader.changes == [chat.HistoryChanged(ROOM, 2)]


async def test_latest_place_of_a_quiet_room_is_a_cursor(server: Server) -> None:
    """Anyone who has begun at the end of a room, and heard nothing since, notices too."""
    await server.say("kept", 2)
    await server.keep()
    await server.say("lost", 2)
    bob = server.node.client("bob")
    named = Reader(bob.subscribe((await bob.room(ROOM)).latest))
    everything = Reader(bob.subscribe(all_rooms=True, from_latest=True))
    for reader in (named, everything):
        while not isinstance(await reader.subscription.next(), chat.CaughtUp):
            pass
    await server.put_back()
    await server.say("new", 3)

    await named.until(general=3)
    await everything.until(**dict.fromkeys(ROOMS, 3))

    assert named.texts[ROOM] == words("new", 3)
    assert everything.texts == {room: words("new", 3) for room in ROOMS}
    assert len(named.changes) == 1
    assert len(everything.changes) == len(ROOMS)


async def test_quiet_rooms_miss_nothing_while_the_connection_is_down(server: Server) -> None:
    """With all rooms from their ends, those that had said nothing yet are not begun anew at their ends."""
    bob = server.node.client("bob")
    reader = Reader(bob.subscribe(all_rooms=True, from_latest=True))
    while not isinstance(await reader.subscription.next(), chat.CaughtUp):
        pass
    node = server.node
    async with FaultyProxy(node.address) as proxy:
        slow = Reader(node.client("bob", address=proxy.address).subscribe(all_rooms=True, from_latest=True))
        while not isinstance(await slow.subscription.next(), chat.CaughtUp):
            pass
        proxy.to_server.black_hole = proxy.to_client.black_hole = True
        proxy.cut()
        await server.say("meanwhile", 2)
        proxy.heal()
        proxy.cut()
        await slow.until(**dict.fromkeys(ROOMS, 2))
    assert slow.texts == {room: words("meanwhile", 2) for room in ROOMS}


def test_cursor_from_before_there_were_stamps_still_works() -> None:
    """Pickled ones have a value less; those that were kept as JSON have no such key."""
    old = chat.Cursor.__new__(chat.Cursor)
    old.__setstate__(["r1", 7, "e"])
    assert old == chat.Cursor("r1", 7, "e") == chat.Cursor(room_id="r1", seq=7, epoch="e")
    now = chat.Cursor("r1", 7, "e", 12)
    assert pickle.loads(pickle.dumps(now)) == now


# Losing one room of many


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["removed", "banned", "deleted"])
async def test_room_that_is_lost_meanwhile_does_not_take_the_others_along(kind: str, how: str) -> None:
    """It is said of that room, however it was lost; the others go on."""
    async with (
        running_node(accounts={"adding": "anyone"}, **QUICK) as node,
        FaultyProxy(node.address) as proxy,
    ):
        alice, bob = await node.register("alice"), await node.register("bob")
        rooms = [(await alice.create_room(name)).room_id for name in ("aaa", "bbb", "ccc")]
        for room in rooms:
            await alice.add_member(room, "bob")
        lost = rooms[1]
        async with chat.Client(proxy.address, token=bob.token) as client:
            asked = dict(KINDS[kind])
            named = rooms if asked.pop("rooms", None) else []
            reader = Reader(client.subscribe(*named, **asked))
            reader.texts = {room: [] for room in rooms}
            for room in rooms:
                await alice.send(room, "first")
            await reader.until(**dict.fromkeys(rooms, 1))
            proxy.to_server.black_hole = proxy.to_client.black_hole = True
            proxy.cut()
            if how == "removed":
                await alice.remove_member(lost, "bob")
            elif how == "banned":
                await alice.ban_member(lost, "bob")
            else:
                await alice.delete_room(lost, confirm_name="bbb")
            others = [rooms[0], rooms[2]]
            await alice.archive_room(rooms[2])
            await alice.send(rooms[0], "second")
            proxy.heal()
            proxy.cut()
            await reader.until(**{rooms[0]: 2})

            left = [update for update in reader.updates if isinstance(update, chat.RoomLeft)]
            assert left == [chat.RoomLeft(lost, "", "", "")]
            assert lost not in reader.subscription.cursors
            assert set(others) <= set(reader.subscription.cursors)
            await alice.unarchive_room(rooms[2])
            await alice.send(rooms[2], "third")
            await reader.until(**{rooms[2]: 2})


async def test_stream_of_which_no_room_is_left_ends(server: Server) -> None:
    """As one that named only rooms that there are not."""
    bob = server.node.client("bob")
    with pytest.raises(chat.RoomNotFound):
        await bob.subscribe("nowhere", "neither").next()
    reader = Reader(bob.subscribe("nowhere", ROOM))
    await server.say("one", 1, [ROOM])
    await reader.until(general=1)
    assert chat.RoomLeft("nowhere", "", "", "") in reader.updates


async def test_blocked_account_loses_its_streams_not_its_rooms() -> None:
    """That is told as the end of the session, whatever the rooms are."""
    async with (
        running_node(accounts={"adding": "anyone"}, **QUICK) as node,
        FaultyProxy(node.address) as proxy,
    ):
        admin, bob = await node.register("admin", admin=True), await node.register("bob")
        room = (await admin.create_room("aaa")).room_id
        await admin.add_member(room, "bob")
        async with chat.Client(proxy.address, token=bob.token) as client:
            subscription = client.subscribe(room, all_rooms=True)
            while not isinstance(await subscription.next(), chat.CaughtUp):
                pass
            proxy.cut()
            await admin.admin.block_user("bob")
            reader = Reader(subscription)
            with pytest.raises(chat.Unauthenticated):
                await reader.until(**{ROOM: 1})
            assert not [update for update in reader.updates if isinstance(update, chat.RoomLeft)]
