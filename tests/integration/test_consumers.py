"""The consumers that a server keeps: how many, which, and until when."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.hub import Hub
from grpc_chat.core.kept_consumers import KeptConsumers
from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.store.base import Place
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import PATIENCE, Calls
from tests.support import until

DAY = 86_400.0


async def names(client: chat.Client) -> list[str]:
    return [consumer.name async for consumer in client.consumers()]


def stored(node: RunningNode, user_id: str, consumer: str) -> dict[str, Place]:
    with node.node.readers._store.snapshot() as snapshot:
        return snapshot.positions(user_id, consumer)


def hub_of(node: RunningNode) -> Hub:
    return cast("Any", node.node)._server._pipeline.methods[-1].unary.__self__._hub  # type: ignore[no-any-return]


async def read_one(client: chat.Client, consumer: str) -> None:
    """Read a message as a consumer, acknowledge it, and end the stream."""
    subscription = client.subscribe(consumer=consumer)
    async with asyncio.timeout(PATIENCE):
        await anext(aiter(subscription))
        await subscription.acknowledge()
        await subscription.aclose()


async def test_names_without_end_leave_as_many_rows_as_a_user_may_have_consumers() -> None:
    """Nor does a name that may not be kept get a stream; those that are kept go on as before."""
    async with (
        running_node("1", "2", subscribe={"consumers_per_user": 3}) as node,
        Calls(node.address) as calls,
    ):
        client = node.client("1")
        sent = await client.send("general", "hello")

        async def acknowledge(consumer: str, user: str = "1") -> str:
            cursor = pb.Cursor(room_id="general", seq=sent.seq, epoch=sent.epoch)
            request = pb.AcknowledgeRequest(consumer=consumer, cursors=[cursor])
            return (await calls("SubscribeService/Acknowledge", request, user)).reason

        outcomes = [await acknowledge(f"name-{number}") for number in range(20)]
        assert outcomes == ["OK"] * 3 + ["LIMIT_EXCEEDED"] * 17
        assert await names(client) == ["name-0", "name-1", "name-2"]
        assert await acknowledge("name-1") == "OK"
        # Another user's are theirs.
        assert await acknowledge("name-9", "2") == "OK"

        stream = calls.subscribe("1", consumer="name-4")
        with pytest.raises(Exception, match="you have 3 consumers, which is the most"):
            await stream.until_caught_up()
        await client.forget_consumer("name-0")
        assert await acknowledge("name-4") == "OK"
        assert await names(client) == ["name-1", "name-2", "name-4"]


async def test_rooms_that_one_is_not_in_leave_no_rows() -> None:
    """Nor does leaving one: by an index, however many positions there are otherwise."""
    async with running_node(accounts=True) as node, Calls(node.address) as calls:
        alice, bob = await node.register("alice"), await node.register("bob")
        private = await bob.create_room("private")
        public = await bob.create_room("public", public=True)
        for room, reason in ((private, "ROOM_NOT_FOUND"), (public, "NOT_A_MEMBER")):
            cursor = pb.Cursor(room_id=room.room_id, seq=1, epoch=room.epoch)
            request = pb.AcknowledgeRequest(consumer="c", cursors=[cursor])
            reply = await calls("SubscribeService/Acknowledge", request, alice.token)
            assert reply.reason == reason
        assert await names(alice) == []
        await alice.join_room(public.room_id)
        cursors = [pb.Cursor(room_id=public.room_id, seq=1, epoch=public.epoch)]
        request = pb.AcknowledgeRequest(consumer="c", cursors=cursors)
        assert (await calls("SubscribeService/Acknowledge", request, alice.token)).reason == "OK"
        [position] = [position async for position in alice.consumer_positions("c")]
        assert (position.cursor.room_id, position.cursor.seq, position.last_seq) == (
            public.room_id,
            1,
            2,
        )
        await alice.leave_room(public.room_id)
        assert [position async for position in alice.consumer_positions("c")] == []
        assert stored(node, "alice", "c") == {}


async def test_many_calls_with_many_cursors_make_as_many_rows_as_rooms_and_names_allow() -> None:
    """Repeated cursors, rooms that are not there, and names without end add none; leaving takes a room's."""
    async with (
        running_node(accounts=True, subscribe={"consumers_per_user": 2}) as node,
        Calls(node.address) as calls,
    ):
        alice, bob = await node.register("alice"), await node.register("bob")
        rooms = [await bob.create_room(f"room {number}", public=True) for number in range(3)]
        for room in rooms:
            await alice.join_room(room.room_id)
        mine = [pb.Cursor(room_id=room.room_id, seq=1, epoch=room.epoch) for room in rooms]
        foreign = pb.Cursor(room_id="nowhere", seq=1, epoch=rooms[0].epoch)
        reasons = set()
        for number in range(10):
            for cursors in (mine, [*mine, foreign], mine * 1000):
                request = pb.AcknowledgeRequest(consumer=f"name-{number}", cursors=cursors)
                reply = await calls("SubscribeService/Acknowledge", request, alice.token)
                reasons.add((number < 2, len(cursors) > len(mine), reply.reason))

        def rows() -> tuple[int, int]:
            with node.node.readers._store.snapshot() as snapshot:
                found = [snapshot.positions("alice", f"name-{number}") for number in range(10)]
                return sum(map(len, found)), snapshot.consumers_of("alice")

        assert {reason for kept, out, reason in reasons if kept and not out} == {"OK"}
        assert "OK" not in {reason for kept, out, reason in reasons if not kept or out}
        assert rows() == (6, 2)
        for left, room in enumerate(rooms, 1):
            await alice.leave_room(room.room_id)
            assert rows() == (6 - 2 * left, 2)


