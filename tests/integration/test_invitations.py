"""Nobody is made a member or an owner without wanting it, and nobody's acts use up what others have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat.core.caller import SYSTEM
from grpc_chat.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvitationNotFound,
    LastOwner,
    LimitExceeded,
    PermissionDenied,
    RoomArchived,
    RoomNotFound,
    UserNotFound,
)
from grpc_chat.store.base import Transaction
from grpc_chat.store.records import InvitationRecord
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls
from tests.support import make_owner


@asynccontextmanager
async def people(*names: str, **settings: Any) -> AsyncIterator[tuple[RunningNode, list[chat.Client]]]:
    """A server with the default policy, and these on it."""
    async with running_node(**({"accounts": True, "network": False} | settings)) as node:
        yield node, [await node.register(name) for name in names]


async def invited(client: chat.Client, **how: Any) -> list[str]:
    """The names of the rooms that somebody is invited to."""
    return [invitation.room_name async for invitation in client.invitations(**how)]


async def rooms_of(client: chat.Client) -> list[str]:
    return sorted([room.title async for room in client.rooms()])


async def changes(client: chat.Client, room_id: str) -> list[tuple[str, str, str, str, str]]:
    """What the room's log says of memberships, its making left out."""
    return [
        (event.actor_id, event.change, event.user_id, event.role, event.invited_by)
        async for event in client.events(room_id)
        if isinstance(event, chat.MembershipChange)
    ]


# The attack


async def test_nobody_can_be_stuffed_with_rooms_and_ownership() -> None:
    """Create, add, make them owner, leave, again and again: the victim is where they were before."""
    limits = {"rooms_per_user": 4, "invitations_of_one": 3}
    async with people("mallory", "victim", "friend", limits=limits) as (_node, (mallory, victim, friend)):
        home = await victim.create_room("home")
        shared = await victim.create_room("shared")
        code = (await victim.create_invite(shared.room_id)).code
        await friend.join_room(invite=code)
        for at in range(12):
            room = await mallory.create_room(f"trap {at}")
            assert isinstance(await mallory.add_member(room.room_id, "victim"), chat.Invitation)
            with pytest.raises(UserNotFound):
                await mallory.set_role(room.room_id, "victim", "owner")
            with pytest.raises(UserNotFound):
                await mallory.leave_room(room.room_id, new_owner="victim")
            assert await mallory.leave_room(room.room_id), "it goes with its only member"
        # What they can do is ask, as often as the limit says, and it takes a room of their own each time.
        for at in range(3):
            room = await mallory.create_room(f"trap kept {at}")
            await mallory.add_member(room.room_id, "victim")
        last = await mallory.create_room("the last trap")
        with pytest.raises(LimitExceeded) as refused:
            await mallory.add_member(last.room_id, "victim")
        assert refused.value.metadata == {"limit": "3", "userId": "victim"}
        with pytest.raises(LimitExceeded, match="mallory is in 4 rooms"):
            await mallory.create_room("one more")

        # The victim joins, creates, is written to, and leaves, as if nothing had been.
        assert await rooms_of(victim) == ["home", "shared"]
        await friend.direct_room("victim")
        await friend.send("@victim", "are you well?")
        hall = await friend.create_room("hall", public=True)
        await victim.join_room(hall.room_id)
        made = await victim.create_room("made now")
        await victim.leave_room(hall.room_id)
        assert await victim.leave_room(made.room_id)
        assert await victim.leave_room(home.room_id)
        assert await rooms_of(victim) == ["friend", "shared"]
        assert sorted(await invited(victim)) == [f"trap kept {at}" for at in range(3)]


