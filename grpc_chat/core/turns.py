"""Turns: shares waiting work fairly among the users it is done for.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): each user has a virtual time, which their work advances
by its cost, and the user with the earliest time is next. A user who asks for something now and then is
therefore next as soon as the current piece is done, however much the others have waiting; and what users did
while nobody else waited is not held against them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")

share: ContextVar[str] = ContextVar("share", default="")
"""For whom the current task works: a user, as in :attr:`grpc_chat.core.caller.Caller.charged_to`, a guest's
address, or, if empty, the server itself, which takes turns like a user. It is set in one place, where calls
come in, and read where work waits. As an argument it went through some sixty functions, and a method that
forgot it would have bypassed the turns.
"""

_KEPT = 1000
"""How many users without work are remembered before those that no longer matter are removed."""


class Turns(Generic[T]):
    """Pieces of work, in the order of their users' turns. Not thread-safe.

    One user's work keeps its order. Costs may have any unit; each piece must cost something.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        # For each user, the time at which their next piece begins.
        self._starts: dict[str, float] = {}
        # Waiting users. An entry may be earlier than its user's time, and is corrected when it comes up.
        self._order: list[tuple[float, int, str]] = []
        self._count = 0
        self._now = 0.0
        # The latest of all times so far.
        self._latest = 0.0
        self._size = 0
        self._kept = _KEPT

    def __len__(self) -> int:
        return self._size

    def put(self, user_id: str, work: T, *, first: bool = False) -> None:
        """Add work.

        Args:
            first: Whether it goes before the user's other work, as the rest of something begun.
        """
        if not self._waiting:
            # Nobody had to wait for what was done until now, so all begin at the same time.
            self._now = self._latest
            self._starts.clear()
        queue = self._waiting.get(user_id)
        if queue is None:
            queue = self._waiting[user_id] = deque()
            # A returning user begins now: unused time is not saved up.
            start = self._starts[user_id] = max(self._starts.get(user_id, 0.0), self._now)
            self._enter(user_id, start)
        if first:
            queue.appendleft(work)
        else:
            queue.append(work)
        self._size += 1

    def next_user(self) -> str | None:
        """The user whose turn it is; None if nobody has work waiting."""
        while self._order:
            at, _, user_id = self._order[0]
            start = self._starts[user_id]
            if at >= start:
                return user_id
            heapq.heappop(self._order)
            self._enter(user_id, start)
        return None

    def take(self, cost: float) -> tuple[str, T] | None:
        """Take the piece whose turn it is, and charge its user this much for now; None if there is none."""
        user_id = self.next_user()
        if user_id is None:
            return None
        heapq.heappop(self._order)
        queue = self._waiting[user_id]
        work = queue.popleft()
        self._size -= 1
        self._now = max(self._now, self._starts[user_id])
        self._starts[user_id] += cost
        self._latest = max(self._latest, self._starts[user_id])
        if queue:
            self._enter(user_id, self._starts[user_id])
        else:
            del self._waiting[user_id]
            if len(self._starts) > self._kept:
                self._forget()
        return user_id, work

    def take_many(self, cost: Callable[[T], float], *, most: float, share: float) -> list[T]:
        """The pieces to do together next, in the order of turns.

        Args:
            cost: Returns the cost of a piece.
            most: The total cost.
            share: The cost of one user's pieces. A first piece may cost more than either.
        """
        taken: list[T] = []
        of_user: dict[str, float] = {}
        had_enough: list[str] = []
        left = most
        while (user_id := self.next_user()) is not None:
            each = cost(self._waiting[user_id][0])
            if taken and each > left:
                break
            of_user[user_id] = of_user.get(user_id, 0.0) + each
            if of_user[user_id] > max(share, each):
                heapq.heappop(self._order)
                had_enough.append(user_id)
                continue
            turn = self.take(each)
            assert turn, "it is somebody's turn"
            taken.append(turn[1])
            left -= each
        for user_id in had_enough:
            self._enter(user_id, self._starts[user_id])
        return taken

    def charge(self, user_id: str, cost: float) -> None:
        """Charge a user more for a piece whose full cost was not known when it was taken."""
        start = max(self._starts.get(user_id, 0.0), self._now) + cost
        self._starts[user_id] = start
        self._latest = max(self._latest, start)

    def clear(self) -> list[T]:
        """Remove all waiting work, and return it."""
        dropped = [work for queue in self._waiting.values() for work in queue]
        self._waiting.clear()
        self._order.clear()
        self._starts.clear()
        self._size = 0
        return dropped

    def _enter(self, user_id: str, start: float) -> None:
        # The count keeps users who begin at the same time in the order in which they came.
        self._count += 1
        heapq.heappush(self._order, (start, self._count, user_id))

    def _forget(self) -> None:
        """Forget users who have nothing waiting and whose time has passed: they would begin now."""
        self._starts = {
            user_id: start
            for user_id, start in self._starts.items()
            if user_id in self._waiting or start > self._now
        }
        self._kept = 2 * len(self._starts) + _KEPT


class FewAtATime:
    """Lets each user, or address, do a few things at a time.

    On the event loop too, others get a turn between two pieces of a user's work. With 16 tasks of one user
    side by side they would wait for 16 pieces, so these are done one after the other. MUST NOT be held while
    waiting for a client.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._places: dict[str, tuple[asyncio.Semaphore, int]] = {}

    def __len__(self) -> int:
        """How many users are working or waiting."""
        return len(self._places)

    @asynccontextmanager
    async def turn(self, user_id: str) -> AsyncIterator[None]:
        """Wait for a turn among this user's things, in the order in which they came."""
        places, users = self._places.get(user_id) or (asyncio.Semaphore(self._most), 0)
        self._places[user_id] = (places, users + 1)
        try:
            async with places:
                yield
        finally:
            _, users = self._places[user_id]
            if users > 1:
                self._places[user_id] = (places, users - 1)
            else:
                del self._places[user_id]
