"""Administering a database is administering its server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner

from grpc_chat.cli.failures import NOT_FOUND, REFUSED, Failure
from grpc_chat.cli.main import main
from grpc_chat.cli.offline import offline_admin
from grpc_chat.errors import InvalidRequest, LastAdmin, UserExists, UserNotFound
from grpc_chat.sdk.admin import AdminCalls
from grpc_chat.testing import PASSWORD, RunningNode, running_node


async def everything(admin: AdminCalls) -> list[Any]:
    return [
        [record async for record in admin.users()],
        [record async for record in admin.users("CAR")],
        [session async for session in admin.user_sessions("alice")],
        [invite async for invite in admin.server_invites()],
    ]


async def errors(admin: AdminCalls) -> list[tuple[type[Exception], str]]:
    found = []
    for call in (
        admin.block_user("nobody"),
        admin.create_user("Carol", PASSWORD),
        admin.create_user("carol", PASSWORD),
        admin.create_user("erin", "short"),
        admin.set_admin("alice", admin=False),
        admin.reset_password("alice", ""),
        admin.create_server_invite(max_uses=-1),
    ):
        with pytest.raises(Exception) as refused:  # noqa: PT011 - compared below
            await call
        found.append((refused.type, str(refused.value)))
    return found


@pytest.fixture
async def node() -> Any:
    """A server with accounts and an invite."""
    async with running_node(accounts=True) as node:
        alice = await node.register("alice", admin=True)
        await alice.admin.create_user("carol", PASSWORD, display_name="Carol")
        await alice.admin.create_user("dave", PASSWORD)
        await alice.admin.block_user("dave")
        await alice.admin.create_server_invite(max_uses=3)
        yield node


async def test_answers_and_errors_are_the_same(node: RunningNode) -> None:
    """To the last field, of what is listed and of what is refused."""
    alice = await node.log_in("alice")
    online = await everything(alice.admin), await errors(alice.admin)
    await node.stop()

    async with offline_admin(node.config.data) as admin:
        offline = await everything(admin), await errors(admin)
    await node.start()

    assert offline[1] == online[1]
    assert [kind for kind, _ in offline[1]] == [
        UserNotFound,
        InvalidRequest,
        UserExists,
        InvalidRequest,
        LastAdmin,
        InvalidRequest,
        InvalidRequest,
    ]
    assert offline[0][0][1:] == online[0][0][1:]
    assert offline[0][1] == online[0][1]
    assert offline[0][3] == online[0][3]
    # But for when the session was used, which the server saves when it stops.
    assert [session.session_id for session in offline[0][2]] == [
        session.session_id for session in online[0][2]
    ]


async def test_what_is_done_stays_done(node: RunningNode) -> None:
    """A server finds it when it starts: an account, a password, a role, an invite."""
    await node.stop()
    async with offline_admin(node.config.data) as admin:
        await admin.create_user("erin", PASSWORD, admin=True)
        await admin.unblock_user("dave")
        await admin.reset_password("dave", "quite another password")
        invite = await admin.create_server_invite()
    await node.start()

    erin = await node.log_in("erin")
    await node.log_in("dave", password="quite another password")

    assert [record.user.user_id async for record in erin.admin.users()] == ["alice", "carol", "dave", "erin"]
    assert invite.invite_id in [listed.invite_id async for listed in erin.admin.server_invites()]
    assert invite.created_by == ""


async def test_a_running_server_is_not_disturbed(node: RunningNode) -> None:
    """Its folder is refused in a sentence, and so is one that has no database, which stays as it is."""
    with pytest.raises(Failure, match="leave out --data to ask it, or stop it first") as busy:
        async with offline_admin(node.config.data):
            pass
    empty = node.config.data / "empty"
    empty.mkdir()
    with pytest.raises(Failure, match="there is no database in") as nothing:
        async with offline_admin(empty):
            pass

    assert (busy.value.exit_code, nothing.value.exit_code) == (REFUSED, NOT_FOUND)
    assert list(empty.iterdir()) == []
    await node.log_in("alice")


async def test_lasting_errors_are_not_worth_another_try(node: RunningNode) -> None:
    """What is wrong with the database is told as it is, once."""
    await node.stop()
    database = node.config.data / "chat.db"
    whole = database.read_bytes()
    database.write_bytes(b"not a database" * 1000)

    told = await asyncio.to_thread(
        CliRunner().invoke, main, ["admin", "users", "--data", str(node.config.data)]
    )
    database.write_bytes(whole)

    assert (told.exit_code, told.stdout) == (REFUSED, "")
    assert (
        told.stderr == f"error: the database in {node.config.data} can't be opened: file is not a database\n"
    )
