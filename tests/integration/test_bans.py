"""A ban of a person covers the bots that they own, over the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.cli.events import sentence
from grpc_chat.errors import Banned, InviteNotValid, LastOwner, PermissionDenied, UserNotFound
from grpc_chat.testing import RunningNode, running_node
from tests.calls import PATIENCE


@pytest_asyncio.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        yield node


async def bot_of(node: RunningNode, owner: chat.Client, bot_id: str) -> chat.Client:
    """A program that is logged in to a bot."""
    if not [bot async for bot in owner.bots() if bot.user_id == bot_id]:
        await owner.create_bot(bot_id)
    token = (await owner.create_access_token("test", bot_id=bot_id)).token
    return node.client_within(token=token)


async def told(client: chat.Client, room_id: str, after_seq: int = 0) -> list[str]:
    """What the room's log says of memberships, in words."""
    return [
        sentence(event)
        async for event in client.events(room_id)
        if isinstance(event, chat.MembershipChange) and event.seq > after_seq
    ]


async def members(client: chat.Client, room_id: str) -> list[str]:
    return [member.user.user_id async for member in client.members(room_id)]


async def test_a_ban_of_a_person_removes_their_bots_and_keeps_them_out(node: RunningNode) -> None:
    """Those that read are put out at once, each by an event that says why; none comes in by any way."""
    boss, alice, mallory = [await node.register(name) for name in ("boss", "alice", "mallory")]
    room = await boss.create_room("square", public=True)
    code = (await boss.create_invite(room.room_id, max_uses=0)).code
    await mallory.join_room(room.room_id)
    await alice.join_room(room.room_id)
    async with (
        await bot_of(node, mallory, "ears") as ears,
        await bot_of(node, mallory, "later") as later,
        await bot_of(node, alice, "helper") as helper,
    ):
        await ears.join_room(room.room_id)
        await helper.join_room(room.room_id)
        stream = aiter(ears.subscribe(all_rooms=True).updates())
        while not isinstance(await anext(stream), chat.CaughtUp):
            pass
        start = (await boss.room(room.room_id)).last_seq

        await boss.ban_member(room.room_id, "mallory", reason="Spam")
        await boss.send(room.room_id, "they are gone")

        async with asyncio.timeout(PATIENCE):
            seen = [await anext(stream)]
            while not isinstance(seen[-1], chat.RoomLeft):
                seen.append(await anext(stream))
        assert not [update for update in seen if isinstance(update, chat.Message)]
        assert sentence(seen[-1]) == (
            "boss removed you from this room, because your owner mallory is banned from it: Spam"
        )
        assert await told(boss, room.room_id, start) == [
            "boss banned mallory: Spam",
            "boss removed ears, a bot of mallory, who is banned: Spam",
        ]
        assert await members(boss, room.room_id) == ["alice", "boss", "helper"]
        assert [ban.user.user_id async for ban in boss.bans(room.room_id)] == ["mallory"]
        for way in (
            ears.join_room(room.room_id),
            later.join_room(room.room_id),
            ears.join_room(invite=code),
            later.join_room(invite=code),
            boss.add_member(room.room_id, "later"),
        ):
            with pytest.raises(Banned, match="mallory"):
                await way

        await boss.unban_member(room.room_id, "mallory")
        await ears.join_room(room.room_id)
        await later.join_room(invite=code)


async def test_a_ban_of_a_bot_covers_that_bot_alone(node: RunningNode) -> None:
    """Its owner stays, and another bot of theirs; and a removal of the owner leaves them, too."""
    boss, mallory = await node.register("boss"), await node.register("mallory")
    room = await boss.create_room("square", public=True)
    await mallory.join_room(room.room_id)
    for bot in ("ears", "eyes"):
        async with await bot_of(node, mallory, bot) as client:
            await client.join_room(room.room_id)

    await boss.ban_member(room.room_id, "ears")
    assert await members(boss, room.room_id) == ["boss", "eyes", "mallory"]
    async with await bot_of(node, mallory, "ears") as ears:
        with pytest.raises(Banned, match="you are banned"):
            await ears.join_room(room.room_id)

    await boss.remove_member(room.room_id, "mallory")
    assert await members(boss, room.room_id) == ["boss", "eyes"]

    # Somebody who is no member can be banned, and anyone who is banned can be banned again, for their bots.
    await boss.ban_member(room.room_id, "mallory")
    assert await members(boss, room.room_id) == ["boss"]
    await boss.unban_member(room.room_id, "mallory")
    async with await bot_of(node, mallory, "ears") as ears:
        with pytest.raises(Banned, match="you are banned"):
            await ears.join_room(room.room_id)


async def test_nobody_bans_a_person_of_whose_bots_one_outranks_them(node: RunningNode) -> None:
    """Neither is done then; an owner can, and nobody puts themselves out by banning their owner."""
    boss, admin, mallory = [await node.register(name) for name in ("boss", "admin", "mallory")]
    room = await boss.create_room("square", public=True)
    await admin.join_room(room.room_id)
    await boss.set_role(room.room_id, "admin", "admin")
    await mallory.join_room(room.room_id)
    async with await bot_of(node, mallory, "ears") as ears:
        await ears.join_room(room.room_id)
        await boss.set_role(room.room_id, "ears", "admin")
        before = (await boss.room(room.room_id)).last_seq

        with pytest.raises(
            PermissionDenied, match="also removes their bot ears: you may not do this to an admin"
        ):
            await admin.ban_member(room.room_id, "mallory")
        with pytest.raises(PermissionDenied, match="mallory is your owner"):
            await ears.ban_member(room.room_id, "mallory")
        assert (await boss.room(room.room_id)).last_seq == before
        assert [ban async for ban in boss.bans(room.room_id)] == []

        await boss.ban_member(room.room_id, "mallory")
        assert await members(boss, room.room_id) == ["admin", "boss"]


