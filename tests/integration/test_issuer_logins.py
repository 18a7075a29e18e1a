"""Logging in to a real server with a real issuer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from grpc_chat.errors import (
    AccountBlocked,
    AlreadyExists,
    FailedPrecondition,
    InvalidRequest,
    InviteNotValid,
    LastLogin,
    LoginPending,
    RegistrationClosed,
    Unauthenticated,
    UserExists,
    UserIdNeeded,
)
from grpc_chat.sdk.account_models import Login
from grpc_chat.sdk.client import Client
from grpc_chat.testing import RunningNode, running_node
from tests.issuer import Issuer, browse, running_issuer

REDIRECT = "http://127.0.0.1:8400/"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.user = {"sub": "248289761001", "preferred_username": "alice", "name": "Alice Ännchen"}
        yield running


def settings(issuer: Issuer, *, sign_up: bool) -> dict[str, Any]:
    """What a server is told of an issuer."""
    return {
        "name": "example",
        "issuer": issuer.url,
        "client_id": issuer.client_id,
        "client_secret": issuer.client_secret,
        "label": "Example Ltd.",
        "sign_up": sign_up,
    }


@pytest.fixture
async def node(issuer: Issuer) -> AsyncIterator[RunningNode]:
    """A server on which everybody whom the issuer knows may have an account."""
    async with running_node(accounts=True, oidc=[settings(issuer, sign_up=True)]) as running:
        yield running


@pytest.fixture
async def closed(issuer: Issuer) -> AsyncIterator[RunningNode]:
    """A server on which that takes an invite."""
    async with running_node(accounts=True, oidc=[settings(issuer, sign_up=False)]) as running:
        yield running


async def log_in(node: RunningNode, **asked: Any) -> tuple[Client, Login]:
    """Log in as a person with a browser does."""
    client = Client(node.address)
    begun = await client.begin_log_in("example", redirect_uri=REDIRECT)
    came_back: dict[str, Any] = browse(begun.authorization_url)
    login = await client.finish_log_in(begun, **came_back, **asked)
    return client, login


async def test_server_names_its_issuers(node: RunningNode) -> None:
    """Who wants to log in learns with which issuers that goes."""
    async with Client(node.address) as guest:
        info = await guest.server_info()

    assert info.providers == {"example": "Example Ltd."}
    assert info.password_login


async def test_login_with_a_browser_makes_an_account_and_finds_it_again(
    node: RunningNode, issuer: Issuer
) -> None:
    """The first login makes the account, each later one is a session of it, whatever the name is by then."""
    first, made = await log_in(node, device_name="laptop")
    issuer.user = {"sub": "248289761001", "preferred_username": "renamed"}
    second, again = await log_in(node)
    await first.create_room("plans")
    names = [room.name async for room in second.rooms()]
    sessions = [session async for session in first.sessions()]
    await first.aclose()
    await second.aclose()

    assert (made.user.user_id, made.user.display_name, made.registered) == ("alice", "Alice Ännchen", True)
    assert (again.user.user_id, again.registered) == ("alice", False)
    assert names == ["plans"]
    assert {session.device_name for session in sessions} == {"laptop", ""}


async def test_login_by_a_code_that_is_typed_in_elsewhere(node: RunningNode, issuer: Issuer) -> None:
    """Until the person has typed it in, the answer is that it is pending, and when to ask again."""
    issuer.interval = 0
    async with Client(node.address) as client:
        begun = await client.begin_log_in("example")
        with pytest.raises(LoginPending) as pending:
            await client.finish_log_in(begun)
        issuer.approve(begun.user_code)
        login = await finished(client, begun)
        me = await client.me()

    assert pending.value.retry_after is not None
    assert begun.verification_uri.startswith(issuer.url)
    assert login.user.user_id == me.user_id == "alice"


async def finished(client: Client, begun: Any) -> Login:
    """Ask until the login is done, no more often than the server wants."""
    while True:
        try:
            return await client.finish_log_in(begun)
        except LoginPending as error:
            await asyncio.sleep((error.retry_after or timedelta(0)).total_seconds())


async def test_name_that_is_taken_gets_a_number(node: RunningNode, issuer: Issuer) -> None:
    """Nobody gets into an account because an issuer calls them alike; asked for exactly, it is refused."""
    await node.register("alice")
    first, login = await log_in(node)
    issuer.user = {"sub": "another", "preferred_username": "Alice"}
    second, other = await log_in(node)
    issuer.user = {"sub": "third", "preferred_username": "x"}
    third, unnamed = await log_in(node)
    issuer.user = {"sub": "fourth", "preferred_username": "dora"}
    with pytest.raises(UserExists):
        await log_in(node, user_id="alice")
    for client in (first, second, third):
        await client.aclose()

    assert [login.user.user_id, other.user.user_id] == ["alice-2", "alice-3"]
    assert unnamed.user.user_id == "user"


async def test_without_sign_up_an_account_takes_an_invite(closed: RunningNode) -> None:
    """Whom the issuer knows is let in with an invite, once, and from then on without."""
    owner = await closed.register("owner", admin=True)
    room = await owner.create_room("plans")
    invite = await owner.create_invite(room.room_id, max_uses=1, allows_registration=True)

    with pytest.raises(RegistrationClosed):
        await log_in(closed)
    with pytest.raises(InviteNotValid):
        await log_in(closed, invite="gci_nonsense")
    client, login = await log_in(closed, invite=invite.code)
    await client.aclose()
    again, second = await log_in(closed)
    members = [member.user.user_id async for member in again.members(room.room_id)]
    await again.aclose()

    assert (login.registered, login.room_id) == (True, room.room_id)
    assert not second.registered
    assert members == ["alice", "owner"]


async def test_account_with_a_password_can_be_linked(closed: RunningNode, issuer: Issuer) -> None:
    """A session lets its user log in with an issuer too; an identity belongs to one account."""
    bob = await closed.register("bob")
    begun = await bob.begin_log_in("example", redirect_uri=REDIRECT)
    came_back: dict[str, Any] = browse(begun.authorization_url)
    await bob.link_identity(begun, **came_back)
    client, login = await log_in(closed)
    await client.aclose()
    carol = await closed.register("carol")
    begun = await carol.begin_log_in("example", redirect_uri=REDIRECT)
    came_back = browse(begun.authorization_url)
    with pytest.raises(AlreadyExists):
        await carol.link_identity(begun, **came_back)

    assert (login.user.user_id, login.registered) == ("bob", False)


async def test_login_that_is_not_right_begins_nothing(node: RunningNode) -> None:
    """A wrong state, a redirect to another machine, an issuer that is none: refused, no account is made."""
    async with Client(node.address) as client:
        begun = await client.begin_log_in("example", redirect_uri=REDIRECT)
        came_back: dict[str, Any] = browse(begun.authorization_url)
        with pytest.raises(Unauthenticated):
            await client.finish_log_in(begun, **came_back | {"state": "made-up"})
        with pytest.raises(Unauthenticated):
            await client.finish_log_in(begun, **came_back | {"code": "made-up"})
        with pytest.raises(InvalidRequest):
            await client.begin_log_in("example", redirect_uri="https://evil.example/")
        with pytest.raises(InvalidRequest):
            await client.begin_log_in("nobody", redirect_uri=REDIRECT)

    assert not await node.node.readers.run(lambda snapshot: snapshot.any_account())


async def test_login_is_good_for_one_session(node: RunningNode) -> None:
    """What the browser came back with begins no second session."""
    async with Client(node.address) as client:
        begun = await client.begin_log_in("example", redirect_uri=REDIRECT)
        came_back: dict[str, Any] = browse(begun.authorization_url)
        await client.finish_log_in(begun, **came_back)
        with pytest.raises(Unauthenticated):
            await client.finish_log_in(begun, **came_back)
        sessions = [session async for session in client.sessions()]

    assert len(sessions) == 1


async def test_blocked_account_is_not_let_in_by_an_issuer(node: RunningNode) -> None:
    """Anyone who is blocked stays out, however they log in."""
    admin = await node.register("admin", admin=True)
    client, _ = await log_in(node)
    await admin.admin.block_user("alice")

    with pytest.raises(AccountBlocked):
        await log_in(node)
    with pytest.raises(Unauthenticated):
        await client.me()
    await client.aclose()


async def test_server_without_issuers_says_so() -> None:
    """Where there is no issuer, that is what the answer says."""
    async with running_node(accounts=True) as node, Client(node.address) as client:
        with pytest.raises(FailedPrecondition, match="password"):
            await client.begin_log_in("example", redirect_uri=REDIRECT)


# What is looked at before somebody goes to the issuer


async def test_what_a_new_account_would_be_refused_for_is_told_first(
    closed: RunningNode, issuer: Issuer
) -> None:
    """Its name and its invite. Which names are taken is told only to those with an invite, and a name that
    logs in with this issuer may be the caller's own."""
    owner = await closed.register("owner", admin=True)
    invite = await owner.admin.create_invite(max_uses=2)
    used = await owner.admin.create_invite(max_uses=1)
    first, _ = await log_in(closed, invite=used.code)
    await first.aclose()
    issuer.requests.clear()

    async with Client(closed.address) as client:
        refused: list[tuple[dict[str, Any], type[Exception]]] = [
            ({"user_id": "Bad Name"}, InvalidRequest),
            ({"invite": "gci_nonsense"}, InviteNotValid),
            ({"invite": used.code}, InviteNotValid),
            ({"user_id": "owner", "invite": invite.code}, UserExists),
            ({"user_id": "0wner", "invite": invite.code}, UserExists),
        ]
        for asked, error in refused:
            with pytest.raises(error):
                await client.begin_log_in("example", redirect_uri=REDIRECT, **asked)
        with pytest.raises(InvalidRequest) as caught:
            await client.begin_log_in("example", switch_account=True)
        taken: list[dict[str, Any]] = [
            {"user_id": "owner"},
            {"user_id": "alice", "invite": invite.code},
            {"user_id": "bob", "invite": invite.code},
        ]
        for asked in taken:
            await client.begin_log_in("example", redirect_uri=REDIRECT, **asked)

    assert caught.value.field == "switch_account"
    assert issuer.requests == []


