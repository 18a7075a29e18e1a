from __future__ import annotations

import itertools

import pytest

from grpc_chat.errors import Unauthenticated
from grpc_chat.oidc.pending import Pending


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def numbered(*, clock: Clock, max_logins: int = 10) -> Pending[str]:
    numbers = itertools.count()
    return Pending(max_logins=max_logins, clock=clock, token=lambda size: f"{size}-{next(numbers)}")


def is_over(pending: Pending[str], handle: str) -> bool:
    try:
        pending.get(handle)
    except Unauthenticated:
        return True
    return False


def test_login_is_found_by_its_handle(clock: Clock) -> None:
    """Which is made of 32 random bytes, and is not kept."""
    pending = numbered(clock=clock)

    first, second = pending.add("a", seconds=1), pending.add("b", seconds=1)

    assert (first, second) == ("32-0", "32-1")
    assert (pending.get(first), pending.get(second)) == ("a", "b")
    assert "32-0" not in repr(vars(pending)["_entries"])


def test_handles_are_random() -> None:
    """As the system makes them: 256 bits, base64url."""
    pending: Pending[str] = Pending(clock=Clock())

    handles = {pending.add("a", seconds=1) for _ in range(100)}

    assert len(handles) == 100
    assert {len(handle) for handle in handles} == {43}


@pytest.mark.parametrize("handle", ["", "32-1", "32-0 ", "32-0\0", "\ud800", "x" * 100_000])
def test_other_handles_find_nothing(clock: Clock, handle: str) -> None:
    pending = numbered(clock=clock)
    pending.add("a", seconds=1)

    assert is_over(pending, handle)


def test_login_that_takes_too_long_is_over(clock: Clock) -> None:
    """To the moment; and it no longer takes a place."""
    pending = numbered(clock=clock)
    handle = pending.add("a", seconds=10)

    clock.now = 9.9
    assert not is_over(pending, handle)
    clock.now = 10
    assert is_over(pending, handle)
    assert len(pending) == 0


def test_ended_login_is_over(clock: Clock) -> None:
    """Once and for all, unless it is brought back."""
    pending = numbered(clock=clock)
    handle = pending.add("a", seconds=10)

    pending.end(handle)

    assert is_over(pending, handle)
    assert len(pending) == 0


def test_login_that_is_brought_back_has_no_more_time_than_before(clock: Clock) -> None:
    pending = numbered(clock=clock)
    handle = pending.add("a", seconds=10)

    clock.now = 5
    pending.end(handle)()
    assert pending.get(handle) == "a"
    clock.now = 10
    assert is_over(pending, handle)


def test_nothing_is_brought_back_where_nothing_was(clock: Clock) -> None:
    pending = numbered(clock=clock)

    pending.end("nobody's")()

    assert len(pending) == 0


def test_bringing_back_what_is_too_old_leaves_nothing(clock: Clock) -> None:
    pending = numbered(clock=clock)
    handle = pending.add("a", seconds=10)
    bring_back = pending.end(handle)

    clock.now = 10
    bring_back()

    assert len(pending) == 0


def test_oldest_login_gives_way_when_there_are_too_many(clock: Clock) -> None:
    """New ones are not kept out by those that nobody finishes."""
    pending = numbered(clock=clock, max_logins=3)
    handles = [pending.add(str(number), seconds=10) for number in range(5)]

    assert [is_over(pending, handle) for handle in handles] == [True, True, False, False, False]
    assert len(pending) == 3


def test_old_logins_make_room_before_there_are_too_many(clock: Clock) -> None:
    pending = numbered(clock=clock)
    for _ in range(5):
        pending.add("a", seconds=10)

    clock.now = 10
    pending.add("b", seconds=10)

    assert len(pending) == 1
