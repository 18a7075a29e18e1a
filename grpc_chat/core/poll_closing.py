"""Closes polls when their time has come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.context import Context
from grpc_chat.errors import ChatError
from grpc_chat.store.base import Transaction
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_AT_ONCE = 100
_SHORTEST_SECONDS = 0.01


class PollClosing:
    """Closes polls, also those whose time came while no server ran.

    Several nodes may do it at once: whether a poll is still open is asked in the transaction that closes it.

    Args:
        interval: How often it looks for polls of which it was not told, because another node stored them.
    """

    def __init__(self, context: Context, *, interval: timedelta = timedelta(minutes=1)) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._clock = context.clock
        self._interval = interval.total_seconds()
        self._next_us: int | None = None
        self._sooner = asyncio.Event()

    def note(self, messages: Iterable[pb.OutgoingMessage]) -> None:
        """Take note of messages that were stored: some may be polls, and close sooner than all others."""
        for message in messages:
            if message.poll.HasField("close_time"):
                self._sooner.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            wait = self._interval
            try:
                await self.close_due()
                if self._next_us is not None:
                    until = self._next_us / 1_000_000 - self._clock()
                    wait = min(max(until, _SHORTEST_SECONDS), wait)
            except ChatError as error:
                log.warning("polls could not be closed yet: %s", error)
            try:
                async with asyncio.timeout(wait):
                    await self._sooner.wait()
            except TimeoutError:
                pass

    async def close_due(self) -> int:
        """Close the polls whose time has come; how many."""
        closed = 0
        while True:
            # Before it is read: a poll that is noted meanwhile is looked for again.
            self._sooner.clear()
            self._next_us = await self._readers.run(lambda snapshot: snapshot.next_poll_close_us())
            if self._next_us is None or self._next_us > self._clock() * 1_000_000:
                return closed
            some = await self._committer.transact(SYSTEM, _close_some)
            closed += some
            if not some:
                # The store's clock is a little behind.
                return closed


def _close_some(transaction: Transaction) -> int:
    due = transaction.due_polls(transaction.now_us, limit=_AT_ONCE)
    for room_id, seq in due:
        transaction.append(pb.Event(room_id=room_id, poll_closed=pb.PollClosed(seq=seq)), "")
    return len(due)
