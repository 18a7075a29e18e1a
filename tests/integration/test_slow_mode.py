"""Rooms in which members have to wait between messages."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

QUICK = {"calls_per_second": 0, "adds_per_second": 0}


class Clock:
    """The clock of a node's store, which goes on when it is told to."""

    def __init__(self, node: RunningNode) -> None:
        store: Any = node.node.system.committer._store
        self.now_us = store._clock()
        store._clock = lambda: self.now_us

    def later(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)


async def texts(client: chat.Client, room: str) -> list[str]:
    return [message.text async for message in client.history(room)]


async def test_members_wait_between_messages() -> None:
    """Admins and owners do not; nor does anyone once it is turned off."""
    async with running_node("alice", "bob", "carol", "dan", network=False, limits=QUICK) as node:
        await node.put_room("slow", {"alice": "owner", "bob": "member", "carol": "member", "dan": "admin"})
        alice, bob, carol, dan = map(node.client, ("alice", "bob", "carol", "dan"))
        clock = Clock(node)
        await bob.send("slow", "before")
        changed = await dan.update_room("slow", slow_mode=timedelta(seconds=30))
        assert changed.slow_mode == timedelta(seconds=30)
        id_ = new_message_id()
        first = await bob.send("slow", "one", client_message_id=id_)
        clock.later(10)
        with pytest.raises(errors.SlowMode, match="wait 0:00:30 after each message") as caught:
            await bob.send("slow", "two")
        assert caught.value.retry_after
        # Events are a microsecond apart where the clock stands still.
        assert abs(caught.value.retry_after - timedelta(seconds=20)) < timedelta(milliseconds=1)
        # What was stored is found, however soon; what was refused is not there.
        assert (await bob.send("slow", "one", client_message_id=id_)).seq == first.seq
        await carol.send("slow", "three")
        for client in (alice, dan):
            for text in "45":
                await client.send("slow", text)
        # Nothing else has to wait.
        await bob.edit("slow", first.seq, "one, edited")
        await bob.react("slow", first.seq, "👍")
        clock.later(20.1)
        await bob.send("slow", "six")
        # Another session is the same person.
        with pytest.raises(errors.SlowMode):
            await node.client("bob").send("slow", "seven")
        await node.restart()
        clock = Clock(node)
        with pytest.raises(errors.SlowMode):
            await bob.send("slow", "eight")
        await bob.leave_room("slow")
        await alice.add_member("slow", "bob")
        with pytest.raises(errors.SlowMode):
            await bob.send("slow", "nine")
        assert (await alice.update_room("slow", slow_mode=timedelta(0))).slow_mode is None
        for text in ("ten", "eleven"):
            await bob.send("slow", text)
        said = await texts(alice, "slow")
        assert said == ["before", "one, edited", "three", "4", "5", "4", "5", "six", "ten", "eleven"]
        changes = [event async for event in alice.events("slow") if isinstance(event, chat.RoomChange)]
        assert [change.changes for change in changes] == [
            {"slow_mode": timedelta(seconds=30)},
            {"slow_mode": timedelta(0)},
        ]


async def test_two_at_once_are_one_too_many() -> None:
    """In one request, of which nothing is stored, and in one transaction, of which one is."""
    async with running_node("alice", "bob", network=False, limits=QUICK) as node:
        for room in ("slow", "fast"):
            await node.put_room(room, {"alice": "owner", "bob": "member"})
        alice, bob = node.client("alice"), node.client("bob")
        await alice.update_room("slow", slow_mode=timedelta(days=1))

        def outgoing(room: str, text: str) -> pb.OutgoingMessage:
            return pb.OutgoingMessage(room_id=room, client_message_id=new_message_id(), text=text)

        both = [outgoing("fast", "a"), outgoing("slow", "b"), outgoing("slow", "c")]
        with pytest.raises(errors.SlowMode):
            await bob._send_messages(pb.SendMessagesRequest(messages=both))
        assert await texts(alice, "slow") == await texts(alice, "fast") == []
        calls = [
            bob._send_messages(pb.SendMessagesRequest(messages=[outgoing("slow", f"{at}")]))
            for at in range(20)
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, errors.SlowMode) for each in outcomes) == 19
        assert len(await texts(alice, "slow")) == 1
        for wrong in (timedelta(seconds=-1), timedelta(days=1, microseconds=1)):
            with pytest.raises(errors.InvalidRequest, match="slow_mode must be more than 0"):
                await alice.update_room("slow", slow_mode=wrong)
