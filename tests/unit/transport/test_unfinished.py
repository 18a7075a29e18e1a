from __future__ import annotations

from grpc_chat.transport.unfinished import Unfinished


class Parked:
    """Drops what it holds when it is told to."""

    def __init__(self, unfinished: Unfinished) -> None:
        self.unfinished = unfinished
        self.told = 0

    def give_way(self) -> None:
        self.told += 1
        # As those do that are over then.
        self.unfinished.hold(self, 0)


def test_what_began_first_gives_way() -> None:
    """However little of it came last, and as many as it takes."""
    unfinished = Unfinished(100)
    first, second, third = (Parked(unfinished) for _ in range(3))
    unfinished.hold(first, 10)
    unfinished.hold(second, 60)
    unfinished.hold(first, 40)
    assert (unfinished.octets, unfinished.dropped) == (100, 0)

    unfinished.hold(third, 41)

    assert [each.told for each in (first, second, third)] == [1, 1, 0]
    assert (unfinished.octets, unfinished.dropped) == (41, 2)


def test_what_is_too_much_by_itself_gives_way() -> None:
    unfinished = Unfinished(100)
    only = Parked(unfinished)
    unfinished.hold(only, 101)

    assert only.told == 1
    assert unfinished.octets == 0


def test_what_came_to_its_end_counts_for_nothing() -> None:
    """Also of those who never held anything."""
    unfinished = Unfinished(100)
    one, other = Parked(unfinished), Parked(unfinished)
    unfinished.hold(one, 70)
    unfinished.hold(one, 0)
    unfinished.hold(other, 0)
    assert unfinished.octets == 0
    unfinished.hold(other, 70)

    assert not one.told
    assert not other.told
