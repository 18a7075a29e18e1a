from __future__ import annotations

import warnings
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from grpc_chat.oidc.keys import ALGORITHMS, Keys

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")


def entry(key: Key, **more: object) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": "k", **more}


def found(*entries: object, kid: str | None = "k", algorithm: str = "RS256") -> int:
    """How many of a set's keys may have made a signature."""
    return len(Keys.read({"keys": list(entries)}).find(kid=kid, algorithm=algorithm))


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (RSA, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        (EC, {"ES256"}),
        (ECKey.generate_key("P-384"), {"ES384"}),
        (ECKey.generate_key("P-521"), {"ES512"}),
        (ED, {"EdDSA", "Ed25519"}),
    ],
)
def test_key_is_for_the_algorithms_of_its_kind(key: Key, algorithms: set[str]) -> None:
    assert {name for name in ALGORITHMS if found(entry(key), algorithm=name)} == algorithms


def test_key_that_names_its_algorithm_is_for_no_other() -> None:
    assert found(entry(RSA, alg="PS256"), algorithm="PS256") == 1
    assert found(entry(RSA, alg="PS256"), algorithm="RS256") == 0


def test_key_is_found_by_its_id() -> None:
    assert found(entry(RSA, kid="a"), entry(RSA, kid="b"), kid="b") == 1
    assert found(entry(RSA, kid="a"), kid="c") == 0
    assert found({**RSA.as_dict(private=False)}, kid="k") == 0


def test_only_key_needs_no_id() -> None:
    """One of several has to be named (OpenID Connect Core, section 10.1)."""
    assert found(entry(RSA), entry(EC), kid=None) == 1
    assert found(entry(RSA, kid="a"), entry(RSA, kid="b"), kid=None) == 0


def weak() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return entry(RSAKey.generate_key(1024))


@pytest.mark.parametrize(
    "bad",
    [
        None,
        3,
        [],
        {},
        {"kty": "RSA"},
        {"kty": ["RSA"], "kid": "k"},
        {"kty": "RSA", "kid": "k", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "k", "n": 3, "e": "AQAB"},
        {"kty": "RSA", "kid": "k", "n": entry(RSA)["n"], "e": "AA"},
        {"kty": "RSA", "kid": "k", "n": entry(RSA)["n"], "e": None},
        {"kty": "RSA", "kid": "k", "n": "ü", "e": "AQAB"},
        entry(RSA, use="enc"),
        entry(RSA, use=3),
        entry(RSA, key_ops=["encrypt"]),
        entry(RSA, key_ops="verify"),
        entry(RSA, kid=3),
        {**OctKey.generate_key(256).as_dict(private=True), "kid": "k"},
        weak(),
    ],
)
def test_unusable_key_is_left_out(bad: object) -> None:
    """And spoils no other (RFC 7517, section 5)."""
    assert found(bad) == 0
    assert found(bad, entry(RSA, kid="good"), kid="good") == 1


@pytest.mark.parametrize(
    ("bad", "algorithm"),
    [
        (entry(EC, crv="P-384"), "ES256"),
        (entry(EC, x="AAAA"), "ES256"),
        (entry(ECKey.generate_key("P-384")), "ES256"),
        (entry(ECKey.generate_key("secp256k1")), "ES256"),
        (entry(OKPKey.generate_key("Ed448")), "EdDSA"),
        (entry(OKPKey.generate_key("X25519")), "EdDSA"),
        (entry(ED, x="AAAA"), "EdDSA"),
    ],
)
def test_key_of_another_curve_is_for_none_of_ours(bad: object, algorithm: str) -> None:
    assert found(bad, algorithm=algorithm) == 0


def test_huge_key_is_left_out() -> None:
    """Checking its signatures would take seconds."""
    assert found({"kty": "RSA", "kid": "k", "n": "w" * 2000, "e": "AQAB"}) == 0


def test_private_key_is_taken_as_a_public_one() -> None:
    """An issuer that publishes it has worse troubles, but we don't keep it."""
    [key] = Keys.read({"keys": [{**RSA.as_dict(private=True), "kid": "k"}]}).find(kid="k", algorithm="RS256")

    assert not key.is_private


@pytest.mark.parametrize("fields", [{}, {"keys": None}, {"keys": {"a": 1}}, {"keys": []}])
def test_anything_else_is_a_set_of_none(fields: dict[str, object]) -> None:
    assert Keys.read(fields).find(kid=None, algorithm="RS256") == []


def test_set_is_read_to_a_bound() -> None:
    assert found(*[entry(RSA, kid=str(number)) for number in range(100)], entry(EC), algorithm="ES256") == 0
