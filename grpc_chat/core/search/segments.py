"""Making a segment of the index, and finding in it."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator
from functools import lru_cache

from grpc_chat.core.reads import Pieces
from grpc_chat.core.search import grams, postings
from grpc_chat.core.search.grams import Needed
from grpc_chat.core.search.query import Entry, Query
from grpc_chat.store.search import Contents, Part, Segment, SegmentStore

_BLOCK_BYTES = 8192
"""With a row for each gram, of which there are as many as messages, an index would be twice as large."""
_HEAD = struct.Struct("<II")
_WORDS_AT_ONCE = 512
_PLACES_AT_ONCE, _PLACES_OF_GRAM = 16_384, 32
"""How many places are packed in one piece, about 1 ms, where a gram takes as long as so many places."""


class Builder:
    """A segment in the making."""

    def __init__(self, number: int, *, replaces: int = 0) -> None:
        self._number = number
        self._replaces = replaces
        self._parts: list[Part] = []
        self._seqs: array[int] = array("q")
        self._stamps: array[int] = array("q")
        # A message has far fewer words than grams, and says them again and again. So what has a gram is put
        # together once, from what has the words with it.
        self._words: dict[str, array[int]] = {}
        self._facets: dict[str, array[int]] = {}

    def add(self, entry: Entry) -> None:
        """Add a message of the room whose part is made; in the order of their numbers."""
        place = len(self._seqs)
        self._seqs.append(entry.seq)
        self._stamps.append(entry.stamp)
        for names, having in ((set(entry.form.split()), self._words), (entry.facets(), self._facets)):
            for name in names:
                places = having.get(name)
                if places is None:
                    places = having[name] = array("H")
                places.append(place)

    def end_part(self, room_id: str, after_seq: int, to_seq: int) -> None:
        """What was added since the last part is what there is of this stretch of a room's log."""
        start = self._parts[-1].start + self._parts[-1].messages if self._parts else 0
        count = len(self._seqs) - start
        newest = self._stamps[-1] if count else 0
        self._parts.append(Part(room_id, after_seq, to_seq, start, count, newest))

    def finish(self) -> Pieces[tuple[Segment, Contents]]:
        """What is to be kept, made in pieces."""
        count = len(self._seqs)
        of_gram: dict[str, list[array[int]]] = {facet: [places] for facet, places in self._facets.items()}
        for number, (word, places) in enumerate(self._words.items()):
            for gram in set(grams.of_word(word)):
                of_gram.setdefault(gram, []).append(places)
            if number % _WORDS_AT_ONCE == 0:
                yield
        blocks: list[tuple[str, bytes]] = []
        names: list[str] = []
        packed: list[bytes] = []
        size = done = 0
        for gram in sorted(of_gram):
            having = _together(of_gram.pop(gram))
            names.append(gram)
            packed.append(postings.pack(having, count))
            size += len(packed[-1]) + 2 * len(gram)
            if size >= _BLOCK_BYTES:
                blocks.append((names[0], _block(names, packed)))
                names, packed, size = [], [], 0
            done += _PLACES_OF_GRAM + len(having)
            if done >= _PLACES_AT_ONCE:
                done = 0
                yield
        if names:
            blocks.append((names[0], _block(names, packed)))
        segment = Segment(self._number, count, self._parts, self._replaces)
        return segment, Contents(self._seqs.tobytes(), self._stamps.tobytes(), blocks)


def _together(places: list[array[int]]) -> array[int]:
    """The places that are in any of these, in order."""
    return places[0] if len(places) == 1 else array("H", sorted(set().union(*places)))


def _block(names: list[str], packed: list[bytes]) -> bytes:
    spelled = "\n".join(names).encode()
    lengths = struct.pack(f"<{len(packed)}H", *map(len, packed))
    return zlib.compress(_HEAD.pack(len(spelled), len(packed)) + spelled + lengths + b"".join(packed))


@lru_cache(maxsize=64)
def _opened(block: bytes) -> dict[str, bytes]:
    plain = zlib.decompress(block)
    names_size, count = _HEAD.unpack_from(plain)
    at = _HEAD.size + names_size
    names = plain[_HEAD.size : at].decode().split("\n")
    lengths = struct.unpack_from(f"<{count}H", plain, at)
    at += 2 * count
    found: dict[str, bytes] = {}
    for name, length in zip(names, lengths, strict=True):
        found[name] = plain[at : at + length]
        at += length
    return found


def find(store: SegmentStore, segment: Segment, needed: list[Needed]) -> postings.Found:
    """The places in a segment of the messages that may be what is looked for."""
    packed: list[bytes] = []
    for gram in {gram for each in needed for gram in each.grams}:
        block = store.block(segment.number, gram)
        having = _opened(block).get(gram) if block else None
        if having is None:
            return []
        packed.append(having)
    for grams_ in {each.any_of for each in needed if each.any_of}:
        having_one = [
            having
            for gram in grams_
            if (block := store.block(segment.number, gram)) and (having := _opened(block).get(gram))
        ]
        if not having_one:
            return []
        packed.append(postings.in_any(having_one, segment.messages))
    for beginning in {beginning for each in needed for beginning in each.beginnings}:
        beginning_so = [
            having
            for block in store.blocks(segment.number, beginning)
            for gram, having in _opened(block).items()
            if gram.startswith(beginning)
        ]
        if not beginning_so:
            return []
        packed.append(postings.in_any(beginning_so, segment.messages))
    if not packed:
        return (1 << segment.messages) - 1
    return postings.in_all(packed)


def sought(query: Query) -> list[Needed]:
    """What messages that match must have in the index."""
    facets = [grams.SENDER + query.sender] if query.sender else []
    if query.has_file:
        facets.append(grams.FILE)
    # By name, or as one of everyone.
    mentioned = [grams.MENTIONED + query.mentioned, grams.MENTIONED] if query.mentioned else []
    return [
        Needed(frozenset(facets), frozenset(), frozenset(mentioned)),
        *map(grams.needed, query.terms),
    ]


def downwards(
    found: postings.Found, part: Part, seqs: array[int], stamps: array[int], *, first_seq: int, end_us: int
) -> Iterator[tuple[int, str, int]]:
    """The messages of a part at these places, newest first: stamp, room and number.

    Args:
        first_seq: None before this number.
        end_us: Only those with an earlier stamp.
    """
    from bisect import bisect_left

    start, end = part.start, part.start + part.messages
    start = bisect_left(seqs, first_seq, start, end)
    end = bisect_left(stamps, end_us, start, end)
    if start < end:
        for place in postings.downwards(found, start, end):
            yield stamps[place], part.room_id, seqs[place]
