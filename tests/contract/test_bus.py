"""What every bus does, and what none may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grpc_chat.bus.base import Bus, Hints
from grpc_chat.bus.local import LocalBus

Signal = tuple[str, bytes]


@pytest.fixture
def port() -> Callable[[], Bus]:
    """Makes one node's end of a bus, and another of the same bus, and so on."""
    return LocalBus().port


async def test_hints_and_signals_reach_the_others(port: Callable[[], Bus]) -> None:
    """Hints reach every other node; a signal those that follow its topic. Nobody is told of their own."""
    hints: dict[str, list[Hints]] = {"one": [], "two": [], "three": []}
    signals: dict[str, list[Signal]] = {"one": [], "two": [], "three": []}
    async with port() as one, port() as two, port() as three:
        for name, bus in (("one", one), ("two", two), ("three", three)):
            bus.listen(hints[name].append)
            bus.listen_to_signals(lambda *signal, name=name: signals[name].append(signal))
        for bus in (one, two):
            bus.follow("room:r 1.>*")
        one.publish({"r1": 3})
        one.signal("room:r 1.>*", b"typing")
        one.signal("room:other", b"nobody's")

    assert hints == {"one": [], "two": [{"r1": 3}], "three": [{"r1": 3}]}
    assert signals == {"one": [], "two": [("room:r 1.>*", b"typing")], "three": []}


async def test_interest_ends(port: Callable[[], Bus]) -> None:
    """A topic that is followed no longer, or was never followed, may be given up, in any order."""
    got: list[Signal] = []
    async with port() as one, port() as two:
        two.listen_to_signals(lambda *signal: got.append(signal))
        two.unfollow("a")
        two.follow("a")
        two.follow("a")
        one.signal("a", b"1")
        two.unfollow("a")
        one.signal("a", b"2")

    assert got == [("a", b"1")]


async def test_a_bus_that_ended_calls_nobody(port: Callable[[], Bus]) -> None:
    """Nor does it raise: what is said before or after it was connected is lost."""
    got: list[object] = []
    one, two = port(), port()
    two.listen(got.append)
    two.listen_to_signals(lambda *signal: got.append(signal))
    two.follow("a")
    one.publish({"r1": 1})
    async with two:
        pass
    async with one:
        one.publish({"r1": 2})
        one.signal("a", b"late")
        two.publish({"r1": 3})
        two.signal("a", b"later")

    assert got == []
