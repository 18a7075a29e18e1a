"""Logging in with a real issuer, and with one that breaks the rules."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from grpc_chat import errors
from grpc_chat.errors import (
    ChatError,
    FailedPrecondition,
    InvalidRequest,
    IssuerUnavailable,
    LoginPending,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from grpc_chat.oidc.code_login import CodeLogin
from grpc_chat.oidc.device_login import DeviceLogin
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.pkce import challenge
from grpc_chat.oidc.provider import Provider
from grpc_chat.oidc.relying_party import RelyingParty
from tests import issuer as issuers
from tests.certificates import issue
from tests.issuer import (
    DEVICE,
    DISCOVERY,
    JWKS,
    TOKEN,
    USERINFO,
    Issuer,
    Reply,
    Request,
    browse,
    running_issuer,
)
from tests.support import until

REDIRECT = "http://127.0.0.1:8400/callback"
SECRET = "s3cret/with:%signs"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> Iterator[Issuer]:
    with running_issuer(client_secret=SECRET) as issuer:
        issuer.clock = clock
        yield issuer


def provider(issuer: Issuer, **settings: Any) -> Provider:
    given: dict[str, Any] = {
        "name": "example",
        "issuer": issuer.url,
        "client_id": issuer.client_id,
        "client_secret": SecretStr(issuer.client_secret) if issuer.client_secret else None,
        "label": "Example",
    }
    return Provider(**{**given, **settings})


def relying_party(*providers: Provider, clock: Clock, **settings: Any) -> RelyingParty:
    return RelyingParty(providers, clock=clock, wall_clock=clock, sleep=clock.sleep, **settings)


@pytest.fixture
async def party(issuer: Issuer, clock: Clock) -> AsyncIterator[RelyingParty]:
    async with relying_party(provider(issuer), clock=clock) as party:
        yield party


async def begin(party: RelyingParty, name: str = "example") -> tuple[CodeLogin, dict[str, str]]:
    """A login that has come back from the browser, but was not finished."""
    login = await party.code.begin(name, REDIRECT)
    return login, await asyncio.to_thread(browse, login.authorization_url)


async def log_in(party: RelyingParty) -> Identity:
    """The whole way, with a person who does what is asked."""
    login, back = await begin(party)
    return await party.code.finish(login.handle, **back)


def alice(issuer: Issuer) -> Identity:
    return Identity(
        provider="example",
        issuer=issuer.url,
        subject="248289761001",
        preferred_username="alice",
        name="Alice Liddell",
        email="alice@example.com",
        email_verified=True,
    )


def sent(issuer: Issuer, path: str) -> list[Request]:
    return [request for request in issuer.requests if request.path == path]


# With a browser


async def test_login_with_a_browser_tells_who_it_is(party: RelyingParty, issuer: Issuer) -> None:
    """All that the issuer says of the person, and which issuer."""
    assert await log_in(party) == alice(issuer)


async def test_authorization_url_asks_for_what_we_check_later(party: RelyingParty, issuer: Issuer) -> None:
    """PKCE with S256 (RFC 7636), state and nonce, all random; the verifier is shown at the end only."""
    login, back = await begin(party)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(login.authorization_url).query).items()}
    await party.code.finish(login.handle, **back)

    [request] = sent(issuer, TOKEN)
    assert asked == {
        "response_type": "code",
        "client_id": "chat",
        "redirect_uri": REDIRECT,
        "scope": "openid profile email",
        "state": back["state"],
        "nonce": asked["nonce"],
        "code_challenge": challenge(request.fields["code_verifier"]),
        "code_challenge_method": "S256",
    }
    verifier, handle = request.fields["code_verifier"], login.handle
    secrets = {verifier, handle, asked["nonce"], asked["state"]}
    assert {len(secret) for secret in secrets} == {43}
    assert len(secrets) == 4
    assert login.expires_in == timedelta(minutes=10)


def test_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_query_of_the_endpoint_stays(party: RelyingParty, issuer: Issuer) -> None:
    """RFC 6749, section 3.1."""
    issuer.metadata["authorization_endpoint"] = issuer.url + "/authorize?tenant=a%26b"

    login = await party.code.begin("example", REDIRECT)

    assert parse_qs(urlsplit(login.authorization_url).query)["tenant"] == ["a&b"]


async def test_secret_goes_into_the_header(party: RelyingParty, issuer: Issuer) -> None:
    """Form-encoded, as its characters have a meaning there (RFC 6749, section 2.3.1)."""
    await log_in(party)

    [request] = sent(issuer, TOKEN)
    assert request.headers["authorization"].startswith("Basic ")
    assert "client_secret" not in request.fields


async def test_secret_goes_into_the_form_where_the_issuer_wants_it(
    party: RelyingParty, issuer: Issuer
) -> None:
    issuer.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]

    assert await log_in(party) == alice(issuer)

    [request] = sent(issuer, TOKEN)
    assert "authorization" not in request.headers
    assert request.fields["client_secret"] == SECRET


@pytest.mark.parametrize("place", ["header", "form"])
async def test_secret_goes_where_the_settings_say(issuer: Issuer, clock: Clock, place: str) -> None:
    """Whatever the issuer says of itself: Dex, for one, reads a device's secret from the form alone."""
    issuer.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post", "client_secret_basic"]
    if place == "header":
        issuer.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    async with relying_party(provider(issuer, client_secret_in=place), clock=clock) as party:
        await log_in(party)
        await party.device.begin("example")

    for request in sent(issuer, TOKEN) + sent(issuer, DEVICE):
        assert ("authorization" in request.headers) == (place == "header")
        assert ("client_secret" in request.fields) == (place == "form")


