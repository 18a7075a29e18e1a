"""The interface of what keeps the index of search: segments, which never change once they are there.

It is derived from the logs. What is lost of it, or can't be read, is made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Part(NamedTuple):
    """What a segment has of one room: the messages in a stretch of its log."""

    room_id: str
    after_seq: int
    """The stretch begins after this number."""
    to_seq: int
    """And ends with this one."""
    start: int
    """The place of its first message in the segment; the others follow."""
    messages: int
    newest: int
    """The stamp of its last message; 0 where it has none."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some messages, by place from 0, and which of them have which grams."""

    number: int
    messages: int
    parts: Sequence[Part]
    """In the order of their places."""
    replaces: int = 0
    """The number of the segment with the same stretches that it is there for; 0 for none."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is kept of a segment on the disk alone."""

    seqs: bytes
    """For each message its number in its room, as int64, in this machine's order."""
    stamps: bytes
    """And its stamp, likewise."""
    blocks: Sequence[tuple[str, bytes]]
    """Grams and who has them, some in each, with the first gram of each, in order."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of an index."""

    segments: list[Segment] = field(default_factory=list)
    changed: list[tuple[str, int]] = field(default_factory=list)
    """Messages, by room and number, that are not as their segment has them."""


class Damaged(Exception):
    """The index can't be read or written. It has to be made again."""


class SegmentStore(Protocol):
    """Keeps segments. All methods block. :meth:`put` and :meth:`delete` are called by one thread at a time,
    the others by one thread at a time too, which may be another one.

    Each raises :class:`Damaged` where something is wrong with what is kept.
    """

    def load(self, epoch: str) -> Kept:
        """What is kept of the logs of this epoch; what is kept of another is removed."""

    def put(self, segment: Segment, contents: Contents, changed: Iterable[tuple[str, int]]) -> None:
        """Keep a segment, and that these messages have changed since theirs were made, and no others."""

    def delete(self, number: int) -> None:
        """Remove a segment, so that nothing of what it was made from is left in the files."""

    def block(self, number: int, gram: str) -> bytes | None:
        """The block of a segment that has this gram, if one has."""

    def blocks(self, number: int, beginning: str) -> list[bytes]:
        """The blocks of a segment that have the grams that begin so."""

    def places(self, number: int) -> tuple[bytes, bytes]:
        """The ``seqs`` and ``stamps`` of a segment."""

    def clear(self) -> None:
        """Remove everything, and begin anew."""

    def close(self) -> None:
        """Let go of the files."""


class MemorySegments:
    """Keeps segments in memory, for as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Segment, Contents]] = {}
        self._changed: list[tuple[str, int]] = []
        self._epoch = ""

    def load(self, epoch: str) -> Kept:
        """See :class:`SegmentStore`."""
        if epoch != self._epoch:
            self.clear()
            self._epoch = epoch
        return Kept([segment for segment, _ in self._kept.values()], list(self._changed))

    def put(self, segment: Segment, contents: Contents, changed: Iterable[tuple[str, int]]) -> None:
        """See :class:`SegmentStore`."""
        self._kept[segment.number] = (segment, contents)
        self._changed = list(changed)

    def delete(self, number: int) -> None:
        """See :class:`SegmentStore`."""
        self._kept.pop(number, None)

    def block(self, number: int, gram: str) -> bytes | None:
        """See :class:`SegmentStore`."""
        found = None
        for first, data in self._blocks(number):
            if first > gram:
                break
            found = data
        return found

    def blocks(self, number: int, beginning: str) -> list[bytes]:
        """See :class:`SegmentStore`."""
        found: list[bytes] = []
        for first, data in self._blocks(number):
            if first <= beginning:
                found = [data]
            elif first.startswith(beginning):
                found.append(data)
        return found

    def _blocks(self, number: int) -> Sequence[tuple[str, bytes]]:
        return self._kept[number][1].blocks if number in self._kept else ()

    def places(self, number: int) -> tuple[bytes, bytes]:
        """See :class:`SegmentStore`."""
        if number not in self._kept:
            raise Damaged("a segment is missing")
        contents = self._kept[number][1]
        return contents.seqs, contents.stamps

    def clear(self) -> None:
        """See :class:`SegmentStore`."""
        self._kept.clear()
        self._changed = []

    def close(self) -> None:
        """See :class:`SegmentStore`."""
