from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpc_chat.store.mark import Acknowledged, Mark


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


@pytest.mark.parametrize(
    "what", [Acknowledged("r1", 1), Acknowledged("y" * 5000, 2**63 - 1, 2**63 - 1, "e" * 64)]
)
def test_mark_remembers_what_was_written_last(mark: Mark, path: Path, what: Acknowledged) -> None:
    """Whatever was written before, longer or shorter, in this process or another."""
    others = [
        Acknowledged("a much longer name " * 400, 7, 3, "epoch"),
        Acknowledged("Ö 世界 😀", 8),
        Acknowledged(),
    ]
    for other in others:
        mark.write(other)
        mark.write(what)

        assert mark.read() == what
    again = Mark(path)
    assert again.read() == what
    again.close()


def test_mark_that_is_torn_says_less(mark: Mark, path: Path) -> None:
    """Any byte that is another, and any end that is missing, is noticed: it is never wrong."""
    whole = Acknowledged("general", 123_456, 99, "0011223344556677")
    event_alone = Acknowledged("general", 123_456)
    mark.write(whole)
    written = path.read_bytes()
    torn = [written[:end] for end in range(len(written))]
    torn += [written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :] for at in range(len(written))]

    found = []
    for content in torn:
        path.write_bytes(content)
        found.append(mark.read())

    assert set(found) == {None, event_alone}


def test_mark_half_overwritten_is_the_old_or_the_new_or_less(mark: Mark, path: Path) -> None:
    """A crash in the middle of a write does not make up a third."""
    before, after = Acknowledged("general", 1000, 5, "epoch"), Acknowledged("general", 1001, 6, "epoch")
    mark.write(before)
    old = path.read_bytes()
    mark.write(after)
    new = path.read_bytes()

    for at in range(len(old) + 1):
        path.write_bytes(new[:at] + old[at:])
        assert mark.read() in (
            before,
            after,
            before._replace(others=0, epoch=""),
            after._replace(others=0, epoch=""),
            None,
        )


def older(room_id: bytes, seq: int) -> bytes:
    """What versions before 0.2 write."""
    rest = struct.pack(">QH", seq, len(room_id)) + room_id
    return struct.pack(">I", zlib.crc32(rest)) + rest


def test_mark_of_an_older_version_tells_of_its_event(mark: Mark, path: Path) -> None:
    """Also where that version wrote into a newer one's file; what else is in it is out of date then."""
    path.write_bytes(older(b"general", 5))
    assert mark.read() == Acknowledged("general", 5)

    mark.write(Acknowledged("general", 6, 3, "epoch"))
    with path.open("r+b") as file:
        assert file.read().startswith(older(b"general", 6))
        file.seek(0)
        file.write(older(b"general", 7))
    assert mark.read() == Acknowledged("general", 7)


@pytest.mark.parametrize("room_id", [b"\xff", b"\xed\xa0\x80", b"caf\xe9"])
def test_mark_that_is_no_text_says_nothing(mark: Mark, path: Path, room_id: bytes) -> None:
    """Its checksum may be right all the same."""
    path.write_bytes(older(room_id, 5))

    assert mark.read() is None
