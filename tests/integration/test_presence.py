"""Who is there: told to those who share a room, and to nobody else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import Presence, PresenceState, Status
from grpc_chat.testing import RunningNode, running_node
from tests.support import until

ONLINE, AWAY, OFFLINE = PresenceState.ONLINE, PresenceState.AWAY, PresenceState.OFFLINE


class Clock:
    """The seconds of a chat system, which go on when the test says so."""

    def __init__(self, node: RunningNode) -> None:
        self._presence = node.node.system.presence
        # Whole seconds: sums of others are a little more or less than they should be.
        self.now = float(math.ceil(self._presence._clock()))
        self.wall = 1_800_000_000.0
        self._presence._clock = lambda: self.now
        self._presence._wall = lambda: self.wall

    async def passes(self, seconds: float) -> None:
        """Let time pass, and have it looked who is there."""
        self.now += seconds
        self.wall += seconds
        self._presence.look()
        await self._presence.tell()


class Follower:
    """Reads a subscription all the time."""

    def __init__(self, client: chat.Client, *rooms: str) -> None:
        self.got: list[Any] = []
        self._subscription = client.subscribe(*rooms, signals=True)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for update in self._subscription.updates():
            self.got.append(update)

    @property
    def caught_up(self) -> bool:
        return chat.CaughtUp() in self.got

    def told(self, user_id: str) -> list[Presence]:
        return [each for each in self.got if isinstance(each, Presence) and each.user_id == user_id]

    async def aclose(self) -> None:
        await self._subscription.aclose()
        await self._task


async def follow(client: chat.Client, *rooms: str) -> Follower:
    follower = Follower(client, *rooms)
    await until(lambda: follower.caught_up)
    return follower


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("ann", "ben", "cat", network=False) as running:
        yield running


async def state(client: chat.Client, user_id: str) -> PresenceState:
    [presence] = await client.presence(user_id)
    return presence.state


async def test_users_are_there_while_a_stream_is_open_and_some_time_after(node: RunningNode) -> None:
    """Nobody sees a connection flap. Those who do nothing are away, and back with what they do."""
    clock = Clock(node)
    ann, ben = node.client("ann"), node.client("ben")
    watching = await follow(ben, "general")
    assert await state(ben, "ann") == OFFLINE

    open_ = await follow(ann, "general")
    await clock.passes(1)
    assert await state(ben, "ann") == ONLINE
    # It flaps.
    for _ in range(3):
        await open_.aclose()
        await until(lambda: node.node.system.streams.count("ann") == 0)
        await clock.passes(29)
        assert await state(ben, "ann") == ONLINE
        open_ = await follow(ann, "general")
        await clock.passes(1)
    await clock.passes(599 - 90)
    assert await state(ben, "ann") == ONLINE
    # They have only reconnected since.
    await clock.passes(1)
    [presence] = await ben.presence("ann")
    assert presence.state == AWAY
    assert presence.last_seen_time == datetime.fromtimestamp(clock.wall - 600, UTC)
    await ann.send("general", "I am here")
    await clock.passes(1)
    assert await state(ben, "ann") == ONLINE

    await open_.aclose()
    await until(lambda: node.node.system.streams.count("ann") == 0)
    await clock.passes(30.5)
    [presence] = await ben.presence("ann")
    assert presence.state == OFFLINE
    assert presence.last_seen_time is not None
    assert clock.wall - 32 <= presence.last_seen_time.timestamp() <= clock.wall - 30
    # Told as it happened, once each.
    await until(lambda: len(watching.told("ann")) == 4)
    assert [presence.state for presence in watching.told("ann")] == [ONLINE, AWAY, ONLINE, OFFLINE]
    assert watching.told("ben") == []


async def test_a_status_is_seen_until_its_time_is_over(node: RunningNode) -> None:
    """Then it is gone, from the database too."""
    clock = Clock(node)
    clock.wall = datetime.now(UTC).timestamp()
    ann, ben = node.client("ann"), node.client("ben")
    watching = await follow(ben, "general")
    own = await ann.set_status("on holiday", emoji="🌴", lifetime=timedelta(hours=1))
    assert own.status is not None
    assert own.status.expire_time is not None
    await clock.passes(1)
    await until(lambda: len(watching.told("ann")) == 1)
    assert watching.told("ann")[0].status == own.status == Status("on holiday", "🌴", own.status.expire_time)
    assert await ben.presence("ann", "nobody") == [Presence("ann", OFFLINE, status=own.status)]

    presence = node.node.system.presence
    await presence.expire()
    assert (await ben.presence("ann"))[0].status == own.status
    await clock.passes(3600)
    assert (await ben.presence("ann"))[0].status is None
    await presence.expire()
    await presence.tell()
    await until(lambda: len(watching.told("ann")) == 2)
    assert watching.told("ann")[1].status is None
    with node.node.system.presence._readers._store.snapshot() as snapshot:
        [record] = snapshot.statuses(["ann"]).values()
        assert (record.text, record.emoji, record.expire_time_us) == ("", "", None)
        assert snapshot.expired_statuses(2**62, limit=10) == []

    await ann.set_status("back")
    assert (await ben.presence("ann"))[0].status == Status("back")
    await ann.set_status()
    assert (await ben.presence("ann"))[0].status is None


async def test_users_hide_when_they_are_there(node: RunningNode) -> None:
    """Who appears offline is offline for all others, in every way; and sees themselves as they are."""
    clock = Clock(node)
    ann, ben = node.client("ann"), node.client("ben")
    watching = await follow(ben, "general")
    await follow(ann, "general")
    await ann.set_status("busy")
    await clock.passes(1)
    await until(lambda: [presence.state for presence in watching.told("ann")] == [ONLINE])
    hidden = await ann.show_presence(appear_offline=True)
    assert (hidden.state, hidden.status) == (ONLINE, Status("busy"))
    await clock.passes(1)
    await until(lambda: len(watching.told("ann")) == 2)
    assert watching.told("ann")[1] == Presence("ann", OFFLINE)
    assert await ben.presence("ann") == [Presence("ann", OFFLINE)]
    # What they do tells nothing: each further signal is the same.
    await clock.passes(700)
    await ann.typing("general")
    await clock.passes(1)
    assert set(watching.told("ann")[1:]) == {Presence("ann", OFFLINE)}

    await ann.show_presence(appear_offline=False, hide_last_seen=True)
    await clock.passes(700)
    assert await ben.presence("ann") == [Presence("ann", AWAY, None, Status("busy"))]
    [own] = await ann.presence("ann")
    assert own.last_seen_time is not None
    with pytest.raises(ValueError, match="must be given"):
        await ann.show_presence()


async def test_only_those_who_share_a_room_learn_anything() -> None:
    """Neither by asking nor by a signal, nor after one has left. A block looks like appearing offline."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        clock = Clock(node)
        ann, ben, eve = [await node.register(user) for user in ("ann", "ben", "eve")]
        room, other = await ann.create_room("plans"), await ben.create_room("other")
        await ann.add_member(room.room_id, "ben")
        await ben.add_member(other.room_id, "eve")
        watching, stranger = await follow(ben, room.room_id), await follow(eve, other.room_id)
        await follow(ann, room.room_id)
        await ann.set_status("secret")
        await clock.passes(1)
        await until(lambda: len(watching.told("ann")) == 1)
        assert await eve.presence("ann", "nobody", "ben") == await eve.presence("ben") != []
        with pytest.raises(chat.RoomNotFound):
            [each async for each in eve.presences(room.room_id)]
        listed = [each async for each in ben.presences(room.room_id)]
        assert [(each.user_id, each.state) for each in listed] == [("ann", ONLINE), ("ben", ONLINE)]

        await ann.block("ben")
        assert await ben.presence("ann") == [Presence("ann", OFFLINE)]
        assert (await ann.presence("ben"))[0].state == ONLINE
        await ann.set_status("more secret")
        await clock.passes(1)
        await ann.unblock("ben")
        await ann.remove_member(room.room_id, "ben")
        assert await ben.presence("ann") == []
        await ann.set_status("most secret")
        await clock.passes(1)
        assert [each.status for each in watching.told("ann")] == [Status("secret")]
        assert stranger.told("ann") == []