async def test_account_that_can_not_be_made_as_asked_gets_another_chance(
    closed: RunningNode, issuer: Issuer
) -> None:
    """The issuer is not asked again: it has said who it is. The chance is used up by what succeeds."""
    owner = await closed.register("owner", admin=True)
    invite = await owner.admin.create_invite(max_uses=1)
    issuer.user = {"sub": "1", "preferred_username": "李小龍"}
    async with Client(closed.address) as client:
        begun = await client.begin_log_in("example", redirect_uri=REDIRECT)
        came_back: dict[str, Any] = browse(begun.authorization_url)
        with pytest.raises(RegistrationClosed):
            await client.finish_log_in(begun, **came_back)
        with pytest.raises(InviteNotValid):
            await client.finish_log_in(begun, invite="gci_nonsense")
        with pytest.raises(UserIdNeeded):
            await client.finish_log_in(begun, invite=invite.code, needs_user_id=True)
        with pytest.raises(UserExists):
            await client.finish_log_in(begun, invite=invite.code, user_id="owner")
        login = await client.finish_log_in(begun, invite=invite.code, user_id="bruce")
        with pytest.raises(Unauthenticated, match="has ended"):
            await client.finish_log_in(begun, invite=invite.code, user_id="bruce2")

    assert (login.user.user_id, login.registered) == ("bruce", True)
    assert sum(request.path == "/token" for request in issuer.requests) == 1


