"""Group commit: everything that waits, from all rooms and senders, becomes one transaction. Nothing is ever
delayed to fill a batch. Writes that gather while one transaction is on its way to the disk become the next
one, so the busier the server, the cheaper each message: a commit costs the same for 1 row as for 100.

All users have a share of each transaction (core/turns.py). A user who writes as much as they can fills
theirs, and the rest waits for the next; it does not make everybody's commit longer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar, cast

from grpc_chat.core.caller import Caller
from grpc_chat.core.effects import Effect
from grpc_chat.core.turns import Turns, share
from grpc_chat.errors import ChatError, Internal, LimitExceeded, RateLimited, ShuttingDown, StoreUnavailable
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import Done, Result, Store, Transact, Transaction, Write
from grpc_chat.store.records import StoredEvent
from grpc_chat.store.writes import Acknowledge, Append, Appended, Draft

T = TypeVar("T")

log = logging.getLogger(__name__)


_Waiting = tuple[Write, asyncio.Future[Result], int, str, int, int]
"""A write that is waiting, or is on its way to the disk: the write, the future of its result, its cost, the
user whose share it uses, how many writes came before it, and how many drafts or other writes it is. Every
write makes one, and a tuple without names takes a tenth of the time."""


Rewritten = Callable[[Mapping[str, Sequence[int]]], None]
"""Called on the event loop with the numbers of rewritten events by room, as soon as the change is durable."""

Published = Callable[[dict[str, list[StoredEvent]]], None]
"""Called on the event loop with the new events by room, as soon as they are durable."""


class Committer:
    """The one writer of a node: a thread that commits, and the queue before it.

    Args:
        publish: See :data:`Published`. MUST NOT block, MUST NOT raise.
        apply: Called on the event loop with each effect of a commit, in order, before its events are
            published. MUST NOT block, MUST NOT raise.
        rewritten: See :data:`Rewritten`; called before ``publish``. MUST NOT block, MUST NOT raise.
        on_failure: Called once, on the event loop, when the store has failed for good: the process must
            end, because only a restart tells what the disk holds.
        max_batch: The most drafts in one transaction. Every 2 KiB count as one more.
        user_share: The most drafts of one user in a transaction, unless the user's first write has more.
            Other users' writes wait for these.
        max_waiting: How many drafts may wait before further ones are refused with ``LimitExceeded``.
    """

    def __init__(
        self,
        store: Store,
        *,
        publish: Published,
        apply: Callable[[Effect], None],
        rewritten: Rewritten,
        on_failure: Callable[[], None],
        metrics: Metrics,
        max_batch: int = 4096,
        user_share: int = 512,
        max_waiting: int = 50_000,
    ) -> None:
        self._store = store
        self._publish = publish
        self._apply = apply
        self._rewritten = rewritten
        self._on_failure = on_failure
        self._metrics = metrics
        self._max_batch = max_batch
        self._user_share = user_share
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        # Writes that came since the writer last took some, and what they cost.
        self._arrived: list[_Waiting] = []
        self._arrived_cost = 0
        # Writes that fit into no transaction yet.
        self._queue: Turns[_Waiting] = Turns()
        self._together = min(max_batch, user_share)
        self._most_of_user = max_waiting // 2
        self._count = 0
        self._waiting = 0
        self._waiting_of_user: dict[str, int] = {}
        self._failed = False
        # For what the two threads share. A plain lock is taken ten times as fast as through a condition.
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._asleep = False
        self._closing = False
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many drafts and other writes are waiting, or are on their way to the disk."""
        return self._waiting

    async def commit(self, write: Write) -> Result:
        """Commit a write.

        Cancelling the caller does not cancel the write, even if it is still waiting.

        Returns:
            The result that the write's class promises.

        Raises:
            ChatError: An error of this write.
            LimitExceeded: Too many writes are waiting. Nothing was done.
            RateLimited: Too many of the user's writes are waiting. One user may not fill the queue that all
                need.
            StoreUnavailable: The outcome is unknown.
            ShuttingDown: The node is about to stop.
        """
        result = await self.submit(write)
        if isinstance(result, ChatError):
            raise result
        return result

    def submit(self, write: Write) -> asyncio.Future[Result]:
        """As :meth:`commit`, which waits for the future. Errors of the store are results."""
        if isinstance(write, Append):
            size, cost = len(write.drafts), _cost_of_drafts(write.drafts)
        elif isinstance(write, Acknowledge):
            size, cost = 1, 1 + len(write.positions) // 2
        else:
            size, cost = 1, write.cost or _FUNCTION_COST
        if self._waiting and self._waiting + size > self._max_waiting:
            raise LimitExceeded(
                "too many messages are waiting to be stored", retry_after=timedelta(milliseconds=200)
            )
        user_id = share.get()
        of_user = self._waiting_of_user.get(user_id, 0) + size
        if of_user > self._most_of_user and of_user > size and user_id:
            raise RateLimited(
                "too many of your messages are waiting to be stored",
                retry_after=timedelta(milliseconds=200),
            )
        if self._closing:
            raise ShuttingDown("the server is about to stop", retry_after=timedelta(seconds=1))
        # A caller that goes away cancels the future, not the write, which the writer already has.
        future: asyncio.Future[Result] = self._loop.create_future()
        self._count += 1
        self._waiting += size
        self._waiting_of_user[user_id] = of_user
        with self._lock:
            self._arrived.append((write, future, cost, user_id, self._count, size))
            self._arrived_cost += cost
            if self._asleep:
                self._asleep = False
                self._wake.notify()
        return future

    async def append(self, write: Append) -> Appended:
        """As :meth:`commit`, for an append."""
        return cast(Appended, await self.commit(write))

    async def transact(
        self,
        caller: Caller,
        in_transaction: Callable[[Transaction], T],
        *,
        about: Sequence[tuple[str, str]] = (),
        marked: Sequence[tuple[str, int]] = (),
        tells: bool = True,
        cost: int = 0,
    ) -> T:
        """As :meth:`commit`, for a function; see :class:`grpc_chat.store.base.Transact`.

        Args:
            caller: The user who acts; ``SYSTEM`` for the server itself. If the caller's session has ended
                meanwhile, the write is refused with ``SessionEnded``. Otherwise a thief who is being logged
                out could create a new token just in time.
            in_transaction: The function. It is called on the writer's thread.
            about: Pairs of a room and a user whose membership the function will read. A hint.
            marked, tells: See :class:`grpc_chat.store.base.Transact`.
            cost: How long it may take, in short messages of some 15 us each; 0 if unknown.

        Returns:
            The function's result.
        """
        write = Transact(in_transaction, caller.session_id, about, marked, tells, cost)
        done = await self.submit(write)
        if isinstance(done, ChatError):
            raise done
        return cast(T, cast(Done, done).value)

    async def close(self) -> None:
        """Refuse new writes, commit those that wait, and end the thread."""
        with self._lock:
            self._closing = True
            self._wake.notify()
        # The thread hands this over last, so everything that it handed over before has been carried out by
        # then.
        await asyncio.shield(self._ended)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            while batch := self._take():
                started = time.perf_counter()
                results = self._results([waiting[0] for waiting in batch])
                self._metrics.commits.seconds.observe(time.perf_counter() - started)
                self._loop.call_soon_threadsafe(self._finish, batch, results)
        finally:
            self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _take(self) -> list[_Waiting]:
        """Wait for writes, and take all of them, up to the limits. Takes none only when it is time to end."""
        with self._lock:
            while not self._arrived and not self._queue and not self._closing:
                self._asleep = True
                self._wake.wait()
            self._asleep = False
            arrived, cost = self._arrived, self._arrived_cost
            self._arrived, self._arrived_cost = [], 0
            if cost <= self._together and not self._queue:
                # All fit, so nobody has to wait for a turn.
                return arrived
            for waiting in arrived:
                _, _, _, user_id, _, _ = waiting
                self._queue.put(user_id, waiting)
            taken = self._queue.take_many(_cost_of, most=self._max_batch, share=self._user_share)
            # Turns decide what is in a transaction. Within it, writes keep their order of arrival.
            return sorted(taken, key=_number_of)

    def _results(self, writes: Sequence[Write], *, batch: int = 0) -> list[Result]:
        """Carry out writes, and return their results. ``batch`` is set when writes of a batch are retried."""
        try:
            return self._store.commit(writes)
        except ChatError as error:
            return [error] * len(writes)
        except Exception:
            # A mistake in our code. It must not make the other senders' writes fail, so each is tried alone.
            if len(writes) > 1:
                return [self._results([write], batch=len(writes))[0] for write in writes]
            log.exception("commit failed, of a batch of %d", batch or 1)
            return [Internal("it could not be stored")]

    def _finish(self, batch: list[_Waiting], results: list[Result]) -> None:
        """Answer the callers, and publish the events. Runs on the event loop."""
        drafts = 0
        of_users = self._waiting_of_user
        new: dict[str, list[StoredEvent]] = {}
        confirmed = True
        # The senders' tasks are scheduled before the readers', so their next messages are on the way while
        # these are delivered.
        for (_, future, _, user_id, _, size), result in zip(batch, results, strict=True):
            drafts += size
            if left := of_users[user_id] - size:
                of_users[user_id] = left
            else:
                del of_users[user_id]
            if not future.done():
                future.set_result(result)
            if result is None:
                continue
            if isinstance(result, _STORED):
                for room_id, events in result.new.items():
                    new.setdefault(room_id, []).extend(events)
                if result.rewritten:
                    self._rewritten(result.rewritten)
            elif isinstance(result, StoreUnavailable):
                confirmed = False
            if isinstance(result, Done):
                # Applied before the events are published, so that a user who may no longer follow a room does
                # not get them.
                for effect in result.effects:
                    self._apply(cast(Effect, effect))
        self._waiting -= drafts
        self._metrics.commits.batch.observe(drafts)
        if new:
            self._publish(new)
        if self._store.failed:
            if not self._failed:
                self._failed = True
                self._on_failure()
        elif not confirmed:
            log.error("a commit was not confirmed")


_STORED = (Appended, Done)


_FUNCTION_COST = 240
"""The time of the most expensive functions, 4 ms, for example for a user in thousands of rooms. So one user
has two in a transaction: with 32 of them, a demanding user made everyone wait for a tenth of a second."""


_REACTIONS_COST = 23
"""The time of counting the reactions to a message that has as many as it may, 0.4 ms."""


def _cost_of_drafts(drafts: Sequence[Draft]) -> int:
    """How long an append may take, in short messages of some 15 us each."""
    # Lists, and no call for each draft: this is done for every message.
    cost = sum([1 + draft.event.ByteSize() // 2048 for draft in drafts])
    concerns = [draft.concerns for draft in drafts if draft.concerns]
    return cost + _REACTIONS_COST * sum([each.with_reactions for each in concerns])


def _cost_of(waiting: _Waiting) -> float:
    _, _, cost, _, _, _ = waiting
    return cost


def _number_of(waiting: _Waiting) -> int:
    _, _, _, _, number, _ = waiting
    return number
