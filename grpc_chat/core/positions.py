"""Learns how far the logs of rooms and users reach, where other nodes write to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from grpc_chat.bus.base import Bus, Hints
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.reads import Readers
from grpc_chat.core.streams import Streams
from grpc_chat.core.user_logs import UserLogs
from grpc_chat.store.reads import Snapshot

log = logging.getLogger(__name__)


class Positions:
    """Passes on hints from the bus, and asks the store for heads now and then, as hints may be lost.

    Args:
        interval: How often the store is asked; None for never, where no other node writes to it.
        monotonic: Seconds, never set.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        bus: Bus,
        feeds: Feeds,
        streams: Streams,
        user_logs: UserLogs,
        interval: timedelta | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._readers = readers
        self._feeds = feeds
        self._streams = streams
        self._user_logs = user_logs
        self._interval = interval
        self._monotonic = monotonic
        bus.listen(self.hint)

    def hint(self, hints: Hints) -> None:
        """Learn how far logs reach. May be late, repeated, or missing altogether."""
        self._feeds.hint(hints)
        self._user_logs.hint(hints)

    async def run(self) -> None:
        """Ask the store now and then, until cancelled."""
        while self._interval:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                await self.check()
            except Exception as error:  # Nothing else would ask.
                log.warning("the logs' positions could not be checked", exc_info=error)

    async def check(self) -> None:
        """Ask the store how far the logs reach that are followed here.

        Raises:
            ChatError: It can't be read.
        """
        room_ids, logs = self._feeds.followed(), self._user_logs.followed()
        if not room_ids and not logs:
            return
        at = self._monotonic()

        def in_snapshot(snapshot: Snapshot) -> dict[str, int]:
            return snapshot.heads([*room_ids, *logs])

        heads = await self._readers.run(in_snapshot)
        self._user_logs.checked(logs, heads, at)
        self._feeds.hint(heads)
        for room_id in room_ids:
            if room_id not in heads:
                # Ids are never used again, so another node has deleted it.
                self._streams.deleted(room_id, "")
