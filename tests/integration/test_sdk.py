"""The client against real servers, and against what happens to servers and networks."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

import grpc_chat as chat
from grpc_chat.sdk.choices import Role
from grpc_chat.sdk.models import stamp_of
from grpc_chat.store.writes import Append, Appended
from grpc_chat.testing import FaultyProxy, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import chat_pb2_grpc as rpc
from tests.store_writes import truncate
from tests.support import metric, until

PATIENCE = 20.0
ROOM = "general"
QUICK: dict[str, Any] = {"subscribe": {"heartbeat": 0.2, "reconnect_spread": 0.2}}
# As quick as can be where a stream must not be lost: a machine that is busy for a second takes a faster
# one for dead.
STEADY: dict[str, Any] = {"subscribe": {"heartbeat": 1.5}}
AUTHORIZED_AS_BOB = (("authorization", "Bearer bob"),)

U = TypeVar("U")


async def read(subscription: chat.Subscription, count: int) -> list[chat.Message]:
    """The next messages, whatever else is said between them."""
    messages: list[chat.Message] = []
    async with asyncio.timeout(PATIENCE):
        while len(messages) < count:
            update = await subscription.next()
            assert update is not None, "the subscription is closed"
            if isinstance(update, chat.Message):
                messages.append(update)
    return messages


async def read_until(subscription: chat.Subscription, kind: type[U]) -> U:
    """The next update of a kind; no message may come before it."""
    async with asyncio.timeout(PATIENCE):
        while not isinstance(update := await subscription.next(), kind):
            assert not isinstance(update, chat.Message | None)
    return update


async def send(client: chat.Client, texts: Iterable[str]) -> list[chat.Sent]:
    return list(await asyncio.gather(*[client.send(ROOM, text) for text in texts]))


def numbered(count: int, word: str = "m") -> list[str]:
    return [f"{word}{at}" for at in range(count)]


def texts(messages: Iterable[chat.Message]) -> list[str]:
    return [message.text for message in messages]


async def stored(client: chat.Client) -> list[str]:
    return [message.text async for message in client.history(ROOM)]


def sample(node: RunningNode, name: str, **labels: str) -> float:
    """A metric of the server."""
    return metric(node.node.metrics, name, **labels)


def calls(node: RunningNode, method: str, code: str) -> float:
    """How many calls of a method ended so."""
    return sample(node, "grpc_chat_calls_total", method=f"/chat.v1.{method}", code=code)


# Sending


async def test_many_sends_at_once_are_numbered_in_their_order() -> None:
    """Concurrent sends of one client take consecutive numbers in the order in which they were called."""
    async with running_node("alice", "bob") as node:
        alice = node.client("alice")

        sent = await send(alice, numbered(600))

        assert [each.seq for each in sent] == list(range(1, 601))
        assert await stored(alice) == numbered(600)


async def test_one_refused_message_does_not_spoil_the_others() -> None:
    """Messages that travel in one call with one that is refused are stored, in their order."""
    async with running_node("alice", limits={"text_bytes": 10}) as node:
        alice = node.client("alice")

        outcomes = await asyncio.gather(
            *[alice.send(ROOM, text) for text in ("first", "ok", "x" * 11, "last")], return_exceptions=True
        )

        refused = outcomes[2]
        assert isinstance(refused, chat.MessageTooLong)
        assert refused.metadata == {"maxBytes": "10"}
        assert await stored(alice) == ["first", "ok", "last"]


async def test_a_refusal_that_nobody_waits_for_any_more_stops_nothing() -> None:
    """A message that is refused after its sender gave up does not take the next ones with it."""
    async with (
        running_node("alice", limits={"text_bytes": 10}) as node,
        FaultyProxy(node.address) as proxy,
    ):
        alice = node.client("alice", address=proxy.address)
        await alice.send(ROOM, "first")
        proxy.to_client.black_hole = True
        with pytest.raises(chat.Unavailable):
            await alice.send(ROOM, "x" * 11, timeout=timedelta(milliseconds=50))
        waiting = asyncio.create_task(alice.send(ROOM, "next"))
        await until(lambda: calls(node, "MessageService/SendMessages", "MESSAGE_TOO_LONG") == 1)

        proxy.heal()

        assert (await waiting).seq == 2


async def test_a_repeated_send_is_the_first_one() -> None:
    """The same id and text give the same number, from another client too; another text is refused."""
    async with running_node("alice") as node:
        first = await node.client("alice").send(ROOM, "once")
        alice = node.client("alice")

        again = await alice.send(ROOM, "once", client_message_id=first.client_message_id)
        with pytest.raises(chat.ClientMessageIdReused):
            await alice.send(ROOM, "twice", client_message_id=first.client_message_id)

        assert again == first
        assert await stored(alice) == ["once"]


async def test_sends_during_an_outage_are_delivered_once_after_it() -> None:
    """What is sent while the server is away waits, and is stored and delivered once when it is back."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await alice.send(ROOM, "before")
        assert texts(await read(bob, 1)) == ["before"]
        await node.stop()
        sending = asyncio.create_task(send(alice, numbered(5)))
        # By the second time, the sends have been tried too.
        for _ in range(2):
            await read_until(bob, chat.Disconnected)
        assert not sending.done()

        await node.start()

        assert [each.seq for each in await sending] == [2, 3, 4, 5, 6]
        assert texts(await read(bob, 5)) == numbered(5)
        await alice.send(ROOM, "after")
        assert texts(await read(bob, 1)) == ["after"]


