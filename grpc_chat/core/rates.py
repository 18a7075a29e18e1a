"""Rate limits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from grpc_chat.core.caller import Caller
from grpc_chat.errors import RateLimited


class Buckets:
    """Token buckets by key: what is left in each.

    Args:
        most: How many are remembered. Those that were quiet longest are forgotten first, which makes them
            full again.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def left(self, key: Hashable, *, burst: float, per_second: float) -> float:
        """What is left in a bucket of size ``burst`` that is refilled with ``per_second``."""
        now = self._clock()
        left, then = self._left.get(key, (burst, now))
        return min(burst, left + (now - then) * per_second)

    def take(self, key: Hashable, cost: float, *, burst: float, per_second: float) -> float:
        """Take from a bucket, or leave it as it is if it has too little. A cost larger than the whole bucket
        can be taken once the bucket is full. As every call does this, it is one function.

        Returns:
            How much was missing; 0 if it was taken.
        """
        now = self._clock()
        found = self._left.pop(key, None)
        left = burst
        if found is not None:
            left, then = found
            left += (now - then) * per_second
            if left > burst:
                left = burst
        missing = (cost if cost < burst else burst) - left
        if missing <= 0:
            missing = 0
            left -= cost
        if left < burst:
            self._left[key] = (left, now)
            if found is None and len(self._left) > self._most:
                self._left.popitem(last=False)
        return missing

    def set(self, key: Hashable, left: float, *, burst: float) -> None:
        """Set what is left in a bucket of size ``burst``."""
        self._left.pop(key, None)
        if left < burst:
            self._left[key] = (left, self._clock())
            if len(self._left) > self._most:
                self._left.popitem(last=False)

    def __len__(self) -> int:
        return len(self._left)


class Rate:
    """A token bucket for each user, or address.

    Args:
        per_second: How many each may take, as a sustained rate; 0 for any number.
        burst: How many at once.
        max_users: How many users are remembered; the ones that were quiet longest are forgotten first.
        advice: What users who take too many could do instead.
        what: What is counted.
    """

    def __init__(
        self,
        *,
        per_second: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
        max_users: int = 100_000,
        advice: str = "",
        what: str = "calls",
    ) -> None:
        self._what = what
        self._advice = f"; {advice}" if advice else ""
        self._per_second = per_second
        self._burst = burst
        self._buckets = Buckets(max_users, clock)

    def take(self, user_id: str, cost: float = 1) -> None:
        """Count a call, or what it costs.

        Raises:
            RateLimited: Too many lately.
        """
        if not self._per_second:
            return
        missing = self._buckets.take(user_id, cost, burst=self._burst, per_second=self._per_second)
        if missing:
            raise RateLimited(
                f"more than {self._per_second:g} {self._what} a second{self._advice}",
                retry_after=timedelta(seconds=missing / self._per_second),
            )

    def owe(self, user_id: str, cost: float) -> None:
        """Count a cost that is known only afterwards; the bucket may become negative."""
        if self._per_second:
            self._buckets.set(user_id, self._left(user_id) - cost, burst=self._burst)

    def give_back(self, user_id: str) -> None:
        """Give back one that was taken and not used."""
        self._buckets.set(user_id, self._left(user_id) + 1, burst=self._burst)

    def _left(self, user_id: str) -> float:
        return self._buckets.left(user_id, burst=self._burst, per_second=self._per_second)


class Reaching:
    """One attempt to reach somebody. Only the transaction knows whether it really is one: they may be a
    member already, or the direct room may exist. So it is counted before, and given back if it was not used.
    Nothing is counted within the transaction, which may run twice, and on another thread.
    """

    def __init__(self, refused: RateLimited | None) -> None:
        self._refused = refused
        self.used = False

    def use(self) -> None:
        """Somebody is about to be reached. For the transaction, before anything is written.

        Raises:
            RateLimited: The caller has reached too many people lately.
        """
        if self._refused:
            raise self._refused
        self.used = True


class Adds:
    """How often users may reach others unasked: by adding or inviting them to a room, by offering them
    ownership, by beginning a direct room. What a bot does counts for its owner.

    Args:
        per_second: How many, as a sustained rate; 0 for any number.
        burst: How many at once.
    """

    def __init__(
        self,
        *,
        per_second: float = 0.2,
        burst: float = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_minute = per_second * 60
        self._rate = Rate(per_second=per_second, burst=burst, clock=clock)

    @contextmanager
    def one(self, caller: Caller) -> Iterator[Reaching]:
        """Count one, unless it is not used or what is done meanwhile fails."""
        who, refused = caller.charged_to, None
        try:
            self._rate.take(who)
        except RateLimited as error:
            refused = RateLimited(
                "you have added, invited or first written to too many people lately; the sustained limit is"
                f" {self._per_minute:g} a minute",
                retry_after=error.retry_after,
            )
        reaching = Reaching(refused)
        done = False
        try:
            yield reaching
            done = True
        finally:
            if not refused and not (done and reaching.used):
                self._rate.give_back(who)
