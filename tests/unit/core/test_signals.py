"""Signals between those who follow a room, beside its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from grpc_chat.bus.local import LocalBus, LocalPort
from grpc_chat.core.bounds import Bounds
from grpc_chat.errors import RateLimited
from grpc_chat.store.base import Store
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until
from tests.worlds import QUIET, USERS, World, caller, settle


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


def typing(user: str, room_id: str = "r1", seconds: int = 6) -> pb.Signal:
    signal = pb.Signal(room_id=room_id, user_id=user, typing=pb.Typing())
    if seconds:
        signal.typing.lifetime.seconds = seconds
    return signal


def who(response: pb.SubscribeResponse) -> list[tuple[str, str]]:
    return [(signal.user_id, signal.room_id) for signal in response.signals]


async def test_those_who_ask_are_told_here_and_on_other_nodes(world: World) -> None:
    """Not the user, on whatever session; not those who do not ask; not those who do not follow the room."""
    one, two = await world.node(), await world.node()
    await world.put_room(one, "r1", *USERS)
    await world.put_room(one, "r2", "cat")
    here, there = await world.reader(one, "ben1"), await world.reader(two, "cat1")
    others = [
        await world.reader(one, "ann2"),
        await world.reader(two, "ann1"),
        await world.reader(one, "ben2", signals=False),
        await world.reader(two, "cat2", "r2"),
    ]
    for reader in (here, there, *others):
        await reader.wait()

    one.signals.send(typing("ann"))

    for reader in (here, there):
        response = await reader.pull()
        assert response == pb.SubscribeResponse(signals=[typing("ann")])
    await settle()
    assert not any(reader.has_one for reader in others)


async def test_a_slow_reader_is_sent_events_first_and_the_newest_signals(world: World) -> None:
    """What gathered while it did not read is one response: everything said, and one signal of each user."""
    node = await world.node(signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    reader = await world.reader(node, "cat1")
    await reader.wait()
    first = await world.say(node, "ben1")
    for seconds in range(1, 50):
        node.signals.send(typing("ann", seconds=seconds))
        node.signals.send(typing("ben", seconds=seconds))
        await settle()
    second = await world.say(node, "ann1")

    assert [event.seq for event in (await reader.pull()).events] == [first]
    response = await reader.pull()
    assert [event.seq for event in response.events] == [second]
    assert list(response.signals) == [typing("ann", seconds=49), typing("ben", seconds=49)]
    await reader.wait()
    assert not reader.has_one


async def test_a_reader_that_stands_still_costs_the_bound(world: World) -> None:
    """However much is signalled meanwhile; and what it says no longer is not sent."""
    bounds = replace(QUIET, signal_entries=3, signal_deliveries_per_second=1_000_000)
    node = await world.node(bounds=bounds, signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    reader = await world.reader(node, "cat1")
    await reader.wait()
    await world.say(node, "ann1")
    await until(lambda: not reader.stream.waits)
    for number in range(200):
        # Members of a large room, of whom only the names matter here.
        node.signals.send(typing(f"u{number}", seconds=6 + number % 2))
        await settle()
        assert reader.stream.signals is not None
        assert len(reader.stream.signals) <= 3
    assert node.metrics.totals.signals_dropped == 197

    world.now = 6.5
    assert not (await reader.pull()).signals
    assert who(await reader.pull()) == [("u197", "r1"), ("u199", "r1")]


async def test_whoever_is_no_member_now_is_told_nothing(world: World) -> None:
    """Neither of what waits for them already, nor of what is gathered, nor of what comes later."""
    node = await world.node(signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    await world.put_room(node, "r2", *USERS)
    behind, waiting, member = [
        await world.reader(node, session, "r1", "r2") for session in ("ben1", "ben2", "cat1")
    ]
    await behind.wait()
    await world.say(node, "ann1", "r2")
    for reader in (waiting, member):
        await reader.pull()
        await reader.wait()

    node.signals.send(typing("ann", "r1"))
    node.signals.send(typing("ann", "r2"))
    await settle()
    assert behind.stream.signals is not None
    assert len(behind.stream.signals) == 2
    assert sorted(who(await waiting.pull())) == [("ann", "r1"), ("ann", "r2")]
    await node.members.remove(caller("ann1"), pb.RemoveMemberRequest(room_id="r1", user_id="ben"))
    node.signals.send(typing("ann", "r1", 5))
    await settle()

    await behind.pull()
    assert who(await behind.pull()) == [("ann", "r2")]
    assert [left.room_id for left in (await waiting.pull()).left] == ["r1"]
    for reader in (behind, waiting):
        await reader.wait()
        await settle()
        assert not any(("ann", "r1") in who(response) for response in reader.responses[-1:])
        assert not reader.has_one
    # Who stayed is told all the while.
    assert ("ann", "r1") in who(await member.pull())


async def test_what_is_gathered_goes_to_those_who_are_members_when_it_is_given(world: World) -> None:
    """A busy node gives signals later. Anyone who is gone by then gets none, and the others the newest."""
    bounds = replace(QUIET, signal_deliveries_per_second=20)
    node = await world.node(bounds=bounds, signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    gone, member = await world.reader(node, "ben1"), await world.reader(node, "cat1")
    await gone.wait()
    await member.wait()
    for _ in range(4):
        node.signals.send(typing("ann", seconds=1))
        await gone.pull()
        await member.pull()
    for seconds in range(2, 9):
        node.signals.send(typing("ann", seconds=seconds))
        await settle()
    await node.members.remove(caller("ann1"), pb.RemoveMemberRequest(room_id="r1", user_id="ben"))
    await gone.pull()
    await gone.wait()
    await member.pull()

    world.now = 3.0
    response = await member.pull()
    assert list(response.signals) == [typing("ann", seconds=8)]
    assert not gone.has_one


async def test_a_flood_costs_what_signals_may_cost_and_no_message(world: World) -> None:
    """Counted, not timed: so many responses for so many signals, and one message for each that was sent."""
    bounds = replace(QUIET, signal_deliveries_per_second=100)
    node = await world.node(bounds=bounds, signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    reader = await world.reader(node, "cat1")
    await reader.wait()
    before = node.metrics.totals.responses
    got: list[int] = []
    for number in range(400):
        node.signals.send(typing("ann", seconds=1 + number))
        node.signals.send(typing("ben", seconds=1 + number))
        if number % 20 == 0:
            sent = await world.say(node, "ann1")
            while sent not in got:
                got += [event.seq for event in (await reader.pull()).events]
            await reader.wait()
        await settle()

    # The clock stands still: half a second's worth may go out, at two a flush, and no more.
    assert got == list(range(got[0], got[0] + 20))
    with_signals = [response for response in reader.responses if response.signals]
    assert len(with_signals) <= 25
    assert node.metrics.totals.responses - before <= 20 + 25
    assert node.metrics.totals.signals <= 50


async def test_each_user_has_a_rate(world: World) -> None:
    """A user's sessions share it. One who sends too many is told so, and when to go on; others go on."""
    node = await world.node(signals_per_second=2, signals_burst=3)
    for session in ("ann1", "ann2", "ann1"):
        node.signals.count(caller(session))
    with pytest.raises(RateLimited, match="more than 2 signals a second") as refused:
        node.signals.count(caller("ann2"))
    assert refused.value.retry_after == timedelta(seconds=0.5)
    node.signals.count(caller("ben1"))
    world.now = 0.5
    node.signals.count(caller("ann1"))


