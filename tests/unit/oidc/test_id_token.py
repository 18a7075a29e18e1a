from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from grpc_chat.errors import Unauthenticated
from grpc_chat.oidc.id_token import IdToken
from grpc_chat.oidc.keys import Keys
from grpc_chat.oidc.trouble import printable
from tests import issuer
from tests.issuer import Sign
from tests.looped import each

ISSUER = "https://id.example.com"
NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256", "use": "sig"})
KEY_FOR_ANY = RSAKey.generate_key(2048, {"kid": "k"})
STRANGER = RSAKey.generate_key(2048, {"kid": "k", "alg": "RS256", "use": "sig"})
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "1",
    "aud": "chat",
    "iat": NOW,
    "exp": NOW + 300,
    "nonce": "n",
}


def verified(text: str, *, key: Key = KEY, nonce: str | None = "n") -> dict[str, Any]:
    token = IdToken(text)
    keys = Keys.read({"keys": [key.as_dict(private=False)]})
    return token.verified(
        keys.find(kid=token.kid, algorithm=token.algorithm),
        issuer=ISSUER,
        client_id="chat",
        nonce=nonce,
        now=NOW,
        skew=timedelta(seconds=60),
    )


def with_claims(**changes: object) -> str:
    """A token whose claims are changed; None takes one away."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return issuer.signed(claims, KEY)


def refusal(text: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verified(text)
    return str(caught.value)


# Signatures


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", KEY),
        ("PS256", KEY_FOR_ANY),
        ("RS384", KEY_FOR_ANY),
        ("RS512", KEY_FOR_ANY),
        ("PS384", KEY_FOR_ANY),
        ("PS512", KEY_FOR_ANY),
        ("ES256", ECKey.generate_key("P-256", {"kid": "k"})),
        ("ES384", ECKey.generate_key("P-384", {"kid": "k"})),
        ("ES512", ECKey.generate_key("P-521", {"kid": "k"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "k"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "k"})),
    ],
)
def test_signatures_of_these_algorithms_are_accepted(algorithm: str, key: Key) -> None:
    sign = issuer.signed_with_header(alg=algorithm)

    assert verified(sign(CLAIMS, key), key=key) == CLAIMS


@pytest.mark.parametrize(
    "sign",
    [
        issuer.unsigned,
        issuer.signed_with_the_public_key,
        issuer.tampered,
        issuer.signed_by(STRANGER),
        # The key says that it is for RS256.
        issuer.signed_with_header(alg="RS512"),
        issuer.signed_with_header(alg="PS256"),
        issuer.signed_with_header(kid="other"),
    ],
)
def test_other_signatures_are_refused(sign: Sign) -> None:
    assert "signed" in refusal(sign(CLAIMS, KEY))


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"b64": True}, {"crit": []}]
)
def test_extensions_are_refused(header: dict[str, object]) -> None:
    """None is known here, so none may be critical (RFC 7515, section 4.1.11)."""
    text = _part({"alg": "RS256", "kid": "k", **header}) + issuer.signed(CLAIMS, KEY)[len(_head()) :]

    assert refusal(text) == "the ID token can't be read"


def test_key_in_the_token_itself_is_not_believed() -> None:
    """Only those of the issuer are (RFC 8725, section 3.10)."""
    own = STRANGER.as_dict(private=False)

    assert "signed" in refusal(
        issuer.signed_with_header(jwk=own, jku="https://evil.example/keys")(CLAIMS, STRANGER)
    )


def test_unknown_headers_are_ignored() -> None:
    """RFC 7515, section 4."""
    assert verified(issuer.signed_with_header(typ="JWT", x="y", jti="1")(CLAIMS, KEY)) == CLAIMS


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _head() -> str:
    return issuer.signed(CLAIMS, KEY).partition(".")[0]


GOOD = issuer.signed(CLAIMS, KEY)


@each(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "ü.ü.ü",
        "\ud800",
        GOOD + ".",
        GOOD.rpartition(".")[0],
        GOOD.replace(".", "=.", 1),
        " " + GOOD,
        f"{_part([])}.{_part(CLAIMS)}.AAAA",
        f"{_part('alg')}.{_part(CLAIMS)}.AAAA",
        f"{_part({})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': None})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': ['RS256']})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': 'RS256', 'kid': 3})}.{_part(CLAIMS)}.AAAA",
        f"{_part({'alg': 'RS256', 'x': 'a' * 10_000})}.{_part(CLAIMS)}.AAAA",
        base64.urlsafe_b64encode(b"[" * 5000).decode() + ".AAAA.AAAA",
        "A" * 500_000,
    ],
)
def test_text_that_is_no_token_is_refused(text: str) -> None:
    assert refusal(text) == "the ID token can't be read"


@pytest.mark.parametrize("claims", [[], "sub", 3, None])
def test_claims_that_are_no_object_are_refused(claims: Any) -> None:
    assert refusal(issuer.signed(claims, KEY)) == "the ID token can't be read"


# Claims


@each(
    ("changes", "named"),
    [
        ({"iss": None}, "iss"),
        ({"iss": "https://id.example.org"}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": [ISSUER]}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": 1}, "sub"),
        ({"aud": None}, "aud"),
        ({"aud": "other"}, "aud"),
        ({"aud": "chatter"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": ["other"]}, "aud"),
        ({"aud": [["chat"]]}, "aud"),
        ({"aud": {"chat": 1}}, "aud"),
        ({"aud": ["chat", "other"]}, "azp"),
        ({"aud": ["chat", "other"], "azp": "other"}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"azp": ["chat"]}, "azp"),
        ({"exp": None}, "exp"),
        ({"exp": str(NOW + 300)}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW - 60, "iat": NOW - 60}, "expired"),
        ({"exp": -(10**400)}, "expired"),
        ({"iat": None}, "iat"),
        ({"iat": NOW + 10**9}, "iat"),
        ({"iat": 10**400}, "iat"),
        ({"iat": "now"}, "iat"),
        ({"nbf": NOW + 10**9}, "nbf"),
        ({"nbf": "now"}, "nbf"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "m"}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": ["n"]}, "nonce"),
        ({"nonce": "\ud800"}, "nonce"),
    ],
)
def test_claims_of_another_login_are_refused(changes: dict[str, object], named: str) -> None:
    """OpenID Connect Core, section 3.1.3.7; the sentence says which, and not what it holds."""
    assert refusal(with_claims(**changes)).endswith(named)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iat": NOW + 61}, "61 s ahead of the server's (iat)"),
        ({"iat": NOW + 301}, "5 min ahead of the server's (iat)"),
        ({"nbf": NOW + 120}, "2 min ahead of the server's (nbf)"),
        ({"iat": NOW - 3600, "exp": NOW - 3300}, "60 min behind the server's (exp)"),
    ],
)
def test_clocks_that_are_apart_are_called_that(changes: dict[str, object], words: str) -> None:
    """The token came this moment, so its times are those of the issuer's clock."""
    assert f"the issuer's clock is {words}; set the clocks" in refusal(with_claims(**changes))


