"""Logging in with a real issuer, and with one that breaks the rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.provider import Provider
from grpc_chat.oidc.relying_party import RelyingParty
from tests.issuer import Issuer, browse, running_issuer

REDIRECT = "http://127.0.0.1:8400/callback"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Iterator[Issuer]:
    with running_issuer() as issuer:
        issuer.clock = clock
        yield issuer


def provider(issuer: Issuer, **settings: object) -> Provider:
    secret = SecretStr(issuer.client_secret) if issuer.client_secret else None
    given = {"name": "example", "issuer": issuer.url, "client_id": issuer.client_id, "label": "Example"}
    return Provider(**{**given, "client_secret": secret, **settings})  # type: ignore[arg-type]


@pytest.fixture
async def party(issuer: Issuer, clock: Clock) -> AsyncIterator[RelyingParty]:
    async with RelyingParty([provider(issuer)], clock=clock, wall_clock=clock) as party:
        yield party


async def log_in(party: RelyingParty) -> Identity:
    """The whole way, with a person who does what is asked."""
    login = await party.code.begin("example", REDIRECT)
    back = await asyncio.to_thread(browse, login.authorization_url)
    return await party.code.finish(login.handle, **back)


ALICE = Identity(
    provider="example",
    issuer="",
    subject="248289761001",
    preferred_username="alice",
    name="Alice Liddell",
    email="alice@example.com",
    email_verified=True,
)


async def test_login_with_a_browser_tells_who_it_is(party: RelyingParty, issuer: Issuer) -> None:
    identity = await log_in(party)

    assert identity.subject == ALICE.subject
    assert identity.issuer == issuer.url