async def test_a_send_that_times_out_says_with_which_id_to_repeat_it() -> None:
    """Unavailable after the time-out carries the id, and sending it again then stores the message once."""
    async with running_node("alice") as node:
        alice = node.client("alice")
        await alice.send(ROOM, "before")
        await node.stop()

        with pytest.raises(chat.Unavailable, match="not known whether") as caught:
            await alice.send(ROOM, "perhaps", timeout=timedelta(milliseconds=300))
        await node.start()
        message_id = caught.value.metadata["clientMessageId"]
        again = await alice.send(ROOM, "perhaps", client_message_id=message_id)

        assert again.seq == 2
        assert await stored(alice) == ["before", "perhaps"]


async def test_a_send_whose_answer_was_lost_was_stored_all_the_same() -> None:
    """The unknown outcome may be that it is stored; repeating it with its id finds that out."""
    async with running_node("alice") as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice", address=proxy.address)
        await alice.send(ROOM, "before")
        proxy.lose_answers(1000)

        with pytest.raises(chat.Unavailable) as caught:
            await alice.send(ROOM, "perhaps", timeout=timedelta(milliseconds=300))
        assert await stored(node.client("alice")) == ["before", "perhaps"]
        proxy.heal()
        message_id = caught.value.metadata["clientMessageId"]
        again = await alice.send(ROOM, "perhaps", client_message_id=message_id)

        assert again.seq == 2
        assert await stored(alice) == ["before", "perhaps"]


async def test_a_cancelled_send_is_not_tried_again() -> None:
    """A send that is cancelled before it reached a server never does."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await read_until(bob, chat.CaughtUp)
        await node.stop()
        unwanted = asyncio.create_task(alice.send(ROOM, "unwanted"))
        wanted = asyncio.create_task(alice.send(ROOM, "wanted"))
        await read_until(bob, chat.Disconnected)
        unwanted.cancel()

        await node.start()
        await wanted

        with pytest.raises(asyncio.CancelledError):
            await unwanted
        assert texts(await read(bob, 1)) == ["wanted"]


# Following


async def test_reconnect_from_cursor_has_no_gap() -> None:
    """A client that comes back with its cursors gets each missed message once, in order."""
    async with running_node("alice", "bob") as node:
        alice = node.client("alice")
        await send(alice, numbered(3))
        async with node.client("bob").subscribe(ROOM) as before:
            first = await read(before, 2)

        await send(alice, numbered(4, "missed"))
        rest = await read(node.client("bob").subscribe(*before.cursors.values()), 5)

        assert [message.seq for message in first + rest] == [1, 2, 3, 4, 5, 6, 7]
        assert texts(first + rest) == numbered(3) + numbered(4, "missed")


async def test_a_lost_connection_loses_and_repeats_nothing() -> None:
    """While connections are cut again and again, each message arrives once, in order."""
    async with running_node("alice", "bob") as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice", address=proxy.address)
        bob = node.client("bob", address=proxy.address).subscribe(ROOM)
        got: list[chat.Message] = []

        for at in range(10):
            sending = asyncio.create_task(send(alice, numbered(20, f"{at}.")))
            got += await read(bob, 5)
            proxy.cut()
            await sending
            got += await read(bob, 15)

        assert proxy.connections > 10
        assert texts(got) == [text for at in range(10) for text in numbered(20, f"{at}.")]
        assert [message.seq for message in got] == list(range(1, 201))


async def test_a_server_that_stops_says_so_and_its_clients_come_back() -> None:
    """A stream that the server ends to stop is no error: it says when to come back, and goes on there."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await read_until(bob, chat.CaughtUp)

        await node.restart()
        lost = await read_until(bob, chat.Disconnected)
        await alice.send(ROOM, "again")

        assert lost.error is None
        assert timedelta(0) < lost.retry_in <= timedelta(seconds=0.2)
        await read_until(bob, chat.Connected)
        assert texts(await read(bob, 1)) == ["again"]


