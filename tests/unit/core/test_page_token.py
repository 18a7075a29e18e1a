from __future__ import annotations

import base64

import pytest

from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.errors import InvalidRequest
from grpc_chat.wire import chat_pb2 as pb

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


# Pages


NAMES = ["a", "b", "c", "d", "e", "f", "g"]


def listed(pages: Pages, size: int, *, names: list[str] | None = None) -> list[list[str]]:
    """All pages of a listing, as a client reads them."""
    names = NAMES if names is None else names
    found: list[list[str]] = []
    request = pb.ListUsersRequest(page_size=size)
    while True:
        page = pages.open("ListUsers", request)
        after = [name for name in names if name > page.after][: page.limit]
        found.append(page.cut(after))
        request.page_token = page.next(after, lambda name: name)
        if not request.page_token:
            return found


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (8, [7]), (0, [4, 3]), (6, [6, 1]), (1000, [7])],
)
def test_pages_together_are_the_listing(size: int, sizes: list[int]) -> None:
    """Each entry once, the last page without a token, and no empty page after a full one."""
    found = listed(Pages(PageTokens(SECRET), page=4, max_page=7), size)

    assert [name for page in found for name in page] == NAMES
    assert [len(page) for page in found] == sizes


def test_listing_of_nothing_is_one_empty_page() -> None:
    """There is no page after it."""
    assert listed(Pages(PageTokens(SECRET)), 0, names=[]) == [[]]


def test_size_of_a_page_is_what_is_asked_for_within_bounds() -> None:
    """By default 50, and at most 500, as chat.proto says."""
    pages = Pages(PageTokens(SECRET))

    assert [pages.size(asked) for asked in (0, 1, 500, 501, 2**31 - 1)] == [50, 1, 500, 500, 500]
    assert [pages.size(asked, times=2) for asked in (0, 501, 1001)] == [50, 501, 1000]


def test_page_of_another_listing_is_refused() -> None:
    """What was asked for is part of the listing."""
    pages = Pages(PageTokens(SECRET))
    token = pages.tokens.make("ListUsers a", "x")

    with pytest.raises(InvalidRequest):
        pages.open("ListUsers b", pb.ListUsersRequest(page_token=token))


def test_page_after_a_time_goes_on_after_time_and_id() -> None:
    """Ids may hold anything, spaces included."""
    pages = Pages(PageTokens(SECRET), page=1)
    first = pages.open("ListSessions", pb.ListSessionsRequest())
    assert first.after_time is None

    token = first.next(["17 an id", "16 x"], lambda key: key)

    assert pages.open("ListSessions", pb.ListSessionsRequest(page_token=token)).after_time == (17, "an id")
