"""The consumers that a server keeps: how many, which, and until when."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.context import Context
from grpc_chat.core.kept_consumers import KeptConsumers
from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.store.records import Place
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import PATIENCE
from tests.memory import Mostly
from tests.support import until

DAY = 86_400.0


async def names(client: chat.Client) -> list[str]:
    return [consumer.name async for consumer in client.consumers()]


def stored(node: RunningNode, user_id: str, consumer: str) -> dict[str, Place]:
    with node.node.readers._store.snapshot() as snapshot:
        return snapshot.positions(user_id, consumer)


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
        Mostly(node) as calls,
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
        with pytest.raises(Exception, match="you have 3 consumers, which is the maximum"):
            await stream.until_caught_up()
        await client.forget_consumer("name-0")
        assert await acknowledge("name-4") == "OK"
        assert await names(client) == ["name-1", "name-2", "name-4"]


async def test_rooms_that_one_is_not_in_leave_no_rows() -> None:
    """Nor does leaving one: by an index, however many positions there are otherwise."""
    async with running_node(accounts=True) as node, Mostly(node) as calls:
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
        Mostly(node) as calls,
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
            streams = node.node.system.streams
            await until(lambda: not streams.of_consumer("1", "bot"))
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
        context = Context(
            committer=inside.committer,
            readers=inside.readers,
            pages=Pages(PageTokens(b"x" * 32)),
            epoch="e",
            clock=lambda: now[0],
            monotonic=lambda: ticks[0],
        )
        kept = KeptConsumers(context, inside.system.streams, idle=timedelta(days=30))

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
    async with running_node("1", "2") as node, Mostly(node) as calls:
        for room_id in rooms:
            await node.put_room(room_id, {"1": "member"})
        await node.put_room("foreign", {"2": "member"})
        known = {room_id: pb.Cursor(room_id=room_id) for room_id in rooms}

        async def acknowledge(*wrong: pb.Cursor) -> str:
            cursors = [*list(known.values())[: 600 - len(wrong)], *wrong]
            request = pb.AcknowledgeRequest(consumer="many", cursors=cursors)
            return (await calls("SubscribeService/Acknowledge", request, "1")).reason

        assert await acknowledge(pb.Cursor(room_id="foreign")) == "ROOM_NOT_FOUND"
        epoch = node.node.readers._store.epoch
        assert await acknowledge(pb.Cursor(room_id=rooms[599], seq=9, epoch=epoch)) == "BAD_CURSOR"
        assert stored(node, "1", "many") == {}
        assert await acknowledge(pb.Cursor(room_id=rooms[599], seq=9, stamp=7)) == "EPOCH_CHANGED"
        assert set(stored(node, "1", "many")) == {*rooms[:599]}
        assert await acknowledge() == "OK"
        assert set(stored(node, "1", "many")) == {*rooms}


async def test_a_consumer_that_begins_at_the_latest_keeps_the_place_that_it_has() -> None:
    """Only rooms that are new to it begin at their end; what it has not dealt with it gets again."""
    async with running_node("1", "2") as node:
        one, two = node.client("1"), node.client("2")
        await two.send("general", "before")
        async with asyncio.timeout(PATIENCE):
            for expected in ("caught up", "one", "one"):
                following = one.subscribe(consumer="bot", from_latest=True)
                async for update in following.updates():
                    if expected == "caught up" and isinstance(update, chat.CaughtUp):
                        break
                    if isinstance(update, chat.Message):
                        # It dies while it deals with this one.
                        assert update.text == expected
                        break
                assert stored(node, "1", "bot")["general"].seq == 1
                await following.aclose()
                if expected == "caught up":
                    for text in ("one", "two"):
                        await two.send("general", text)


async def test_positions_in_rooms_that_one_is_no_longer_in_are_passed_over() -> None:
    """Whatever has left them there: a server that was set up anew with other members, for one."""
    async with running_node("1", "2") as node:
        one, two = node.client("1"), node.client("2")
        await node.put_room("other", {"1": "member", "2": "member"})
        await two.send("other", "hello")
        await read_one(one, "bot")
        assert set(stored(node, "1", "bot")) == {"other"}

        await node.put_room("other", {"2": "member"})
        assert set(stored(node, "1", "bot")) == {"other"}
        await two.send("general", "still here")
        await read_one(one, "bot")

        assert set(stored(node, "1", "bot")) == {"other", "general"}


async def test_a_stream_that_was_taken_over_takes_nothing_with_it() -> None:
    """Its end comes after the newer one began, which goes on: it is listed, and told what is acknowledged."""
    async with running_node("1", "2") as node, Mostly(node) as calls:
        one, two = node.client("1"), node.client("2")
        older = await calls.subscribe("1", consumer="bot", max_unacknowledged=1).until_started()
        newer = await calls.subscribe("1", consumer="bot", max_unacknowledged=1).until_started()
        assert (await older.until_ended()).reason == "CONSUMER_TAKEN_OVER"
        streams = node.node.system.streams
        await until(lambda: len(streams) == 1)

        first, second = await two.send("general", "first"), await two.send("general", "second")
        await newer.until_got("general", first.seq)
        cursor = pb.Cursor(room_id="general", seq=first.seq, epoch=first.epoch)
        request = pb.AcknowledgeRequest(consumer="bot", cursors=[cursor])
        assert (await calls("SubscribeService/Acknowledge", request, "1")).reason == "OK"
        await newer.until_got("general", second.seq)

        assert [consumer.streaming async for consumer in one.consumers()] == [True]
        await newer.aclose()
        await until(lambda: len(streams) == 0)
        assert [consumer.streaming async for consumer in one.consumers()] == [False]


async def test_a_room_that_a_consumer_comes_into_is_kept_from_there() -> None:
    """Also by one that begins at the latest: what it has not acknowledged it gets again."""
    async with running_node(accounts=True) as node, Mostly(node) as calls:
        alice, bob = await node.register("alice"), await node.register("bob")
        room = await alice.create_room("plans", public=True)
        latest: dict[str, Any] = {"consumer": "bot", "start": pb.START_LATEST}
        stream = await calls.subscribe(bob.token, include_own=True, **latest).until_caught_up()
        await bob.join_room(room.room_id)
        sent = await alice.send(room.room_id, "welcome")
        await stream.until_got(room.room_id, sent.seq)
        # That he came is the first that he is told.
        assert stream.seqs(room.room_id) == [sent.seq - 1, sent.seq]
        await stream.aclose()

        await alice.send(room.room_id, "still there?")
        again = await calls.subscribe(bob.token, **latest).until_caught_up()
        assert again.seqs(room.room_id)[-2:] == [sent.seq, sent.seq + 1]
        await again.aclose()


async def test_a_stream_that_has_ended_was_use() -> None:
    """Of a consumer that is kept, to the moment of its end, though it acknowledged nothing."""
    async with running_node("1", "2") as node:
        one = node.client("1")
        await node.client("2").send("general", "first")
        await read_one(one, "bot")
        inside, streams = node.node, node.node.system.streams
        await until(lambda: len(streams) == 0)
        context = Context(
            committer=inside.committer, readers=inside.readers, pages=Pages(PageTokens(b"x" * 32)), epoch="e"
        )
        kept = KeptConsumers(context, streams)
        await kept.save()
        [before] = [consumer async for consumer in one.consumers()]

        async with asyncio.timeout(PATIENCE), one.subscribe(consumer="bot") as following:
            async for update in following.updates():
                if isinstance(update, chat.CaughtUp):
                    break
        await until(lambda: len(streams) == 0)
        await kept.save()

        [after] = [consumer async for consumer in one.consumers()]
        assert after.last_used_time > before.last_used_time


async def test_nobody_gets_more_than_the_server_gives() -> None:
    """Whatever they ask for: events that are not acknowledged, and heartbeats."""
    async with (
        running_node("1", "2", subscribe={"window": 2, "heartbeat": 3}) as node,
        Mostly(node) as calls,
    ):
        two = node.client("2")
        for number in range(5):
            await two.send("general", str(number))
        for asked, given in ((0, 2), (1, 1), (2, 2), (100, 2)):
            stream = calls.subscribe("1", consumer=f"asks-{asked}", max_unacknowledged=asked)
            await stream.until_got("general", 1)
            # All that it may have now came with the first.
            assert stream.seqs("general") == list(range(1, given + 1))
            await stream.aclose()

        for asked_ms, given_ms in ((1, 1000), (1000, 1000), (2500, 2500), (86_400_000, 3000)):
            request = pb.SubscribeRequest(all_rooms=True)
            request.heartbeat_interval.FromMilliseconds(asked_ms)
            reply = await calls("SubscribeService/Subscribe", request, "1")
            told = reply.read(pb.SubscribeResponse).started.heartbeat_interval
            assert told.ToMilliseconds() == given_ms