async def test_the_own_messages_are_passed_over_and_stay_so() -> None:
    """What a session sent itself is not handed out, also not after its cursor when it comes back."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob")
        following = alice.subscribe(ROOM)
        await bob.send(ROOM, "to alice")
        await send(alice, numbered(3, "own"))
        assert texts(await read(following, 1)) == ["to alice"]
        async with asyncio.timeout(PATIENCE):
            # Nothing is handed out for the own ones, but they count as seen.
            while following.cursors[ROOM].seq < 4:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        assert not isinstance(await following.next(), chat.Message)
        await bob.send(ROOM, "to alice again")

        rest = await read(node.client("alice").subscribe(following.cursors[ROOM]), 1)
        everything = await read(node.client("alice").subscribe(ROOM, include_own=True), 5)

        assert texts(rest) == ["to alice again"]
        assert texts(everything) == ["to alice", "own0", "own1", "own2", "to alice again"]


async def test_cancelling_the_wait_for_a_message_loses_none() -> None:
    """However often the wait for the next message is cancelled, each is handed out once, in order."""
    chance = random.Random(3)
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        sending = asyncio.create_task(send(alice, numbered(300)))
        got: list[chat.Message] = []
        cancelled = 0

        async with asyncio.timeout(PATIENCE):
            while len(got) < 300:
                asked = asyncio.ensure_future(anext(bob) if chance.random() < 0.5 else bob.next())
                for _ in range(chance.randrange(8)):
                    await asyncio.sleep(0)
                asked.cancel()
                try:
                    update = await asked
                except asyncio.CancelledError:
                    cancelled += 1
                    continue
                if isinstance(update, chat.Message):
                    got.append(update)

        await sending
        assert cancelled > 0
        assert texts(got) == numbered(300)


async def test_iterating_can_be_interrupted_and_taken_up_again() -> None:
    """Leaving a loop over a subscription, or a time-out in it, does not end the subscription."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await send(alice, ["one", "two"])
        async for message in bob:
            assert message.text == "one"
            break
        second = await anext(bob)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(bob)
        await alice.send(ROOM, "three")

        async for message in bob:
            assert (second.text, message.text) == ("two", "three")
            break
        await bob.aclose()

        assert [message async for message in bob] == []


