"""Claims a consumer's name for a new stream, so that an older stream on another node ends."""

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
from grpc_chat.store.base import Transaction
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)


class Claims:
    """Writes to users' logs which stream uses a consumer's name. Within a node no entry is needed.

    No stream waits for its claim: with a full disk, streams still read.

    Args:
        retry: How long to wait after a claim could not be stored; longer than the interval of the position
            check, by which a claim that was stored after all is known. None where no other node writes to
            the store: then nothing is claimed.
    """

    def __init__(self, committer: Committer, streams: Streams, *, retry: timedelta | None) -> None:
        self._committer = committer
        self._streams = streams
        self._retry = retry
        self._waiting: list[Stream] = []
        self._wake = asyncio.Event()

    def claim(self, stream: Stream) -> None:
        """End the other streams of a new stream's consumer, on whatever node they are."""
        if self._retry and stream.consumer:
            self._waiting.append(stream)
            self._wake.set()

    async def run(self) -> None:
        """Store claims, until cancelled."""
        while self._retry:
            await self._wake.wait()
            self._wake.clear()
            # A stream that has closed must not take the name from a newer one.
            claiming = [
                stream
                for stream in self._waiting
                if self._streams.is_open(stream) and not (stream.ended or stream.claimed)
            ]
            self._waiting.clear()
            try:
                if claiming:
                    await self._committer.transact(SYSTEM, partial(_claim, claiming))
            except Exception as error:  # Nothing else would claim.
                log.warning("streams could not take over their consumers", exc_info=error)
                self._waiting += claiming
                await asyncio.sleep(self._retry.total_seconds())
                self._wake.set()


def _claim(claiming: Sequence[Stream], transaction: Transaction) -> None:
    for stream in claiming:
        taken = pb.ConsumerTaken(consumer=stream.consumer, stream_id=stream.stream_id)
        tell(transaction, stream.caller.user_id, taken)