async def test_rooms_that_one_is_put_into_do_not_count_and_end_in_invitations() -> None:
    """Somebody whom one knows can fill their part of one's list, and nothing of one's own."""
    limits = {"rooms_per_user": 2, "added_rooms_per_user": 2}
    async with people("alice", "bob", "carol", limits=limits) as (node, (alice, bob, carol)):
        met = await bob.create_room("met")
        await alice.join_room(invite=(await bob.create_invite(met.room_id)).code)
        for at in range(3):
            await node.put_room(f"room-{at}", {"alice": "owner"})
        added = [await alice.add_member(f"room-{at}", "bob") for at in range(3)]
        assert [isinstance(each, chat.Member) for each in added] == [True, True, False]

        await bob.create_room("his second")
        with pytest.raises(LimitExceeded):
            await bob.create_room("his third")
        # Being written to takes nothing of his, and can't be refused for it.
        assert (await carol.direct_room("bob")).kind == "direct"
        with pytest.raises(LimitExceeded, match="bob is in 2 rooms"):
            await bob.accept_invitation("room-2")
        assert await invited(bob) == ["room-2"]
        await alice.leave_room(met.room_id)
        assert await bob.leave_room(met.room_id)
        await bob.accept_invitation("room-2")


# What an invitation is


async def test_a_stranger_is_invited_and_decides() -> None:
    """Until they accept, they know what the invitation says and nothing more; the room sees who is asked."""
    async with people("alice", "bob") as (node, (alice, bob)):
        room = await alice.create_room("Plans", topic="Where to eat")
        await alice.send(room.room_id, "secret")

        asked = await alice.add_member(room.room_id, "bob", role="reader", reason="come")
        again = await alice.add_member(room.room_id, "bob", role="reader")
        assert isinstance(asked, chat.Invitation)
        assert again == asked
        with pytest.raises(AlreadyExists, match="invited already"):
            await alice.add_member(room.room_id, "bob", role="admin")

        [told] = [invitation async for invitation in bob.invitations()]
        assert told == asked
        assert (told.room_id, told.room_name, told.room_topic, told.room_kind, told.room_member_count) == (
            room.room_id,
            "Plans",
            "Where to eat",
            "private",
            1,
        )
        assert (told.user.user_id, told.invited_by.user_id, told.role, told.reason) == (
            "bob",
            "alice",
            "reader",
            "come",
        )
        assert [each async for each in alice.room_invitations(room.room_id)] == [asked]
        for ask in (bob.room(room.room_id), bob.send(room.room_id, "x"), bob.join_room(room.room_id)):
            with pytest.raises(RoomNotFound):
                await ask
        assert await rooms_of(bob) == []

        joined = await bob.accept_invitation(room.room_id)
        assert (joined.role, joined.member_count, joined.name) == ("reader", 2, "Plans")
        assert await invited(bob) == []
        assert [each async for each in alice.room_invitations(room.room_id)] == []
        with pytest.raises(InvitationNotFound):
            await bob.accept_invitation(room.room_id)
        assert await changes(alice, room.room_id) == [
            ("alice", "invited", "bob", "reader", ""),
            ("bob", "joined", "bob", "reader", "alice"),
        ]
        # They met in a private room that both came into: from now on nothing is asked.
        second = await alice.create_room("second")
        assert isinstance(await alice.add_member(second.room_id, "bob"), chat.Member)
        # But being put into a room is no meeting: who is there does not get to put one into others.
        carol = await node.register("carol")
        await carol.join_room(invite=(await alice.create_invite(second.room_id)).code)
        third = await carol.create_room("third")
        assert isinstance(await carol.add_member(third.room_id, "bob"), chat.Invitation)


