"""Reactions and votes in the log, which go with the message that they were about."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.context import Context
from grpc_chat.errors import ChatError
from grpc_chat.store.base import Transaction

log = logging.getLogger(__name__)

_COST = 256
"""The time of one step, in short messages."""


class Erasing:
    """Has the log forget what was said about messages that are deleted, where that was more than the
    deletion itself could erase.

    In steps, each a transaction of some milliseconds, so that nobody's message waits for all of them. What a
    stop interrupts goes on after the next start.

    Args:
        interval: How often it looks for what it was not told of, because another node deleted it.
    """

    def __init__(self, context: Context, *, interval: timedelta = timedelta(minutes=1)) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._interval = interval.total_seconds()
        self._sooner = asyncio.Event()

    def look_soon(self) -> None:
        """Take note that messages were deleted."""
        self._sooner.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._sooner.clear()
            try:
                if await self._readers.run(lambda snapshot: snapshot.traces_left()):
                    while await self._committer.transact(SYSTEM, _erase_some, cost=_COST):
                        pass
            except ChatError as error:
                log.warning("what was said about deleted messages could not be erased yet: %s", error)
            try:
                async with asyncio.timeout(self._interval):
                    await self._sooner.wait()
            except TimeoutError:
                pass


def _erase_some(transaction: Transaction) -> bool:
    return transaction.erase_traces()
