"""Connections that cause much work for nothing go on one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from grpc_chat.transport.slow_lane import SlowLane


class Loop:
    """Runs what is due when it is told to."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Loop:
        assert seconds > 0
        self.due.append(call)
        return self

    def cancel(self) -> None:
        self.due.clear()

    def turn(self) -> None:
        due, self.due = self.due, []
        assert len(due) == 1
        due[0]()


class Connection:
    """Has so many pieces of work."""

    def __init__(self, name: str, pieces: int, lane: SlowLane, done: list[str]) -> None:
        self.name, self.pieces, self.lane, self.done = name, pieces, lane, done

    def go_on(self) -> None:
        self.done.append(self.name)
        self.pieces -= 1
        if self.pieces:
            self.lane.take(self)


def test_all_have_their_turns() -> None:
    """One piece of one connection each time, and nobody is left over."""
    loop, done = Loop(), list[str]()
    lane = SlowLane(cast("Any", loop))
    for name, pieces in (("a", 3), ("b", 1), ("c", 2)):
        lane.take(Connection(name, pieces, lane, done))
    while loop.due:
        before = len(done)
        loop.turn()
        assert len(done) == before + 1
    assert done == ["a", "b", "c", "a", "c", "a"]
    lane.take(Connection("d", 1, lane, done))
    loop.turn()
    assert done[-1] == "d"
    assert not loop.due


def test_none_goes_on_after_the_stop() -> None:
    loop, done = Loop(), list[str]()
    lane = SlowLane(cast("Any", loop))
    lane.take(Connection("a", 1, lane, done))
    lane.stop()
    assert not loop.due
    assert not done