async def test_a_message_can_be_answered() -> None:
    """A reply goes to the room that the message came from."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice").subscribe(ROOM), node.client("bob")
        await bob.send(ROOM, "how are you?")

        [question] = await read(alice, 1)
        answer = await question.reply("fine")

        assert (answer.room_id, answer.seq) == (ROOM, 2)
        assert question.cursor == chat.Cursor(ROOM, 1, answer.epoch, stamp_of(question.create_time))
        assert (question.cursor.seq, answer.cursor.seq) == (1, 2)


async def test_what_was_removed_is_told_of_as_a_gap() -> None:
    """Retention leaves a gap that is named, once, right before the first message that is left."""
    async with running_node("alice", "bob") as node:
        await send(node.client("alice"), numbered(7))
        await node.node.committer.commit(truncate(ROOM, 6))

        for bob in (node.client("bob").subscribe(ROOM), node.client("bob").subscribe(consumer="bot")):
            assert await read_until(bob, chat.Gap) == chat.Gap(ROOM, 1, 5)
            assert [message.seq for message in await read(bob, 2)] == [6, 7]


@pytest.mark.parametrize("damaged", [{1}, {3}, {6}, {2, 3, 5}], ids=str)
async def test_what_the_disk_has_spoilt_is_told_of_as_a_gap(damaged: set[int], tmp_path: Path) -> None:
    """Each where it belongs, and everything else is delivered; nobody is ever given another text."""
    async with running_node("alice", "bob", data=tmp_path / "data") as node:
        await send(node.client("alice"), numbered(6, "number"))
    file = tmp_path / "data" / "chat.db"
    content = file.read_bytes()
    for seq in damaged:
        content = content.replace(f"number{seq - 1}".encode(), f"nomber{seq - 1}".encode())
    file.write_bytes(content)

    async with running_node("alice", "bob", data=tmp_path / "data") as node:
        bob, bot = node.client("bob").subscribe(ROOM), node.client("bob").subscribe(consumer="bot")
        await send(node.client("alice"), ["more"])
        # What a gap names is negative.
        seen: list[list[int]] = [[], []]
        for subscription, found in zip((bob, bot), seen, strict=True):
            async with asyncio.timeout(PATIENCE):
                while 7 not in found:
                    match await subscription.next():
                        case chat.Message() as message:
                            found.append(message.seq)
                        case chat.Gap() as gap:
                            found.extend(-seq for seq in range(gap.from_seq, gap.to_seq + 1))
        history = [message.seq async for message in node.client("bob").history(ROOM)]

    assert seen == [[-seq if seq in damaged else seq for seq in range(1, 8)]] * 2
    assert history == [seq for seq in range(1, 8) if seq not in damaged]


async def test_a_gap_does_not_name_what_was_handed_out() -> None:
    """A consumer that comes back is told of what it has missed, not of what it only has not acknowledged."""
    async with running_node("alice", "bob", **QUICK) as node, FaultyProxy(node.address) as proxy:
        await send(node.client("alice"), numbered(7))
        bob = node.client("bob", address=proxy.address).subscribe(consumer="bot", max_unacknowledged=1)
        await read(bob, 1)

        await node.node.committer.commit(truncate(ROOM, 6))
        proxy.cut()

        assert await read_until(bob, chat.Gap) == chat.Gap(ROOM, 2, 5)
        assert [message.seq for message in await read(bob, 2)] == [6, 7]


async def test_heartbeats_keep_a_quiet_stream() -> None:
    """A stream on which nobody says anything stays open, for longer than silence is taken for life."""
    async with running_node("alice", "bob", **STEADY) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await read_until(bob, chat.CaughtUp)
        waiting = asyncio.create_task(bob.next())

        # The client gives up after two and a half of them.
        responses = sample(node, "grpc_chat_stream_responses_total")
        await until(lambda: sample(node, "grpc_chat_stream_responses_total") >= responses + 4)
        assert not waiting.done()
        await alice.send(ROOM, "at last")

        update = await waiting
        assert isinstance(update, chat.Message)
        assert update.text == "at last"


async def test_a_silent_server_is_noticed_and_the_stream_mended() -> None:
    """When nothing comes, not even heartbeats, the client opens a new stream and misses nothing."""
    async with running_node("alice", "bob", **QUICK) as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice")
        bob = node.client("bob", address=proxy.address).subscribe(ROOM)
        await alice.send(ROOM, "before")
        await read(bob, 1)

        proxy.abandon()
        await alice.send(ROOM, "meanwhile")
        await read_until(bob, chat.CaughtUp)
        lost = await read_until(bob, chat.Disconnected)
        proxy.cut()

        assert isinstance(lost.error, chat.Unavailable)
        assert "silent" in str(lost.error)
        assert texts(await read(bob, 1)) == ["meanwhile"]


async def test_a_long_outage_of_many_streams_is_mended() -> None:
    """All streams and sends of a client come back when the server does, however often they tried before."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob")
        streams = [bob.subscribe(ROOM) for _ in range(12)]
        for stream in streams:
            await read_until(stream, chat.CaughtUp)
        await node.stop()
        sending = asyncio.create_task(bob.send(ROOM, "from bob"))
        # So many failures that the connection is made anew.
        for stream in streams:
            for _ in range(4):
                await read_until(stream, chat.Disconnected)

        await node.start()
        await sending
        await alice.send(ROOM, "to bob")

        for stream in streams:
            assert texts(await read(stream, 1)) == ["to bob"]


