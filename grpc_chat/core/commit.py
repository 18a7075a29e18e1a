"""Group commit: everything that waits, from all rooms and senders, becomes one transaction.

Nothing is ever delayed to fill a batch. What gathers while one transaction is on its way to the disk is the
next one, so the busier the server, the cheaper each message: a commit costs the same for 1 row as for 100.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar, cast, overload

from grpc_chat.core.caller import Caller
from grpc_chat.errors import ChatError, Internal, LimitExceeded, ShuttingDown, StoreUnavailable
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import (
    Append,
    Appended,
    Done,
    Result,
    Store,
    StoredEvent,
    Transact,
    Transaction,
    Write,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

Published = Callable[[dict[str, list[StoredEvent]]], None]
"""Called on the event loop with the new events by room, as soon as they are durable."""


class Committer:
    """The one writer of a node: a thread that commits, and the queue before it.

    Args:
        publish: See :data:`Published`. MUST NOT block, MUST NOT raise.
        on_failure: Called once, on the event loop, when the store has failed for good: the process must
            end, because only a restart tells what the disk holds.
        max_batch: How many drafts go into one transaction at the most.
        max_waiting: How many drafts may wait before further ones are refused with ``LimitExceeded``.
    """

    def __init__(
        self,
        store: Store,
        *,
        publish: Published,
        on_failure: Callable[[], None],
        metrics: Metrics,
        max_batch: int = 4096,
        max_waiting: int = 50_000,
    ) -> None:
        self._store = store
        self._publish = publish
        self._on_failure = on_failure
        self._metrics = metrics
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._queue: list[tuple[Write, asyncio.Future[Result]]] = []
        self._waiting = 0
        self._failed = False
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many drafts and other writes wait, or are on their way to the disk."""
        return self._waiting

    async def commit(self, write: Write) -> Result:
        """Have a write committed.

        Cancelling the caller does not undo a commit that has started, nor one that waits.

        Returns:
            What the write's class says.

        Raises:
            ChatError: What concerns this write.
            LimitExceeded: Too much is waiting; nothing was done.
            StoreUnavailable: The outcome is unknown.
            ShuttingDown: The node is about to stop.
        """
        size = _size(write)
        if self._waiting and self._waiting + size > self._max_waiting:
            raise LimitExceeded(
                "too many messages are waiting to be stored", retry_after=timedelta(milliseconds=200)
            )
        future: asyncio.Future[Result] = self._loop.create_future()
        with self._wake:
            if self._closing:
                raise ShuttingDown("the server is about to stop", retry_after=timedelta(seconds=1))
            self._queue.append((write, future))
            self._waiting += size
            self._wake.notify()
        # A caller that goes away cancels the future, not the write: that is the writer's already.
        result = await future
        if isinstance(result, ChatError):
            raise result
        return result

    async def append(self, write: Append) -> Appended:
        """As :meth:`commit`, for an append."""
        return cast(Appended, await self.commit(write))

    @overload
    async def transact(self, caller: Caller, do: Callable[[Transaction], T]) -> T: ...

    # As it was called before; to be removed.
    @overload
    async def transact(self, caller: Callable[[Transaction], T], *, session_id: str = "") -> T: ...

    async def transact(
        self,
        caller: Caller | Callable[[Transaction], T],
        do: Callable[[Transaction], T] | None = None,
        *,
        session_id: str = "",
    ) -> T:
        """As :meth:`commit`, for a function; see :class:`grpc_chat.store.base.Transact`.

        Args:
            caller: Whose doing it is; ``SYSTEM`` for the server's own. It is refused with ``SessionEnded`` if
                their session has ended meanwhile: a thief who is being locked out could otherwise make a new
                key while the lock is changed.
            do: Called on the writer's thread.

        Returns:
            What the function returned.
        """
        if isinstance(caller, Caller):
            session_id = caller.session_id
        else:
            do = caller
        assert do
        done = cast(Done, await self.commit(Transact(do, session_id)))
        return cast(T, done.value)

    async def close(self) -> None:
        """Refuse new writes, commit those that wait, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        # What the thread handed over last is carried out by now, or by the next turn of the loop.
        await asyncio.sleep(0)

    def _run(self) -> None:
        while batch := self._take():
            with self._metrics.commit_seconds.time():
                results = self._results([write for write, _ in batch])
            self._loop.call_soon_threadsafe(self._finish, batch, results)

    def _take(self) -> list[tuple[Write, asyncio.Future[Result]]]:
        """Wait for writes, and take all, up to the bound; none only when it is time to end."""
        with self._wake:
            while not self._queue and not self._closing:
                self._wake.wait()
            drafts = count = 0
            for write, _ in self._queue:
                drafts += _size(write)
                if count and drafts > self._max_batch:
                    break
                count += 1
            batch, self._queue = self._queue[:count], self._queue[count:]
            return batch

    def _results(self, writes: Sequence[Write]) -> list[Result]:
        try:
            return self._store.commit(writes)
        except ChatError as error:
            return [error] * len(writes)
        except Exception as exc:
            # A mistake of ours. It must not take the other senders' writes with it, so each goes alone.
            if len(writes) > 1:
                return [self._results([write])[0] for write in writes]
            log.exception("commit failed", exc_info=exc)
            return [Internal("it could not be stored")]

    def _finish(self, batch: list[tuple[Write, asyncio.Future[Result]]], results: list[Result]) -> None:
        """Answer the callers, and tell the feeds. On the event loop."""
        drafts = sum(_size(write) for write, _ in batch)
        self._waiting -= drafts
        self._metrics.commit_batch.observe(drafts)
        new: dict[str, list[StoredEvent]] = {}
        # The senders' tasks are scheduled before the readers', so their next messages are on the way while
        # these are delivered.
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
            if isinstance(result, Appended | Done):
                for room_id, events in result.new.items():
                    new.setdefault(room_id, []).extend(events)
            if isinstance(result, Done):
                # Before anybody is told of the events: who may follow a room no longer must not get those
                # that came after.
                for effect in result.effects:
                    effect()
        if new:
            self._publish(new)
        if self._store.failed:
            if not self._failed:
                self._failed = True
                self._on_failure()
        elif any(isinstance(result, StoreUnavailable) for result in results):
            log.error("a commit was not confirmed")


def _size(write: Write) -> int:
    return len(write.drafts) if isinstance(write, Append) else 1
