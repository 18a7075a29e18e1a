"""The signals that wait for a stream's next response."""

from __future__ import annotations

import math

from grpc_chat.core.latest import Frame, Latest


def frame(
    room: str, user: str, data: bytes = b"x", *, kind: str = "typing", expires: float = math.inf
) -> Frame:
    return Frame((room, user, kind), data, expires)


def test_the_latest_of_a_user_room_and_kind_wins() -> None:
    """And is as new as it is: it goes behind what came before it."""
    latest = Latest()
    for data in (b"1", b"22", b"333"):
        latest.put(frame("r1", "ann", data))
        latest.put(frame("r1", "ben", b"b"))
    latest.put(frame("r2", "ann", b"other room"))
    latest.put(frame("r1", "ann", b"other kind", kind="waving"))
    latest.put(frame("r1", "ann", b"4"))

    assert (len(latest), latest.size, latest.dropped) == (4, len(b"b4other roomother kind"), 0)
    assert latest.take(0) == [b"b", b"other room", b"other kind", b"4"]
    assert (len(latest), latest.size) == (0, 0)
    assert latest.take(0) == []


def test_what_is_too_much_goes_and_the_oldest_first() -> None:
    """Whichever bound is met first. What is larger than all that may be held is not held at all."""
    few = Latest(entries=3, size=1000)
    small = Latest(entries=1000, size=3)
    for number in range(10_000):
        for latest in (few, small):
            latest.put(frame("r1", f"u{number}"))
            assert len(latest) <= 3
            assert latest.size <= 3

    assert few.dropped == small.dropped == 9_997
    small.put(frame("r1", "u9999", b"4444"))
    assert len(small) == 0
    few.put(frame("r1", "u9998", b"again"))
    few.put(frame("r1", "new"))
    assert few.take(0) == [b"x", b"again", b"x"]


def test_what_has_expired_is_not_handed_out() -> None:
    """A reader that comes back after a minute is not told that somebody was typing then."""
    latest = Latest()
    latest.put(frame("r1", "ann", b"typing", expires=6))
    latest.put(frame("r1", "ben", b"typing, too", expires=7))
    assert latest.take(6) == [b"typing, too"]
    assert len(latest) == 0


def test_a_room_is_forgotten() -> None:
    """Nothing of it is left, and nothing else goes with it."""
    latest = Latest()
    latest.put(frame("r1", "ann", b"1"))
    latest.put(frame("r2", "ann", b"22"))
    latest.put(frame("r1", "ben", b"333"))
    latest.forget("r1")
    latest.forget("r3")
    assert latest.size == 2
    assert latest.take(0) == [b"22"]