async def test_a_connection_that_is_made_anew_takes_no_call_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else was under way on a connection that failed too often is taken up again on the new one."""
    monkeypatch.setattr("grpc_chat.sdk.connection._FAILURES_PER_CHANNEL", 2)
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob")
        following = bob.subscribe(ROOM)
        await read_until(following, chat.CaughtUp)
        committer, failures = node.node.committer, [chat.StoreUnavailable("not now")] * 2
        append = committer.append

        async def fail_twice(write: Append) -> Appended:
            if failures:
                raise failures.pop()
            return await append(write)

        monkeypatch.setattr(committer, "append", fail_twice)
        await bob.send(ROOM, "from bob")

        lost = await read_until(following, chat.Disconnected)
        assert isinstance(lost.error, chat.Unavailable)
        await alice.send(ROOM, "to bob")
        assert texts(await read(following, 1)) == ["to bob"]


# A slow reader


async def test_a_reader_that_does_not_read_costs_nobody_anything() -> None:
    """Others get everything meanwhile, the server keeps no more than its bound, and in the end the slow
    reader gets everything too, from the log."""
    big = "x" * 30_000
    sent = [f"{at} {big}" for at in range(400)]
    tail_bytes = 200_000
    bounds = {"tail_bytes": tail_bytes, "response_bytes": 64_000}
    async with (
        running_node("alice", "bob", subscribe=bounds, stop_grace=0.1) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        alice, quick = node.client("alice"), node.client("bob").subscribe(ROOM)
        stub = rpc.SubscribeServiceStub(channel)
        request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=ROOM)])
        stream = stub.Subscribe(request, metadata=AUTHORIZED_AS_BOB)
        slow = aiter(stream)
        assert (await anext(slow)).HasField("started")
        most = 0.0

        got: list[str] = []
        for at in range(0, len(sent), 50):
            sending = asyncio.create_task(send(alice, sent[at : at + 50]))
            got += texts(await read(quick, 50))
            await sending
            most = max(most, sample(node, "grpc_chat_tail_bytes"))
        assert got == sent
        pages_before = sample(node, "grpc_chat_store_pages_total")
        late: list[pb.Event] = []
        async with asyncio.timeout(PATIENCE):
            while len(late) < len(sent):
                late += (await anext(slow)).events

        assert [event.seq for event in late] == list(range(1, 401))
        assert [event.message.text for event in late] == sent
        assert 0 < most <= tail_bytes
        assert sample(node, "grpc_chat_store_pages_total") > pages_before
        stream.cancel()


async def test_what_is_read_ahead_is_bounded_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes its time is not run over: the client stops reading, and goes on when it does."""
    monkeypatch.setattr("grpc_chat.sdk.subscription._READ_AHEAD", 4)
    async with running_node("alice", "bob", subscribe={"response_bytes": 200}) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        await send(alice, numbered(200))
        got = await read(bob, 1)

        # A response is one or two messages here.
        await until(lambda: len(bob._ahead) >= 4)
        for _ in range(20):
            await asyncio.sleep(0)
            assert len(bob._ahead) < 8
        got += await read(bob, 199)

        assert texts(got) == numbered(200)


# Consumers


async def test_a_consumer_goes_on_in_a_client_that_knows_nothing() -> None:
    """The server remembers what was dealt with, so that a new client gets each message once."""
    async with running_node("alice", "bob") as node:
        alice = node.client("alice")
        await send(alice, numbered(5))
        async with node.client("bob").subscribe(consumer="bot") as before:
            first = await read(before, 3)
        await node.restart()

        rest = await read(node.client("bob").subscribe(consumer="bot"), 2)

        assert texts(first + rest) == numbered(5)


