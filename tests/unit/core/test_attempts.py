from __future__ import annotations

from datetime import timedelta

import pytest

from grpc_chat.core.attempts import AttemptLimits, Attempts, Kind
from grpc_chat.errors import RateLimited

WINDOW = 900.0
LIMITS = AttemptLimits(
    per_account_and_address=5, per_address=20, per_account=30, window=timedelta(seconds=WINDOW)
)
HOME, CAFE = "192.0.2.1", "198.51.100.7"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(LIMITS, clock=clock)


def failures(
    attempts: Attempts, account: str, address: str, most: int = 1000, kind: Kind = Kind.PASSWORD
) -> int:
    """How many attempts are let through that all fail."""
    for count in range(most):
        try:
            attempts.begin(account, address, kind)
        except RateLimited:
            return count
    return most


def succeed(attempts: Attempts, account: str, address: str) -> None:
    attempts.begin(account, address)()


# How many


def test_one_account_is_guessed_at_a_few_times_from_one_address(attempts: Attempts) -> None:
    """Then no more; another account, and another address, are not concerned."""
    assert failures(attempts, "alice", HOME) == 5

    assert failures(attempts, "bob", HOME) == 5
    assert failures(attempts, "alice", CAFE) == 5


def test_one_address_guesses_so_many_times_at_whatever_account(attempts: Attempts) -> None:
    """Whether it changes the account each time or not."""
    let_through = sum(failures(attempts, f"user{number}", HOME, 1) for number in range(50))
    assert let_through == 20

    assert failures(attempts, "alice", HOME) == 0
    assert failures(attempts, "alice", CAFE) == 5


def test_each_kind_has_a_budget_of_its_own(attempts: Attempts) -> None:
    """Guessing at codes, or making one account after the other, keeps nobody there from logging in."""
    for kind in (Kind.INVITE, Kind.REGISTRATION, Kind.ISSUER):
        assert failures(attempts, "", HOME, kind=kind) == 20

    assert sum(failures(attempts, f"user{number}", HOME, 1) for number in range(50)) == 20
    for kind in (Kind.INVITE, Kind.REGISTRATION, Kind.ISSUER):
        assert failures(attempts, "", HOME, kind=kind) == 0
        assert failures(attempts, "", CAFE, kind=kind) == 20


def test_who_guesses_keeps_nobody_out_who_is_known_at_the_same_address(attempts: Attempts) -> None:
    """A school or a proxy is one address: for whom is known there, their own failures count alone."""
    succeed(attempts, "alice", HOME)
    assert sum(failures(attempts, f"user{number}", HOME, 1) for number in range(50)) == 20

    for _ in range(100):
        succeed(attempts, "alice", HOME)
    assert failures(attempts, "alice", HOME) == 5
    # Nor do those use up what strangers may; and the address is as full for them as before.
    assert failures(attempts, "bob", HOME) == 0
    attempts.know("bob", HOME)
    assert failures(attempts, "bob", HOME) == 5
    assert failures(attempts, "carol", HOME) == 0


def test_failures_of_those_who_are_known_are_not_their_addresss(attempts: Attempts) -> None:
    """Twenty devices with an old password in them leave a newcomer at their address alone."""
    for number in range(20):
        succeed(attempts, f"user{number}", HOME)
        assert failures(attempts, f"user{number}", HOME) == 5

    assert failures(attempts, "newcomer", HOME) == 5


def test_an_address_that_is_full_is_told(clock: Clock) -> None:
    """And only that: not where it is one account's failures that are too many."""
    told: list[str] = []
    attempts = Attempts(LIMITS, clock=clock, limited=told.append)
    failures(attempts, "alice", HOME)
    for number in range(30):
        failures(attempts, "bob", f"203.0.113.{number}", 2)
    assert not told

    failures(attempts, "", HOME)

    assert told == [HOME]


def test_one_account_is_guessed_at_so_many_times_from_all_addresses(attempts: Attempts) -> None:
    """However many addresses somebody has."""
    let_through = sum(failures(attempts, "alice", f"203.0.113.{number}", 1) for number in range(100))

    assert let_through == 30
    assert failures(attempts, "bob", "203.0.113.200") == 5


def test_who_guesses_keeps_nobody_out_from_where_they_were_before(attempts: Attempts) -> None:
    """From an address that the account was entered from, only that address's own failures count."""
    succeed(attempts, "alice", HOME)
    for number in range(100):
        failures(attempts, "alice", f"203.0.113.{number}", 1)

    assert failures(attempts, "alice", CAFE) == 0
    succeed(attempts, "alice", HOME)
    assert failures(attempts, "alice", HOME) == 5