async def test_invite_to_a_room_works_for_somebody_who_has_an_account(closed: RunningNode) -> None:
    """They are a member then; an invite to the server has nothing to do."""
    owner = await closed.register("owner", admin=True)
    server = await owner.admin.create_invite(max_uses=2)
    room = await owner.create_room("plans")
    invite = await owner.create_invite(room.room_id)
    first, _ = await log_in(closed, invite=server.code)
    second, again = await log_in(closed, invite=server.code)
    third, joined = await log_in(closed, invite=invite.code)
    rooms = [room.name async for room in third.rooms()]
    for client in (first, second, third):
        await client.aclose()

    assert (again.registered, again.room_id) == (False, "")
    assert (joined.registered, joined.room_id, rooms) == (False, room.room_id, ["plans"])


@pytest.mark.parametrize(
    ("name", "shown"), [("Ali\u202ecba\u200b", "alice"), ("x" * 65, "alice"), ("Zoë", "Zoë")]
)
async def test_display_name_of_an_issuer_is_checked_like_others(
    node: RunningNode, issuer: Issuer, name: str, shown: str
) -> None:
    """Somebody who may choose it there could look like somebody else here."""
    issuer.user = {"sub": "1", "preferred_username": "alice", "name": name}

    client, login = await log_in(node)
    await client.aclose()

    assert login.user.display_name == shown