async def test_a_message_that_was_not_dealt_with_comes_again() -> None:
    """A client that dies while it deals with a message leaves it to the next one, but none before it."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob")
        await send(alice, numbered(3))
        before = await read(bob.subscribe(consumer="bot"), 2)
        await bob.aclose()

        again = await read(node.client("bob").subscribe(consumer="bot"), 2)

        assert texts(before) == ["m0", "m1"]
        assert texts(again) == ["m1", "m2"]


async def test_acknowledged_means_on_the_server() -> None:
    """After acknowledge(), what was handed out stays dealt with, whatever becomes of the client."""
    async with running_node("alice", "bob") as node, FaultyProxy(node.address) as proxy:
        alice, bob = node.client("alice"), node.client("bob", address=proxy.address)
        await send(alice, numbered(3))
        following = bob.subscribe(consumer="bot")
        await read(following, 2)

        await following.acknowledge()
        proxy.black_hole()

        assert texts(await read(node.client("bob").subscribe(consumer="bot"), 1)) == ["m2"]
        proxy.heal()
        with pytest.raises(chat.ConsumerTakenOver):
            await read(following, 2)


async def test_a_new_consumer_can_begin_at_the_latest() -> None:
    """It then gets what comes after it began, also when it comes back before it acknowledged anything."""
    async with running_node("alice", "bob") as node:
        alice = node.client("alice")
        await alice.send(ROOM, "before")
        bob = node.client("bob")
        await read_until(bob.subscribe(consumer="bot", from_latest=True), chat.CaughtUp)
        await bob.aclose()
        await alice.send(ROOM, "after")

        got = await read(node.client("bob").subscribe(consumer="bot", from_latest=True), 1)

        assert texts(got) == ["after"]


async def test_a_consumer_is_sent_no_more_than_its_window() -> None:
    """Beyond what may be unacknowledged the server waits, and goes on when it is told."""
    async with (
        running_node("alice", "bob", **QUICK) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        stub = rpc.SubscribeServiceStub(channel)
        sent = await send(node.client("alice"), numbered(5))
        request = pb.SubscribeRequest(consumer="bot", max_unacknowledged=2)
        stream = stub.Subscribe(request, metadata=AUTHORIZED_AS_BOB)
        responses = aiter(stream)

        async def until_quiet() -> list[str]:
            got: list[str] = []
            while not (response := await anext(responses)).HasField("heartbeat"):
                got += [event.message.text for event in response.events]
            return got

        assert await until_quiet() == ["m0", "m1"]
        for seq, next_ones in ((1, ["m2"]), (3, ["m3", "m4"])):
            cursor = pb.Cursor(room_id=ROOM, seq=seq, epoch=sent[0].epoch)
            await stub.Acknowledge(
                pb.AcknowledgeRequest(consumer="bot", cursors=[cursor]), metadata=AUTHORIZED_AS_BOB
            )
            assert await until_quiet() == next_ones
        stream.cancel()


async def test_a_slow_consumer_is_not_sent_what_it_did_not_ask_for() -> None:
    """With a window of one message, the next one stays on the server until the first is dealt with."""
    big = "x" * 10_000
    async with running_node("alice", "bob", **STEADY) as node:
        await send(node.client("alice"), [f"{at} {big}" for at in range(5)])
        bob = node.client("bob").subscribe(consumer="bot", max_unacknowledged=1)

        [first] = await read(bob, 1)
        responses = sample(node, "grpc_chat_stream_responses_total")
        # Two heartbeats later there was more than enough time for more.
        await until(lambda: sample(node, "grpc_chat_stream_responses_total") >= responses + 2)
        assert sample(node, "grpc_chat_stream_response_bytes_total") < 2 * len(big)
        rest = await read(bob, 4)

        assert [message.text[0] for message in [first, *rest]] == ["0", "1", "2", "3", "4"]


async def test_the_smallest_window_does_not_stop_a_consumer() -> None:
    """Messages that are dealt with one at a time all come, its own ones between them left out."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob")
        for at in range(10):
            await alice.send(ROOM, f"m{at}")
            await bob.send(ROOM, f"own{at}")

        got = await read(bob.subscribe(consumer="bot", max_unacknowledged=1), 10)

        assert texts(got) == numbered(10)


async def test_the_newer_stream_of_a_consumer_ends_the_older_for_good() -> None:
    """Two clients with one consumer's name do not fight over it: the older one is told, and stays away."""
    async with running_node("alice", "bob") as node:
        alice = node.client("alice")
        older = node.client("bob").subscribe(consumer="bot")
        await read_until(older, chat.CaughtUp)
        newer = node.client("bob").subscribe(consumer="bot")

        await read_until(newer, chat.CaughtUp)
        with pytest.raises(chat.ConsumerTakenOver):
            await read(older, 1)
        await alice.send(ROOM, "for the newer")

        assert texts(await read(newer, 1)) == ["for the newer"]
        with pytest.raises(chat.ConsumerTakenOver):
            await older.next()
        assert calls(node, "SubscribeService/Subscribe", "CONSUMER_TAKEN_OVER") == 1
        assert sample(node, "grpc_chat_streams") == 1


# What no further attempt would mend


async def begin_new_epoch(node: RunningNode) -> str:
    """As when a backup is restored: the server is stopped, and its database another; the new epoch."""
    await node.stop()
    with closing(sqlite3.connect(node.config.data / "chat.db")) as database, database:
        database.execute("UPDATE meta SET value = 'restored' WHERE name = 'epoch'")
    await node.start()
    # The server notices that this is not the database it used last, and begins one of its own.
    with closing(sqlite3.connect(node.config.data / "chat.db")) as database:
        [[epoch]] = database.execute("SELECT value FROM meta WHERE name = 'epoch'")
    return str(epoch)