class Unreliable(LocalPort):
    """Loses, repeats and delays signals as it is told to."""

    def __init__(self, bus: LocalBus, fate: Callable[[], int]) -> None:
        super().__init__(bus)
        self._fate = fate
        self._late: list[tuple[str, bytes]] = []

    def signal(self, topic: str, data: bytes) -> None:
        for _ in range(self._fate()):
            super().signal(topic, data)
        if self._late:
            super().signal(*self._late.pop())
        self._late.append((topic, data))


async def test_a_bus_that_loses_repeats_and_delays_changes_nothing_but_signals(world: World) -> None:
    """Each message arrives once and in order; signals are of the room, whenever they come."""
    fates = iter([0, 2, 1, 3, 0, 5] * 10)
    one, two = (
        await world.node(Unreliable(world.bus, lambda: next(fates)), signals_per_second=0),
        await world.node(),
    )
    await world.put_room(one, "r1", *USERS)
    await world.put_room(one, "r2", *USERS)
    reader = await world.reader(two, "cat1", "r1", "r2")
    await reader.wait()
    sent: dict[str, list[int]] = {"r1": [], "r2": []}
    for number in range(30):
        room_id = ("r1", "r2")[number % 2]
        one.signals.send(typing("ann", room_id, 1 + number))
        sent[room_id].append(await world.say(one, "ann1", room_id))
        await settle()

    got: dict[str, list[int]] = {"r1": [], "r2": []}
    while got != sent:
        for event in (await reader.pull()).events:
            got[event.room_id].append(event.seq)
        assert all(len(got[room_id]) <= len(sent[room_id]) for room_id in got)
    told = [signal for response in reader.responses for signal in response.signals]
    assert told
    assert all(signal == typing("ann", signal.room_id, signal.typing.lifetime.seconds) for signal in told)
    assert all(signal.room_id == ("r1", "r2")[(signal.typing.lifetime.seconds + 1) % 2] for signal in told)


