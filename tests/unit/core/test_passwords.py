from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from grpc_chat.core.passwords import MAX_BYTES, MIN_BYTES, Passwords, check_password
from grpc_chat.errors import InvalidRequest, LimitExceeded

GOOD = "correct horse battery staple"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """With as little work as there can be."""
    made = Passwords(memory_kib=8, passes=1, max_waiting=3)
    yield made
    made.close()


# Hashing


async def test_password_is_known_by_its_hash(passwords: Passwords) -> None:
    """And no other is."""
    password_hash = await passwords.hash(GOOD)

    assert password_hash.startswith("$argon2id$")
    assert GOOD not in password_hash
    assert await passwords.verify(GOOD, password_hash)
    for wrong in (GOOD + " ", GOOD.upper(), GOOD[:-1], "", password_hash):
        assert not await passwords.verify(wrong, password_hash)


async def test_same_password_has_another_hash_each_time(passwords: Passwords) -> None:
    """Nobody sees in the database that two users have the same."""
    assert await passwords.hash(GOOD) != await passwords.hash(GOOD)


@pytest.mark.parametrize(
    ("typed", "again"), [("caf\u00e9 creme", "cafe\u0301 creme"), ("\ufb01nest hour", "finest hour")]
)
async def test_password_is_the_same_on_every_keyboard(passwords: Passwords, typed: str, again: str) -> None:
    """One writes é as one character, and another as two."""
    assert await passwords.verify(again, await passwords.hash(typed))


async def test_nobody_s_password_takes_the_same_work(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no account, the password is compared with something all the same, and is wrong."""
    compared: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, password_hash: Any, password: Any) -> bool:
        compared.append(password_hash)
        return verify(self, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    real = await passwords.hash(GOOD)

    assert await passwords.verify(GOOD, real)
    assert not await passwords.verify(GOOD, None)

    first, second = compared
    assert first == real
    # Of the same algorithm and settings, up to the salt.
    assert second.rpartition("$")[0].rpartition("$")[0] == real.rpartition("$")[0].rpartition("$")[0]


@pytest.mark.parametrize(
    "broken", ["", "plain", "$argon2id$", "$2b$12$abc", "$argon2id$v=19$m=8,t=1,p=1$x$y"]
)
async def test_hash_that_cannot_be_read_is_nobody_s(passwords: Passwords, broken: str) -> None:
    """The answer is no, and not a mistake of the server."""
    assert not await passwords.verify(GOOD, broken)


async def test_hash_made_with_other_settings_is_outdated(passwords: Passwords) -> None:
    """It is still good, and is made anew at the next login."""
    stronger = Passwords(memory_kib=16, passes=1)
    password_hash = await passwords.hash(GOOD)

    assert not passwords.outdated(password_hash)
    assert stronger.outdated(password_hash)
    assert await stronger.verify(GOOD, password_hash)
    stronger.close()


async def test_more_than_may_wait_are_refused(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with how long to wait; those that were taken are carried out, and then there is room again."""
    gate = threading.Event()
    monkeypatch.setattr(PasswordHasher, "hash", lambda *_: str(gate.wait(20)))
    taken = [asyncio.create_task(passwords.hash(GOOD)) for _ in range(4)]
    await asyncio.sleep(0)
    assert passwords.waiting == 4

    with pytest.raises(LimitExceeded) as refused:
        await passwords.hash(GOOD)
    with pytest.raises(LimitExceeded):
        await passwords.verify(GOOD, None)

    assert refused.value.retry_after == timedelta(seconds=2)
    gate.set()
    assert await asyncio.gather(*taken) == ["True"] * 4
    assert passwords.waiting == 0
    assert await passwords.hash(GOOD) == "True"


# What can be one


@pytest.mark.parametrize(
    "password",
    ["12345678", "ünïcödé", "a b c d e", "x" * 1023 + "y", "\x1b[31mred", "😀😁", "\0\1\2\3\4\5\6\7"],
)
def test_password_is_long_and_anything(password: str) -> None:
    """No rule says which characters there must be, or must not."""
    check_password(password, "alice", "password")


@pytest.mark.parametrize(
    ("password", "metadata"),
    [
        ("", {"minBytes": "8"}),
        ("1234567", {"minBytes": "8"}),
        ("ééé", {"minBytes": "8"}),
        ("x" * 1024 + "y", {"maxBytes": "1024"}),
        ("é" * 512 + "x", {"maxBytes": "1024"}),
        ("alice-in-w", {}),
        ("Alice-In-W", {}),
        ("alice-in-walice-in-w", {}),
        ("w-ni-ecila", {}),
        ("xxxxxxxxxxxx", {}),
    ],
)
def test_password_that_is_guessed_first_is_refused(password: str, metadata: dict[str, str]) -> None:
    """Too short or too long in bytes, the user id in its several ways, or one key held down."""
    with pytest.raises(InvalidRequest) as refused:
        check_password(password, "alice-in-w", "new_password")

    assert refused.value.field == "new_password"
    assert refused.value.metadata == metadata
    assert not password or password not in str(refused.value)
    assert (MIN_BYTES, MAX_BYTES) == (8, 1024)


async def test_nobodys_password_costs_what_somebodys_does() -> None:
    """What is compared where there is no account is a hash by the same settings, and no password's."""
    with closing(Passwords(memory_kib=8192, passes=3)) as passwords:
        somebodys = await passwords.hash("correct horse")

        assert not await passwords.verify("correct horse", None)

        *parameters, salt, digest = passwords._nobody.split("$")
        *same, other_salt, other_digest = somebodys.split("$")
        assert parameters == same
        assert (len(salt), len(digest)) == (len(other_salt), len(other_digest))
        # Argon2 takes it for one of its own, rather than refusing it for its form, which would be quick.
        with pytest.raises(VerifyMismatchError):
            passwords._hasher.verify(passwords._nobody, b"anything")
