from __future__ import annotations

import base64

import pytest

from grpc_chat.core.page_token import PageTokens
from grpc_chat.errors import InvalidRequest

SECRET = bytes(range(32))
PLACES = ["x", "general", "after_seq 17", "Ö 世界 😀", "y" * 64, "z" * 300]


@pytest.mark.parametrize("place", PLACES)
def test_token_stands_for_its_place(place: str) -> None:
    """Also in another process, as long as the secret is the same."""
    token = PageTokens(SECRET).make("ListRooms alice", place)

    assert PageTokens(SECRET).read("ListRooms alice", token) == place
    assert token.isascii()


def test_token_of_the_longest_place_is_short() -> None:
    """It fits into what a request may hold, with the longest id there is."""
    assert len(PageTokens(SECRET).make("ListRooms alice", "y" * 64)) <= 256


def test_token_does_not_show_its_place() -> None:
    """Nobody can rely on what is in it, because nobody can read it."""
    token = PageTokens(SECRET).make("ListRooms alice", "general")

    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"general" not in raw
    other = PageTokens(SECRET).make("ListRooms alice", "generam")
    assert token[14:] != other[14:]


@pytest.mark.parametrize(
    "listing", ["ListRooms bob", "ListMembers alice", "ListRooms", "ListRooms alice ", ""]
)
def test_token_of_another_listing_is_refused(listing: str) -> None:
    """It is good for the listing that it was given out for, and for nothing else."""
    tokens = PageTokens(SECRET)
    token = tokens.make("ListRooms alice", "general")

    with pytest.raises(InvalidRequest) as refused:
        tokens.read(listing, token)

    assert refused.value.field == "page_token"
    assert "start again without it" in str(refused.value)


def test_token_of_another_server_is_refused() -> None:
    """Its secret is another."""
    token = PageTokens(bytes(32)).make("ListRooms alice", "general")

    with pytest.raises(InvalidRequest):
        PageTokens(SECRET).read("ListRooms alice", token)


def test_token_that_is_changed_anywhere_is_refused() -> None:
    """Each character counts, and so does the length."""
    tokens = PageTokens(SECRET)
    token = tokens.make("ListRooms alice", "general")
    changed = [
        token[:at] + other + token[at + 1 :]
        for at in range(len(token))
        for other in "Ab9-_"
        if other != token[at]
    ]
    changed += [token[:end] for end in range(len(token))]
    changed += [token + more for more in ("A", "AAAA", "=", "==", "\n", " ")]
    changed += [token.replace(token[0], token[0].swapcase(), 1) if token[0].isalpha() else "A" + token[1:]]

    for other in changed:
        with pytest.raises(InvalidRequest):
            tokens.read("ListRooms alice", other)


@pytest.mark.parametrize(
    "token", ["", "x", "general", "💥", "\0", "a" * 1000, "====", "AAAAAAAAAAAAAAAAAAAA"]
)
def test_token_that_was_made_up_is_refused(token: str) -> None:
    """Whatever is given as one, the answer is a sentence."""
    with pytest.raises(InvalidRequest):
        PageTokens(SECRET).read("ListRooms alice", token)