async def test_a_subscription_goes_on_in_a_new_epoch() -> None:
    """A client with cursors from another life of the log is told so, after all that it had received."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(ROOM)
        sent = await send(alice, numbered(2))
        await read(bob, 1)

        epoch = await begin_new_epoch(node)
        await alice.send(ROOM, "new")

        told = []
        while not isinstance(update := await bob.next(), chat.Message) or update.text != "new":
            # The new message may be so late that the client had caught up before.
            if not isinstance(update, chat.CaughtUp):
                told.append(update)
        assert texts(update for update in told if isinstance(update, chat.Message)) == ["m1"]
        assert told[-1] == chat.HistoryChanged(ROOM, 2)
        assert told.count(told[-1]) == 1
        assert update.epoch == bob.cursors[ROOM].epoch == epoch
        # A position that was kept without its stamp says nothing about the log of now.
        with pytest.raises(chat.EpochChanged) as caught:
            await node.client("bob").subscribe(chat.Cursor(ROOM, 2, sent[1].epoch)).next()
        assert caught.value.metadata["epoch"] == epoch
        fresh = await read(node.client("bob").subscribe(ROOM), 3)
        assert {message.epoch for message in fresh} == {epoch}


async def test_a_consumer_goes_on_in_a_new_epoch() -> None:
    """Where the server keeps the position, a restored server's position counts, and the stream goes on."""
    async with running_node("alice", "bob", **QUICK) as node:
        alice, bob = node.client("alice"), node.client("bob").subscribe(consumer="bot")
        await send(alice, numbered(2))
        await read(bob, 2)
        await bob.acknowledge()

        epoch = await begin_new_epoch(node)
        await alice.send(ROOM, "in the new epoch")

        [message] = await read(bob, 1)
        assert (message.text, message.seq, message.epoch) == ("in the new epoch", 3, epoch)
        await bob.acknowledge()


@pytest.mark.parametrize("seq", [1, 2**62])
async def test_a_cursor_from_the_future_is_refused_at_once(seq: int) -> None:
    """A position where the log has never been is an error that no reconnect would mend."""
    async with running_node("alice") as node:
        alice = node.client("alice")
        epoch = (await alice.room(ROOM)).epoch

        with pytest.raises(chat.BadCursor) as caught:
            await alice.subscribe(chat.Cursor(ROOM, seq, epoch)).next()

        assert caught.value.field == "cursors[0].seq"
        assert calls(node, "SubscribeService/Subscribe", "BAD_CURSOR") == 1


async def test_who_is_not_authorised_is_told_once() -> None:
    """Unauthenticated is not tried again, whatever was asked for."""
    async with running_node("alice") as node:
        mallory = node.client("mallory")

        for ask in (mallory.send(ROOM, "hello"), mallory.subscribe(ROOM).next(), mallory.me()):
            with pytest.raises(chat.Unauthenticated):
                await ask

        for method in ("MessageService/SendMessages", "SubscribeService/Subscribe", "AuthService/GetMe"):
            assert calls(node, method, "UNAUTHENTICATED") == 1
        assert await stored(node.client("alice")) == []


async def test_a_foreign_room_is_as_good_as_none() -> None:
    """Sending to, following and looking at a room of others is the same as with one that is not there."""
    async with running_node("alice", "bob") as node:
        await node.put_room("hers", {"alice": "owner"})
        bob = node.client("bob")
        errors: dict[str, list[object]] = {"hers": [], "none": []}
        for room in ("hers", "none"):
            for ask in (bob.send(room, "hello"), bob.subscribe(room).next(), bob.room(room)):
                with pytest.raises(chat.RoomNotFound) as caught:
                    await ask
                error = caught.value
                assert error.metadata == {"roomId": room}
                errors[room].append((str(error), error.field, error.retry_after))

        assert errors["hers"] == errors["none"]


async def test_there_must_be_something_to_follow() -> None:
    """Rooms and a consumer exclude each other, and one of them is needed."""
    async with running_node("alice") as node:
        alice = node.client("alice")

        with pytest.raises(ValueError, match="rooms and consumer must not both"):
            alice.subscribe()
        with pytest.raises(ValueError, match="rooms and consumer must not both"):
            alice.subscribe(ROOM, consumer="bot")


# The end of a client


def tasks_of_clients() -> set[asyncio.Task[Any]]:
    """All tasks but the one with which the server, which is in the same process, waits for calls."""
    return {task for task in asyncio.all_tasks() if "AioServer" not in repr(task)}


