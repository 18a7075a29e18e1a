"""Bots that are blocked, themselves or with their owner, over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.core.caller import SYSTEM
from grpc_chat.errors import FailedPrecondition, Unauthenticated
from grpc_chat.testing import RunningNode, running_node


@pytest_asyncio.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts=True, network=False) as node:
        yield node


async def works(node: RunningNode, owner: chat.Client, bot_id: str) -> bool:
    """Whether the bot gets in with a new token."""
    try:
        token = (await owner.create_access_token("test", bot_id=bot_id)).token
    except FailedPrecondition:
        return False
    async with node.client_within(token=token) as client:
        return (await client.me()).user_id == bot_id


async def records(boss: chat.Client) -> dict[str, chat.UserRecord]:
    return {record.user.user_id: record async for record in boss.admin.users()}


async def test_a_bot_that_was_blocked_itself_stays_so_when_its_owner_is_let_in(node: RunningNode) -> None:
    """Whether that was before its owner was blocked or after; the other ones are let in."""
    boss, alice = await node.register("boss", admin=True), await node.register("alice")
    for bot in ("after", "before", "fine"):
        await alice.create_bot(bot)
    await boss.admin.block_user("before")
    await boss.admin.block_user("alice")
    await boss.admin.block_user("after")

    seen = await records(boss)
    assert {id_ for id_, record in seen.items() if record.block_time} == {"alice", "after", "before", "fine"}
    assert {id_ for id_, record in seen.items() if record.blocked_itself} == {"alice", "after", "before"}
    assert {id_ for id_, record in seen.items() if record.owner_blocked} == {"after", "before", "fine"}
    with pytest.raises(FailedPrecondition, match="bot of alice, who is blocked"):
        await boss.admin.unblock_user("fine")

    done = await boss.admin.unblock_user("alice")

    assert (done.blocked_bots, done.blocked_bot_count) == (("after", "before"), 2)
    assert {id_ for id_, record in (await records(boss)).items() if record.block_time} == {"after", "before"}
    alice = await node.log_in("alice")
    assert [await works(node, alice, bot) for bot in ("after", "before", "fine")] == [False, False, True]
    await boss.admin.unblock_user("before")
    assert await works(node, alice, "before")


async def test_the_tokens_of_a_bot_whose_owner_is_blocked_are_refused(node: RunningNode) -> None:
    """Where the row of the session is there still, as by a copy of the database that was mended by hand."""
    boss, alice = await node.register("boss", admin=True), await node.register("alice")
    await alice.create_bot("ears")
    token = (await alice.create_access_token("test", bot_id="ears")).token
    await node.node.committer.transact(SYSTEM, lambda transaction: transaction.block_account("alice"))

    async with node.client_within(token=token) as ears:
        with pytest.raises(Unauthenticated):
            await ears.me()
    assert (await records(boss))["ears"].owner_blocked


async def test_a_bot_is_handed_on_with_its_own_block_and_without_its_owners(node: RunningNode) -> None:
    """What an administrator decided about the bot is not undone by deciding whose it is."""
    boss, alice, bob = [await node.register(name, admin=name == "boss") for name in ("boss", "alice", "bob")]
    for bot in ("bad", "good"):
        await alice.create_bot(bot)
    await boss.admin.block_user("bad")
    await boss.admin.block_user("alice")

    for bot in ("bad", "good"):
        await boss.admin.assign_bot_owner(bot, "bob")

    assert [await works(node, bob, bot) for bot in ("bad", "good")] == [False, True]
    await boss.admin.unblock_user("bad")
    assert await works(node, bob, "bad")


async def test_a_room_of_a_bot_whose_owner_is_blocked_has_no_owner(node: RunningNode) -> None:
    """It is listed for administrators, until its owner is let in again."""
    boss, alice = await node.register("boss", admin=True), await node.register("alice")
    await alice.create_bot("ears")
    token = (await alice.create_access_token("test", bot_id="ears")).token
    async with node.client_within(token=token) as ears:
        await ears.create_room("of the bot")

    blocked = await boss.admin.block_user("alice")
    assert [room.name async for room in boss.admin.unowned_rooms()] == ["of the bot"]
    assert [room.name for room in blocked.unowned_rooms] == ["of the bot"]
    await boss.admin.unblock_user("alice")
    assert [room.name async for room in boss.admin.unowned_rooms()] == []
