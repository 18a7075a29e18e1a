"""Rooms that a program calls by their names."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import grpc_chat as chat
from grpc_chat.errors import InvalidRequest, NotAMember, RoomNotFound, Unavailable
from grpc_chat.testing import RunningNode, running_node
from tests.integration.test_sdk import calls, read

LOOKUPS = ("RoomService/ListRooms", "RoomService/ListPublicRooms", "RoomService/GetRoom")


def lookups(node: RunningNode) -> float:
    """How often a room was looked for."""
    return sum(calls(node, method, "OK") for method in LOOKUPS)


async def test_a_name_is_looked_for_once_and_an_id_never() -> None:
    """By all methods that take a room, also where many ask at once; what they do is done in their order."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice = await node.register("alice")
        await node.register("bob")
        room = await alice.create_room("Plans")

        await alice.send(room.room_id, "by id")
        assert [message.text async for message in alice.history(room.room_id)] == ["by id"]
        async with alice.subscribe(room.room_id, include_own=True) as messages:
            assert [message.text for message in await read(messages, 1)] == ["by id"]
        assert lookups(node) == 0

        texts = [str(number) for number in range(50)]
        sent = await asyncio.gather(*[alice.send("plans", text) for text in texts])
        assert [one.seq for one in sent] == sorted(one.seq for one in sent)
        assert {one.room_id for one in sent} == {room.room_id}
        assert [message.text async for message in alice.history("plans", after=sent[0].seq - 1)] == texts
        async with alice.subscribe("plans", include_own=True) as messages:
            assert [message.text for message in await read(messages, 51)] == ["by id", *texts]
            assert list(messages.cursors) == [room.room_id]
        await alice.add_member("plans", "bob")
        assert [member.user.user_id async for member in alice.members("plans")] == ["alice", "bob"]
        await alice.ban_member("plans", "bob")
        assert [ban.user.user_id async for ban in alice.bans("plans")] == ["bob"]
        await alice.unban_member("plans", "bob")
        invite = await alice.create_invite("plans")
        assert [one.invite_id async for one in alice.invites("plans")] == [invite.invite_id]
        await alice.revoke_invite("plans", invite.invite_id)
        assert (await alice.update_room("plans", topic="soon")).topic == "soon"
        assert (await alice.archive_room("plans")).archive_time
        assert not (await alice.unarchive_room("plans")).archive_time
        assert lookups(node) == 1
        assert (await alice.room("plans")).room_id == room.room_id
        await alice.delete_room("plans", confirm_name="Plans")


async def test_the_room_with_somebody_is_called_by_their_name() -> None:
    """Sending begins it; looking back does not."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        shared = await alice.create_room("shared")
        await bob.join_room(invite=(await alice.create_invite("shared")).code)

        with pytest.raises(RoomNotFound, match="no direct room with bob"):
            [message async for message in alice.history("@bob")]
        sent = await alice.send("@bob", "psst")
        assert sent.room_id != shared.room_id
        assert [message.text async for message in bob.history("@alice")] == ["psst"]


async def test_a_name_that_is_not_clear_is_an_error_with_the_candidates() -> None:
    """And nothing is sent; a subscription ends."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice = await node.register("alice")
        rooms = [await alice.create_room("dev", topic=topic) for topic in ("one", "two")]

        for attempt in (alice.send("dev", "which?"), alice.subscribe("dev").next()):
            with pytest.raises(RoomNotFound, match="2 rooms are called 'dev'; give the id of one") as several:
                await attempt
            assert set(several.value.metadata["roomIds"].split(",")) == {room.room_id for room in rooms}
        for attempt in (alice.send("de", "which?"), alice.subscribe("de").next()):
            with pytest.raises(RoomNotFound, match=r"in no room called 'de'; did you mean dev\?"):
                await attempt
        with pytest.raises(RoomNotFound, match=r"in no room called 'nowhere'$"):
            await alice.leave_room("nowhere")
        for room in rooms:
            assert [message async for message in alice.history(room.room_id)] == []


