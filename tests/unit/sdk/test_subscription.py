"""What a subscription asks of a server, given what that tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

import grpc_chat as chat
from grpc_chat.errors import ChatError, NotAMember, RoomNotFound
from grpc_chat.sdk.retry import Backoff
from grpc_chat.sdk.subscription import Subscription
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

EPOCH = "e1"


class Server:
    """The other side: one stream, of what it is told to say, and acknowledgements that are answered when
    they may be."""

    def __init__(self) -> None:
        self.asked: list[pb.SubscribeRequest] = []
        self.acknowledged: list[dict[str, int]] = []
        self.answered = 0
        self.answers = asyncio.Event()
        self.refusals: list[ChatError] = []
        """What the next acknowledgements are answered with."""
        self._said: asyncio.Queue[pb.SubscribeResponse | None] = asyncio.Queue()
        self.say(started=pb.SubscribeStarted(epoch=EPOCH))

    def say(self, **response: Any) -> None:
        self._said.put_nowait(pb.SubscribeResponse(**response))

    def message(self, room_id: str, seq: int) -> None:
        event = pb.Event(
            room_id=room_id, seq=seq, user_id="alice", message=pb.Message(text=f"{room_id} {seq}")
        )
        self.say(events=[event])

    def end_stream(self) -> None:
        self._said.put_nowait(None)

    async def open(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        self.asked.append(request)
        while (response := await self._said.get()) is not None:
            yield response

    async def acknowledge(self, request: pb.AcknowledgeRequest) -> None:
        self.acknowledged.append({cursor.room_id: cursor.seq for cursor in request.cursors})
        await self.answers.wait()
        self.answered += 1
        if self.refusals:
            raise self.refusals.pop(0)

    def subscription(self, **options: Any) -> Subscription:
        class Nothing:
            """A client, and a finder of rooms, of which nothing is asked that matters here."""

            def forget(self, _room_id: str) -> None: ...
            def may_be_id(self, _room: str) -> bool:
                return True

        nothing = cast("Any", Nothing())
        options["backoff"] = Backoff(random=lambda: 0)
        options |= {"open_": self.open, "acknowledge": self.acknowledge, "finder": nothing}
        return Subscription(nothing, on_close=lambda _: None, **options)


async def test_what_was_read_of_a_room_is_not_acknowledged_once_it_is_left() -> None:
    """The server would refuse it, and the other rooms' positions with it; those go on."""
    server = Server()
    async with asyncio.timeout(20), server.subscription(consumer="bot") as following:
        server.message("left", 1)
        server.message("left", 2)
        server.say(left=[pb.RoomLeft(room_id="left")])
        server.message("kept", 1)
        updates = following.updates()
        assert isinstance(await anext(updates), chat.Connected)
        # The first call is under way until after the room is left, and what was read since waits for its end.
        for expected in ("left 1", "left 2"):
            assert cast("chat.Message", await anext(updates)).text == expected
        await until(lambda: server.acknowledged == [{"left": 1}])
        assert isinstance(await anext(updates), chat.RoomLeft)
        assert cast("chat.Message", await anext(updates)).text == "kept 1"

        server.answers.set()
        await following.acknowledge()

    assert server.acknowledged == [{"left": 1}, {"kept": 1}]


@pytest.mark.parametrize("refusal", [RoomNotFound, NotAMember])
async def test_a_room_that_may_not_be_acknowledged_holds_up_no_other(refusal: type[ChatError]) -> None:
    """Whether it is private or public; what was read of the others is acknowledged in the next call."""
    server = Server()
    server.refusals = [refusal("not yours", metadata={"roomId": "lost"})]
    server.answers.set()
    async with asyncio.timeout(20), server.subscription(consumer="bot") as following:
        for room_id in ("kept", "lost", "other"):
            server.message(room_id, 1)
        for _ in range(3):
            await anext(following)
        await following.acknowledge()

    acknowledged = [ack for ack in server.acknowledged if "lost" not in ack]
    assert len(acknowledged) < len(server.acknowledged)
    assert {room_id: seq for ack in acknowledged for room_id, seq in ack.items()} == {"kept": 1, "other": 1}


async def test_what_is_no_longer_in_the_log_is_not_acknowledged() -> None:
    """Where the log went back while one was under way, the next goes as far as both have in common."""
    server = Server()
    async with asyncio.timeout(20), server.subscription(consumer="bot") as following:
        server.message("plans", 1)
        server.message("plans", 2)
        server.end_stream()
        changed = pb.HistoryChanged(room_id="plans", last_common_seq=1, stamp=7)
        server.say(started=pb.SubscribeStarted(epoch="e2"), history_changed=[changed])
        updates = following.updates()
        for _ in range(2):
            await anext(following)
        await until(lambda: server.acknowledged == [{"plans": 1}])
        while not isinstance(await anext(updates), chat.HistoryChanged):
            pass

        server.answers.set()
        # What waited for that is under way by then.
        await until(lambda: server.answered >= 1)
        await following.acknowledge()

    assert {ack["plans"] for ack in server.acknowledged} == {1}


async def test_what_comes_again_is_handed_out_once() -> None:
    """A server may repeat what it is not sure to have sent."""
    server = Server()
    async with asyncio.timeout(20), server.subscription(all_rooms=True) as following:
        for seq in (1, 2, 2, 1, 3):
            server.message("plans", seq)
        got = [await anext(following) for _ in range(3)]

    assert [message.seq for message in got] == [1, 2, 3]


async def test_a_room_that_is_joined_again_begins_anew() -> None:
    """What was read before it was left may come again: nobody knows whether it was dealt with."""
    server = Server()
    async with asyncio.timeout(20), server.subscription(all_rooms=True) as following:
        for seq in (1, 2):
            server.message("plans", seq)
        server.say(left=[pb.RoomLeft(room_id="plans")])
        for seq in (1, 2, 3):
            server.message("plans", seq)
        got = [await anext(following) for _ in range(5)]

    assert [message.seq for message in got] == [1, 2, 1, 2, 3]


async def test_a_stream_ends_with_the_last_of_its_rooms() -> None:
    """Nothing is left to follow, and nobody is kept waiting for it."""
    server = Server()
    async with asyncio.timeout(20), server.subscription(rooms=["plans"]) as following:
        server.say(left=[pb.RoomLeft(room_id="plans")])
        updates = [update async for update in following.updates()]

    assert [type(update) for update in updates] == [chat.Connected, chat.RoomLeft]


async def test_rooms_that_a_request_can_not_name_begin_anew() -> None:
    """Somebody can be in more rooms than one may name: none of them is missed, and nothing comes twice."""
    server = Server()
    cursors = [chat.Cursor(f"room {at}", 3, EPOCH, 1) for at in range(4098)]
    following = server.subscription(cursors=cursors, all_rooms=True, from_latest=True)
    async with asyncio.timeout(20), following:
        server.message("room 0", 3)
        server.message("room 0", 4)
        updates = following.updates()
        assert isinstance(await anext(updates), chat.Connected)
        assert cast("chat.Message", await anext(updates)).text == "room 0 4"

    [request] = server.asked
    assert request.start == pb.START_BEGINNING
    assert [cursor.room_id for cursor in request.cursors] == [f"room {at}" for at in range(2, 4098)]
