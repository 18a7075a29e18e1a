"""Rooms: what is asked for twice, what is one too many, and what changes nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Reply
from tests.memory import Mostly
from tests.store_writes import truncate


async def acquaint(one: chat.Client, *others: chat.Client) -> None:
    """Have them share a room that all but one came into by themselves."""
    room = await one.create_room("acquaintances")
    invite = await one.create_invite(room.room_id)
    for other in others:
        await other.join_room(invite=invite.code)


async def test_a_room_that_is_asked_for_again_is_made_once() -> None:
    """An answer that was lost is asked for again; a request id stands for one room of one user for good."""
    async with running_node(accounts=True) as node, Mostly(node) as calls:
        alice, bob = await node.register("alice"), await node.register("bob")
        id_ = str(uuid4())

        async def create(token: str, name: str = "plans", request_id: str = id_) -> Reply:
            request = pb.CreateRoomRequest(name=name, request_id=request_id)
            return await calls("RoomService/CreateRoom", request, token)

        first = (await create(alice.token)).read(pb.CreateRoomResponse).room
        for request_id in (id_, id_.upper()):
            assert (await create(alice.token, request_id=request_id)).read(
                pb.CreateRoomResponse
            ).room == first
        assert [room.room_id async for room in alice.rooms()] == [first.room_id]
        assert (await create(alice.token, name="other")).reason == "REQUEST_ID_REUSED"
        theirs = (await create(bob.token)).read(pb.CreateRoomResponse).room
        assert theirs.room_id != first.room_id

        # Anyone who has left learns no more of it than others do; once deleted, it is not made again.
        await node.put_room(first.room_id, {"bob": "owner"})
        assert (await create(alice.token)).reason == "ROOM_NOT_FOUND"
        await bob.delete_room(first.room_id, confirm_name=(await bob.room(first.room_id)).name)
        assert (await create(alice.token)).reason == "REQUEST_ID_REUSED"
        assert [room async for room in alice.rooms()] == []


async def test_no_room_has_more_members_than_it_may() -> None:
    """Whichever way one more would come in; a place that was left is free again."""
    async with running_node(accounts=True, limits={"members_per_room": 2}, network=False) as node:
        alice, bob, carol = [await node.register(name) for name in ("alice", "bob", "carol")]
        await acquaint(alice, carol)
        room = await alice.create_room("plans", public=True)
        invite = await alice.create_invite(room.room_id)
        await bob.join_room(room.room_id)
        before = await alice.room(room.room_id)

        for attempt in (
            carol.join_room(room.room_id),
            carol.join_room(invite=invite.code),
            alice.add_member(room.room_id, "carol"),
        ):
            with pytest.raises(errors.LimitExceeded, match="2 members") as refused:
                await attempt
            assert refused.value.metadata["limit"] == "2"
        assert await alice.room(room.room_id) == before
        [listed] = [one async for one in alice.invites(room.room_id)]
        assert listed.uses == 0

        await bob.leave_room(room.room_id)
        assert (await carol.join_room(room.room_id)).member_count == 2


async def test_nobody_is_in_more_rooms_than_they_may_be() -> None:
    """Rooms of one's own and of others; one that was left is a place again."""
    async with running_node(accounts=True, limits={"rooms_per_user": 2}, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        first, second = [await alice.create_room(name, public=True) for name in ("first", "second")]
        await bob.create_room("bob's")
        await bob.join_room(first.room_id)

        for attempt in (alice.create_room("third"), bob.create_room("third"), bob.join_room(second.room_id)):
            with pytest.raises(errors.LimitExceeded, match="2 rooms") as refused:
                await attempt
            assert refused.value.metadata["limit"] == "2"
        assert (await alice.room(second.room_id)).member_count == 1

        await bob.leave_room(first.room_id)
        assert (await bob.join_room(second.room_id)).member_count == 2


async def test_what_is_so_already_is_no_event() -> None:
    """The log grows by what changes something; asking for the rest is answered alike."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob, _ = [await node.register(name) for name in ("alice", "bob", "mallory")]
        await acquaint(alice, bob)
        room_id = (await alice.create_room("plans")).room_id
        await alice.add_member(room_id, "bob", role="reader")
        await alice.ban_member(room_id, "mallory", reason="spam")
        await alice.update_room(room_id, topic="tea")

        head = (await alice.room(room_id)).last_seq
        assert (await alice.add_member(room_id, "bob", role="reader")).role == "reader"
        assert (await alice.set_role(room_id, "bob", "reader")).role == "reader"
        await alice.ban_member(room_id, "mallory", reason="more spam")
        for _ in range(2):
            await alice.update_room(room_id, name="plans", topic="tea", history="all", posting="members")
        assert (await alice.room(room_id)).last_seq == head
        [ban] = [ban async for ban in alice.bans(room_id)]
        assert ban.reason == "spam"

        for change in (alice.archive_room, alice.unarchive_room):
            once, again = await change(room_id), await change(room_id)
            assert (again.last_seq, again.archive_time) == (once.last_seq, once.archive_time)
        assert (await alice.room(room_id)).last_seq == head + 2


async def test_who_is_banned_comes_in_by_no_way_until_they_are_unbanned() -> None:
    """Not by joining, not by an invite, and not by somebody who adds them; what is tried changes nothing."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        await acquaint(alice, bob)
        rooms = [await alice.create_room(name, public=True) for name in ("plans", "other")]
        for room in rooms:
            await alice.ban_member(room.room_id, "bob")
        room_id, other_id = [room.room_id for room in rooms]
        invite = await alice.create_invite(room_id)
        head = (await alice.room(room_id)).last_seq

        for attempt in (
            bob.join_room(room_id),
            bob.join_room(invite=invite.code),
            alice.add_member(room_id, "bob"),
        ):
            with pytest.raises(errors.Banned):
                await attempt
        assert (await alice.room(room_id)).last_seq == head

        await alice.unban_member(room_id, "bob")
        with pytest.raises(errors.Banned):
            await alice.add_member(other_id, "bob")
        assert (await alice.add_member(room_id, "bob")).user.user_id == "bob"


async def test_a_room_says_where_what_is_left_of_it_begins() -> None:
    """After the oldest messages were removed; strangers are told no number of a public room."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        room = await alice.create_room("plans", public=True)
        last = [(await alice.send(room.room_id, text)).seq for text in ("one", "two", "three")][-1]
        await node.node.committer.commit(truncate(room.room_id, last))

        assert (await alice.room(room.room_id)).first_seq == last
        [found] = [one async for one in bob.public_rooms("plans")]
        for seen in (found, await bob.room(room.room_id)):
            assert (seen.first_seq, seen.last_seq, seen.last_event_time) == (0, 0, None)
        await bob.join_room(room.room_id)
        assert (await bob.room(room.room_id)).first_seq == last
