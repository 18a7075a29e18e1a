"""How much of answers that their clients have not read is kept, for all connections together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol


class Keeper(Protocol):
    """Keeps a part of an answer."""

    def end_unread(self) -> None:
        """Drop it and release what is held for it, unless most of it has been read by now."""


class Unread:
    """Counts those bytes, and ends those who keep most where they become too many.

    One connection could have a hundred answers of a page each made for it, and read none. Its windows, and
    those of HTTP/2 as a whole, bound what is on its way to a client, but not what waits here.

    Responses to the readers of a room are the same bytes for all of them. They count once, and for each of
    these readers as its part of them: a thousand that stand still cost what one does, and are not the ones
    to be ended.

    Args:
        most: How many bytes may be kept.
        soon: Calls a function after what is under way now, which may be an answer that is being kept.

    Attributes:
        octets: How many are kept.
        ended: How often somebody had to be ended, for a metric.
    """

    __slots__ = ("_held", "_is_ending", "_most", "_sharers", "_soon", "ended", "octets")

    def __init__(self, most: int, soon: Callable[[Callable[[], None]], object]) -> None:
        self._most = most
        self._soon = soon
        # What each keeps, and how large that is. As long as it is here, nothing else has its id.
        self._held: dict[Keeper, tuple[object, int]] = {}
        self._sharers: Counter[int] = Counter()
        self._is_ending = False
        self.octets = 0
        self.ended = 0

    def hold(self, keeper: Keeper, kept: object, octets: int) -> None:
        """Tell what somebody keeps now, in place of what it kept before.

        Args:
            kept: Those who keep the same object share it.
            octets: How large that is.
        """
        self.release(keeper)
        self._held[keeper] = kept, octets
        self._sharers[id(kept)] += 1
        if self._sharers[id(kept)] == 1:
            self.octets += octets
            if self.octets > self._most and not self._is_ending:
                self._is_ending = True
                self._soon(self._end_most)

    def release(self, keeper: Keeper) -> None:
        """Tell that somebody keeps nothing any longer, if it did."""
        if keeper in self._held:
            kept, octets = self._held.pop(keeper)
            self._sharers[id(kept)] -= 1
            if not self._sharers[id(kept)]:
                del self._sharers[id(kept)]
                self.octets -= octets

    def _end_most(self) -> None:
        """End those who keep most, until a sixteenth is free: to look for them takes a while where they are
        many, and must not be necessary for each answer."""
        self._is_ending = False
        if self.octets <= self._most:
            return
        enough = self._most - self._most // 16
        parts = {keeper: octets / self._sharers[id(kept)] for keeper, (kept, octets) in self._held.items()}
        # Of those who keep as much as each other, the one that has done so for longest is the first.
        for keeper in sorted(parts, key=parts.__getitem__, reverse=True):
            if self.octets <= enough:
                return
            keeper.end_unread()
            self.ended += keeper not in self._held
