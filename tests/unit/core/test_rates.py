from __future__ import annotations

from datetime import timedelta

import pytest

from grpc_chat.core.caller import Caller
from grpc_chat.core.rates import Adds, Rate
from grpc_chat.errors import RateLimited, UserNotFound


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(rate: Rate, user: str = "alice") -> int:
    """How many calls are let through."""
    count = 0
    try:
        while count < 1000:
            rate.take(user)
            count += 1
    except RateLimited:
        pass
    return count


def test_user_may_make_a_burst_of_calls_and_then_so_many_a_second() -> None:
    """What was not used is saved up to the burst, and no further."""
    clock = Clock()
    rate = Rate(per_second=8, burst=5, clock=clock)

    assert taken(rate) == 5
    clock.now += 3 / 8
    assert taken(rate) == 3
    clock.now += 1 / 16
    assert taken(rate) == 0
    clock.now += 1 / 16
    assert taken(rate) == 1
    clock.now += 3600
    assert taken(rate) == 5


def test_refusal_says_when_to_come_back() -> None:
    """A user who waits that long is let through; one who does not is refused."""
    clock = Clock()
    rate = Rate(per_second=4, burst=1, clock=clock)
    rate.take("alice")

    with pytest.raises(RateLimited) as refused:
        rate.take("alice")

    assert refused.value.retry_after == timedelta(seconds=0.25)
    assert refused.value.retryable
    assert "4 calls a second" in str(refused.value)
    clock.now += 0.2499
    assert taken(rate) == 0
    clock.now += 0.0001
    assert taken(rate) == 1


def test_whoever_asks_again_and_again_gets_no_more() -> None:
    """What has come back since a call that was refused counts once, however often it is asked for."""
    clock = Clock()
    rate = Rate(per_second=1, burst=1, clock=clock)
    let_through = 0
    for _ in range(100):
        let_through += taken(rate)
        clock.now += 1 / 8

    assert let_through == 13


def test_users_do_not_share_their_calls() -> None:
    """One that is refused takes nothing from another."""
    rate = Rate(per_second=10, burst=3, clock=Clock())

    assert taken(rate, "alice") == 3
    assert taken(rate, "bob") == 3


def test_rate_of_zero_is_no_limit() -> None:
    """As the setting says."""
    assert taken(Rate(per_second=0, burst=1, clock=Clock())) == 1000


def test_only_so_many_users_are_remembered() -> None:
    """The one that was quiet longest is forgotten, and that is to its advantage."""
    rate = Rate(per_second=1, burst=1, clock=Clock(), max_users=2)
    for user in ("alice", "bob", "alice", "carol"):
        taken(rate, user)

    assert [taken(rate, user) for user in ("carol", "alice")] == [0, 0]
    assert taken(rate, "bob") == 1


def test_what_is_given_back_can_be_taken_again() -> None:
    """And never makes more than a burst."""
    rate = Rate(per_second=1, burst=2, clock=Clock())
    assert taken(rate) == 2

    rate.give_back("alice")
    rate.give_back("bob")

    assert (taken(rate), taken(rate, "bob")) == (1, 2)
    for _ in range(5):
        rate.give_back("alice")
    assert taken(rate) == 2


ALICE, BOB = Caller("alice", "phone"), Caller("bob", "phone")


def reach(adds: Adds, caller: Caller = ALICE) -> bool:
    """Whether somebody may be reached."""
    try:
        with adds.one(caller) as reaching:
            reaching.use()
    except RateLimited:
        return False
    return True


def fail(adds: Adds) -> None:
    """Be about to reach somebody, and come to nothing."""
    with adds.one(ALICE) as reaching:
        reaching.use()
        raise UserNotFound("nobody")


def test_people_are_reached_at_a_rate_and_bots_count_for_their_owner() -> None:
    """Who is refused is told how long to wait."""
    clock = Clock()
    adds = Adds(per_second=0.5, burst=3, clock=clock)
    robot = Caller("robot", "run", owner_id="alice")

    assert [reach(adds, caller) for caller in (ALICE, robot, ALICE, robot, ALICE)] == [True] * 3 + [False] * 2
    assert reach(adds, BOB)
    with pytest.raises(RateLimited, match="30 a minute") as refused, adds.one(robot) as reaching:
        reaching.use()
    assert refused.value.retry_after == timedelta(seconds=2)
    clock.now += 2
    assert [reach(adds, robot), reach(adds)] == [True, False]


def test_what_reaches_nobody_or_fails_counts_for_nothing() -> None:
    """However often it is asked, even by somebody who may no longer reach anybody."""
    adds = Adds(per_second=1, burst=2, clock=Clock())
    for _ in range(5):
        with adds.one(ALICE):
            pass
        with pytest.raises(UserNotFound):
            fail(adds)

    assert [reach(adds) for _ in range(3)] == [True, True, False]
    with adds.one(ALICE):
        pass
    assert not reach(adds)


def test_those_on_their_way_count() -> None:
    """Many at once are no way past the rate."""
    adds = Adds(per_second=1, burst=2, clock=Clock())

    with adds.one(ALICE) as first, adds.one(ALICE) as second:
        with pytest.raises(RateLimited), adds.one(ALICE) as third:
            third.use()
        first.use()
        # The transaction is done again.
        first.use()
        del second

    assert [reach(adds), reach(adds)] == [True, False]