async def test_an_invitation_ends_in_silence() -> None:
    """Declined, withdrawn, or gone with what it was for: the room's log says nothing, and nothing is left."""
    async with people("alice", "bob", "carol") as (_, (alice, bob, carol)):
        room = await alice.create_room("plans", public=True)
        await alice.add_member(room.room_id, "bob")
        await bob.decline_invitation(room.room_id)
        with pytest.raises(InvitationNotFound):
            await bob.decline_invitation(room.room_id)
        assert await changes(alice, room.room_id) == [("alice", "invited", "bob", "member", "")]

        await alice.add_member(room.room_id, "bob")
        await alice.withdraw_invitation(room.room_id, "bob")
        with pytest.raises(InvitationNotFound):
            await alice.withdraw_invitation(room.room_id, "bob")
        with pytest.raises(InvitationNotFound):
            await bob.accept_invitation(room.room_id)

        # Joined another way, banned, deleted.
        await alice.add_member(room.room_id, "bob", role="admin")
        await bob.join_room(room.room_id)
        assert await invited(bob) == []
        await alice.add_member(room.room_id, "carol")
        await alice.ban_member(room.room_id, "carol")
        assert await invited(carol) == []
        await alice.unban_member(room.room_id, "carol")
        with pytest.raises(InvitationNotFound):
            await carol.accept_invitation(room.room_id)
        doomed = await alice.create_room("doomed")
        await alice.add_member(doomed.room_id, "carol")
        assert await alice.leave_room(doomed.room_id)
        assert await invited(carol) == []
        with pytest.raises(InvitationNotFound):
            await carol.accept_invitation(doomed.room_id)

        # An archived room takes nobody; opened again, it does.
        closed = await alice.create_room("closed")
        await alice.add_member(closed.room_id, "carol")
        await alice.archive_room(closed.room_id)
        with pytest.raises(RoomArchived):
            await carol.accept_invitation(closed.room_id)
        await alice.unarchive_room(closed.room_id)
        await carol.accept_invitation(closed.room_id)


async def test_only_those_who_could_give_a_role_withdraw_an_invitation_to_it() -> None:
    """An admin takes back what admins may give, and their own."""
    async with people("alice", "dave", "bob", "carol", accounts={"adding": "shared_room"}) as (
        _,
        (alice, dave, *_others),
    ):
        room = await alice.create_room("plans")
        await dave.join_room(invite=(await alice.create_invite(room.room_id, role="admin")).code)
        await alice.add_member(room.room_id, "bob", role="admin")
        await alice.add_member(room.room_id, "carol")

        with pytest.raises(PermissionDenied):
            await dave.withdraw_invitation(room.room_id, "bob")
        await dave.withdraw_invitation(room.room_id, "carol")
        assert [each.user.user_id async for each in dave.room_invitations(room.room_id)] == ["bob"]


async def test_a_hidden_invitation_looks_like_any_other_and_is_told_to_nobody() -> None:
    """To those who asked, and in the room's log; the one who is asked can't find it by any means."""
    async with people("alice", "bob") as (node, (alice, bob)):
        room = await alice.create_room("plans")

        def hide(transaction: Transaction) -> None:
            now = transaction.now_us
            transaction.put_invitation(
                InvitationRecord(room.room_id, "bob", pb.ROLE_MEMBER, "alice", now, hidden=True)
            )

        await node.node.committer.transact(SYSTEM, hide)

        assert [each.user.user_id async for each in alice.room_invitations(room.room_id)] == ["bob"]
        assert await invited(bob) == []
        with pytest.raises(InvitationNotFound):
            await bob.decline_invitation(room.room_id)
        with pytest.raises(InvitationNotFound) as hidden:
            await bob.accept_invitation(room.room_id)
        with pytest.raises(InvitationNotFound) as missing:
            await bob.accept_invitation("a" * 16)
        assert hidden.value.message == missing.value.message
        # Asked again by who is hidden no longer, it is like a new one.
        asked = await alice.add_member(room.room_id, "bob")
        assert isinstance(asked, chat.Invitation)
        assert await invited(bob) == ["plans"]


async def test_somebodys_list_can_be_filled_and_others_still_ask() -> None:
    """Of the inviter with the most, the oldest goes; bots count as their owner's."""
    limits = {"invitations_per_user": 3, "invitations_of_one": 3}
    async with people("mallory", "bob", "carol", limits=limits) as (node, (mallory, bob, carol)):
        await mallory.create_bot("helper")
        token = (await mallory.create_access_token("t", bot_id="helper", scopes=["read", "write"])).token
        async with node.client_within(token=token) as helper:
            for at, asks in enumerate((mallory, helper, mallory)):
                room = await asks.create_room(f"room {at}")
                await asks.add_member(room.room_id, "bob")
            more = await helper.create_room("more")
            with pytest.raises(LimitExceeded, match="3 invitations of yours and your bots"):
                await helper.add_member(more.room_id, "bob")

        room = await carol.create_room("of a friend")
        await carol.add_member(room.room_id, "bob")
        assert await invited(bob) == ["of a friend", "room 2", "room 1"]


