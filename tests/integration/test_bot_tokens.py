"""The tokens of bots when their owner gets another password, over the API and in a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.cli import new_passwords
from grpc_chat.cli.offline import offline_admin
from grpc_chat.cli.output import Output
from grpc_chat.errors import SessionEnded, Unauthenticated
from grpc_chat.testing import PASSWORD, RunningNode, running_node

OTHER = "another one, just as long"


@pytest_asyncio.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts=True, network=False) as node:
        yield node


async def tokens(owner: chat.Client, *bots: str) -> list[str]:
    """A token of each bot; of no bot for an empty id."""
    for bot in bots:
        if bot and bot not in [known.user_id async for known in owner.bots()]:
            await owner.create_bot(bot)
    return [(await owner.create_access_token("test", bot_id=bot)).token for bot in bots]


async def works(node: RunningNode, token: str) -> bool:
    async with node.client_within(token=token) as client:
        try:
            await client.me()
        except Unauthenticated:
            return False
        return True


async def test_tokens_of_bots_outlive_a_new_password_unless_they_are_ended_with_it(node: RunningNode) -> None:
    """One's own end either way; how many of one's bots go on working, or have ended, is told."""
    boss, alice = await node.register("boss", admin=True), await node.register("alice")
    others = await tokens(boss, "of-boss")
    own, *of_bots = await tokens(alice, "", "builds", "builds", "ears")

    change = await alice.change_password(PASSWORD, OTHER)
    assert (change.revoked_sessions, change.revoked_bot_tokens, change.live_bot_tokens) == (1, 0, 3)
    assert [await works(node, token) for token in (own, *of_bots)] == [False, True, True, True]

    change = await alice.change_password(OTHER, PASSWORD, end_bot_tokens=True)
    assert (change.revoked_sessions, change.revoked_bot_tokens, change.live_bot_tokens) == (0, 3, 0)
    assert [await works(node, token) for token in of_bots] == [False, False, False]
    async with node.client_within(token=of_bots[0]) as builds:
        with pytest.raises(SessionEnded, match="its owner has a new password"):
            await builds.me()

    of_bots = await tokens(alice, "builds")
    change = await boss.admin.reset_password("alice", OTHER)
    assert (change.revoked_sessions, change.revoked_bot_tokens, change.live_bot_tokens) == (1, 0, 1)
    assert await works(node, of_bots[0])
    change = await boss.admin.reset_password("alice", OTHER, end_bot_tokens=True)
    assert (change.revoked_sessions, change.revoked_bot_tokens, change.live_bot_tokens) == (0, 1, 0)
    assert [await works(node, token) for token in of_bots + others] == [False, True]


async def test_tokens_of_bots_are_ended_on_the_database_of_a_stopped_server(node: RunningNode) -> None:
    """As where it runs."""
    alice = await node.register("alice")
    of_bots = await tokens(alice, "builds", "ears")
    await node.stop()
    async with offline_admin(node.config.data) as admin:
        change = await admin.reset_password("alice", OTHER)
        assert (change.revoked_bot_tokens, change.live_bot_tokens) == (0, 2)
        change = await admin.reset_password("alice", OTHER, end_bot_tokens=True)
        assert (change.revoked_bot_tokens, change.live_bot_tokens) == (2, 0)
    await node.start()

    assert [await works(node, token) for token in of_bots] == [False, False]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_the_command_tells_what_goes_on_working(kept: int, capsys: pytest.CaptureFixture[str]) -> None:
    """And how to end it; nothing of that where there is nothing."""
    change = chat.PasswordChange(revoked_sessions=1, revoked_bot_tokens=0, live_bot_tokens=kept)
    new_passwords.tell(Output(as_json=False), "done", change, sessions="session", revoke="REVOKE")

    shown = capsys.readouterr()
    assert shown.out == "done; 1 session ended\n"
    said = {
        0: "",
        1: "1 bot token goes on working; to end them: REVOKE",
        3: "3 bot tokens go on working; to end them: REVOKE",
    }
    assert shown.err.startswith(said[kept])
    assert bool(shown.err) == bool(kept)
