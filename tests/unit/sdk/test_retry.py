from __future__ import annotations

from datetime import timedelta

from grpc_chat import errors
from grpc_chat.errors import ChatError
from grpc_chat.sdk.retry import Backoff, worthwhile
from tests.looped import each

FIRST, MOST = timedelta(milliseconds=100), timedelta(seconds=10)


def waits(random: float, count: int, **settings: timedelta) -> list[float]:
    """The first waits in milliseconds, where chance always says this number."""
    backoff = Backoff(random=lambda: random, **settings)
    return [round(backoff.next() / timedelta(milliseconds=1), 3) for _ in range(count)]


@each(
    ("cls", "again"),
    [
        (errors.Unavailable, True),
        (errors.StoreUnavailable, True),
        (errors.ShuttingDown, True),
        (errors.RateLimited, True),
        (errors.StoreFull, True),
        # Nobody knows what became of it, so with the same ids it is as well sent again.
        (errors.Internal, True),
        (errors.LimitExceeded, False),
        (errors.Unauthenticated, False),
        (errors.PermissionDenied, False),
        (errors.InvalidRequest, False),
        (errors.MessageTooLong, False),
        (errors.NotFound, False),
        (errors.AlreadyExists, False),
        (errors.EpochChanged, False),
        (errors.ConsumerTakenOver, False),
        (errors.Unimplemented, False),
    ],
)
def test_what_is_worth_another_attempt(cls: type[ChatError], again: bool) -> None:
    """What may pass by itself, and what nobody knows the outcome of."""
    assert worthwhile(cls("x")) is again


def test_bound_of_the_wait_doubles_up_to_the_most() -> None:
    """With the worst of luck; and it stays there however often it fails."""
    assert waits(1, 9) == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
    assert waits(1, 2000)[-1] == 10_000


def test_wait_is_never_nothing() -> None:
    """With the best of luck it is a tenth: what fails at once must not spin."""
    assert waits(0, 4) == [10, 20, 40, 80]


def test_wait_is_anywhere_in_between() -> None:
    """So that clients do not come back together."""
    assert waits(0.5, 2) == [55, 110]
    seen = {Backoff().next() for _ in range(50)}
    assert len(seen) > 10
    assert all(FIRST / 10 <= wait <= FIRST for wait in seen)


def test_waits_are_what_was_asked_for() -> None:
    """First and most."""
    assert waits(1, 4, first=timedelta(seconds=1), most=timedelta(seconds=3)) == [1000, 2000, 3000, 3000]


def test_success_begins_anew() -> None:
    """The next failure is a first one."""
    backoff = Backoff(random=lambda: 1)
    backoff.next()
    backoff.next()
    assert backoff.failures == 2

    backoff.reset()

    assert backoff.failures == 0
    assert backoff.next() == FIRST


def test_wait_is_at_least_what_the_server_asked_for() -> None:
    """More where more is due, and also beyond our own most."""
    backoff = Backoff(random=lambda: 1)

    assert backoff.next(errors.RateLimited("x", retry_after=timedelta(milliseconds=20))) == FIRST
    assert backoff.next(errors.RateLimited("x", retry_after=timedelta(seconds=60))) == timedelta(seconds=60)
    assert backoff.next(errors.Unavailable("x")) == timedelta(milliseconds=400)
    assert backoff.next(None) == timedelta(milliseconds=800)
    assert backoff.failures == 4
    assert backoff.next(errors.Unavailable("x", retry_after=timedelta(0))) < MOST
