"""The words that programs choose between, at run time and for type checkers.

Each ``type: ignore`` here is a mistake that a type checker has to find: `make check` fails where it does not,
because mypy is told to complain of those that nothing needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

import grpc_chat as chat
from grpc_chat.sdk import choices
from grpc_chat.sdk.choices import AnyAudience, AnyHistory, AnyPosting, AnyRole, AnyScope, Choice

CLIENT = chat.Client("localhost:1")
ROLES = "role must be one of reader, member, admin, owner, not "
HISTORIES = "history must be one of all, since_join, not "
POSTINGS = "posting must be one of members, admins, not "
SCOPES = "scopes must be one of read, write, admin, not "
AUDIENCES = "must be one of anyone, shared_room, nobody, not "

MISTAKES: list[tuple[Callable[[], Awaitable[object]], str]] = [
    (lambda: CLIENT.create_room("a", history="since-join"), HISTORIES + "since-join"),  # type: ignore[arg-type]
    (lambda: CLIENT.create_room("a", posting="nobody"), POSTINGS + "nobody"),  # type: ignore[arg-type]
    (lambda: CLIENT.create_room("a", history=chat.Role.ADMIN), HISTORIES + "admin"),  # type: ignore[arg-type]
    (lambda: CLIENT.update_room("a", history="none"), HISTORIES + "none"),  # type: ignore[arg-type]
    (lambda: CLIENT.update_room("a", posting=""), POSTINGS),  # type: ignore[arg-type]
    (lambda: CLIENT.set_role("a", "bob", "king"), ROLES + "king"),  # type: ignore[arg-type]
    (lambda: CLIENT.add_member("a", "bob", role=""), ROLES),  # type: ignore[arg-type]
    (lambda: CLIENT.create_invite("a", role="guest"), ROLES + "guest"),  # type: ignore[arg-type]
    (lambda: CLIENT.create_access_token("a", scopes=["all"]), SCOPES + "all"),  # type: ignore[list-item]
    (lambda: CLIENT.create_access_token("a", scopes="read"), SCOPES + "r"),  # type: ignore[arg-type]
    (lambda: CLIENT.update_profile(adding="all"), "adding " + AUDIENCES + "all"),  # type: ignore[arg-type]
    (lambda: CLIENT.update_profile(direct_messages="me"), AUDIENCES + "me"),  # type: ignore[arg-type]
]


async def test_word_that_is_none_is_refused_before_the_call() -> None:
    """The error names those that there are. Nobody is there to be called, which would be another error."""
    for mistake, sentence in MISTAKES:
        with pytest.raises(ValueError, match=sentence):
            await mistake()


def test_members_and_their_words_are_taken_however_they_are_written() -> None:
    """As they were when they were only strings."""
    for asked in ("owner", "OWNER", chat.Role.OWNER):
        assert choices.chosen(chat.Role, asked, "role") is chat.Role.OWNER


def test_arguments_take_each_member_as_a_word() -> None:
    """Type checkers know all of them, and no others."""
    words: list[tuple[type[Choice], Any]] = [
        (chat.Role, AnyRole),
        (chat.History, AnyHistory),
        (chat.Posting, AnyPosting),
        (chat.Scope, AnyScope),
        (chat.Audience, AnyAudience),
    ]

    for kind, taken in words:
        assert get_args(taken)[0] is kind
        assert set(get_args(get_args(taken)[1])) == set(kind)


def test_what_is_told_is_compared_as_it_always_was() -> None:
    """With strings, in sets and as keys, in matches and in text; and now with names that are checked."""
    member = chat.Member(chat.User("bob", "Bob"), chat.Role.OWNER, datetime.now(UTC))

    assert member.role == "owner"
    assert member.role in ("admin", "owner")
    assert {"owner": 1}[member.role] == 1
    assert f"{member.role} {member.role!s}" == "owner owner"
    assert member.role is chat.Role.OWNER
    match member.role:
        case "owner":
            pass
        case _:
            pytest.fail("a string is no longer the case of its member")
    with pytest.raises(AttributeError):
        member.role.KING  # type: ignore[attr-defined]  # noqa: B018
