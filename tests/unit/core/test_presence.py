"""Who is there, as several nodes know it together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from grpc_chat.bus.local import LocalPort
from grpc_chat.core.system import ChatSystem
from grpc_chat.store.base import Store
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until
from tests.worlds import USERS, World, caller

ONLINE, AWAY, OFFLINE = pb.PRESENCE_STATE_ONLINE, pb.PRESENCE_STATE_AWAY, pb.PRESENCE_STATE_OFFLINE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    made = World(store)
    yield made
    await made.aclose()


async def state(node: ChatSystem, user_id: str) -> int:
    [presence] = await node.presence.get(caller("cat1"), [user_id])
    return presence.state


async def test_the_best_state_of_all_nodes_counts(world: World) -> None:
    """Each node tells the others at once; what one said counts until it says otherwise, or falls silent."""
    one, two = await world.node(), await world.node()
    await world.put_room(one, "r1", *USERS)
    first = await world.reader(one, "ann1")
    one.presence.look()
    assert (await state(one, "ann"), await state(two, "ann")) == (ONLINE, ONLINE)
    world.now += 600
    one.presence.look()
    assert (await state(one, "ann"), await state(two, "ann")) == (AWAY, AWAY)
    second = await world.reader(two, "ann2")
    two.presence.look()
    assert (await state(one, "ann"), await state(two, "ann")) == (ONLINE, ONLINE)
    await second.pulled.aclose()
    world.now += 31
    for node in (one, two):
        node.presence.look()
    assert (await state(one, "ann"), await state(two, "ann")) == (AWAY, AWAY)
    await first.pulled.aclose()
    world.now += 31
    for node in (one, two):
        node.presence.look()
    assert (await state(one, "ann"), await state(two, "ann")) == (OFFLINE, OFFLINE)


async def test_a_node_that_falls_silent_is_forgotten(world: World) -> None:
    """As one that was killed; until then it repeats itself, which covers what the bus has lost."""
    deaf: list[bool] = []

    class Deaf(LocalPort):
        def signal(self, topic: str, data: bytes) -> None:
            if not deaf:
                super().signal(topic, data)

    one, two = await world.node(Deaf(world.bus)), await world.node()
    await world.put_room(one, "r1", *USERS)
    await world.reader(one, "ann1")
    deaf.append(True)
    one.presence.look()
    assert await state(two, "ann") == OFFLINE
    deaf.clear()
    world.now += 30
    one.presence.look()
    assert await state(two, "ann") == ONLINE
    deaf.append(True)
    for seconds in (60, 31):
        world.now += seconds
        for node in (one, two):
            node.presence.look()
        assert await state(two, "ann") == (ONLINE if seconds == 60 else OFFLINE)
    assert await state(one, "ann") == ONLINE
    assert two.presence._elsewhere == {}


async def test_changes_reach_those_who_follow_elsewhere(world: World) -> None:
    """A status, too, which is another node's to store."""
    one, two = await world.node(), await world.node()
    await world.put_room(one, "r1", *USERS)
    reader = await world.reader(two, "ben1")
    await reader.wait()
    await world.reader(one, "ann1")
    one.presence.look()
    await two.presence.tell()
    signals = list((await reader.pull()).signals)
    assert [(each.room_id, each.presence.user_id, each.presence.state) for each in signals] == [
        ("", "ann", ONLINE)
    ]
    await reader.wait()
    await one.presence.update(caller("ann1"), pb.UpdateStatusRequest(text="busy"))
    await two.presence.tell()
    [signal] = (await reader.pull()).signals
    assert signal.presence.status.text == "busy"


async def test_a_presence_that_waits_goes_with_the_room(world: World) -> None:
    """Anyone who is no member now is not told who came before that."""
    node = await world.node()
    await world.put_room(node, "r1", *USERS)
    reader = await world.reader(node, "ben1")
    await reader.wait()
    await world.say(node, "cat1")
    await until(lambda: not reader.stream.waits)
    await world.reader(node, "ann1")
    node.presence.look()
    await node.presence.tell()
    assert reader.stream.signals is not None
    assert len(reader.stream.signals) >= 1
    await node.members.remove(caller("ann1"), pb.RemoveMemberRequest(room_id="r1", user_id="ben"))
    assert len(reader.stream.signals) == 0


async def test_nonsense_from_other_nodes_is_nothing(world: World) -> None:
    """Whatever it is, nothing is raised and nobody is there by it."""
    node, stranger = await world.node(), world.bus.port()
    await world.put_room(node, "r1", *USERS)
    good = {"node": "n", "users": {"ann": 2}}
    for data in (
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 10_000,
        b'{"node": "n", "users": [1, 2]}',
        b'{"node": "n", "users": {"ann": 7, "ben": "x", "cat": [1]}}',
        json.dumps(good).encode() + b" " * 70_000,
    ):
        stranger.signal("presence", data)
    assert await state(node, "ann") == OFFLINE
    stranger.signal("presence", json.dumps(good).encode())
    assert await state(node, "ann") == ONLINE
