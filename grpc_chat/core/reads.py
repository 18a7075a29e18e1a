"""Reading the store from the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from queue import SimpleQueue
from typing import Any, TypeVar

from grpc_chat.core.turns import Turns, share
from grpc_chat.errors import RateLimited, ShuttingDown, Unavailable
from grpc_chat.store.base import Store
from grpc_chat.store.reads import Snapshot

T = TypeVar("T")

Pieces = Generator[None, Snapshot, T]
"""A long read. Wherever it yields, other users may have a turn. It continues with the snapshot that it is
sent, which may be later than the one before."""

_PIECE_SECONDS = 0.002
"""How long a read continues across yields while others wait. A fresh snapshot costs 0.02 ms."""
_LEAST_SECONDS = 1e-5
"""The cost that a read is charged until its real cost is known."""


class _Read:
    """A read that waits for its turn, or for its next one."""

    __slots__ = ("future", "pieces", "read", "user_id", "whole")

    def __init__(
        self, user_id: str, read: Callable[[Snapshot], Any], future: asyncio.Future[Any], *, whole: bool
    ) -> None:
        self.user_id = user_id
        self.read = read
        self.future = future
        self.whole = whole
        self.pieces: Pieces[Any] | None = None


class Readers:
    """A few threads that read, for one user after the other.

    A thread can't be interrupted, so a read that grows with what is asked for must be made of pieces
    (:meth:`run_pieces`).

    Args:
        threads: How many reads run at once. The driver lets go of the interpreter's lock at every row: with
            two, 20 streams catching up got 130,000 events/s at 8.4 us of CPU each, with one 190,000 at 5.1.
        max_waiting: How many more reads may wait. Beyond that, a read fails with ``Unavailable``.
        max_waiting_of_user: How many reads of one user may wait.
        clock: Seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        threads: int = 1,
        max_waiting: int = 20_000,
        max_waiting_of_user: int = 5_000,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._clock = clock
        self._max = threads + max_waiting
        self._max_of_user = max_waiting_of_user
        self._running = 0
        self._running_of_user: dict[str, int] = {}
        self._lock = threading.Lock()
        self._turns: Turns[_Read] = Turns()
        # One entry for each piece that waits, and one for each thread that is to end.
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._closing = False
        self._most_threads = threads
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """How many reads are waiting or running."""
        return self._running

    async def run(self, read: Callable[[Snapshot], T]) -> T:
        """Call ``read`` with a snapshot, on a thread, in the turn of the user for whom this task works.

        Raises:
            Unavailable: Too many are waiting.
            RateLimited: Too many of this user's are waiting.
            StoreUnavailable: The store can't be read.
        """
        result: T = await self._run(read, whole=True)
        return result

    async def run_pieces(self, read: Callable[[Snapshot], Pieces[T]]) -> T:
        """As :meth:`run`, for a read in pieces. Between them, others are served."""
        result: T = await self._run(read, whole=False)
        return result

    async def _run(self, read: Callable[[Snapshot], Any], *, whole: bool) -> Any:
        user_id = share.get()
        if self._running >= self._max:
            raise Unavailable("too many reads are waiting", retry_after=timedelta(seconds=1))
        of_user = self._running_of_user.get(user_id, 0)
        if of_user >= self._max_of_user and user_id:
            raise RateLimited(
                f"{of_user} of your reads are waiting already", retry_after=timedelta(seconds=1)
            )
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._running += 1
        self._running_of_user[user_id] = of_user + 1
        try:
            self._enter(_Read(user_id, read, future, whole=whole))
            return await future
        finally:
            self._running -= 1
            if left := self._running_of_user[user_id] - 1:
                self._running_of_user[user_id] = left
            else:
                del self._running_of_user[user_id]

    def _enter(self, read: _Read, *, first: bool = False) -> None:
        with self._lock:
            if self._closing:
                raise ShuttingDown("the server is about to stop", retry_after=timedelta(seconds=1))
            self._turns.put(read.user_id, read, first=first)
        self._wake.put(True)
        if len(self._threads) < self._most_threads and not first:
            thread = threading.Thread(target=self._work, name=f"read_{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    # On the threads

    def _work(self) -> None:
        while self._wake.get():
            with self._lock:
                turn = self._turns.take(_LEAST_SECONDS)
            # Some reads have been cancelled meanwhile.
            if turn is None or turn[1].future.done():
                continue
            user_id, read = turn
            started = self._clock()
            done = self._read(read, started)
            cost = self._clock() - started - _LEAST_SECONDS
            if cost > 0:
                with self._lock:
                    self._turns.charge(user_id, cost)
            if done is None:
                try:
                    self._enter(read, first=True)
                except ShuttingDown as error:
                    done = (None, error)
            if done:
                _on_loop(read.future, _set, read.future, *done)
            # A waiting thread must not keep the last page, and its stream, alive.
            del turn, read, done

    def _read(self, read: _Read, started: float) -> tuple[Any, Exception | None] | None:
        """Continue a read; returns its result, or None if it has to wait for its next turn."""
        try:
            with self._store.snapshot() as snapshot:
                if read.whole:
                    return read.read(snapshot), None
                if read.pieces is None:
                    read.pieces = read.read(snapshot)
                    next(read.pieces)
                else:
                    read.pieces.send(snapshot)
                while not len(self._turns) or self._clock() - started < _PIECE_SECONDS:
                    if read.future.done():
                        read.pieces.close()
                        return None, None
                    read.pieces.send(snapshot)
                return None
        except StopIteration as stop:
            return stop.value, None
        except Exception as error:
            return None, error

    def close(self) -> None:
        """Finish the reads that have begun, and drop the others."""
        with self._lock:
            self._closing = True
            dropped = self._turns.clear()
        for read in dropped:
            _on_loop(read.future, read.future.cancel)
        for _ in self._threads:
            self._wake.put(False)
        for thread in self._threads:
            thread.join()


def _on_loop(future: asyncio.Future[Any], do: Callable[..., Any], *values: Any) -> None:
    loop = future.get_loop()
    # If the loop is closed, nobody is waiting any longer.
    if not loop.is_closed():
        loop.call_soon_threadsafe(do, *values)


def _set(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error:
        future.set_exception(error)
    else:
        future.set_result(result)


def at_once(pieces: Pieces[T], snapshot: Snapshot) -> T:
    """Carry out a read in pieces without a pause."""
    try:
        next(pieces)
        while True:
            pieces.send(snapshot)
    except StopIteration as stop:
        result: T = stop.value
        return result
