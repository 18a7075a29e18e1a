"""Which messages of a segment have a gram, as bytes.

Three spellings, told apart by the first byte; the shortest is taken. All are read by C code alone, since with
a step of Python's for each message a search would take ten times as long:

- two bytes for each message, its place in the segment;
- a byte for each message, how far it is after the one before, where 255 is 255 and no message;
- a bit for each message of the segment, set for those that have it.
"""

from __future__ import annotations

import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, repeat
from operator import sub

MOST = 65_536
"""How many messages a segment can have: their places take two bytes."""

_PLACES, _STEPS, _BITS = b"\0", b"\1", b"\2"
_ONE = ord("1")
_SAME_ORDER = sys.byteorder == "little"

Found = int | list[int]
"""Places in a segment: bits of a number, where they are many, or in order."""


def pack(places: array[int], messages: int) -> bytes:
    """The bytes of some places, in order, of a segment with so many messages."""
    count = len(places)
    size = messages // 8 + 1
    if count <= 16 or 300 * count < messages:
        # Most grams, and few bytes.
        return _PLACES + _little(places)
    if count >= size:
        return _BITS + _bits(places, size)
    steps = list(map(sub, places, [0, *places[:-1]]))
    if max(steps) < 255:
        spelled = bytes(steps)
    else:
        spelled = b"".join([b"\xff" * (step // 255) + bytes((step % 255,)) for step in steps])
    if len(spelled) >= size:
        return _BITS + _bits(places, size)
    return _STEPS + spelled if len(spelled) < 2 * count else _PLACES + _little(places)


def _little(places: array[int]) -> bytes:
    if not _SAME_ORDER:
        places = places[:]
        places.byteswap()
    return places.tobytes()


def _bits(places: Iterable[int], size: int) -> bytes:
    # A number in base 2, whose last digit is the first place: a fifth of the time of setting bits one by one.
    digits = bytearray(b"0") * (8 * size)
    deque(map(digits.__setitem__, places, repeat(_ONE)), maxlen=0)
    digits.reverse()
    return int(digits, 2).to_bytes(size, "little")


def unpack(packed: bytes) -> Found:
    """The places that some bytes stand for."""
    kind, rest = packed[:1], packed[1:]
    if kind == _BITS:
        return int.from_bytes(rest, "little")
    if kind == _STEPS:
        return list(compress(accumulate(rest), map((255).__ne__, rest)))
    places = array("H", rest)
    if not _SAME_ORDER:
        places.byteswap()
    return places.tolist()


def in_all(packed: Sequence[bytes]) -> Found:
    """The places that are in all of these."""
    # The rarest first: what the others hold is only asked for its places.
    found: Found | None = None
    for each in sorted(packed, key=len):
        if found is None:
            found = unpack(each)
        elif not found:
            return []
        elif isinstance(found, list) and each[:1] == _BITS:
            found = [place for place in found if each[1 + (place >> 3)] >> (place & 7) & 1]
        else:
            found = _common(found, unpack(each))
    return found if found is not None else []


def _common(found: Found, other: Found) -> Found:
    if isinstance(found, int) and isinstance(other, int):
        return found & other
    if isinstance(found, list) and isinstance(other, list):
        return sorted(set(found).intersection(other))
    places, bits = (found, other) if isinstance(found, list) else (other, found)
    assert isinstance(places, list)
    assert isinstance(bits, int)
    return [place for place in places if bits >> place & 1]


def in_any(packed: Iterable[bytes], messages: int) -> bytes:
    """The places that are in one of these, packed."""
    bits = 0
    places: set[int] = set()
    for each in packed:
        found = unpack(each)
        if isinstance(found, int):
            bits |= found
        else:
            places.update(found)
    if not bits:
        return pack(array("H", sorted(places)), messages)
    size = messages // 8 + 1
    return _BITS + (bits | int.from_bytes(_bits(places, size), "little")).to_bytes(size, "little")


def downwards(found: Found, start: int, end: int) -> Iterator[int]:
    """The places from ``end - 1`` down to ``start``."""
    if isinstance(found, list):
        from bisect import bisect_left

        for at in range(bisect_left(found, end) - 1, bisect_left(found, start) - 1, -1):
            yield found[at]
        return
    bits = (found >> start) & ((1 << (end - start)) - 1)
    while bits:
        last = bits.bit_length() - 1
        yield start + last
        bits ^= 1 << last