async def test_public_client_has_no_secret(clock: Clock) -> None:
    """PKCE protects it."""
    with running_issuer(client_secret=None) as issuer:
        issuer.clock = clock
        async with relying_party(provider(issuer), clock=clock) as party:
            assert await log_in(party) == alice(issuer)
            device = await party.device.begin("example")
            issuer.approve(device.user_code)
            clock.now += 5
            assert await party.device.poll(device.handle) == alice(issuer)


async def test_provider_must_be_known(party: RelyingParty, issuer: Issuer) -> None:
    with pytest.raises(NotFound):
        await party.code.begin("other", REDIRECT)
    with pytest.raises(NotFound):
        await party.device.begin("other")


async def test_code_goes_nowhere_but_to_this_machine(party: RelyingParty, issuer: Issuer) -> None:
    """The issuer is not even asked."""
    with pytest.raises(InvalidRequest):
        await party.code.begin("example", "https://evil.example/callback")

    assert issuer.requests == []


async def test_issuers_metadata_and_keys_are_fetched_once(party: RelyingParty, issuer: Issuer) -> None:
    for _ in range(3):
        await log_in(party)

    assert (issuer.asked(DISCOVERY), issuer.asked(JWKS)) == (1, 1)


@pytest.mark.parametrize("algorithm", ["PS512", "ES384", "EdDSA"])
async def test_issuer_may_sign_in_these_ways(party: RelyingParty, issuer: Issuer, algorithm: str) -> None:
    issuer.rotate(algorithm=algorithm)

    assert await log_in(party) == alice(issuer)


@pytest.mark.parametrize(
    ("listed", "named"),
    [(["HS256"], "with HS256;"), (["none", "HS512", 3], "with none, HS512;"), ([3], "nothing known")],
)
async def test_issuer_that_signs_otherwise_is_refused_before_anybody_logs_in(
    party: RelyingParty, issuer: Issuer, clock: Clock, listed: list[object], named: str
) -> None:
    """Discovery tells; one that is accepted among others is enough."""
    issuer.metadata["id_token_signing_alg_values_supported"] = listed

    with pytest.raises(FailedPrecondition, match=f"{named}.* accepts RS, PS or ES"):
        await party.code.begin("example", REDIRECT)
    assert [request.path for request in issuer.requests] == [DISCOVERY]

    issuer.metadata["id_token_signing_alg_values_supported"] = [*listed, "RS256"]
    clock.now += 5
    assert await log_in(party) == alice(issuer)


# Answers that are not what they seem


async def test_answer_with_the_state_of_another_login_is_refused(party: RelyingParty, issuer: Issuer) -> None:
    """It is not shown to the issuer, and does not end the login it was slipped to."""
    login, back = await begin(party)
    _, other = await begin(party)

    for state in (other["state"], "", back["state"] + "x", "\ud800", "ü"):
        with pytest.raises(Unauthenticated, match="state"):
            await party.code.finish(login.handle, code=back["code"], state=state, iss=back["iss"])

    assert issuer.asked(TOKEN) == 0
    assert await party.code.finish(login.handle, **back) == alice(issuer)


async def test_handle_is_good_for_one_login(party: RelyingParty, issuer: Issuer) -> None:
    """Played back it gets nothing, and the issuer hears nothing of it."""
    login, back = await begin(party)
    await party.code.finish(login.handle, **back)

    for _ in range(2):
        with pytest.raises(Unauthenticated, match="has ended"):
            await party.code.finish(login.handle, **back)
    assert issuer.asked(TOKEN) == 1


async def test_handle_is_good_for_one_login_also_at_once(party: RelyingParty, issuer: Issuer) -> None:
    login, back = await begin(party)

    results = await asyncio.gather(
        *[party.code.finish(login.handle, **back) for _ in range(5)], return_exceptions=True
    )

    assert [result for result in results if isinstance(result, Identity)] == [alice(issuer)]
    assert {type(result) for result in results} == {Identity, Unauthenticated}
    assert issuer.asked(TOKEN) == 1


async def test_handle_that_was_refused_is_good_for_nothing(party: RelyingParty, issuer: Issuer) -> None:
    """Anyone who guesses codes gets one guess for each login."""
    login, back = await begin(party)

    with pytest.raises(Unauthenticated, match="invalid_grant"):
        await party.code.finish(login.handle, **{**back, "code": "guessed"})
    with pytest.raises(Unauthenticated, match="has ended"):
        await party.code.finish(login.handle, **back)


async def test_code_of_another_login_is_refused(party: RelyingParty, issuer: Issuer) -> None:
    """A stolen code is injected into one's own login: the issuer checks PKCE."""
    _, victim = await begin(party)
    login, back = await begin(party)

    with pytest.raises(Unauthenticated, match="invalid_grant"):
        await party.code.finish(login.handle, **{**back, "code": victim["code"]})


async def test_code_of_another_login_is_refused_by_us_where_the_issuer_does_not(
    party: RelyingParty, issuer: Issuer
) -> None:
    """Without PKCE there is still the nonce."""
    issuer.checks_pkce = False
    _, victim = await begin(party)
    login, back = await begin(party)

    with pytest.raises(Unauthenticated, match="nonce"):
        await party.code.finish(login.handle, **{**back, "code": victim["code"]})