async def test_nonsense_from_other_nodes_is_nothing(world: World) -> None:
    """Nor what a newer node signals, nor what is not about the room whose topic it came under."""
    node, stranger = await world.node(), world.bus.port()
    await world.put_room(node, "r1", *USERS)
    await world.put_room(node, "r2", "ann", "cat")
    reader = await world.reader(node, "cat1")
    await world.reader(node, "cat2", "r2")
    await reader.wait()
    elsewhere = pb.SubscribeResponse(signals=[typing("ann", "r2")]).SerializeToString()
    no_kind = pb.SubscribeResponse(signals=[pb.Signal(room_id="r1", user_id="ann")]).SerializeToString()
    large = pb.SubscribeResponse(signals=[typing("a" * 70_000)]).SerializeToString()
    for data in (b"\xff nonsense", b"\x0a\xff", elsewhere, no_kind, large, b""):
        stranger.signal("room:r1", data)
    stranger.signal("room:r1", pb.SubscribeResponse(signals=[typing("ann")]).SerializeToString())
    assert who(await reader.pull()) == [("ann", "r1")]
    assert node.metrics.totals.signals == 1


async def test_no_node_passes_on_what_it_was_told(world: World) -> None:
    """Two of them would do so without end."""
    said: list[str] = []

    class Noted(LocalPort):
        def signal(self, topic: str, data: bytes) -> None:
            if topic != "presence":
                said.append(topic)
            super().signal(topic, data)

    nodes = [await world.node(Noted(world.bus)) for _ in range(3)]
    await world.put_room(nodes[0], "r1", *USERS)
    readers = [await world.reader(node, "cat1") for node in nodes]
    nodes[0].signals.send(typing("ann"))
    for reader in readers:
        assert who(await reader.pull()) == [("ann", "r1")]
    await settle()
    assert said == ["room:r1"]


async def test_a_message_takes_back_the_typing_that_waits(world: World) -> None:
    """A slow reader is not told, after the message, that its sender is typing. Nor is one elsewhere."""
    one, two = await world.node(), await world.node()
    await world.put_room(one, "r1", *USERS)
    reader, elsewhere = await world.reader(one, "cat1"), await world.reader(two, "cat2")
    await reader.wait()
    await world.say(one, "ben1")
    await until(lambda: not reader.stream.waits)
    for _ in range(2):
        await one.typing.send(caller("ann1"), pb.SendTypingRequest(room_id="r1"))
        await settle()
    last = await world.say(one, "ann1")
    # Where nothing waits, nothing is taken back, and other nodes are not told.
    await world.say(one, "ann1", "r1")

    assert len((await reader.pull()).events) == 1
    response = await reader.pull()
    assert [event.seq for event in response.events] == [last, last + 1]
    assert not response.signals
    await until(lambda: elsewhere.stream.signals is not None and len(elsewhere.stream.signals) > 0)
    assert list((await elsewhere.pull()).signals) == [
        pb.Signal(room_id="r1", user_id="ann", typing=pb.Typing())
    ]


async def test_a_node_is_told_of_what_its_streams_follow(world: World) -> None:
    """From the first stream that asks for a room's signals to the end of the last."""
    node = await world.node()
    port = world.bus._ports[0]
    await world.put_room(node, "r1", *USERS)
    await world.reader(node, "ben2", signals=False)
    assert port._topics == {"presence"}
    first, second = await world.reader(node, "ben1"), await world.reader(node, "cat1")
    assert port._topics == {"presence", "room:r1"}
    await first.pulled.aclose()
    assert port._topics == {"presence", "room:r1"}
    await second.pulled.aclose()
    assert port._topics == {"presence"}


async def test_signals_do_not_put_heartbeats_off(world: World) -> None:
    """They tell what was passed over, too, for which a busy room must not have to fall silent."""
    bounds = Bounds(heartbeat=timedelta(milliseconds=200), signal_deliveries_per_second=1_000_000_000)
    node = await world.node(bounds=bounds, signals_per_second=0)
    await world.put_room(node, "r1", *USERS)
    reader = await world.reader(node, "ben1")
    own = await world.say(node, "ben1")
    node.signals.send(typing("ann"))
    async with asyncio.timeout(20):
        while not (response := await reader.pull()).HasField("heartbeat"):
            node.signals.send(typing("ann"))
    assert [cursor.seq for cursor in response.passed] == [own]