async def test_a_consumer_is_listed_and_forgotten() -> None:
    """Not while it has a stream open; used again, it begins anew."""
    async with running_node("1", "2") as node:
        one, two = node.client("1"), node.client("2")
        await two.send("general", "first")
        await read_one(one, "bot")
        [listed] = [consumer async for consumer in one.consumers()]
        assert listed.name == "bot"
        assert listed.last_used_time >= listed.create_time
        [position] = [position async for position in one.consumer_positions("bot")]
        assert (position.cursor.room_id, position.cursor.seq, position.last_seq) == ("general", 1, 1)
        assert position.cursor.stamp
        assert await names(two) == []
        for refused in (two.forget_consumer("bot"), one.forget_consumer("other")):
            with pytest.raises(errors.NotFound, match="you have no consumer of this name"):
                await refused

        async with asyncio.timeout(PATIENCE):
            subscription = one.subscribe(consumer="bot")
            stream = aiter(subscription.updates())
            while not isinstance(await anext(stream), chat.CaughtUp):
                pass
            assert [consumer.streaming async for consumer in one.consumers()] == [True]
            with pytest.raises(errors.FailedPrecondition, match="has a stream open"):
                await one.forget_consumer("bot")
            await subscription.aclose()
            hub = hub_of(node)
            await until(lambda: not hub.streams_of_consumer("1", "bot"))
        await one.forget_consumer("bot")
        assert await names(one) == []
        assert stored(node, "1", "bot") == {}
        await read_one(one, "bot")


async def test_consumers_that_nobody_uses_are_forgotten() -> None:
    """After the age in the settings; never one that has a stream, and not because a clock has jumped."""
    now, ticks = [1000 * DAY], [0.0]
    async with running_node("1", "2") as node:
        one, two = node.client("1"), node.client("2")
        await two.send("general", "first")
        for name in ("old", "open"):
            await read_one(one, name)
        inside = node.node
        with inside.readers._store.snapshot() as snapshot:
            used = max(record.last_used_us for record in snapshot.consumers("1", after="", limit=9))
        now[0] = used / 1_000_000
        kept = KeptConsumers(
            inside.committer,
            inside.readers,
            hub_of(node),
            Pages(PageTokens(b"x" * 32)),
            idle=timedelta(days=30),
            clock=lambda: now[0],
            monotonic=lambda: ticks[0],
        )

        async def pass_time(days: float, *, jump: bool = False) -> int:
            now[0] += days * DAY
            ticks[0] += 0 if jump else days * DAY
            return await kept.forget_unused()

        async with asyncio.timeout(PATIENCE):
            subscription = one.subscribe(consumer="open")
            stream = aiter(subscription.updates())
            while not isinstance(await anext(stream), chat.CaughtUp):
                pass
            assert await pass_time(29) == 0
            assert await pass_time(400, jump=True) == 0
            assert await pass_time(0.5) == 0
            assert await names(one) == ["old", "open"]
            assert await pass_time(0.6) == 1
            assert await names(one) == ["open"]
            assert stored(node, "1", "old") == {}
            # That it is open is use, though nothing was acknowledged.
            await kept.save()
            [record] = [consumer async for consumer in one.consumers()]
            assert record.last_used_time.timestamp() * 1_000_000 > used
            await subscription.aclose()


async def test_positions_in_many_rooms_are_taken_or_refused_together() -> None:
    """More than one transaction holds: one that can't be keeps all of them from being taken."""
    rooms = [f"r{at:03}" for at in range(600)]
    async with running_node("1", "2") as node, Calls(node.address) as calls:
        for room_id in rooms:
            await node.put_room(room_id, {"1": "member"})
        await node.put_room("foreign", {"2": "member"})
        known = {room_id: pb.Cursor(room_id=room_id) for room_id in rooms}

        async def acknowledge(*wrong: pb.Cursor) -> str:
            cursors = [*list(known.values())[: 600 - len(wrong)], *wrong]
            request = pb.AcknowledgeRequest(consumer="many", cursors=cursors)
            return (await calls("SubscribeService/Acknowledge", request, "1")).reason

        assert await acknowledge(pb.Cursor(room_id="foreign")) == "ROOM_NOT_FOUND"
        epoch = hub_of(node).epoch
        assert await acknowledge(pb.Cursor(room_id=rooms[599], seq=9, epoch=epoch)) == "BAD_CURSOR"
        assert stored(node, "1", "many") == {}
        assert await acknowledge(pb.Cursor(room_id=rooms[599], seq=9, stamp=7)) == "EPOCH_CHANGED"
        assert set(stored(node, "1", "many")) == {*rooms[:599]}
        assert await acknowledge() == "OK"
        assert set(stored(node, "1", "many")) == {*rooms}
