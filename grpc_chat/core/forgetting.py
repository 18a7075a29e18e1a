"""Words that were deleted, and bytes of them that the store has still to forget."""

from __future__ import annotations

import asyncio
import logging

from grpc_chat.errors import StoreUnavailable
from grpc_chat.store.base import Store

log = logging.getLogger(__name__)

_SECONDS = 20.0
"""How long bytes of deleted messages may stay."""


class Forgetting:
    """Has the store forget what was deleted, soon and once for all that was deleted meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted = asyncio.Event()
        # What a process that died had deleted may still be there.
        self._noted.set()

    def note(self) -> None:
        """Take note that something was deleted."""
        self._noted.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(_SECONDS)
            self._noted.clear()
            try:
                if not await asyncio.to_thread(self._store.forget_deleted):
                    # Somebody reads what was before, as a backup does.
                    self._noted.set()
            except StoreUnavailable as error:
                log.warning("deleted messages could not be forgotten yet", exc_info=error)
                self._noted.set()