async def test_code_is_good_once(party: RelyingParty, issuer: Issuer) -> None:
    """Also where somebody has a second login that is the same but for its handle."""
    login, back = await begin(party)
    await party.code.finish(login.handle, **back)
    again, fresh = await begin(party)

    with pytest.raises(Unauthenticated, match="invalid_grant"):
        await party.code.finish(again.handle, **{**fresh, "code": back["code"]})


@pytest.mark.parametrize("iss", ["", "https://evil.example", "http://127.0.0.1"])
async def test_answer_of_another_issuer_is_refused(party: RelyingParty, issuer: Issuer, iss: str) -> None:
    """RFC 9207: where the issuer promises to name itself, no name is a wrong one. The code is not shown."""
    login, back = await begin(party)

    with pytest.raises(Unauthenticated, match="iss"):
        await party.code.finish(login.handle, code=back["code"], state=back["state"], iss=iss)
    assert issuer.asked(TOKEN) == 0


async def test_issuer_that_does_not_name_itself_need_not(party: RelyingParty, issuer: Issuer) -> None:
    """Most don't; but a name, where there is one, has to be right."""
    issuer.metadata["authorization_response_iss_parameter_supported"] = None
    issuer.iss = None
    assert await log_in(party) == alice(issuer)

    issuer.iss = "https://evil.example"
    with pytest.raises(Unauthenticated, match="iss"):
        await log_in(party)


async def test_issuers_are_not_mixed_up(issuer: Issuer, clock: Clock) -> None:
    """An evil issuer sends the browser on to an honest one, to be shown the code that comes back."""
    with running_issuer(client_id="evil", client_secret="e") as evil:
        evil.clock = clock
        evil.metadata["authorization_response_iss_parameter_supported"] = None
        evil.metadata["authorization_endpoint"] = issuer.url + "/authorize"
        evil.client_id = issuer.client_id
        both = provider(issuer), provider(evil, name="evil")
        async with relying_party(*both, clock=clock) as party:
            login, back = await begin(party, "evil")
            with pytest.raises(Unauthenticated, match="iss"):
                await party.code.finish(login.handle, **back)

        assert evil.asked(TOKEN) == 0


@pytest.mark.parametrize("code", ["", "a" * 4097])
async def test_code_that_is_none_is_refused(party: RelyingParty, issuer: Issuer, code: str) -> None:
    login, back = await begin(party)

    with pytest.raises(InvalidRequest) as caught:
        await party.code.finish(login.handle, **{**back, "code": code})
    assert caught.value.field == "code"
    assert await party.code.finish(login.handle, **back) == alice(issuer)


async def test_login_that_takes_too_long_is_over(party: RelyingParty, issuer: Issuer, clock: Clock) -> None:
    login, back = await begin(party)

    clock.now += 600
    with pytest.raises(Unauthenticated, match="has ended"):
        await party.code.finish(login.handle, **back)
    assert issuer.asked(TOKEN) == 0


async def test_logins_that_nobody_finishes_are_bounded(issuer: Issuer, clock: Clock) -> None:
    """The one that began first gives way."""
    async with relying_party(provider(issuer), clock=clock, max_pending=2) as party:
        begun = [await begin(party) for _ in range(3)]
        devices = [await party.device.begin("example") for _ in range(3)]

        assert (party.code.pending, party.device.pending) == (2, 2)
        with pytest.raises(Unauthenticated, match="has ended"):
            await party.code.finish(begun[0][0].handle, **begun[0][1])
        for login, back in begun[1:]:
            assert await party.code.finish(login.handle, **back) == alice(issuer)
        with pytest.raises(Unauthenticated, match="has ended"):
            await party.device.poll(devices[0].handle)
        with pytest.raises(LoginPending):
            await party.device.poll(devices[2].handle)


async def test_handle_of_one_way_is_good_for_no_other(party: RelyingParty, issuer: Issuer) -> None:
    login, back = await begin(party)
    device = await party.device.begin("example")

    with pytest.raises(Unauthenticated, match="has ended"):
        await party.device.poll(login.handle)
    with pytest.raises(Unauthenticated, match="has ended"):
        await party.code.finish(device.handle, **back)


# ID tokens that are not what they should be

STRANGER = RSAKey.generate_key(2048)


@pytest.mark.parametrize(
    "sign",
    [
        issuers.unsigned,
        issuers.signed_with_the_public_key,
        issuers.signed_by(STRANGER),
        issuers.tampered,
        issuers.signed_with_header(kid="unknown"),
        issuers.signed_with_header(alg="RS512"),
    ],
)
async def test_badly_signed_id_token_is_refused(
    party: RelyingParty, issuer: Issuer, sign: issuers.Sign
) -> None:
    """By whichever way somebody might sign for the issuer."""
    issuer.sign = sign

    with pytest.raises(Unauthenticated, match="signed"):
        await log_in(party)


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"aud": "somebody else"}, "aud"),
        ({"aud": ["chat", "somebody else"]}, "azp"),
        ({"exp": 1_700_000_000}, "expired"),
        ({"iat": 1_900_000_000}, "iat"),
        ({"nbf": 1_900_000_000}, "nbf"),
        ({"nonce": "of another login"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "sub"),
        ({"sub": "a" * 256}, "sub"),
    ],
)
async def test_id_token_for_something_else_is_refused(
    party: RelyingParty, issuer: Issuer, claims: dict[str, Any], named: str
) -> None:
    issuer.claims = claims

    with pytest.raises(Unauthenticated, match=named):
        await log_in(party)


