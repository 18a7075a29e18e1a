"""Logging in with an issuer that others have written: oidc-provider, in the versions of package-lock.json."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from grpc_chat.errors import FailedPrecondition, LoginPending, Unauthenticated
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.provider import Provider
from grpc_chat.oidc.relying_party import RelyingParty
from tests.node_packages import NODE_PROJECT, installed
from tools.node import NODE

REDIRECT = "http://127.0.0.1:8400/"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The issuer."""
    installed()
    process = subprocess.Popen(
        [NODE, "issuer.mjs"],
        cwd=NODE_PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stdin
        yield next(line.strip() for line in process.stdout if line.startswith("http"))
        process.stdin.close()


CLIENTS: dict[str, dict[str, Any]] = {
    "public": {},
    "basic": {"client_secret": SecretStr("a+b/c d:%")},
    "post": {"client_secret": SecretStr("a+b/c d:%"), "client_secret_in": "form"},
}


class Clock:
    """Time that passes when it is told to: the issuer names no interval, so that of RFC 8628 is 5 seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def party(url: str, clock: Clock) -> AsyncIterator[RelyingParty]:
    """This server, as each kind of client that it can be, and as one that the issuer does not know."""
    providers = [Provider(name=name, issuer=url, client_id=name, **more) for name, more in CLIENTS.items()]
    providers.append(Provider(name="unknown", issuer=url, client_id="unknown"))
    async with RelyingParty(providers, clock=clock) as party:
        yield party


class Browser:
    """Cookies, forms and redirects; its person is logged in at the issuer without a question."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def visit(self, url: str) -> httpx.Response:
        """Go on until a page has no form, or the next one is not the issuer's."""
        response = self._client.get(url)
        for _ in range(20):
            if response.next_request:
                if response.next_request.url.port != urlsplit(url).port:
                    return response
                response = self._client.send(response.next_request)
            elif form := re.search(r'<form[^>]* action="([^"]+)"', response.text):
                fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.text))
                fields |= {"confirm": "yes"} if "confirm" not in fields else {}
                response = self._client.post(form[1], data=fields)
            else:
                return response
        raise AssertionError(f"the issuer leads in circles: {response.url}")

    def log_in(self, url: str) -> dict[str, str]:
        """What the browser comes back to the chat client with."""
        back = self.visit(url).headers["Location"]
        assert back.startswith(f"{REDIRECT}?")
        return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


OpenBrowser = Callable[[str], Browser]


@pytest.fixture
def open_browser() -> Iterator[OpenBrowser]:
    """Makes browsers, each with a person at it."""
    with ExitStack() as browsers:

        def make(person: str) -> Browser:
            client = httpx.Client(headers={"X-Person": person}, trust_env=False)
            return Browser(browsers.enter_context(client))

        yield make


def alice(url: str, name: str) -> Identity:
    return Identity(
        provider=name,
        issuer=url,
        subject="alice",
        preferred_username="alice",
        name="Alice L.",
        email="alice@example.org",
        email_verified=True,
    )


@pytest.mark.parametrize("name", CLIENTS)
async def test_person_logs_in_with_a_browser(
    party: RelyingParty, open_browser: OpenBrowser, url: str, name: str
) -> None:
    """As a client of each kind; once more in the same browser, and once as somebody else there."""
    browser = open_browser("alice")
    for switch in (False, False, True):
        login = await party.code.begin(name, REDIRECT, switch_account=switch)
        came_back = await asyncio.to_thread(browser.log_in, login.authorization_url)
        assert await party.code.finish(login.handle, **came_back) == alice(url, name)


@pytest.mark.parametrize("name", CLIENTS)
async def test_person_logs_in_by_a_code(
    party: RelyingParty, open_browser: OpenBrowser, clock: Clock, url: str, name: str
) -> None:
    """As a client of each kind; the issuer is sent PKCE, which RFC 8628 does not know."""
    login = await party.device.begin(name)
    clock.now += 5
    with pytest.raises(LoginPending):
        await party.device.poll(login.handle)
    page = await asyncio.to_thread(open_browser("alice").visit, login.verification_uri_complete)
    assert page.status_code == 200, page.text
    clock.now += 5

    assert await party.device.poll(login.handle) == alice(url, name)


async def test_nameless_person_has_no_name(party: RelyingParty, open_browser: OpenBrowser) -> None:
    """Neither in the ID token nor at the user info endpoint."""
    login = await party.code.begin("public", REDIRECT)
    came_back = await asyncio.to_thread(open_browser("nameless").log_in, login.authorization_url)
    identity = await party.code.finish(login.handle, **came_back)

    assert (identity.subject, identity.preferred_username, identity.name) == ("nameless", "", "")


async def test_client_that_is_not_known_hears_nothing_in_the_browser(
    party: RelyingParty, open_browser: OpenBrowser
) -> None:
    """The page is the issuer's, which is why the terminal names the redirect URI; by a code it is told."""
    login = await party.code.begin("unknown", REDIRECT)
    page = await asyncio.to_thread(open_browser("alice").visit, login.authorization_url)

    with pytest.raises(FailedPrecondition, match=r"\(invalid_client: "):
        await party.device.begin("unknown")

    assert page.status_code == 400
    assert "Location" not in page.headers


async def test_code_of_another_browser_is_refused(party: RelyingParty, open_browser: OpenBrowser) -> None:
    """The issuer checks PKCE, and we tell what it says."""
    victim = await party.code.begin("public", REDIRECT)
    stolen = await asyncio.to_thread(open_browser("alice").log_in, victim.authorization_url)
    login = await party.code.begin("public", REDIRECT)
    own = await asyncio.to_thread(open_browser("nameless").log_in, login.authorization_url)

    with pytest.raises(Unauthenticated, match=r"refused the login \(invalid_grant: "):
        await party.code.finish(login.handle, **own | {"code": stolen["code"]})
