from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grpc_chat.store.mark import Mark


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.mark"


@pytest.fixture
def mark(path: Path) -> Iterator[Mark]:
    made = Mark(path)
    yield made
    made.close()


def test_new_mark_says_nothing(mark: Mark) -> None:
    """Nothing was acknowledged yet."""
    assert mark.read() is None


@pytest.mark.parametrize("seq", [1, 2**63 - 1])
@pytest.mark.parametrize("room_id", ["r1", "Ö 世界 😀", "x" * 64, "y" * 5000])
def test_mark_remembers_the_event_written_last(mark: Mark, path: Path, room_id: str, seq: int) -> None:
    """Whatever was written before, longer or shorter, in this process or another."""
    for other in ("a much longer name " * 400, "r"):
        mark.write(other, 7)
        mark.write(room_id, seq)

        assert mark.read() == (room_id, seq)
    again = Mark(path)
    assert again.read() == (room_id, seq)
    again.close()


def test_mark_that_is_torn_says_nothing(mark: Mark, path: Path) -> None:
    """Any byte that is another, and any end that is missing, is noticed: it is never wrong."""
    mark.write("general", 123_456)
    whole = path.read_bytes()
    torn = [whole[:end] for end in range(len(whole))]
    torn += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]

    for content in torn:
        path.write_bytes(content)
        assert mark.read() is None


def test_mark_half_overwritten_is_the_old_or_the_new_or_nothing(mark: Mark, path: Path) -> None:
    """A crash in the middle of a write does not make up a third."""
    mark.write("general", 1000)
    old = path.read_bytes()
    mark.write("general", 1001)
    new = path.read_bytes()

    for at in range(len(old) + 1):
        path.write_bytes(new[:at] + old[at:])
        assert mark.read() in (("general", 1000), ("general", 1001), None)