@pytest.mark.parametrize("server", ["there", "silent", "gone"])
async def test_closing_a_client_leaves_nothing_behind(server: str) -> None:
    """Its streams, calls and tasks are gone, whatever the server does; waiting senders are told."""
    async with running_node("alice", "bob") as node, FaultyProxy(node.address) as proxy:
        await send(node.client("alice"), numbered(3))
        tasks = tasks_of_clients()
        bob = chat.Client(proxy.address, token="bob")
        streams = [bob.subscribe(ROOM) for _ in range(10)]
        streams += [bob.subscribe(consumer=f"bot{at}") for at in range(10)]
        for stream in streams:
            await read(stream, 2)
        if server == "silent":
            proxy.black_hole()
        elif server == "gone":
            proxy.target = "127.0.0.1:1"
            proxy.cut()
        asking = [asyncio.create_task(stream.next()) for stream in streams]
        sending = [asyncio.create_task(bob.send(ROOM, "late")) for _ in range(3)]
        looking = asyncio.create_task(bob.me())
        await asyncio.sleep(0)

        await bob.aclose()
        proxy.heal()

        async with asyncio.timeout(PATIENCE):
            assert all(
                not isinstance(update, chat.Message) or update.text == "m2"
                for update in await asyncio.gather(*asking)
            )
            for task in [*sending, looking]:
                outcome = (await asyncio.gather(task, return_exceptions=True))[0]
                assert isinstance(outcome, chat.Sent | chat.User | chat.Unavailable), repr(outcome)
            with pytest.raises(chat.Unavailable):
                await bob.send(ROOM, "too late")
        proxy.cut()
        await until(lambda: tasks_of_clients() <= tasks)
        await until(lambda: sample(node, "grpc_chat_streams") == 0)


# Looking


async def test_history_goes_both_ways() -> None:
    """History is read page by page, from either end or from the middle, as far as one likes."""
    async with running_node("alice", limits={"max_page": 7}) as node:
        alice = node.client("alice")
        await send(alice, numbered(30))

        async def seqs(**where: int) -> list[int]:
            return [message.seq async for message in alice.history(ROOM, **where)]

        assert await seqs() == list(range(1, 31))
        assert await seqs(after=25) == [26, 27, 28, 29, 30]
        assert await seqs(after=4, limit=10) == list(range(5, 15))
        assert await seqs(after=30) == []
        assert await seqs(before=31) == list(range(30, 0, -1))
        assert await seqs(before=20, limit=9) == list(range(19, 10, -1))
        assert await seqs(before=1) == []
        assert await seqs(limit=0) == []
        with pytest.raises(ValueError, match="after and before must not both"):
            await seqs(after=1, before=5)


async def test_history_is_what_was_sent() -> None:
    """A message of the history is the message that was sent, to the letter."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob")
        text = "naïve \U0001f600 \x1b[31m\r\n\u202e"
        sent = await alice.send(ROOM, text)

        [looked_up] = [message async for message in bob.history(ROOM)]
        [followed] = await read(bob.subscribe(ROOM), 1)

        assert looked_up == followed
        assert looked_up == chat.Message(
            room_id=ROOM,
            seq=sent.seq,
            sender_id="alice",
            text=text,
            create_time=sent.create_time,
            client_message_id=sent.client_message_id,
            epoch=sent.epoch,
        )
        assert abs(datetime.now(UTC) - sent.create_time) < timedelta(minutes=1)


async def test_rooms_and_members_are_listed_page_by_page() -> None:
    """One sees one's rooms and who is in them with which role, however many pages they take."""
    async with running_node("alice", "bob", limits={"max_page": 2}) as node:
        for at in range(4):
            await node.put_room(f"r{at}", {"alice": "owner", "bob": "reader", "carol": "admin"})
        await node.put_room("secret", {"alice": "member"})
        alice, bob = node.client("alice"), node.client("bob")
        sent = await alice.send("r0", "hello")

        rooms = [room async for room in alice.rooms()]
        members = [member async for member in bob.members("r0")]

        assert [room.room_id for room in rooms] == [ROOM, "r0", "r1", "r2", "r3", "secret"]
        assert [room.room_id async for room in bob.rooms()] == [ROOM, "r0", "r1", "r2", "r3"]
        assert (rooms[1].first_seq, rooms[1].last_seq) == (1, 1)
        assert rooms[1].latest == sent.cursor
        assert rooms[1] == await alice.room("r0")
        # The same for everybody in it, but for what each is in it.
        seen = await bob.room("r0")
        assert (rooms[1].unread, seen.unread) == (0, 1)
        assert rooms[1] == replace(seen, role=Role.OWNER, read_seq=rooms[1].read_seq, unread=0)
        assert [room.role for room in rooms] == ["member", "owner", "owner", "owner", "owner", "member"]
        assert [(member.user.user_id, member.role) for member in members] == [
            ("alice", "owner"),
            ("bob", "reader"),
            ("carol", "admin"),
        ]
        with pytest.raises(chat.PermissionDenied):
            await bob.send("r0", "readers can't")


async def test_one_knows_who_one_is() -> None:
    """The account that the token belongs to, whatever characters its id has."""
    async with running_node("alice", "Zoë ✓") as node:
        me = await node.client("Zoë ✓").me()
    # Who may add and write to them is told to nobody else.
    assert me.privacy
    assert replace(me, privacy=None) == chat.User("Zoë ✓", "Zoë ✓")