def test_failures_from_a_known_address_do_not_count_against_the_account(attempts: Attempts) -> None:
    """A device with an old password in it locks out none of the others."""
    for number in range(10):
        address = f"203.0.113.{number}"
        succeed(attempts, "alice", address)
        failures(attempts, "alice", address)

    assert failures(attempts, "alice", CAFE) == 5


def test_success_is_no_failure(attempts: Attempts) -> None:
    """Any number of them, from anywhere; nor does it forgive the failures before it."""
    for number in range(1000):
        succeed(attempts, f"user{number % 7}", HOME)

    assert failures(attempts, "alice", HOME, 3) == 3
    succeed(attempts, "alice", HOME)
    assert failures(attempts, "alice", HOME) == 2


def test_attempts_at_once_are_counted_before_they_are_decided(attempts: Attempts) -> None:
    """A thousand at the same time are not all let through."""
    first = attempts.begin("alice", HOME)
    assert failures(attempts, "alice", HOME) == 4

    first()

    assert failures(attempts, "alice", HOME) == 1


# For how long


def test_failures_are_forgiven_evenly(attempts: Attempts, clock: Clock) -> None:
    """Half of them after half of the window, all after all of it, and no more than all."""
    assert failures(attempts, "alice", HOME) == 5

    clock.now += WINDOW / 5 - 0.01
    assert failures(attempts, "alice", HOME) == 0
    clock.now += 0.02
    assert failures(attempts, "alice", HOME) == 1
    clock.now += WINDOW / 5 * 3
    assert failures(attempts, "alice", HOME) == 3
    clock.now += 1000 * WINDOW
    assert failures(attempts, "alice", HOME) == 5


def test_refusal_says_how_long_to_wait(attempts: Attempts, clock: Clock) -> None:
    """A client that waits that long is let through; one that does not is refused."""
    failures(attempts, "alice", HOME)
    clock.now += 30

    with pytest.raises(RateLimited) as refused:
        attempts.begin("alice", HOME)

    assert refused.value.retry_after
    wait = refused.value.retry_after.total_seconds()
    assert wait == pytest.approx(WINDOW / 5 - 30)
    assert refused.value.retryable
    clock.now += wait - 0.01
    assert failures(attempts, "alice", HOME) == 0
    clock.now += 0.02
    assert failures(attempts, "alice", HOME) == 1


def test_refused_attempts_do_not_lengthen_the_wait(attempts: Attempts, clock: Clock) -> None:
    """Nor do they count against the address."""
    failures(attempts, "alice", HOME)
    for _ in range(1000):
        assert failures(attempts, "alice", HOME) == 0

    assert failures(attempts, "bob", HOME) == 5
    clock.now += WINDOW / 5
    assert failures(attempts, "alice", HOME) == 1


# Addresses


def test_all_addresses_of_one_network_of_ipv6_are_one(attempts: Attempts) -> None:
    """Who has one has 2⁶⁴ of them; the network beside it is somebody else's."""
    let_through = sum(failures(attempts, "alice", f"2001:db8::{number:x}", 1) for number in range(50))

    assert let_through == 5
    assert failures(attempts, "alice", "2001:db8:0:0:ffff:ffff:ffff:ffff") == 0
    assert failures(attempts, "alice", "2001:db8:0:1::1") == 5


def test_ipv4_within_ipv6_is_that_ipv4(attempts: Attempts) -> None:
    """However the socket spells it."""
    assert failures(attempts, "alice", HOME) == 5

    assert failures(attempts, "alice", f"::ffff:{HOME}") == 0
    assert failures(attempts, "alice", f"::ffff:{CAFE}") == 5


def test_what_is_no_address_is_taken_as_it_is(attempts: Attempts) -> None:
    """As for those on a Unix socket, who have none."""
    assert failures(attempts, "alice", "") == 5
    assert failures(attempts, "alice", "session x") == 5
    assert failures(attempts, "alice", "session y") == 5


# Memory


def test_only_so_much_is_remembered(clock: Clock) -> None:
    """The ones that were quiet longest are forgotten first."""
    attempts = Attempts(LIMITS, clock=clock, max_remembered=30)
    for number in range(1000):
        failures(attempts, f"user{number}", f"203.0.{number // 250}.{number % 250}", 1)
        succeed(attempts, f"friend{number}", f"203.0.{number // 250}.{number % 250}")

    assert len(attempts._buckets) <= 30
    assert len(attempts._known) <= 30
    # What happened just now is remembered all the same.
    assert failures(attempts, "user999", "203.0.3.249") == 4


def test_default_limits_hold(clock: Clock) -> None:
    """What docs/reference/configuration.md says."""
    attempts = Attempts(clock=clock)

    assert failures(attempts, "alice", HOME) == 10
    clock.now += 900
    assert failures(attempts, "alice", HOME) == 10