async def test_a_bot_that_changes_hands_goes_by_its_new_owner(node: RunningNode) -> None:
    """Out of the rooms that this one is banned from, and into those that only the old one was banned from."""
    boss, alice, mallory = [await node.register(name) for name in ("boss", "alice", "mallory")]
    closed, open_ = [await boss.create_room(name, public=True) for name in ("closed", "open")]
    async with await bot_of(node, alice, "helper") as helper:
        await helper.join_room(closed.room_id)
        await helper.join_room(open_.room_id)
        owned = await helper.create_room("of the bot", public=True)
        for room_id in (closed.room_id, owned.room_id):
            await (boss if room_id == closed.room_id else helper).ban_member(room_id, "mallory")
    await alice.offer_bot("helper", "mallory")

    with pytest.raises(LastOwner, match="helper is the last owner of a room that mallory is banned from"):
        await mallory.accept_bot("helper")
    async with await bot_of(node, alice, "helper") as helper:
        await helper.delete_room(owned.room_id, confirm_name="of the bot")
    await mallory.accept_bot("helper")

    assert await members(boss, closed.room_id) == ["boss"]
    assert await members(boss, open_.room_id) == ["boss", "helper"]
    assert (await told(boss, closed.room_id))[-1] == (
        "mallory removed helper, a bot of mallory, who is banned"
    )
    async with await bot_of(node, mallory, "helper") as helper:
        with pytest.raises(Banned):
            await helper.join_room(closed.room_id)
    await mallory.offer_bot("helper", "alice")
    await alice.accept_bot("helper")
    async with await bot_of(node, alice, "helper") as helper:
        await helper.join_room(closed.room_id)


async def test_an_administrator_gives_a_bot_to_somebody_who_is_banned(node: RunningNode) -> None:
    """As where it is taken: it leaves the rooms of the ban, and the others are told whose it is."""
    root = await node.register("root", admin=True)
    boss, alice, mallory = [await node.register(name) for name in ("boss", "alice", "mallory")]
    closed, open_ = [await boss.create_room(name, public=True) for name in ("closed", "open")]
    async with await bot_of(node, alice, "helper") as helper:
        await helper.join_room(closed.room_id)
        await helper.join_room(open_.room_id)
    await boss.ban_member(closed.room_id, "mallory")
    await root.admin.block_user("alice")

    await root.admin.assign_bot_owner("helper", "mallory")

    assert (await told(boss, closed.room_id))[-1] == "root removed helper, a bot of mallory, who is banned"
    assert "gave this bot to mallory" in (await told(boss, open_.room_id))[-1]
    assert (await mallory.me()).user_id == "mallory"


async def test_the_invites_of_who_is_banned_end(node: RunningNode) -> None:
    """Those that they made to this room, and their bots: the others' go on, and theirs to other rooms."""
    boss, mallory, guest = [await node.register(name) for name in ("boss", "mallory", "guest")]
    room = await boss.create_room("plans")
    theirs = await boss.create_invite(room.room_id)
    await mallory.join_room(invite=theirs.code)
    await boss.set_role(room.room_id, "mallory", "admin")
    other = await mallory.create_room("other")
    mine = await mallory.create_invite(room.room_id)
    elsewhere = await mallory.create_invite(other.room_id)
    async with await bot_of(node, mallory, "ears") as ears:
        await ears.join_room(invite=mine.code)
        await boss.set_role(room.room_id, "ears", "admin")
        of_bot = await ears.create_invite(room.room_id)

    await boss.ban_member(room.room_id, "mallory")

    assert [invite.invite_id async for invite in boss.invites(room.room_id)] == [theirs.invite_id]
    for invite in (mine, of_bot):
        with pytest.raises(InviteNotValid):
            await guest.join_room(invite=invite.code)
    await guest.join_room(invite=theirs.code)
    await guest.join_room(invite=elsewhere.code)
    with pytest.raises(UserNotFound):
        await boss.unban_member(room.room_id, "ears")


async def invited(owner: chat.Client, bot_id: str) -> list[str]:
    """The rooms that a bot is asked to come into."""
    return [invitation.room_name async for invitation in owner.invitations(bot_id=bot_id)]


async def test_an_invitation_of_a_bot_ends_with_the_ban_of_its_owner(node: RunningNode) -> None:
    """It would go on telling them what a private room is called and about, and how many are in it."""
    boss, mallory, friend = [await node.register(name) for name in ("boss", "mallory", "friend")]
    room, other = [await boss.create_room(name) for name in ("plans", "other")]
    for owner, bot in ((mallory, "ears"), (friend, "helper")):
        await owner.create_bot(bot)
        await owner.update_profile(adding="nobody", bot_id=bot)
        for each in (room, other):
            assert isinstance(await boss.add_member(each.room_id, bot), chat.Invitation)

    await boss.ban_member(room.room_id, "mallory")

    assert await invited(mallory, "ears") == ["other"]
    assert await invited(friend, "helper") == ["other", "plans"]
    # What a bot was asked for while it was a friend's is nothing that its next owner is asked.
    await friend.offer_bot("helper", "mallory")
    await mallory.accept_bot("helper")
    assert await invited(mallory, "helper") == []
    assert [each.user.user_id async for each in boss.room_invitations(room.room_id)] == []
