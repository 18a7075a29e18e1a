"""A test of many values fails where one of them does, and says which."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.looped import each


def test_every_value_is_tried_and_the_one_that_fails_is_named() -> None:
    """With its fixtures, in order."""
    tried = []

    @each("number", [1, 2, 3], ids="number {}".format)
    def numbers(tmp: str, number: int) -> None:
        tried.append((tmp, number))
        assert number != 2

    assert [*inspect.signature(numbers).parameters] == ["tmp"]
    with pytest.raises(AssertionError) as failed:
        numbers(tmp="a")
    assert failed.value.__notes__ == ["number: number 2"]
    assert tried == [("a", 1), ("a", 2)]


def test_values_may_be_several_and_the_test_a_coroutine() -> None:
    """And stand one above the other: all with all."""
    tried = []

    @each(("a", "b"), [(1, 2), (3, 4)])
    @each("c", "xy")
    async def numbers(a: int, b: int, c: str) -> None:
        tried.append((a, b, c))
        assert (a, c) != (3, "y")

    with pytest.raises(AssertionError) as failed:
        asyncio.run(numbers())
    assert failed.value.__notes__ == ["c: 'y'", "a, b: (3, 4)"]
    assert tried == [(1, 2, "x"), (1, 2, "y"), (3, 4, "x"), (3, 4, "y")]


def test_a_test_of_nothing_is_none() -> None:
    """It would pass."""
    with pytest.raises(AssertionError, match="nothing to test"):
        each("number", [])
