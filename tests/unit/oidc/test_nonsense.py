"""Whatever an issuer answers, it is used or refused, and never a mistake of ours."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key

from grpc_chat.errors import ChatError
from grpc_chat.oidc.id_token import IdToken
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.keys import ALGORITHMS, Keys
from grpc_chat.oidc.metadata import Metadata
from grpc_chat.oidc.web import parsed_url
from tests import issuer

ISSUER = "https://id.example.com"
KEY = ECKey.generate_key("P-256", {"kid": "k"})
PUBLIC = KEY.as_dict(private=False)

# All of Unicode takes Hypothesis seconds to look through; these are of every kind that matters.
TEXT = st.text("aZ09 ./:@#?&\\%[]{}\"'=_-~\n\0\x1b\x7fé\u202e\u2028😀\ud800", max_size=30)
# What JSON can hold; half a surrogate pair and NaN among it, as Python reads both.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from([ISSUER, "https://", "RSA", "EC", "OKP", "sig", "verify", "P-256", "Ed25519", "AQAB"])
    | st.sampled_from([*ALGORITHMS, "none", "HS256", "chat", "k", *PUBLIC.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects with some of these members."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON))


@given(
    objects(
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "device_authorization_endpoint",
        "userinfo_endpoint",
        "code_challenge_methods_supported",
        "token_endpoint_auth_methods_supported",
        "authorization_response_iss_parameter_supported",
    )
)
def test_metadata(fields: dict[str, Any]) -> None:
    good = dict.fromkeys(["authorization_endpoint", "token_endpoint", "jwks_uri"], ISSUER + "/x")
    for given_ in (fields, {**good, "issuer": ISSUER, **fields}, {**fields, **good, "issuer": ISSUER}):
        try:
            metadata = Metadata.read(given_, issuer=ISSUER, label="Example")
        except ChatError:
            continue
        assert metadata.token_endpoint.startswith("https://")


@given(TEXT | TEXT.map("https://".__add__) | TEXT.map("https://id.example.com".__add__))
def test_addresses(url: str) -> None:
    """What is accepted is printable, and has a host."""
    parsed = parsed_url(url)

    assert parsed is None or (parsed.host and url.isascii() and url.isprintable())


@given(
    JSON
    | st.lists(objects("kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops", "d"), max_size=4)
)
def test_keys(entries: Any) -> None:
    more = entries if isinstance(entries, list) else [entries]
    for algorithm in ALGORITHMS:
        Keys.read({"keys": entries}).find(kid=None, algorithm=algorithm)
    keys = Keys.read({"keys": [*more, {**PUBLIC, "kid": "only this one"}]})
    assert len(keys.find(kid="only this one", algorithm="ES256")) == 1


def encoded(value: object) -> str:
    """As the parts of tokens are."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def verified(text: str, keys: list[Key]) -> dict[str, Any]:
    return IdToken(text).verified(
        keys, issuer=ISSUER, client_id="chat", nonce="n", now=1_000, skew=timedelta(seconds=1)
    )


@given(TEXT | st.lists(JSON.map(encoded), max_size=4).map(".".join))
def test_tokens(text: str) -> None:
    try:
        token = IdToken(text)
    except ChatError:
        return
    assert token.algorithm in ALGORITHMS
    assert token.kid is None or isinstance(token.kid, str)


@given(objects("alg", "kid", "typ", "jku", "jwk", "x5u", "x5c", "x5t", "crit", "b64", "cty"))
def test_headers(header: dict[str, Any]) -> None:
    """Nothing in a header makes a signature of somebody else a good one."""
    try:
        verified(f"{encoded({'alg': 'ES256', **header})}.e30.AAAA", [KEY])
    except ChatError:
        return
    raise AssertionError("accepted")


@given(objects("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "preferred_username", "email"))
def test_claims(claims: dict[str, Any]) -> None:
    """Also where all but one are right."""
    good = {"iss": ISSUER, "sub": "1", "aud": "chat", "exp": 2_000, "iat": 1_000, "nonce": "n"}
    for given_ in (claims, {**good, **claims}):
        try:
            found = verified(issuer.signed_with_header(alg="ES256")(given_, KEY), [KEY])
            who = Identity.of(found, provider="example", user_id_claim="preferred_username")
        except ChatError:
            continue
        assert who.issuer == ISSUER
        assert who.subject
