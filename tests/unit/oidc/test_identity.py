from __future__ import annotations

import pytest

from grpc_chat.errors import Unauthenticated
from grpc_chat.oidc.identity import Identity


def identity(user_id_claim: str = "preferred_username", **claims: object) -> Identity:
    given = {"iss": "https://id.example.com", "sub": "1", **claims}
    return Identity.of(given, provider="example", user_id_claim=user_id_claim)


def test_claims_become_an_identity() -> None:
    found = identity(preferred_username="alice", name="Alice", email="a@example.com", email_verified=True)

    assert found == Identity(
        "example", "https://id.example.com", "1", "alice", "Alice", "a@example.com", True
    )


def test_subject_is_all_that_has_to_be_there() -> None:
    assert identity() == Identity("example", "https://id.example.com", "1")


@pytest.mark.parametrize("sub", [None, "", 1, ["1"], True, "a" * 256, "a\nb", "a\0", "\ud800", "a\x1b[31m"])
def test_subject_that_is_none_is_refused(sub: object) -> None:
    """At most 255 characters (OpenID Connect Core, section 2), all of them visible."""
    with pytest.raises(Unauthenticated):
        identity(sub=sub)


@pytest.mark.parametrize("sub", ["a" * 255, "Ünïcode", "a b", "00u1|x"])
def test_subject_is_taken_as_it_is(sub: str) -> None:
    assert identity(sub=sub).subject == sub


@pytest.mark.parametrize("name", [1, None, ["a"], {"a": 1}, "a\nb", "\x1b[2J", "a" * 256])
def test_claim_that_is_no_text_counts_as_absent(name: object) -> None:
    """It is only a proposal."""
    found = identity(name=name, preferred_username=name, email=name, email_verified=True)

    assert found == identity()


def test_names_of_the_world_are_names() -> None:
    """Those that need a zero-width non-joiner too."""
    assert identity(name="علی‌رضا 😀").name == "علی‌رضا 😀"


@pytest.mark.parametrize("verified", [None, "true", 1, [True]])
def test_only_true_verifies_an_address(verified: object) -> None:
    assert not identity(email="a@example.com", email_verified=verified).email_verified


def test_user_id_comes_from_the_claim_that_the_settings_name() -> None:
    assert identity("nickname", nickname="al", preferred_username="alice").preferred_username == "al"
    assert identity("nickname", preferred_username="alice").preferred_username == ""