async def test_a_change_is_told_once_and_not_in_large_rooms() -> None:
    """However many rooms two people share; of those in large rooms alone, one asks."""
    async with running_node("ann", "ben", "cat", network=False, limits={"signal_room_members": 2}) as node:
        clock = Clock(node)
        for name in ("one", "two", "three"):
            await node.put_room(name, {"ann": "member", "ben": "member"})
        ann, ben, cat = (node.client(user) for user in ("ann", "ben", "cat"))
        near, far = await follow(ben, "one", "two", "three", "general"), await follow(cat, "general")
        await follow(ann, "general")
        before = node.node.metrics.totals.signals
        await clock.passes(1)
        await until(lambda: len(near.told("ann")) == 1)
        assert far.told("ann") == []
        assert node.node.metrics.totals.signals - before <= 2
        assert await state(cat, "ann") == ONLINE


async def test_many_ask_at_once() -> None:
    """A long answer is read in pieces, each of the database as it is then."""
    users = [f"u{number}" for number in range(120)]
    async with running_node(*users, network=False) as node:
        clients = [node.client(user) for user in users[:12]]

        async def ask(client: chat.Client) -> None:
            assert len(await client.presence(*users[:100])) == 100
            assert len([each async for each in client.presences("general")]) == 120

        await asyncio.gather(*map(ask, clients))


async def test_what_a_status_must_be(node: RunningNode) -> None:
    """Refused with the field and the limit, and nothing changes."""
    ann = node.client("ann")
    await ann.set_status("kept")
    for text, more, field in [
        ("x" * 513, {}, "text"),
        ("x", {"emoji": "🌴" * 17}, "emoji"),
        ("x", {"emoji": "\n"}, "emoji"),
        ("x", {"lifetime": timedelta(0)}, "lifetime"),
        ("x", {"lifetime": timedelta(days=366)}, "lifetime"),
    ]:
        with pytest.raises(chat.InvalidRequest) as refused:
            await ann.set_status(text, **more)  # type: ignore[arg-type]
        assert refused.value.field == field
    with pytest.raises(chat.InvalidRequest) as refused:
        await ann.presence(*[f"u{number}" for number in range(101)])
    assert refused.value.field == "user_ids"
    assert (await ann.presence("ann"))[0].status == Status("kept")