# Ownership


async def test_ownership_is_offered_and_accepted() -> None:
    """Until then everything is as it was, and who offers can't go."""
    async with people("alice", "bob", accounts={"adding": "anyone"}) as (_, (alice, bob)):
        room = await alice.create_room("plans")
        await alice.add_member(room.room_id, "bob")
        with pytest.raises(LastOwner):
            await alice.leave_room(room.room_id)
        with pytest.raises(LastOwner, match="bob is not an owner"):
            await alice.leave_room(room.room_id, new_owner="bob")
        assert await invited(bob) == [], "a refusal changes nothing"

        offer = await alice.set_role(room.room_id, "bob", "owner", reason="I move away")
        assert isinstance(offer, chat.Invitation)
        assert (offer.role, offer.reason) == ("owner", "I move away")
        assert (await bob.room(room.room_id)).role == "member"
        with pytest.raises(LastOwner):
            await alice.leave_room(room.room_id, new_owner="bob")
        with pytest.raises(PermissionDenied):
            await bob.delete_room(room.room_id, confirm_name="plans")

        assert (await bob.accept_invitation(room.room_id)).role == "owner"
        assert await changes(bob, room.room_id) == [
            ("alice", "added", "bob", "member", ""),
            ("alice", "invited", "bob", "owner", ""),
            ("bob", "role", "bob", "owner", "alice"),
        ]
        assert not await alice.leave_room(room.room_id, new_owner="bob")
        assert await bob.leave_room(room.room_id)


async def test_an_offer_ends_with_the_ownership_of_whoever_made_it() -> None:
    """Else somebody who was put out could still have a friend be an owner."""
    async with people("alice", "mallory", "friend", accounts={"adding": "anyone"}) as (
        _,
        (alice, mallory, friend),
    ):
        for how in ("role", "remove", "friend leaves"):
            room = await alice.create_room("plans")
            for user in ("mallory", "friend"):
                await alice.add_member(room.room_id, user)
            await make_owner(alice, mallory, room.room_id)
            await mallory.set_role(room.room_id, "friend", "owner")
            if how == "role":
                await alice.set_role(room.room_id, "mallory", "admin")
            elif how == "remove":
                await alice.remove_member(room.room_id, "mallory")
            else:
                await friend.leave_room(room.room_id)
            with pytest.raises(InvitationNotFound):
                await friend.accept_invitation(room.room_id)


async def test_accepting_to_own_a_room_counts_as_coming_into_it() -> None:
    """Else a friend could add somebody, offer, and add again, past every limit."""
    limits = {"rooms_per_user": 2, "added_rooms_per_user": 2}
    async with people("alice", "bob", accounts={"adding": "anyone"}, limits=limits) as (_, (alice, bob)):
        await bob.create_room("his own")
        rooms = [await alice.create_room(f"room {at}") for at in range(2)]
        for room in rooms:
            await alice.add_member(room.room_id, "bob")
            await alice.set_role(room.room_id, "bob", "owner")
        assert (await bob.accept_invitation(rooms[0].room_id)).role == "owner"
        with pytest.raises(LimitExceeded, match="bob is in 2 rooms"):
            await bob.accept_invitation(rooms[1].room_id)
        assert (await bob.room(rooms[1].room_id)).role == "member", "nothing has changed"
        assert await invited(bob) == ["room 1"]
        await alice.leave_room(rooms[0].room_id)
        assert await bob.leave_room(rooms[0].room_id)
        assert (await bob.accept_invitation(rooms[1].room_id)).role == "owner"


