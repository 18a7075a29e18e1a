"""What becomes of calls whose session was ended at that moment, or elsewhere, or whose account is blocked."""

from __future__ import annotations

import asyncio
import threading
from uuid import uuid4

from grpc_chat.core.caller import SYSTEM
from grpc_chat.store.base import Transaction
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.memory import Mostly
from tests.support import until


async def test_a_message_that_waited_behind_the_end_of_its_session_is_not_stored() -> None:
    """It was taken while the session was still there; what counts is when it is stored."""
    async with running_node(accounts={"adding": "anyone"}) as node, Mostly(node) as calls:
        alice = await node.register("alice")
        thief = await node.log_in("alice")
        room = await alice.create_room("plans")
        stolen = (await thief.session()).session_id
        committer, free = node.node.committer, threading.Event()
        await committer.transact(SYSTEM, lambda _: None)
        busy = asyncio.create_task(committer.transact(SYSTEM, lambda _: free.wait(20)))
        try:
            await until(lambda: committer.waiting == 1)
            ending = asyncio.create_task(alice.revoke_sessions(stolen))
            await until(lambda: committer.waiting == 2)
            message = pb.OutgoingMessage(
                room_id=room.room_id, client_message_id=str(uuid4()), text="transfer it to me"
            )
            request = pb.SendMessagesRequest(messages=[message])
            sending = asyncio.create_task(calls("MessageService/SendMessages", request, thief.token))
            await until(lambda: committer.waiting == 3)
        finally:
            free.set()
        await asyncio.gather(busy, ending)

        assert (await sending).reason == "SESSION_ENDED"
        assert [message async for message in alice.history(room.room_id)] == []
        assert (await alice.send(room.room_id, "still mine")).seq == room.last_seq + 1


async def test_a_session_that_ended_without_word_of_it_opens_no_stream() -> None:
    """As on another node: here its token is still known, and the store alone knows better."""
    async with running_node(accounts={"adding": "anyone"}) as node, Mostly(node) as calls:
        alice = await node.register("alice")
        room = await alice.create_room("plans")
        session_id = (await alice.session()).session_id

        def end(transaction: Transaction) -> None:
            transaction.delete_sessions("alice", session_ids=[session_id])

        await node.node.committer.transact(SYSTEM, end)

        for request in (
            pb.SubscribeRequest(cursors=[pb.Cursor(room_id=room.room_id)]),
            pb.SubscribeRequest(all_rooms=True),
            pb.SubscribeRequest(consumer="bot"),
        ):
            assert (await calls("SubscribeService/Subscribe", request, alice.token)).reason == "SESSION_ENDED"


async def test_a_session_of_a_blocked_account_is_none() -> None:
    """Also where the block, by whatever way, has left it in the store."""
    async with running_node(accounts={"adding": "anyone"}) as node, Mostly(node) as calls:
        await node.register("alice")
        other = await node.log_in("alice")

        def block(transaction: Transaction) -> None:
            transaction.block_account("alice")

        await node.node.committer.transact(SYSTEM, block)
        # What it knows by heart it has not asked the store for.
        await node.restart()

        for method, request in (
            ("AuthService/GetMe", pb.GetMeRequest()),
            ("RoomService/ListRooms", pb.ListRoomsRequest()),
            ("SubscribeService/Subscribe", pb.SubscribeRequest(all_rooms=True)),
        ):
            assert (await calls(method, request, other.token)).reason == "UNAUTHENTICATED"


async def test_a_stream_outlives_a_room_in_which_its_own_session_wrote_last() -> None:
    """Where it stands there has not been told yet, and no longer has to be told."""
    async with running_node(accounts={"adding": "anyone"}) as node, Mostly(node) as calls:
        alice, bob = await node.register("alice"), await node.register("bob")
        lost, kept = [await bob.create_room(name, public=True) for name in ("lost", "kept")]
        for room in (lost, kept):
            await alice.join_room(room.room_id)
        stream = await calls.subscribe(alice.token, all_rooms=True).until_caught_up()
        await alice.send(lost.room_id, "my own")

        await bob.remove_member(lost.room_id, "alice")
        last = (await bob.send(kept.room_id, "for all")).seq

        await stream.until_left(lost.room_id)
        await stream.until_got(kept.room_id, last)
        await stream.aclose()
