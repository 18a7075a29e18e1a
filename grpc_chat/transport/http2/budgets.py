"""How many frames a peer may send that cost work and bring nothing.

Each kind is a bucket that fills with time: a good client never comes near the bottom, and a flood ends with
ENHANCE_YOUR_CALM (RFC 9113, section 10.5) before anybody else notices it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` at once, and ``per_second`` in the long run."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class BudgetRates:
    """What each kind may cost, for each connection.

    Attributes:
        resets: RST_STREAM of the peer, and stream errors that it causes: calls begun for nothing.
        settings: SETTINGS, each of which is answered and may touch every stream.
        pings: PING, each of which is answered.
        priorities: PRIORITY, which does nothing.
        empty_data: DATA without content that does not end its stream.
        continuations: CONTINUATION; what they may carry is bounded for each block apart from this.
        window_updates: WINDOW_UPDATE that is tiny, or that widens a window which is wide already.
        refused_streams: Streams beyond SETTINGS_MAX_CONCURRENT_STREAMS, or beyond a GOAWAY.
        late_frames: Frames for streams that are over.
        unknown_frames: Frames of types that RFC 9113 does not know.
        unread_answers: Answers to the peer's frames while it does not read.
        large_headers: KiB of headers that have to be decoded: each whole one of a block that the connection
            does not know. Usual calls have less than one.
    """

    resets: Rate = Rate(1_000, 100)
    settings: Rate = Rate(100, 10)
    pings: Rate = Rate(1_000, 500)
    priorities: Rate = Rate(1_000, 100)
    empty_data: Rate = Rate(1_000, 100)
    continuations: Rate = Rate(1_000, 100)
    window_updates: Rate = Rate(5_000, 1_000)
    refused_streams: Rate = Rate(2_000, 200)
    late_frames: Rate = Rate(2_000, 500)
    unknown_frames: Rate = Rate(1_000, 100)
    unread_answers: Rate = Rate(1_000, 10)
    large_headers: Rate = Rate(5_000, 1_000)


KINDS: Final = tuple(field.name for field in fields(BudgetRates))
"""Their names, as a metric labels them."""
(
    RESETS,
    SETTINGS,
    PINGS,
    PRIORITIES,
    EMPTY_DATA,
    CONTINUATIONS,
    WINDOW_UPDATES,
    REFUSED_STREAMS,
    LATE_FRAMES,
    UNKNOWN_FRAMES,
    UNREAD_ANSWERS,
    LARGE_HEADERS,
) = range(len(KINDS))


class Counts:
    """What the budgets of any number of connections saw, for a metric.

    Attributes:
        frames: How many of each kind came, in the order of :data:`KINDS`.
        exceeded: How many connections were ended because of each kind.
    """

    __slots__ = ("exceeded", "frames")

    def __init__(self) -> None:
        self.frames = [0] * len(KINDS)
        self.exceeded = [0] * len(KINDS)


class Budgets:
    """The buckets of one connection. Costs nothing before the first such frame comes."""

    __slots__ = ("_counts", "_left", "_now", "_rates", "_since")

    def __init__(self, rates: BudgetRates, counts: Counts, now: Callable[[], float]) -> None:
        self._rates = rates
        self._counts = counts
        self._now = now
        self._left: list[float] | None = None
        self._since: list[float] = []

    def spend(self, kind: int, cost: int = 1) -> bool:
        """Take one, or as many as it costs; false if there are not that many left, which is counted as
        exceeded."""
        self._counts.frames[kind] += cost
        left = self._left
        if left is None:
            left = self._left = [self._rate(each).burst for each in range(len(KINDS))]
            self._since = [self._now()] * len(KINDS)
        if left[kind] < cost:
            # The clock is asked only here: most connections never come so far.
            rate, now = self._rate(kind), self._now()
            grown = left[kind] + (now - self._since[kind]) * rate.per_second
            left[kind] = min(rate.burst, grown)
            self._since[kind] = now
            if left[kind] < cost:
                self._counts.exceeded[kind] += 1
                return False
        left[kind] -= cost
        return True

    def _rate(self, kind: int) -> Rate:
        rate: Rate = getattr(self._rates, KINDS[kind])
        return rate