async def test_a_bot_is_its_owners_to_add_and_to_answer_for() -> None:
    """One's own needs no asking, for ownership neither; others' are asked, and their owner can answer."""
    async with people("alice", "bob") as (node, (alice, bob)):
        await alice.create_bot("builds")
        room = await alice.create_room("plans")
        assert isinstance(await alice.add_member(room.room_id, "builds"), chat.Member)
        assert not await alice.leave_room(room.room_id, new_owner="builds"), "a bot of one's own owns at once"

        other = await bob.create_room("of bob")
        assert isinstance(await bob.add_member(other.room_id, "builds"), chat.Invitation)
        assert await invited(alice) == []
        assert await invited(alice, bot_id="builds") == ["of bob"]
        with pytest.raises(UserNotFound):
            await bob.accept_invitation(other.room_id, bot_id="builds")
        assert (await alice.accept_invitation(other.room_id, bot_id="builds")).role == "member"
        assert (await changes(bob, other.room_id))[-1] == ("alice", "joined", "builds", "member", "bob")

        third = await bob.create_room("third")
        await bob.add_member(third.room_id, "builds")
        # They meet in bob's room, where the bot came by its owner's word.
        assert isinstance(await bob.add_member(third.room_id, "builds"), chat.Member)
        token = (await alice.create_access_token("t", bot_id="builds", scopes=["read", "write"])).token
        async with node.client_within(token=token) as builds:
            await bob.set_role(third.room_id, "builds", "owner")
            assert (await builds.accept_invitation(third.room_id)).role == "owner"


async def test_with_nobody_there_who_owns_leaves_and_the_room_goes() -> None:
    """Its streams are told, it is in no list, and its words are gone; with others there it stays."""
    async with people("alice", "bob", accounts={"adding": "anyone"}, network=True) as (node, (alice, bob)):
        room = await alice.create_room("plans")
        await alice.send(room.room_id, "words")
        other = await alice.create_room("other")
        async with Calls(node.address) as calls:
            stream = await calls.subscribe(alice.token, all_rooms=True).until_caught_up()
            assert await alice.leave_room(room.room_id)
            await stream.until_left(room.room_id)
            await stream.aclose()
        assert [(left.room_id, left.deleted) for left in stream.left] == [(room.room_id, True)]
        with pytest.raises(RoomNotFound):
            await alice.room(room.room_id)
        assert await node.node.readers.run(lambda snapshot: snapshot.heads([room.room_id])) == {}
        assert not await node.node.readers.run(
            lambda snapshot: snapshot.events_after(room.room_id, 0, limit=9, max_bytes=1000)
        )

        await alice.add_member(other.room_id, "bob")
        with pytest.raises(LastOwner):
            await alice.leave_room(other.room_id)
        with pytest.raises(FailedPrecondition):
            await alice.leave_room(other.room_id, new_owner="bob")
        assert not await bob.leave_room(other.room_id)
        assert await alice.leave_room(other.room_id)


# Streams


async def test_streams_that_ask_are_told_of_invitations() -> None:
    """Those that wait, and new ones as they come, each once; others hear nothing."""
    async with people("alice", "bob") as (_, (alice, bob)):
        first = await alice.create_room("first")
        second = await alice.create_room("second")
        await alice.add_member(first.room_id, "bob")
        async with (
            bob.subscribe(all_rooms=True, invitations=True) as asks,
            bob.subscribe(all_rooms=True) as does_not,
        ):
            seen: list[chat.Invitation] = []
            updates = asks.updates()
            async with asyncio.timeout(20):
                while not seen:
                    if isinstance(update := await anext(updates), chat.Invitation):
                        seen.append(update)
                await alice.add_member(second.room_id, "bob")
                while len(seen) < 2:
                    if isinstance(update := await anext(updates), chat.Invitation):
                        seen.append(update)
                # The stream goes on with what it is for.
                await bob.accept_invitation(second.room_id)
                await alice.send(second.room_id, "welcome")
                messages = [await anext(aiter(asks))]
                others = [await anext(aiter(does_not))]
        assert [invitation.room_name for invitation in seen] == ["first", "second"]
        assert [message.text for message in messages] == ["welcome"]
        assert [message.text for message in others] == ["welcome"]
