"""Listing consumers, deleting them, and deleting those that nobody uses."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial

from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.streams import Streams
from grpc_chat.errors import ChatError, FailedPrecondition, NotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import ConsumerRecord, Place
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_SAVED_AT_ONCE = 1000
_FORGOTTEN_AT_ONCE = 100
_JUMP = 3600.0
"""Seconds that a clock which was set differs from one that runs."""
_STEADY = 86_400.0
"""Seconds that the clock must have run before we believe how long something was not used. Otherwise a clock
that jumps by a year would make every consumer start again; within a day, those in use are noted."""


class KeptConsumers:
    """The consumers in the store.

    Args:
        idle: After how long without use a consumer is deleted.
    """

    def __init__(
        self,
        context: Context,
        streams: Streams,
        *,
        idle: timedelta = timedelta(days=365),
        interval: timedelta = timedelta(minutes=10),
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._streams = streams
        self._epoch = context.epoch
        self._pages = context.pages
        self._idle = idle
        self._clock = context.clock
        self._monotonic = context.monotonic
        self._interval = interval
        self._seen = (self._clock(), self._monotonic())
        self._steady_since = self._seen[1]

    async def list_(self, caller: Caller, request: pb.ListConsumersRequest) -> Listed[pb.Consumer]:
        """A page of the caller's consumers."""
        page = self._pages.open(f"ListConsumers {caller.user_id}", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.consumers(caller.user_id, after=page.after, limit=page.limit)
        )
        return page.listed(found, lambda record: record.consumer).of(self._message)

    def _message(self, record: ConsumerRecord) -> pb.Consumer:
        told = pb.Consumer(
            consumer=record.consumer,
            streaming=self._streams.of_consumer(record.user_id, record.consumer),
        )
        told.create_time.FromMicroseconds(record.create_time_us)
        told.last_used_time.FromMicroseconds(record.last_used_us)
        return told

    async def positions(
        self, caller: Caller, request: pb.ListConsumerPositionsRequest
    ) -> Listed[pb.ConsumerPosition]:
        """A page of a consumer's positions.

        Raises:
            NotFound: The caller has no consumer of this name.
        """
        name = request.consumer

        def in_snapshot(snapshot: Snapshot) -> list[tuple[str, Place, int]]:
            if not snapshot.has_consumer(caller.user_id, name):
                raise _no_consumer()
            return snapshot.consumer_positions(caller.user_id, name, after=page.after, limit=page.limit)

        page = self._pages.open(f"ListConsumerPositions {caller.user_id} {name}", request)
        found = await self._readers.run(in_snapshot)
        return page.listed(found, lambda entry: entry[0]).of(self._position)

    def _position(self, entry: tuple[str, Place, int]) -> pb.ConsumerPosition:
        room_id, place, last_seq = entry
        cursor = pb.Cursor(room_id=room_id, seq=place.seq, stamp=place.stamp, epoch=self._epoch)
        return pb.ConsumerPosition(cursor=cursor, last_seq=last_seq)

    async def delete(self, caller: Caller, request: pb.DeleteConsumerRequest) -> None:
        """Delete a consumer and its positions.

        Raises:
            NotFound: The caller has no consumer of this name.
            FailedPrecondition: It has a stream open, whose next acknowledgement would make it again.
        """
        user_id, name = caller.user_id, request.consumer
        if self._streams.of_consumer(user_id, name):
            raise FailedPrecondition(
                "this consumer has a stream open; end the program that uses it first", field="consumer"
            )
        found = await self._committer.transact(
            caller, lambda transaction: transaction.delete_consumer(user_id, name)
        )
        if not found:
            raise _no_consumer()

    # Time

    async def run(self) -> None:
        """Save when consumers were used, and delete unused ones, until cancelled."""
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                await self.save()
                await self.forget_unused()
            except ChatError as error:
                # For example on a full disk. The next time will do.
                log.warning("the use of consumers could not be saved: %s", error)

    async def close(self) -> None:
        """Save what is left."""
        with suppress(ChatError):
            await self.save()

    async def save(self) -> None:
        """Save which consumers were used.

        Raises:
            ChatError: As :meth:`grpc_chat.core.commit.Committer.transact`.
        """
        used = list(self._streams.take_used_consumers())
        # In pieces, so that nobody's message waits long for it.
        for start in range(0, len(used), _SAVED_AT_ONCE):
            some = used[start : start + _SAVED_AT_ONCE]
            await self._committer.transact(SYSTEM, partial(_use, some))

    async def forget_unused(self) -> int:
        """Delete consumers that were not used for too long; returns how many.

        Raises:
            ChatError: As :meth:`grpc_chat.core.commit.Committer.transact`.
        """
        now, monotonic = self._clock(), self._monotonic()
        ran = (now - self._seen[0]) - (monotonic - self._seen[1])
        self._seen = (now, monotonic)
        if abs(ran) > _JUMP:
            self._steady_since = monotonic
        if monotonic - self._steady_since < _STEADY:
            return 0
        before_us = int((now - self._idle.total_seconds()) * 1_000_000)
        forgotten = 0
        while True:
            unused = [
                (record.user_id, record.consumer)
                for record in await self._readers.run(
                    lambda snapshot: snapshot.unused_consumers(before_us, limit=_FORGOTTEN_AT_ONCE)
                )
                if not self._streams.of_consumer(record.user_id, record.consumer)
            ]
            if not unused:
                break
            for user_id, name in unused:
                # One by one: each may have a position in thousands of rooms.
                await self._committer.transact(SYSTEM, partial(_forget, user_id, name))
                forgotten += 1
        if forgotten:
            log.info("consumers that were not used were forgotten", extra={"count": forgotten})
        return forgotten


def _use(used: list[tuple[str, str]], transaction: Transaction) -> None:
    transaction.use_consumers(used)


def _forget(user_id: str, consumer: str, transaction: Transaction) -> bool:
    return transaction.delete_consumer(user_id, consumer)


def _no_consumer() -> NotFound:
    return NotFound("you have no consumer of this name", field="consumer")
