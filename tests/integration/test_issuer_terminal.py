"""Logging in with an issuer from a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from grpc_chat.cli.issuer import log_in_elsewhere, log_in_with_browser
from grpc_chat.errors import Unauthenticated
from grpc_chat.sdk.client import Client
from grpc_chat.testing import running_node
from tests.issuer import Issuer, browse, running_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer at which alice is."""
    with running_issuer() as running:
        running.user = {"sub": "1", "preferred_username": "alice"}
        running.interval = 0
        yield running


@pytest.fixture
async def client(issuer: Issuer) -> AsyncIterator[Client]:
    """A client of a server that knows the issuer."""
    settings = {
        "name": "example",
        "issuer": issuer.url,
        "client_id": issuer.client_id,
        "client_secret": issuer.client_secret,
        "sign_up": True,
    }
    async with running_node(accounts=True, oidc=[settings]) as node, Client(node.address) as guest:
        yield guest


def visit(authorization_url: str, **changes: str) -> tuple[int, str]:
    """Be the browser: log in at the issuer, and come back to the terminal, perhaps with something else."""
    came_back = browse(authorization_url) | changes
    home = parse_qs(urlsplit(authorization_url).query)["redirect_uri"][0]
    connection = HTTPConnection(urlsplit(home).netloc, timeout=20)
    connection.request("GET", "/?" + urlencode(came_back))
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


async def test_browser_comes_back_and_the_terminal_is_logged_in(client: Client, issuer: Issuer) -> None:
    """The address is printed, the page says that it can be closed, and the client is a session."""
    said: list[str] = []
    visited: list[asyncio.Task[tuple[int, str]]] = []

    def say(words: str) -> None:
        said.append(words)
        url = words.split()[-1]
        visited.append(asyncio.create_task(asyncio.to_thread(visit, url)))

    login = await log_in_with_browser(client, "example", say=say, open_browser=False)
    status, page = await visited[0]
    me = await client.me()

    assert login.user.user_id == me.user_id == "alice"
    assert len(said) == 1
    assert status == 200
    assert "You are logged in." in page


async def test_what_another_page_sends_is_not_taken_for_the_answer(client: Client, issuer: Issuer) -> None:
    """A page that calls at the port with a state of its own is not heard; the right one is, afterwards."""
    visited: list[asyncio.Task[list[tuple[int, str]]]] = []

    def both(url: str) -> list[tuple[int, str]]:
        return [visit(url, state="made-up"), visit(url)]

    def say(words: str) -> None:
        visited.append(asyncio.create_task(asyncio.to_thread(both, words.split()[-1])))

    login = await log_in_with_browser(client, "example", say=say, open_browser=False)
    statuses = [status for status, _ in await visited[0]]

    assert login.user.user_id == "alice"
    assert statuses == [404, 200]


async def test_refusal_at_the_issuer_ends_the_login(client: Client, issuer: Issuer) -> None:
    """Who says no at the issuer is told so in the terminal."""
    visited: list[asyncio.Task[tuple[int, str]]] = []

    def say(words: str) -> None:
        url = words.split()[-1]
        visited.append(asyncio.create_task(asyncio.to_thread(visit, url, error="access_denied")))

    with pytest.raises(Unauthenticated, match="access_denied"):
        await log_in_with_browser(client, "example", say=say, open_browser=False)
    _, page = await visited[0]

    assert "The login was refused." in page


async def test_code_that_is_typed_in_elsewhere_logs_the_terminal_in(client: Client, issuer: Issuer) -> None:
    """The terminal says where to go and what to type in, and waits."""
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        if "type in this code" in words:
            issuer.approve(words.split()[-1])

    login = await log_in_elsewhere(client, "example", say=say, device_name="server room")
    sessions = [session.device_name async for session in client.sessions()]

    assert login.user.user_id == "alice"
    assert sessions == ["server room"]
    assert said[0].startswith(f"open {issuer.url}/device ")