@pytest.mark.parametrize("name", ["none", "HS256", "HS512", "ES256K", "RS1", "\x1b[31m" + "x" * 300])
def test_refused_algorithm_is_named_with_those_that_are_accepted(name: str) -> None:
    text = f"{_part({'alg': name, 'kid': 'k'})}.{_part(CLAIMS)}.AAAA"

    words = refusal(text)

    assert (
        f"is signed with {printable(name)}; accepted are RS, PS or ES with 256, 384 or 512, or EdDSA" in words
    )
    assert words.isprintable()
    assert len(words) < 320


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["chat"]},
        {"aud": ["other", "chat"], "azp": "chat"},
        {"azp": "chat"},
        {"exp": NOW - 59},
        {"exp": NOW + 0.5},
        {"exp": 10**400},
        {"iat": NOW + 60},
        {"iat": NOW - 10_000},
        {"nbf": NOW + 60},
        {"nonce": "n", "acr": "1", "at_hash": "x"},
    ],
)
def test_claims_within_the_rules_are_accepted(changes: dict[str, object]) -> None:
    """The issuer's clock may be off by the skew."""
    assert verified(with_claims(**changes)) == {**CLAIMS, **changes}


def test_login_without_a_nonce_needs_none() -> None:
    """The device flow has no place for one."""
    assert verified(with_claims(nonce=None), nonce=None)["sub"] == "1"
