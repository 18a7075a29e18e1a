"""How much of requests that have not come to their end is kept, for all connections together."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class Holder(Protocol):
    """Keeps a part of a request."""

    def give_way(self) -> None:
        """Drop it, and tell the client. Nothing is held for it by then."""


class Unfinished:
    """Counts those bytes, and drops what began first where they become too many.

    A client that means well sends its request to the end soon. What strangers park here is older than that,
    and has to give way: they can't keep others from being heard.

    Args:
        most: How many bytes may be held.

    Attributes:
        octets: How many are held.
        dropped: How often something had to give way, for a metric.
    """

    __slots__ = ("_held", "_most", "dropped", "octets")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Holder, int] = OrderedDict()
        self.octets = 0
        self.dropped = 0

    def hold(self, holder: Holder, octets: int) -> None:
        """Tell how much somebody holds now; 0 for nothing. It may have to give way at once."""
        held = self._held
        before = held.get(holder, 0)
        if octets:
            held[holder] = octets
        elif before:
            del held[holder]
        self.octets += octets - before
        while self.octets > self._most:
            oldest, octets = held.popitem(last=False)
            self.octets -= octets
            self.dropped += 1
            oldest.give_way()
