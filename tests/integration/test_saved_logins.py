"""What becomes of a session when a login is saved, or can't be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grpc_chat import Client
from grpc_chat.cli import accounts, servers, tokens
from grpc_chat.cli.command import Cli
from grpc_chat.cli.output import Output
from grpc_chat.cli.profiles import BadProfiles, Profile, Profiles
from grpc_chat.cli.target import Target
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from tests.programs import free_port
from tests.support import until


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(accounts=True) as node:
        await node.register("alice")
        yield node


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    monkeypatch.setattr(tokens, "_keyring_keeps", lambda *_: False)
    return Profiles(tmp_path)


async def log_in(
    node: RunningNode, profiles: Profiles, name: str | None = None
) -> tuple[Client, Profile, str]:
    """As `grpc-chat login` does it, after the password."""
    client = Client(node.address)
    login = await client.log_in("alice", PASSWORD, device_name="this machine")
    saved, ended = await accounts._keep(
        Cli(client, Target(node.address), profiles, Output(as_json=False)), login, name
    )
    return client, saved, ended


async def sessions(client: Client) -> list[str]:
    return [s.session_id async for s in client.sessions() if s.device_name == "this machine"]


async def test_a_login_ends_the_one_that_it_replaces(node: RunningNode, profiles: Profiles) -> None:
    """Also under another name, as of an account one is saved; nobody has the token of the one before."""
    first, before, said = await log_in(node, profiles)
    assert said == ""
    second, after, said = await log_in(node, profiles, "work")

    assert said == "; the previous login has ended"
    assert await sessions(second) == [after.session_id] != [before.session_id]
    assert [profile.name for profile in profiles.all()] == ["work"]
    await second.revoke_sessions(all_others=True)
    third, _, said = await log_in(node, profiles, "work")
    assert said == "; the previous login has ended"
    await third.log_out()
    # Where it is over already, there is nothing to say.
    fourth, _, said = await log_in(node, profiles, "work")
    assert said == ""
    for client in (first, second, third, fourth):
        await client.aclose()


async def test_a_device_that_a_login_throws_out_is_named(profiles: Profiles) -> None:
    """Where an account may have no more logins."""
    async with running_node(accounts={"sessions": 1}) as node:
        phone = await node.register("alice")
        [device] = [session.device_name async for session in phone.sessions()]
        client, _, said = await log_in(node, profiles)
        assert said == f"; there were too many logins, and the least recently used one has ended: {device}"
        # A login that is replaced is not named twice.
        again, _, said = await log_in(node, profiles)
        assert said == ""
        await client.aclose()
        await again.aclose()


async def test_a_login_that_cannot_be_saved_ends(node: RunningNode, profiles: Profiles) -> None:
    """And leaves the one before as it was, token included."""
    first, saved, _ = await log_in(node, profiles, "work")
    profiles.save(Profile("taken", "elsewhere:1", "bob"))
    token = tokens.find(profiles, saved.account, saved.token_in, say=print)
    with pytest.raises(BadProfiles, match="the name 'taken' is taken"):
        await log_in(node, profiles, "taken")

    assert await sessions(first) == [saved.session_id]
    assert tokens.find(profiles, saved.account, saved.token_in, say=print) == token
    await first.aclose()


async def test_who_leaves_while_a_keyring_hangs_has_no_session(
    node: RunningNode, profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the wait at once, and the session that was begun."""
    asked, end = threading.Event(), threading.Event()

    def hang(*_: str) -> bool:
        asked.set()
        return end.wait()

    monkeypatch.setattr(tokens, "_keyring_keeps", hang)
    logging_in = asyncio.create_task(log_in(node, profiles))
    await until(asked.is_set)
    logging_in.cancel()
    with pytest.raises(asyncio.CancelledError):
        await logging_in

    alice = Client(node.address)
    await alice.log_in("alice", PASSWORD)
    assert await sessions(alice) == []
    assert profiles.all() == []
    end.set()
    await alice.aclose()


def test_a_forgotten_server_that_is_away_leaves_a_session_and_says_so(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its id."""
    monkeypatch.setattr(servers, "_TO_LOG_OUT", 0.2)
    saved = Profile("work", f"localhost:{free_port()}", "alice", session_id="abc")
    where = tokens.keep(profiles, saved.account, "gc_secret", say=print)
    saved = Profile(saved.name, saved.address, "alice", session_id="abc", token_in=where)
    profiles.save(saved)

    assert f"; the session abc is still valid at {saved.address}" in servers._end_login(profiles, saved)