@pytest.mark.parametrize("text", [None, "", "x", 3, ["a.b.c"], "a.b.c.d.e"])
async def test_answer_without_an_id_token_is_refused(
    party: RelyingParty, issuer: Issuer, text: object
) -> None:
    issuer.token_answer["id_token"] = text

    with pytest.raises(Unauthenticated, match="ID token"):
        await log_in(party)


async def test_clock_of_the_issuer_may_be_off_by_the_skew(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    issuer.clock = lambda: clock() + 60
    await log_in(party)

    issuer.clock = lambda: clock() + 301
    with pytest.raises(Unauthenticated, match="the issuer's clock is 5 min ahead of the server's"):
        await log_in(party)


# Keys change


@pytest.mark.parametrize("seconds", [0, 4, 5])
async def test_new_key_is_fetched_when_it_is_used(
    party: RelyingParty, issuer: Issuer, clock: Clock, seconds: int
) -> None:
    """Without notice (OpenID Connect Core, section 10.1.1), and however short after the last change: the code
    is spent, so the login waits."""
    await log_in(party)
    begun = clock.now
    issuer.rotate(keep=False)
    clock.now += seconds

    assert await log_in(party) == alice(issuer)
    assert issuer.asked(JWKS) == 2
    assert clock.now == begun + 5


async def test_unknown_keys_do_not_make_many_questions(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """One in five seconds, for which logins wait."""
    begun = clock.now
    issuer.sign = issuers.signed_with_header(kid="unknown")

    results = await asyncio.gather(*[log_in(party) for _ in range(5)], return_exceptions=True)

    assert {type(result) for result in results} == {Unauthenticated}
    assert 1 < issuer.asked(JWKS) <= 1 + (clock.now - begun) / 5


async def test_withdrawn_key_is_believed_for_an_hour_at_the_most(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    stolen = issuer.keys[0]
    await log_in(party)
    issuer.rotate(keep=False)
    issuer.sign = lambda claims, key: issuers.signed(claims, stolen)
    clock.now += 3600

    with pytest.raises(Unauthenticated, match="signed"):
        await log_in(party)


async def test_only_key_needs_no_name(party: RelyingParty, issuer: Issuer) -> None:
    issuer.sign = issuers.signed_without_kid
    await log_in(party)


# An issuer in trouble


def endless(issuer: Issuer) -> Callable[[Request], Reply]:
    """More than fits anywhere."""

    def pieces() -> Iterator[bytes]:
        while not issuer.released.is_set():
            yield b" " * 65_536

    return lambda request: Reply(body=pieces())


def dripping(issuer: Issuer) -> Callable[[Request], Reply]:
    """Always something, so that no wait for the next byte is long."""

    def pieces() -> Iterator[bytes]:
        while not issuer.released.wait(0.01):
            yield b" "

    return lambda request: Reply(body=pieces())


def silent(issuer: Issuer) -> Callable[[Request], Reply]:
    """Nothing at all."""

    def wait(request: Request) -> Reply:
        issuer.released.wait()
        return Reply(500)

    return wait


def constantly(reply: Reply) -> Callable[[Issuer], Callable[[Request], Reply]]:
    return lambda issuer: lambda request: reply


TROUBLES = {
    "endless": endless,
    "dripping": dripping,
    "silent": silent,
    "compressed": constantly(Reply(body=b"x", headers={"Content-Encoding": "gzip"})),
    "error": constantly(Reply(500)),
    "overload": constantly(Reply(429)),
    "large": constantly(Reply(body=b'{"a": "' + b"a" * 300_000 + b'"}')),
}


@pytest.mark.parametrize("path", [DISCOVERY, JWKS, TOKEN])
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_issuer_in_trouble_costs_little_and_is_told_as_such(
    issuer: Issuer, clock: Clock, trouble: str, path: str
) -> None:
    """Bounded bytes, bounded time, no redirect followed; and the login goes on when it is over."""
    issuer.replies[path] = TROUBLES[trouble](issuer)
    timeout = 1 if trouble in ("silent", "dripping") else 10
    async with relying_party(provider(issuer), clock=clock, timeout=timeout) as party:
        async with asyncio.timeout(20):
            if path == DISCOVERY:
                with pytest.raises(IssuerUnavailable) as caught:
                    await party.code.begin("example", REDIRECT)
                begun = None
            else:
                begun = await begin(party)
                with pytest.raises(IssuerUnavailable) as caught:
                    await party.code.finish(begun[0].handle, **begun[1])
        assert caught.value.retry_after == timedelta(seconds=5)
        assert str(caught.value).startswith("Example ")

        issuer.replies.clear()
        clock.now += 5
        if begun is None:
            assert await log_in(party) == alice(issuer)
        else:
            assert await party.code.finish(begun[0].handle, **begun[1]) == alice(issuer)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(302, headers={"Location": "http://127.0.0.1:9/"}),
            "leads elsewhere at {url} (HTTP status 302)",
        ),
        (
            Reply(307, headers={"Location": "http://127.0.0.1:9/"}),
            "leads elsewhere at {url} (HTTP status 307)",
        ),
        (Reply(404, b"<html>"), "has nothing for this server at {url} (HTTP status 404)"),
    ],
)
@pytest.mark.parametrize("path", [DISCOVERY, JWKS, TOKEN, DEVICE])
async def test_address_that_is_wrong_is_not_tried_again(
    party: RelyingParty, issuer: Issuer, path: str, reply: Reply, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No redirect is followed, with a code or a secret. It takes a person to mend it, who is told where."""
    issuer.replies[path] = lambda request: reply

    login = party.device.begin("example") if path == DEVICE else log_in(party)
    with pytest.raises(FailedPrecondition) as caught:
        await login

    assert caught.value.message == "Example " + words.format(url=issuer.url + path)
    assert [vars(record)["reason"] for record in caplog.records if record.name.startswith("grpc_chat")] == [
        caught.value.message
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"{}", b"9" * 10_000]
)
@pytest.mark.parametrize("path", [DISCOVERY, JWKS, TOKEN])
async def test_nonsense_is_refused(party: RelyingParty, issuer: Issuer, path: str, body: bytes) -> None:
    """It needs a person to mend it, or another login."""
    issuer.replies[path] = constantly(Reply(body=body))(issuer)

    with pytest.raises((FailedPrecondition, Unauthenticated)):
        await log_in(party)


async def test_issuer_that_is_not_there_is_told_as_such_with_the_cause_in_the_log(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The person can do nothing about the cause; the administrator needs it, each time."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        gone = Provider(name="gone", issuer=url, client_id="chat")
        unknown = Provider(name="unknown", issuer="https://id.invalid", client_id="chat")
        async with relying_party(gone, unknown, clock=clock) as party:
            for name in ("gone", "gone", "unknown"):
                with pytest.raises(IssuerUnavailable) as caught:
                    await party.code.begin(name, REDIRECT)
                assert caught.value.message == f"{name} can't be reached by the server"

    details = [vars(record)["detail"] for record in caplog.records if record.name.startswith("grpc_chat")]
    assert details[:2] == [f"{url}{DISCOVERY}: connection refused"] * 2
    # Where there is no resolver at all, the answer is another one.
    assert re.fullmatch(
        rf"https://id\.invalid{DISCOVERY}: (the host is unknown|name resolution failed)", details[2]
    )


@pytest.mark.parametrize("with_tls", [True, False])
async def test_certificate_that_is_not_trusted_is_not_tried_again(
    clock: Clock, with_tls: bool, tmp_path: Path
) -> None:
    """And neither is an issuer that speaks no TLS where the settings say https."""
    tls = None
    if with_tls:
        files = issue("127.0.0.1").write(tmp_path)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files["certificate"], files["key"])
    with running_issuer(tls=tls) as issuer:
        strange = replace(provider(issuer), issuer=issuer.url.replace("http:", "https:"))
        async with relying_party(strange, clock=clock) as party:
            words = (
                "does not trust its certificate .self-signed" if with_tls else "does not speak TLS at https:"
            )
            with pytest.raises(FailedPrecondition, match=words):
                await party.code.begin("example", REDIRECT)


async def test_issuer_in_trouble_is_not_asked_again_at_once(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    issuer.replies[DISCOVERY] = constantly(Reply(503))(issuer)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await party.code.begin("example", REDIRECT)
    assert issuer.asked(DISCOVERY) == 1

    clock.now += 5
    with pytest.raises(Unavailable):
        await party.code.begin("example", REDIRECT)
    assert issuer.asked(DISCOVERY) == 2


async def test_issuer_that_is_another_one_is_refused(
    party: RelyingParty, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    """What it says is in the log: mostly it is a slash that makes the difference."""
    issuer.metadata["issuer"] = issuer.url + "/\x1b"

    with pytest.raises(FailedPrecondition, match=r"must be the one in the settings$"):
        await party.code.begin("example", REDIRECT)

    [record] = [record for record in caplog.records if record.name.startswith("grpc_chat")]
    assert vars(record)["detail"] == f'it says "{issuer.url}/", the settings "{issuer.url}"'


async def test_wrong_secret_is_told_to_whoever_can_mend_it(
    issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, and to the person as something that trying again does not help."""
    wrong = provider(issuer, client_secret=SecretStr("wr0ng"))
    async with relying_party(wrong, clock=clock) as party:
        with pytest.raises(FailedPrecondition, match="invalid_client") as caught:
            await log_in(party)

    assert not caught.value.retryable
    [record] = [record for record in caplog.records if record.name.startswith("grpc_chat")]
    assert (record.levelname, vars(record)["provider"]) == ("WARNING", "example")
    assert vars(record)["code"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("invalid_grant", Unauthenticated),
        ("access_denied", Unauthenticated),
        ("SECRET WORDS OF THE ISSUER", Unauthenticated),
        ("unauthorized_client", FailedPrecondition),
        ("invalid_scope", FailedPrecondition),
        ("temporarily_unavailable", IssuerUnavailable),
        ("server_error", IssuerUnavailable),
    ],
)
async def test_what_the_issuer_says_is_told(
    party: RelyingParty, issuer: Issuer, code: str, cls: type[ChatError]
) -> None:
    """Its code where it looks like one, and its description, cut and fit for a terminal, without the secrets
    that it may repeat."""

    def error(request: Request) -> Reply:
        words = f"no\x1b[2J\n{request.fields['code']} for {SECRET}\u202e {'x' * 5000}"
        return Reply.error(code, description=words)

    issuer.replies[TOKEN] = error

    with pytest.raises(cls) as caught:
        await log_in(party)

    assert type(caught.value) is cls
    shown = code if "SECRET" not in code else "other"
    assert f"({shown}: no [2J … for … xxx" in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 320


