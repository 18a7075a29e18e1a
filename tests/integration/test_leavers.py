"""What becomes of rooms and bots whose owner is shut out, and who can hand them on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import Any

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.cli.offline import offline_admin
from grpc_chat.core.attempts import Attempts
from grpc_chat.sdk.choices import RoomKind
from grpc_chat.testing import RunningNode, running_node
from tests.calls import PATIENCE
from tests.support import make_owner


@pytest_asyncio.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts={"bots": 3, "adding": "anyone"}, network=False) as node:
        yield node


async def people(node: RunningNode) -> tuple[chat.Client, chat.Client, chat.Client]:
    """An administrator, who is in no room, and two others."""
    return (
        await node.register("boss", admin=True),
        await node.register("alice"),
        await node.register("bob"),
    )


async def events_of(client: chat.Client, room_id: str) -> list[Any]:
    return [event async for event in client.events(room_id)]


async def caught_up(client: chat.Client) -> AsyncIterator[chat.Update]:
    """A stream of everything, which has caught up."""
    stream = aiter(client.subscribe(all_rooms=True).updates())
    while not isinstance(await anext(stream), chat.CaughtUp):
        pass
    return stream


async def to_its_end(stream: AsyncIterator[chat.Update]) -> None:
    async for _ in stream:
        pass


def names(rooms: Sequence[chat.UnownedRoom]) -> list[str]:
    return sorted(room.name for room in rooms)


# Blocking


async def test_a_block_names_the_rooms_and_bots_that_it_leaves_to_nobody(node: RunningNode) -> None:
    """Before it is done as after, and where it is repeated: no more of a room than it takes to name it."""
    boss, alice, bob = await people(node)
    alone = await alice.create_room("alone", topic="not for the administrator")
    await alice.add_member(alone.room_id, "bob", role="admin")
    shared = await alice.create_room("shared")
    await alice.add_member(shared.room_id, "bob")
    await make_owner(alice, bob, shared.room_id)
    await alice.direct_room("bob")
    await bob.create_room("of bob")
    for bot in ("builds", "idle"):
        await alice.create_bot(bot)
    token = (await alice.create_access_token("ci", bot_id="builds")).token
    async with node.client_within(token=token) as ci:
        await ci.create_room("made by the bot", public=True)

    would = await boss.admin.block_user("alice", dry_run=True)
    assert would.user.block_time is None
    await alice.me()
    done = await boss.admin.block_user("alice")
    again = await boss.admin.block_user("alice")

    assert names(would.unowned_rooms) == ["alone", "made by the bot"]
    assert would.unowned_room_count == 2
    [room] = [room for room in would.unowned_rooms if room.name == "alone"]
    assert room == chat.UnownedRoom(alone.room_id, "alone", RoomKind.PRIVATE, 2)
    assert would.stopped_bots == (chat.StoppedBot("builds", 1), chat.StoppedBot("idle", 0))
    assert would.stopped_bot_count == 2
    for what in (done, again):
        assert what.user.block_time
        assert (what.unowned_rooms, what.stopped_bots) == (would.unowned_rooms, would.stopped_bots)
    assert names([room async for room in boss.admin.unowned_rooms()]) == ["alone", "made by the bot"]
    with pytest.raises(errors.UserNotFound):
        await boss.admin.block_user("nobody", dry_run=True)
    with pytest.raises(errors.LastAdmin):
        await boss.admin.block_user("boss", dry_run=True)


async def test_members_of_a_room_are_told_who_is_blocked(node: RunningNode) -> None:
    """Themselves, or with their owner; until they are let in again, and nobody outside the room."""
    boss, alice, bob = await people(node)
    room = await alice.create_room("plans", public=True)
    await bob.join_room(room.room_id)
    await alice.create_bot("builds")
    await alice.add_member(room.room_id, "builds")

    async def marked() -> dict[str, bool]:
        return {member.user.user_id: member.blocked async for member in bob.members(room.room_id)}

    nobody = {"alice": False, "bob": False, "builds": False}
    assert await marked() == nobody
    await boss.admin.block_user("alice")
    assert await marked() == {"alice": True, "bob": False, "builds": True}
    await boss.admin.unblock_user("alice")
    assert await marked() == nobody
    await boss.admin.block_user("builds")
    assert await marked() == nobody | {"builds": True}

    with pytest.raises(errors.NotAMember):
        await anext(boss.members(room.room_id))
    # Who is not in the room is not told by the account either.
    assert not any("block" in field.name for field in fields(await boss.user("builds")))


async def test_a_block_names_a_bounded_number(node: RunningNode) -> None:
    """And says how many there are; the rest are in pages."""
    boss, alice, _ = await people(node)
    for number in range(103):
        await alice.create_room(f"room {number}")

    done = await boss.admin.block_user("alice")

    assert (len(done.unowned_rooms), done.unowned_room_count) == (100, 103)
    listed = [room async for room in boss.admin.unowned_rooms()]
    assert len(listed) == 103
    assert [room.room_id for room in listed] == sorted(room.room_id for room in listed)
    assert tuple(listed[:100]) == done.unowned_rooms


async def test_who_is_blocked_is_no_owner_that_a_room_can_be_left_to(node: RunningNode) -> None:
    """Else the last owner who can do anything could go, by leaving, or by being something less."""
    boss, alice, bob = await people(node)
    room = await alice.create_room("plans")
    await alice.add_member(room.room_id, "bob")
    await make_owner(alice, bob, room.room_id)
    await boss.admin.block_user("bob")

    for refused in (alice.leave_room(room.room_id), alice.set_role(room.room_id, "alice", "member")):
        with pytest.raises(errors.LastOwner):
            await refused
    with pytest.raises(errors.FailedPrecondition, match="the account bob is blocked"):
        await alice.leave_room(room.room_id, new_owner="bob")
    # What is taken from the blocked one leaves an owner.
    await alice.set_role(room.room_id, "bob", "member")

    await boss.admin.unblock_user("bob")
    await make_owner(alice, await node.log_in("bob"), room.room_id)
    await alice.leave_room(room.room_id)


# Rooms


async def test_an_administrator_hands_a_room_on_and_everyone_there_sees_it(node: RunningNode) -> None:
    """To a member alone, and only where no owner is left; of the room the administrator sees nothing."""
    boss, alice, bob = await people(node)
    room = await alice.create_room("plans")
    await alice.add_member(room.room_id, "bob")
    owned = await bob.create_room("of bob")
    await boss.admin.block_user("alice")
    before = await events_of(bob, room.room_id)

    with pytest.raises(errors.UserNotFound, match="boss is not a member of this room"):
        await boss.admin.assign_room_owner(room.room_id, "boss")
    with pytest.raises(errors.FailedPrecondition, match="the account alice is blocked"):
        await boss.admin.assign_room_owner(room.room_id, "alice")
    for room_id in (owned.room_id, "aaaaaaaaaaaaaaaa"):
        with pytest.raises(errors.RoomNotFound, match="one of its owners is not blocked"):
            await boss.admin.assign_room_owner(room_id, "bob")
    with pytest.raises(errors.PermissionDenied):
        await bob.admin.assign_room_owner(room.room_id, "bob")
    assert await events_of(bob, room.room_id) == before

    given = await boss.admin.assign_room_owner(room.room_id, "bob", reason="Alice has left")

    assert given == chat.UnownedRoom(room.room_id, "plans", RoomKind.PRIVATE, 2)
    event = (await events_of(bob, room.room_id))[-1]
    assert isinstance(event, chat.MembershipChange)
    assert (event.actor_id, event.user_id, event.change, event.role, event.reason) == (
        "boss",
        "bob",
        "role",
        "owner",
        "Alice has left",
    )
    await bob.archive_room(room.room_id)
    assert [room async for room in boss.admin.unowned_rooms()] == []
    # Once is enough: from now on it is bob's to decide.
    with pytest.raises(errors.RoomNotFound):
        await boss.admin.assign_room_owner(room.room_id, "bob")
    with pytest.raises(errors.RoomNotFound):
        await boss.room(room.room_id)


async def test_a_room_and_a_bot_are_handed_on_while_the_server_is_stopped(node: RunningNode) -> None:
    """As while it runs; the members see that it was nobody of theirs."""
    _, alice, bob = await people(node)
    room = await alice.create_room("plans")
    await alice.add_member(room.room_id, "bob")
    await alice.create_bot("builds")
    await alice.add_member(room.room_id, "builds")
    await node.stop()

    async with offline_admin(node.config.data) as admin:
        blocked = await admin.block_user("alice")
        [unowned] = [room async for room in admin.unowned_rooms()]
        await admin.assign_room_owner(unowned.room_id, "bob")
        bot = await admin.assign_bot_owner("builds", "bob")
    await node.start()

    assert blocked.unowned_rooms == (unowned,)
    assert bot.owner_id == "bob"
    owner, of_bot = (await events_of(bob, room.room_id))[-2:]
    assert (owner.actor_id, owner.user_id, owner.role) == ("", "bob", "owner")
    assert owner.reason == "by an administrator of this server: all owners were blocked"
    assert (of_bot.actor_id, of_bot.user_id, of_bot.role) == ("", "builds", "member")
    assert "gave this bot to bob" in of_bot.reason


# Bots


async def test_a_bot_is_told_why_it_stopped(node: RunningNode) -> None:
    """On its stream, and by each call from then on, over a restart, until it has a new token."""
    boss, alice, _ = await people(node)
    await alice.create_bot("builds")
    token = (await alice.create_access_token("ci", bot_id="builds")).token
    await alice.create_room("plans")
    ci = node.client_within(token=token)
    async with ci, asyncio.timeout(PATIENCE):
        stream = await caught_up(ci)
        await boss.admin.block_user("alice")
        with pytest.raises(errors.OwnerBlocked, match="its owner's account was blocked") as ended:
            await to_its_end(stream)
        assert isinstance(ended.value, errors.SessionEnded)
        with pytest.raises(errors.OwnerBlocked):
            await ci.me()
        await node.restart()
        with pytest.raises(errors.OwnerBlocked):
            await ci.me()

        records = {record.user.user_id: record async for record in boss.admin.users()}
        assert (records["builds"].sessions, records["builds"].ended_tokens) == (0, 1)
        unblocked = await boss.admin.unblock_user("alice")
        assert unblocked.stopped_bots == (chat.StoppedBot("builds", 1),)
        assert unblocked.stopped_bot_count == 1
        # Unblocked, it is as much out as before, and still told why.
        with pytest.raises(errors.OwnerBlocked):
            await ci.me()

        alice = await node.log_in("alice")
        new = (await alice.create_access_token("ci", bot_id="builds")).token
        records = {record.user.user_id: record async for record in boss.admin.users()}
        assert (records["builds"].sessions, records["builds"].ended_tokens) == (1, 0)
        async with node.client_within(token=new) as renewed:
            assert (await renewed.me()).user_id == "builds"
        with pytest.raises(errors.Unauthenticated):
            await ci.me()


async def test_an_administrator_gives_the_bot_of_a_blocked_owner_to_somebody(node: RunningNode) -> None:
    """It works again, under a token that the new owner makes; everyone in its rooms sees whose it is."""
    boss, alice, bob = await people(node)
    await alice.create_bot("builds")
    old = (await alice.create_access_token("ci", bot_id="builds")).token
    room = await alice.create_room("plans")
    for user in ("bob", "builds"):
        await alice.add_member(room.room_id, user)
    with pytest.raises(errors.FailedPrecondition, match="belongs to alice, who is not blocked"):
        await boss.admin.assign_bot_owner("builds", "bob")
    await boss.admin.block_user("alice")
    await bob.create_bot("of-bob")
    for bot, owner, error in (
        ("alice", "bob", errors.UserNotFound),
        ("nobody", "bob", errors.UserNotFound),
        ("builds", "nobody", errors.UserNotFound),
        ("builds", "of-bob", errors.InvalidRequest),
        ("builds", "alice", errors.FailedPrecondition),
    ):
        with pytest.raises(error):
            await boss.admin.assign_bot_owner(bot, owner)
    with pytest.raises(errors.PermissionDenied):
        await bob.admin.assign_bot_owner("builds", "bob")

    given = await boss.admin.assign_bot_owner("builds", "bob")

    assert (given.user_id, given.owner_id) == ("builds", "bob")
    token = (await bob.create_access_token("ci", bot_id="builds")).token
    async with node.client_within(token=token) as ci:
        await ci.send(room.room_id, "green again")
    async with node.client_within(token=old) as ci:
        with pytest.raises(errors.Unauthenticated):
            await ci.me()
    event = (await events_of(bob, room.room_id))[-2]
    assert (event.actor_id, event.user_id, event.change, event.role) == ("boss", "builds", "role", "member")
    assert event.reason == "an administrator of this server gave this bot to bob: its owner was blocked"
    # Unblocked, its maker no longer has a hand in it.
    unblocked = await boss.admin.unblock_user("alice")
    assert unblocked.stopped_bots == ()
    alice = await node.log_in("alice")
    with pytest.raises(errors.UserNotFound):
        await alice.create_access_token("mine", bot_id="builds")


async def test_an_owner_hands_a_bot_over_to_who_takes_it(node: RunningNode) -> None:
    """Nobody is given one against their will; with it all tokens of the bot end, and its open streams."""
    boss, alice, bob = await people(node)
    await alice.create_bot("builds")
    token = (await alice.create_access_token("ci", bot_id="builds")).token
    await alice.create_bot("other")
    for bot, heir, error in (
        ("builds", "nobody", errors.UserNotFound),
        ("builds", "alice", errors.InvalidRequest),
        ("builds", "other", errors.InvalidRequest),
        ("alice", "bob", errors.UserNotFound),
        ("", "bob", errors.InvalidRequest),
        ("nobody", "bob", errors.UserNotFound),
    ):
        with pytest.raises(error):
            await alice.offer_bot(bot, heir)
    for refused in (bob.offer_bot("builds", "boss"), bob.accept_bot("builds"), bob.accept_bot("nobody")):
        with pytest.raises(errors.UserNotFound):
            await refused

    offered = await alice.offer_bot("builds", "bob")
    assert (offered.owner_id, offered.offered_to_id) == ("alice", "bob")
    assert {bot.user_id: bot.offered_to_id async for bot in alice.bots()} == {"builds": "bob", "other": ""}
    with pytest.raises(errors.UserNotFound):
        await boss.accept_bot("builds")
    await alice.offer_bot("builds", "")
    with pytest.raises(errors.UserNotFound):
        await bob.accept_bot("builds")
    await alice.offer_bot("builds", "bob")
    async with node.client_within(token=token) as ci, asyncio.timeout(PATIENCE):
        assert (await ci.me()).offered_to_id == ""
        stream = await caught_up(ci)
        taken = await bob.accept_bot("builds")
        with pytest.raises(errors.SessionEnded, match="the bot has another owner now"):
            await to_its_end(stream)
        with pytest.raises(errors.SessionEnded, match="the bot has another owner now"):
            await ci.me()

    assert (taken.owner_id, taken.offered_to_id) == ("bob", "")
    assert [bot.user_id async for bot in bob.bots()] == ["builds"]
    assert [bot.user_id async for bot in alice.bots()] == ["other"]
    with pytest.raises(errors.UserNotFound):
        await bob.accept_bot("builds")
    # What is offered lapses with a block, and nobody has more bots than they may.
    await alice.offer_bot("other", "bob")
    await boss.admin.block_user("alice")
    with pytest.raises(errors.UserNotFound):
        await bob.accept_bot("other")
    for name in ("second", "third"):
        await bob.create_bot(name)
    with pytest.raises(errors.LimitExceeded, match="bob has 3 bots, which is the maximum"):
        await boss.admin.assign_bot_owner("other", "bob")


async def test_a_write_of_a_bot_that_waits_is_not_done_after_it_was_handed_over(node: RunningNode) -> None:
    """What ends its token is in one line with what it sends: after it, nothing is stored."""
    _, alice, bob = await people(node)
    await alice.create_bot("builds")
    token = (await alice.create_access_token("ci", bot_id="builds")).token
    room = await alice.create_room("plans")
    await alice.add_member(room.room_id, "builds")
    await alice.offer_bot("builds", "bob")
    async with node.client_within(token=token) as ci:
        await ci.me()
        _, *sent = await asyncio.gather(
            bob.accept_bot("builds"),
            *[ci.send(room.room_id, f"{number}") for number in range(20)],
            return_exceptions=True,
        )

    last = max((event.seq for event in await events_of(alice, room.room_id)), default=0)
    refused = [result for result in sent if isinstance(result, errors.Unauthenticated)]
    stored = [result for result in sent if isinstance(result, chat.Sent)]
    assert len(refused) + len(stored) == 20
    assert all(result.seq <= last for result in stored)


# Known addresses


async def guess(client: chat.Client, user_id: str) -> type[Exception]:
    with pytest.raises(errors.ChatError) as refused:
        await client.log_in(user_id, "a wrong password")
    return refused.type


async def test_who_is_known_at_a_shared_address_is_known_after_a_restart() -> None:
    """By a hash alone: from where they came is nowhere on the disk."""
    async with running_node(accounts={"attempts_per_address": 5}) as node:
        await node.register("alice")
        await node.log_in("alice")
        await node.restart()

        async with chat.Client(node.address) as guesser:
            outcomes = [await guess(guesser, f"nobody-{number}") for number in range(6)]
        assert outcomes == [errors.LoginFailed] * 5 + [errors.RateLimited]
        await node.log_in("alice")
        await node.stop()
        for path in node.config.data.iterdir():
            if path.is_file():
                assert b"127.0.0.1" not in path.read_bytes(), path.name
        await node.start()


def test_hashes_of_addresses_are_of_one_server() -> None:
    """With another secret they are others; and what is no address of the network is not kept."""
    first, second = Attempts(secret=b"1" * 32), Attempts(secret=b"2" * 32)
    for attempts in (first, second):
        attempts.know("alice", "192.0.2.1")
        attempts.know("alice", "192.0.2.1")
        attempts.know("alice", "session x")

    mine, theirs = first.take_unsaved(), second.take_unsaved()
    assert (len(mine), len(theirs)) == (1, 1)
    assert mine.isdisjoint(theirs)
    assert first.take_unsaved() == set()
    third = Attempts(secret=b"1" * 32)
    third.remember(mine)
    third.know("alice", "192.0.2.1")
    assert third.take_unsaved() == mine