async def test_sixteen_letters_are_an_id_first_and_then_a_name() -> None:
    """What is meant for a room that is lost reaches no other one."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        named = await alice.create_room("wochenendplanung")
        other = await alice.create_room("other")

        assert (await alice.send("wochenendplanung", "hi")).room_id == named.room_id
        bob_s = await bob.create_room("wochenendplanung")
        await bob.send("wochenendplanung", "mine")
        async with bob.subscribe("wochenendplanung", include_own=True) as alone:
            assert [message.room_id for message in await read(alone, 1)] == [bob_s.room_id]
        async with (await node.log_in("bob")).subscribe("wochenendplanung") as alone:
            assert [message.room_id for message in await read(alone, 1)] == [bob_s.room_id]
        # Beside another one, whose stream begins at once.
        alice_too = await node.log_in("alice")
        async with alice_too.subscribe("wochenendplanung", "other") as messages:
            assert [message.text for message in await read(messages, 1)] == ["hi"]
            await alice.send("other", "there")
            assert [message.room_id for message in await read(messages, 1)] == [other.room_id]
        await alice.delete_room("other", confirm_name="other")
        with pytest.raises(RoomNotFound):
            await alice.send(other.room_id, "lost")


async def test_a_name_catches_nothing_that_is_meant_for_a_room_that_is_lost() -> None:
    """Neither a room called by the old one's id, which the server refuses, nor one called like it."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice, mallory = await node.register("alice"), await node.register("mallory")
        room = await alice.create_room("plans")
        await alice.add_member("plans", "mallory")
        await alice.delete_room(room.room_id, confirm_name="plans")

        for name in (room.room_id, room.room_id.upper()):
            with pytest.raises(InvalidRequest, match="name must not be the id of a room"):
                await mallory.create_room(name)
        trap = await mallory.create_room(f"{room.room_id}-")
        await mallory.add_member(trap.room_id, "alice")
        for attempt in (alice.send(room.room_id, "secret"), alice.subscribe(room.room_id).next()):
            with pytest.raises(RoomNotFound):
                await attempt
        assert [message async for message in mallory.history(trap.room_id)] == []


async def test_a_name_that_has_become_another_room_s_is_looked_for_again() -> None:
    """After the old one was lost, or renamed before the eyes of the client."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice, bob = await node.register("alice"), await node.register("bob")
        old = await alice.create_room("plans")
        await alice.add_member("plans", "bob")
        assert (await bob.send("plans", "old")).room_id == old.room_id

        await alice.remove_member("plans", "bob")
        with pytest.raises((RoomNotFound, NotAMember)):
            await bob.send("plans", "nowhere")
        new = await bob.create_room("plans")
        assert (await bob.send("plans", "new")).room_id == new.room_id

        async with bob.subscribe("plans", include_own=True) as messages:
            await read(messages, 1)
            other = await node.log_in("bob")
            await other.update_room(new.room_id, name="past plans")
            async for update in messages.updates():
                if getattr(update, "changes", {}).get("name") == "past plans":
                    break
        third = await bob.create_room("plans")
        assert (await bob.send("plans", "third")).room_id == third.room_id


async def test_a_send_by_name_waits_for_a_server_that_is_away() -> None:
    """As long as it was told to, and then it has not been sent."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        alice = await node.register("alice")
        room = await alice.create_room("plans")
        await node.stop()

        with pytest.raises(Unavailable, match="which room is called 'plans'"):
            await alice.send("plans", "too late", timeout=timedelta(milliseconds=50))
        sending = [asyncio.create_task(alice.send("plans", text)) for text in "abc"]
        following = alice.subscribe("plans", include_own=True)
        reading = asyncio.create_task(read(following, 3))
        await node.start()

        sent = [await one for one in sending]
        assert [one.seq for one in sent] == sorted(one.seq for one in sent)
        assert [message.text for message in await reading] == ["a", "b", "c"]
        assert {one.room_id for one in sent} == {room.room_id}
        await following.aclose()


async def test_trusted_ids_take_rooms_by_their_ids_and_find_the_others() -> None:
    """The room that all share is called by its id, which costs no look-up."""
    async with running_node("alice", "bob", network=False) as node:
        alice = node.client("alice")
        assert (await alice.send("general", "hi")).room_id == "general"
        async with node.client("bob").subscribe("general") as messages:
            await read(messages, 1)
        assert lookups(node) == 0

        room = await alice.create_room("a room of mine")
        assert (await alice.send("a room of mine", "here")).room_id == room.room_id
        async with alice.subscribe("A room of mine", "general", include_own=True) as messages:
            assert {message.text for message in await read(messages, 2)} == {"hi", "here"}
        with pytest.raises(chat.errors.RoomNotFound):
            await alice.send("nowhere", "lost")
