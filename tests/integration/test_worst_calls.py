"""What one member asks for, however much it is, does not hold up a stranger."""

from __future__ import annotations

import asyncio
import threading

from grpc_chat.store.reads import Snapshot
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import PATIENCE, Calls
from tests.store_writes import put_room
from tests.support import until


async def test_a_stranger_s_read_is_served_among_the_first() -> None:
    """Of 80 calls of a member, 16 of them streams, which begin one after the other, and one of a stranger."""
    cursors = [pb.Cursor(room_id=f"made-up-{at:030}", seq=1, stamp=1) for at in range(4096)]
    async with running_node("1", "2") as node, Calls(node.address) as calls:
        await node.put_room("mine", {"2": "owner"})
        reached, go_on = threading.Event(), threading.Event()

        def block(_snapshot: Snapshot) -> None:
            reached.set()
            assert go_on.wait(PATIENCE)

        readers = node.node.readers
        blocking = asyncio.create_task(readers.run(block))
        assert await asyncio.to_thread(reached.wait, PATIENCE)
        listing = pb.ListMembersRequest(room_id="general", page_size=500)
        greedy = [asyncio.create_task(calls("RoomService/ListMembers", listing, "1")) for _ in range(64)]
        streams = [calls.subscribe("1", *cursors) for _ in range(16)]
        # What the server reads by itself may be among them.
        await until(lambda: readers.waiting >= 66)
        waiting = readers.waiting
        look = pb.GetRoomRequest(room_id="mine")
        stranger = asyncio.create_task(calls("RoomService/GetRoom", look, "2"))
        await until(lambda: readers.waiting > waiting)
        go_on.set()

        assert (await stranger).reason == "OK"
        assert sum(task.done() for task in greedy) < 40
        assert {reply.reason for reply in await asyncio.gather(*greedy)} == {"OK"}
        for stream in streams:
            assert (await stream.until_ended()).reason == "ROOM_NOT_FOUND"
        await blocking


async def test_a_stranger_s_message_is_stored_among_the_first() -> None:
    """Of 64 batches of 256 messages of a member, and one message of a stranger."""
    async with running_node("1", "2") as node, Calls(node.address) as calls:
        greedy = [
            asyncio.create_task(calls("MessageService/SendMessages", batch(number), "1"))
            for number in range(64)
        ]
        await until(lambda: node.node.committer.waiting > 256 * 8)
        done_before = sum(task.done() for task in greedy)
        assert (await calls("MessageService/SendMessages", batch(99, 1), "2")).reason == "OK"
        done = sum(task.done() for task in greedy)
        assert {reply.reason for reply in await asyncio.gather(*greedy)} == {"OK"}

        assert done - done_before < 40


def batch(number: int, count: int = 256) -> pb.SendMessagesRequest:
    ids = [f"00000000-0000-4000-8000-{number:06}{at:06}" for at in range(count)]
    return pb.SendMessagesRequest(
        messages=[
            pb.OutgoingMessage(room_id="general", client_message_id=each, text="x" * 700) for each in ids
        ]
    )


async def test_nobody_is_refused_for_coming_back_or_catching_up() -> None:
    """On a server with the default rates: a client of 2,000 rooms that is cut off again and again, and goes
    through a log besides, page by page."""
    rooms = [f"room{at}" for at in range(2000)]
    async with running_node("1", "2") as node, Calls(node.address) as calls:
        puts = [put_room(room, room, {"1": pb.ROLE_OWNER}) for room in rooms]
        await asyncio.gather(*[node.node.committer.commit(put) for put in puts])
        cursors = [pb.Cursor(room_id=room) for room in rooms]
        for _ in range(3):
            stream = calls.subscribe("1", *cursors)
            await stream.until_caught_up()
            await stream.aclose()
        for number in range(8):
            assert (await calls("MessageService/SendMessages", batch(number), "1")).reason == "OK"
        page = pb.ListMessagesRequest(room_id="general", after_seq=0, page_size=500)
        for _ in range(20):
            assert (await calls("MessageService/ListMessages", page, "1")).reason == "OK"