async def test_cookies_of_one_login_are_not_shown_for_the_next(party: RelyingParty, issuer: Issuer) -> None:
    """All share one client."""
    normal = issuer._token

    def with_cookie(request: Request) -> Reply:
        reply = normal(request)
        return Reply(reply.status, reply.body, {"Set-Cookie": "session=alice; Path=/"})

    issuer.replies[TOKEN] = with_cookie
    for _ in range(2):
        await log_in(party)

    assert [request for request in issuer.requests if "cookie" in request.headers] == []


async def test_issuer_on_this_machine_is_not_asked_through_a_proxy(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says: the proxy's loopback is not ours."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async with relying_party(provider(issuer), clock=clock) as party:
        assert await log_in(party) == alice(issuer)


# What the ID token does not say


async def test_names_that_the_id_token_lacks_are_asked_for(party: RelyingParty, issuer: Issuer) -> None:
    """Some issuers tell them at the user info endpoint only (OpenID Connect Core, section 5.4)."""
    names = ("preferred_username", "name", "email", "email_verified")
    issuer.claims = dict.fromkeys(names)

    assert await log_in(party) == alice(issuer)

    [request] = sent(issuer, USERINFO)
    assert request.headers["authorization"].startswith("Bearer ")


async def test_names_are_not_asked_for_twice(party: RelyingParty, issuer: Issuer) -> None:
    await log_in(party)

    assert issuer.asked(USERINFO) == 0


async def test_what_the_id_token_says_stands(party: RelyingParty, issuer: Issuer) -> None:
    """It is signed."""
    issuer.claims = {"preferred_username": None}
    issuer.userinfo = {"preferred_username": "al", "email": "root@example.com", "iss": "x", "aud": "y"}

    identity = await log_in(party)

    assert (identity.preferred_username, identity.email) == ("al", "alice@example.com")
    assert identity.issuer == issuer.url


async def test_address_is_not_verified_because_another_one_is(party: RelyingParty, issuer: Issuer) -> None:
    """The ID token has one, and the user info endpoint another."""
    issuer.claims = {"preferred_username": None, "email_verified": None}
    issuer.userinfo = {"email": "root@example.com", "email_verified": True}

    identity = await log_in(party)

    assert (identity.email, identity.email_verified) == ("alice@example.com", False)


@pytest.mark.parametrize("sub", ["somebody else", None, 3])
async def test_names_of_somebody_else_are_not_taken(party: RelyingParty, issuer: Issuer, sub: object) -> None:
    """Section 5.3.2. Who it is, is certain without them."""
    issuer.claims = {"preferred_username": None}
    issuer.userinfo = {"preferred_username": "root", "sub": sub}

    identity = await log_in(party)

    assert (identity.subject, identity.preferred_username) == ("248289761001", "")


@pytest.mark.parametrize("token", [None, 3, "", "a\r\nX-Evil: 1", "ü", "a b"])
async def test_access_token_that_is_none_is_not_sent(
    party: RelyingParty, issuer: Issuer, token: object
) -> None:
    issuer.claims = {"preferred_username": None}
    issuer.token_answer["access_token"] = token

    assert (await log_in(party)).subject == "248289761001"
    assert issuer.asked(USERINFO) == 0


@pytest.mark.parametrize("reply", [Reply(401), Reply(500), Reply(body=b"x"), Reply(302)])
async def test_login_goes_on_without_names(party: RelyingParty, issuer: Issuer, reply: Reply) -> None:
    issuer.claims = {"preferred_username": None}
    issuer.replies[USERINFO] = lambda request: reply

    assert (await log_in(party)).preferred_username == ""


# Without a browser


async def pending(party: RelyingParty, login: DeviceLogin) -> timedelta:
    """Poll, and say how long to wait then."""
    with pytest.raises(LoginPending) as caught:
        await party.device.poll(login.handle)
    assert caught.value.retry_after
    return caught.value.retry_after


async def test_login_without_a_browser_tells_who_it_is(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """When the person has typed in the code elsewhere, and only then; once."""
    login = await party.device.begin("example")
    assert login.verification_uri == issuer.url + "/device"
    assert login.verification_uri_complete == f"{login.verification_uri}?user_code={login.user_code}"
    assert (login.interval, login.expires_in) == (timedelta(seconds=5), timedelta(minutes=10))

    clock.now += 5
    assert await pending(party, login) == timedelta(seconds=5)
    issuer.approve(login.user_code)
    clock.now += 5
    assert await party.device.poll(login.handle) == alice(issuer)

    with pytest.raises(Unauthenticated, match="has ended"):
        await party.device.poll(login.handle)
    assert party.device.pending == 0


async def test_issuer_is_asked_no_more_often_than_it_wants(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """However often a client asks; it is told how long to wait."""
    login = await party.device.begin("example")

    assert await pending(party, login) == timedelta(seconds=5)
    clock.now += 4
    assert await pending(party, login) == timedelta(seconds=1)
    assert issuer.asked(TOKEN) == 0
    clock.now += 1
    await pending(party, login)
    assert issuer.asked(TOKEN) == 1
    for _ in range(10):
        await pending(party, login)
    assert issuer.asked(TOKEN) == 1


async def test_slow_down_is_heeded_from_then_on(party: RelyingParty, issuer: Issuer, clock: Clock) -> None:
    """Five seconds more for this and all later questions (RFC 8628, section 3.5)."""
    login = await party.device.begin("example")
    issuer.replies[TOKEN] = lambda request: Reply.error("slow_down")
    clock.now += 5
    assert await pending(party, login) == timedelta(seconds=10)
    clock.now += 10
    assert await pending(party, login) == timedelta(seconds=15)

    issuer.replies.clear()
    clock.now += 14
    assert await pending(party, login) == timedelta(seconds=1)
    clock.now += 1
    assert await pending(party, login) == timedelta(seconds=15)
    assert issuer.asked(TOKEN) == 3


async def test_issuer_says_slow_down_by_itself_when_we_are_too_fast(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """It told us an interval and wants another."""
    issuer.device_answer["interval"] = 2
    login = await party.device.begin("example")
    assert login.interval == timedelta(seconds=2)

    clock.now += 2
    assert await pending(party, login) == timedelta(seconds=2)
    clock.now += 2
    assert await pending(party, login) == timedelta(seconds=7)
    issuer.approve(login.user_code)
    clock.now += 7
    assert await party.device.poll(login.handle) == alice(issuer)


async def test_person_who_refuses_ends_the_login(party: RelyingParty, issuer: Issuer, clock: Clock) -> None:
    login = await party.device.begin("example")
    issuer.deny(login.user_code)
    clock.now += 5

    with pytest.raises(Unauthenticated, match="access_denied"):
        await party.device.poll(login.handle)
    with pytest.raises(Unauthenticated, match="has ended"):
        await party.device.poll(login.handle)


async def test_issuer_ends_a_login_that_takes_too_long(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    login = await party.device.begin("example")
    issuer.replies[TOKEN] = lambda request: Reply.error("expired_token")
    clock.now += 5

    with pytest.raises(Unauthenticated, match="expired_token"):
        await party.device.poll(login.handle)
    assert party.device.pending == 0


async def test_we_end_a_login_that_takes_too_long(party: RelyingParty, issuer: Issuer, clock: Clock) -> None:
    """Without asking the issuer."""
    login = await party.device.begin("example")
    clock.now += 600

    with pytest.raises(Unauthenticated, match="has ended"):
        await party.device.poll(login.handle)
    assert issuer.asked(TOKEN) == 0


async def test_issuer_that_is_away_for_a_while_is_asked_less_often(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """Twice the wait each time, up to a minute (RFC 8628, section 3.5); the login goes on."""
    login = await party.device.begin("example")
    clock.now += 5
    await pending(party, login)
    issuer.replies[TOKEN] = constantly(Reply(503))(issuer)

    waits: list[timedelta] = []
    for _ in range(5):
        clock.now += waits[-1].total_seconds() if waits else 5
        with pytest.raises(Unavailable) as caught:
            await party.device.poll(login.handle)
        assert caught.value.retry_after
        waits.append(caught.value.retry_after)
    assert [wait.seconds for wait in waits] == [10, 20, 40, 60, 60]

    issuer.replies.clear()
    issuer.approve(login.user_code)
    clock.now += 60
    assert await party.device.poll(login.handle) == alice(issuer)


async def test_many_polls_at_once_are_one_question(party: RelyingParty, issuer: Issuer, clock: Clock) -> None:
    """Only one of them hears who it is."""
    login = await party.device.begin("example")
    issuer.approve(login.user_code)
    clock.now += 5

    results = await asyncio.gather(
        *[party.device.poll(login.handle) for _ in range(5)], return_exceptions=True
    )

    assert [result for result in results if isinstance(result, Identity)] == [alice(issuer)]
    assert {type(result) for result in results} == {Identity, LoginPending}
    assert issuer.asked(TOKEN) == 1


async def test_poll_that_is_given_up_leaves_the_login(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """A client that went away may come back."""
    login = await party.device.begin("example")
    issuer.replies[TOKEN] = silent(issuer)
    clock.now += 5
    polling = asyncio.create_task(party.device.poll(login.handle))
    await until(lambda: issuer.asked(TOKEN) == 1)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling

    issuer.replies.clear()
    issuer.approve(login.user_code)
    clock.now += 5
    assert await party.device.poll(login.handle) == alice(issuer)


async def test_issuer_without_device_flow_says_so(party: RelyingParty, issuer: Issuer) -> None:
    issuer.metadata["device_authorization_endpoint"] = None

    with pytest.raises(FailedPrecondition, match="use a browser"):
        await party.device.begin("example")


@pytest.mark.parametrize(
    "answer",
    [
        {"device_code": None},
        {"device_code": ""},
        {"device_code": 3},
        {"device_code": "a" * 4097},
        {"user_code": None},
        {"user_code": ""},
        {"user_code": "A" * 65},
        {"user_code": "\x1b[2J"},
        {"user_code": "\u0410\u0412"},
        {"verification_uri": None},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://id.example.com/device"},
        {"verification_uri": "https://id.example.com/\x1b[2J"},
        {"expires_in": None},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": "600"},
        {"expires_in": True},
        {"expires_in": 10**400},
        {"interval": "5"},
        {"interval": -1},
        {"interval": 10**400},
    ],
)
async def test_device_answer_that_is_none_is_refused(
    party: RelyingParty, issuer: Issuer, answer: dict[str, object]
) -> None:
    """Part of it is shown to a person, in a terminal."""
    issuer.device_answer = answer

    with pytest.raises(FailedPrecondition, match="RFC 8628"):
        await party.device.begin("example")


@pytest.mark.parametrize(
    ("answer", "interval", "expires_in"),
    [
        ({"interval": None}, 5, 600),
        ({"interval": 0}, 1, 600),
        ({"interval": 7.5}, 7.5, 600),
        ({"expires_in": 86_400}, 5, 1800),
    ],
)
async def test_times_of_the_issuer_have_bounds(
    party: RelyingParty, issuer: Issuer, answer: dict[str, object], interval: float, expires_in: int
) -> None:
    """5 seconds where nothing is said (section 3.2)."""
    issuer.device_answer = answer

    login = await party.device.begin("example")

    assert login.interval == timedelta(seconds=interval)
    assert login.expires_in == timedelta(seconds=expires_in)


@pytest.mark.parametrize("complete", [None, 3, "javascript:alert(1)", "https://a.example/\x1b[2J"])
async def test_link_with_the_code_is_left_out_where_it_is_none(
    party: RelyingParty, issuer: Issuer, complete: object
) -> None:
    issuer.device_answer = {"verification_uri_complete": complete}

    assert (await party.device.begin("example")).verification_uri_complete == ""


async def test_id_token_of_a_device_is_checked_as_well(
    party: RelyingParty, issuer: Issuer, clock: Clock
) -> None:
    """And the login is over then."""
    login = await party.device.begin("example")
    issuer.approve(login.user_code)
    issuer.claims = {"aud": "somebody else"}
    clock.now += 5

    with pytest.raises(Unauthenticated, match="aud"):
        await party.device.poll(login.handle)
    with pytest.raises(Unauthenticated, match="has ended"):
        await party.device.poll(login.handle)


async def test_issuer_refuses_a_device_login_of_a_stranger(issuer: Issuer, clock: Clock) -> None:
    wrong = provider(issuer, client_secret=SecretStr("wr0ng"))
    async with relying_party(wrong, clock=clock) as party:
        with pytest.raises(FailedPrecondition, match="invalid_client"):
            await party.device.begin("example")
    assert issuer.asked(DEVICE) == 1


# Nothing gets out


async def test_no_secret_is_shown(
    party: RelyingParty, issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in logs, errors or reprs: whatever we or the issuer keep to ourselves, whatever goes wrong."""
    caplog.set_level(logging.DEBUG, "grpc_chat")
    caplog.set_level(logging.INFO, "httpx")
    shown: list[str] = [repr(vars(party)), repr(party.providers)]
    secrets: set[str] = {SECRET}
    failed: list[BaseException] = []

    async def attempt(login: Awaitable[object]) -> None:
        try:
            shown.append(repr(await login))
        except ChatError as error:
            failed.append(error)

    def remember(request: Request) -> Reply:
        reply = issuer._token(request)
        secrets.update(request.fields[name] for name in ("code", "device_code") if name in request.fields)
        secrets.add(request.fields.get("code_verifier", SECRET))
        secrets.add(request.headers["authorization"])
        assert isinstance(reply.body, bytes)
        secrets.add(reply.body.decode())
        return reply

    issuer.replies[TOKEN] = remember
    changes: list[dict[str, Any]] = [
        {},
        {"claims": {"aud": "x"}},
        {"sign": issuers.tampered},
        {"token_answer": {"id_token": "x"}},
        {"replies": {TOKEN: lambda request: Reply.error("SECRET WORDS OF THE ISSUER")}},
        {"replies": {TOKEN: lambda request: Reply.error("invalid_grant", description=repr(request.fields))}},
        {"replies": {TOKEN: lambda request: Reply(500, b"SECRET WORDS OF THE ISSUER")}},
        {"claims": {"preferred_username": None}, "replies": {USERINFO: lambda request: Reply(500)}},
    ]
    with ExitStack() as stack:
        for change in changes:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name, value in change.items():
                patch.setattr(issuer, name, {**issuer.replies, **value} if name == "replies" else value)
            clock.now += 10
            login, back = await begin(party)
            shown += [repr(login), repr(vars(party.code)), repr(vars(vars(party.code)["_pending"]))]
            secrets |= {login.handle, login.authorization_url, back["state"], back["code"]}
            await attempt(party.code.finish(login.handle, **back))
            device = await party.device.begin("example")
            shown += [repr(device), repr(vars(party.device)), repr(vars(vars(party.device)["_pending"]))]
            secrets |= {device.handle, device.user_code}
            issuer.approve(device.user_code)
            clock.now += 5
            await attempt(party.device.poll(device.handle))
            patch.undo()

    for error in failed:
        shown += [str(error), repr(error), repr(vars(error))]
        shown.append("".join(_traceback(error)))
    shown += [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    text = "\n".join(shown)
    assert len(failed) == 12
    assert len(caplog.records) > 20
    assert [secret for secret in secrets if secret in text] == []
    assert "SECRET" not in text


def _traceback(error: BaseException | None) -> Iterator[str]:
    """The words of an error and of all that led to it, which a log would show."""
    while error is not None:
        yield f"{error!r} {error}\n"
        error = error.__cause__ or error.__context__


def test_client_can_tell_a_login_that_goes_on_from_one_that_failed() -> None:
    """By its class; it may simply ask again."""
    assert LoginPending.retryable
    assert errors.LoginPending.code == "LOGIN_PENDING"
