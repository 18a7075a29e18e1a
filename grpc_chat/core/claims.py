"""Streams that take over their consumers from streams on other nodes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.commit import Committer
from grpc_chat.core.stream import Stream
from grpc_chat.core.streams import Streams
from grpc_chat.core.user_log import tell
from grpc_chat.errors import ChatError
from grpc_chat.store.base import Transaction
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)


class Claims:
    """Tells in users' logs which stream uses a consumer's name now. Within a node, nobody has to be told.

    No stream waits for it: one that is open on a node whose disk is full reads all the same.

    Args:
        retry: How long to wait after a claim that could not be stored; None where no other node writes to the
            store, and nothing is claimed. Longer than the interval of the position check: one that was stored
            after all is known by then.
    """

    def __init__(self, committer: Committer, streams: Streams, *, retry: timedelta | None) -> None:
        self._committer = committer
        self._streams = streams
        self._retry = retry
        self._waiting: list[Stream] = []
        self._wake = asyncio.Event()

    def claim(self, stream: Stream) -> None:
        """Have a stream that was just opened be the only one of its consumer, wherever the others are."""
        if self._retry and stream.consumer:
            self._waiting.append(stream)
            self._wake.set()

    async def run(self) -> None:
        """Store claims, until cancelled."""
        while self._retry:
            await self._wake.wait()
            self._wake.clear()
            # One that is gone must not take the name from a newer one.
            claiming = [
                stream
                for stream in self._waiting
                if self._streams.is_open(stream) and not (stream.ended or stream.claimed)
            ]
            self._waiting.clear()
            try:
                if claiming:
                    await self._committer.transact(SYSTEM, partial(_claim, claiming))
            except ChatError as error:
                log.warning("streams could not take over their consumers", exc_info=error)
                self._waiting += claiming
                await asyncio.sleep(self._retry.total_seconds())
                self._wake.set()


def _claim(claiming: Sequence[Stream], transaction: Transaction) -> None:
    for stream in claiming:
        taken = pb.ConsumerTaken(consumer=stream.consumer, stream_id=stream.stream_id)
        tell(transaction, stream.caller.user_id, taken)