@pytest.mark.parametrize(
    ("error", "cls", "words"),
    [
        ("access_denied", Unauthenticated, "Example Ltd. refused the login (access_denied: not [31m today)"),
        (
            "invalid_scope",
            FailedPrecondition,
            "Example Ltd. does not accept this server's client id, secret or registration (invalid_scope: "
            "not [31m today)",
        ),
    ],
)
async def test_error_that_the_browser_comes_back_with_reaches_the_log(
    node: RunningNode,
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
    error: str,
    cls: type[Exception],
    words: str,
) -> None:
    """And ends the login."""
    issuer.refuses_with = {"error": error, "error_description": "not\x1b[31m\n today"}
    async with Client(node.address) as client:
        begun = await client.begin_log_in("example", redirect_uri=REDIRECT)
        came_back: dict[str, Any] = browse(begun.authorization_url)
        with pytest.raises(Unauthenticated, match="state"):
            await client.finish_log_in(begun, **came_back | {"state": "made-up"})
        with pytest.raises(cls) as caught:
            await client.finish_log_in(begun, **came_back)
        with pytest.raises(Unauthenticated, match="has ended"):
            await client.finish_log_in(begun, **came_back)

    assert type(caught.value) is cls
    assert str(caught.value) == words
    reasons = [vars(record)["reason"] for record in caplog.records if record.message == "login failed"]
    assert words in reasons


async def test_issuer_asks_for_another_account_where_that_is_wanted(
    node: RunningNode, issuer: Issuer
) -> None:
    """Single sign-on would log in the same person again without a question."""
    async with Client(node.address) as client:
        plain = await client.begin_log_in("example", redirect_uri=REDIRECT)
        switch = await client.begin_log_in("example", redirect_uri=REDIRECT, switch_account=True)

    assert "prompt=" not in plain.authorization_url
    assert "prompt=login" in switch.authorization_url


async def test_clients_are_told_of_a_port_that_is_fixed(issuer: Issuer) -> None:
    """By the server's settings."""
    fixed = settings(issuer, sign_up=True) | {"redirect_port": 8400}
    other = settings(issuer, sign_up=True) | {"name": "other"}
    async with running_node(accounts=True, oidc=[fixed, other]) as node, Client(node.address) as client:
        assert (await client.server_info()).redirect_ports == {"example": 8400}


# Links


async def test_links_are_listed_and_ended(node: RunningNode, issuer: Issuer) -> None:
    """Your own by you, anybody's by an administrator; each ends the other sessions, and none is the last way
    in unless that is wanted."""
    admin = await node.register("admin", admin=True)
    client, _ = await log_in(node)
    other, _ = await log_in(node)
    [link] = await client.identities()
    assert await admin.admin.identities("alice") == [link]
    assert await admin.identities() == []
    assert (link.providers, link.label, link.issuer) == (("example",), "Example Ltd.", issuer.url)
    assert link.subject == "248289761001"

    with pytest.raises(LastLogin):
        await client.unlink_identity(link.identity_id)
    with pytest.raises(LastLogin):
        await admin.admin.unlink_identity("alice", link.identity_id)
    assert await client.unlink_identity("none") == 0
    assert await admin.unlink_identity(link.identity_id) == 0
    assert (await other.me()).user_id == "alice"
    assert await client.unlink_identity(link.identity_id, even_last=True) == 1
    with pytest.raises(Unauthenticated):
        await other.me()
    assert (await client.me()).user_id == "alice"
    assert await client.identities() == []

    fresh, login = await log_in(node)
    assert (login.user.user_id, login.registered) == ("alice-2", True)
    [link] = await fresh.identities()
    assert await admin.admin.unlink_identity("alice-2", link.identity_id, even_last=True) == 1
    for each in (client, other, fresh):
        await each.aclose()


async def test_link_to_a_password_s_account_ends_without_more_ado(node: RunningNode, issuer: Issuer) -> None:
    """There is still the password. An issuer that is no longer in the settings is no way in."""
    bob = await node.register("bob")
    begun = await bob.begin_log_in("example", redirect_uri=REDIRECT)
    came_back: dict[str, Any] = browse(begun.authorization_url)
    await bob.link_identity(begun, **came_back)
    [link] = await bob.identities()
    token = await bob.create_access_token("a program")

    assert await bob.unlink_identity(link.identity_id) == 1
    async with Client(node.address, token=token.token) as program:
        with pytest.raises(Unauthenticated):
            await program.me()
