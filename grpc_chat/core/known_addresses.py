"""The addresses from which accounts have logged in, kept over restarts."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from grpc_chat.core.attempts import Attempts
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.commit import Committer
from grpc_chat.core.reads import Readers
from grpc_chat.errors import ChatError

log = logging.getLogger(__name__)


class KnownAddresses:
    """Saves what :class:`grpc_chat.core.attempts.Attempts` knows, as hashes.

    Without it, after a restart somebody who guesses passwords behind a shared address could lock out everyone
    there.
    """

    def __init__(
        self,
        committer: Committer,
        readers: Readers,
        attempts: Attempts,
        *,
        interval: timedelta = timedelta(minutes=1),
    ) -> None:
        self._committer = committer
        self._readers = readers
        self._attempts = attempts
        self._interval = interval

    async def load(self) -> None:
        """Load what was saved."""
        most = self._attempts.max_remembered
        self._attempts.remember(await self._readers.run(lambda snapshot: snapshot.known_addresses(most)))

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                await self.save()
            except ChatError as error:
                # For example on a full disk. The new addresses are known until a restart.
                log.warning("from where accounts were entered could not be saved: %s", error)

    async def save(self) -> None:
        """Save what is new.

        Raises:
            ChatError: As :meth:`grpc_chat.core.commit.Committer.transact`.
        """
        unsaved = self._attempts.take_unsaved()
        keep = self._attempts.max_remembered
        if unsaved:
            await self._committer.transact(
                SYSTEM, lambda transaction: transaction.save_known_addresses(unsaved, keep=keep)
            )

    async def close(self) -> None:
        """Save what is left."""
        with suppress(ChatError):
            await self.save()
