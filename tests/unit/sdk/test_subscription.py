"""What a subscription asks of a server, given what that tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import grpc_chat as chat
from grpc_chat.sdk.subscription import Subscription
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

EPOCH = "e1"


class Server:
    """The other side: one stream, of what it is told to say, and acknowledgements that are answered when
    they may be."""

    def __init__(self) -> None:
        self.acknowledged: list[dict[str, int]] = []
        self.answers = asyncio.Event()
        self._said: asyncio.Queue[pb.SubscribeResponse] = asyncio.Queue()
        self.say(started=pb.SubscribeStarted(epoch=EPOCH))

    def say(self, **response: Any) -> None:
        self._said.put_nowait(pb.SubscribeResponse(**response))

    def message(self, room_id: str, seq: int) -> None:
        event = pb.Event(
            room_id=room_id, seq=seq, user_id="alice", message=pb.Message(text=f"{room_id} {seq}")
        )
        self.say(events=[event])

    async def open(self, _request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        while True:
            yield await self._said.get()

    async def acknowledge(self, request: pb.AcknowledgeRequest) -> None:
        self.acknowledged.append({cursor.room_id: cursor.seq for cursor in request.cursors})
        await self.answers.wait()

    def subscription(self, **options: Any) -> Subscription:
        class Nothing:
            """A client, and a finder of rooms, of which nothing is asked that matters here."""

            def _forget(self, _subscription: object) -> None: ...
            def forget(self, _room_id: str) -> None: ...

        nothing = cast("Any", Nothing())
        return Subscription(nothing, open_=self.open, acknowledge=self.acknowledge, finder=nothing, **options)


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
