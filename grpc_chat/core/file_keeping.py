"""Deletes what is no longer needed: contents of deleted files, files that were never sent, old uploads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.context import Context
from grpc_chat.core.disk import Disk
from grpc_chat.core.turns import FewAtATime
from grpc_chat.core.uploads import FileLimits, Uploads
from grpc_chat.errors import ChatError
from grpc_chat.files.base import Arriving, Contents
from grpc_chat.store.base import Transaction

log = logging.getLogger(__name__)

_AT_ONCE = 100

_FIRST = timedelta(seconds=10)
_GATHERED_SECONDS = 0.2

_UNKNOWN_AGE = timedelta(days=7)
"""How long contents are kept that no file in the database needs. After an older backup is restored, the newer
database may still be put back."""


class FileKeeping:
    """Deletes what is no longer needed. What is left undone, or fails, is tried again next time.

    Args:
        interval: How often it looks for something to delete without being told to.
    """

    def __init__(
        self,
        context: Context,
        uploads: Uploads,
        contents: Contents,
        arriving: Arriving,
        disk: Disk,
        *,
        placing: FewAtATime,
        limits: FileLimits,
        interval: timedelta = timedelta(minutes=1),
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._clock = context.clock
        self._uploads = uploads
        self._contents = contents
        self._arriving = arriving
        self._disk = disk
        self._placing = placing
        self._limits = limits
        self._interval = interval
        self._soon = asyncio.Event()

    def look_soon(self) -> None:
        """Look for files to delete soon, because a message with files may have been deleted."""
        self._soon.set()

    async def run(self) -> None:
        """Delete, until cancelled."""
        # A server that has just started has more important work.
        wait, looked_for_unknown = _FIRST, False
        while True:
            told = await self._is_told_within(wait)
            wait = self._interval
            try:
                if not told and not looked_for_unknown:
                    await self.find_unknown()
                    looked_for_unknown = True
                await self.expire()
                await self.delete_unneeded()
            except ChatError as error:
                log.warning("files that are not needed could not be deleted: %s", error)

    async def _is_told_within(self, wait: timedelta) -> bool:
        """Wait for :meth:`look_soon`, or until it is time to look. Returns whether it was the former."""
        try:
            async with asyncio.timeout(wait.total_seconds()):
                await self._soon.wait()
        except TimeoutError:
            return False
        # Gathers deletions, so that one look serves many of them.
        await asyncio.sleep(_GATHERED_SECONDS)
        self._soon.clear()
        return True

    async def delete_unneeded(self) -> int:
        """Delete the contents that no file needs any longer. Returns how many were deleted."""
        now_us, deleted = int(self._clock() * 1_000_000), 0
        while True:
            digests = await self._readers.run(
                lambda snapshot: snapshot.unneeded_contents(now_us, limit=_AT_ONCE)
            )
            for digest in digests:
                deleted += await self._disk.whole(self._delete_unneeded(digest))
            if len(digests) < _AT_ONCE:
                return deleted

    async def _delete_unneeded(self, digest: str) -> bool:
        # During this turn nobody can store the content again, so no new file can need it.
        async with self._placing.turn(digest):
            needed = await self._readers.run(lambda snapshot: snapshot.needed_contents([digest]))
            if not needed:
                await self._disk.run(self._contents.delete, digest)
            await self._committer.transact(SYSTEM, lambda transaction: transaction.forget_unneeded(digest))
        return not needed

    async def expire(self) -> None:
        """End uploads that have taken too long, and delete files that were not sent in time."""
        limits = self._limits
        uploads = await self._readers.run(
            lambda snapshot: snapshot.old_uploads(self._before_us(limits.upload_age), limit=_AT_ONCE)
        )
        for upload in uploads:
            await self._uploads.expire(upload, SYSTEM)
        files = await self._readers.run(
            lambda snapshot: snapshot.unsent_files(self._before_us(limits.unsent_age), limit=_AT_ONCE)
        )
        for file in files:
            await self._committer.transact(SYSTEM, _delete_unsent(file.file_id))

    def _before_us(self, age: timedelta) -> int:
        return int((self._clock() - age.total_seconds()) * 1_000_000)

    async def find_unknown(self) -> None:
        """Find uploads and contents that are on the disk but not in the database, for example after a crash,
        or after an older backup was restored."""
        spooled = await self._disk.run(self._arriving.uploads)
        for start in range(0, len(spooled), _AT_ONCE):
            some = spooled[start : start + _AT_ONCE]
            known = await self._readers.run(lambda snapshot, some=some: snapshot.known_uploads(some))  # type: ignore[misc]
            for upload_id in set(some) - known:
                await self._disk.run(self._arriving.discard, upload_id)
        own = self._contents.own()
        while some := await self._disk.run(lambda: list(islice(own, _AT_ONCE))):
            needed = await self._readers.run(lambda snapshot, some=some: snapshot.needed_contents(some))  # type: ignore[misc]
            if unknown := set(some) - needed:
                await self._committer.transact(SYSTEM, _expect_unneeded(unknown))


def _delete_unsent(file_id: str) -> Callable[[Transaction], None]:
    def delete(transaction: Transaction) -> None:
        file = transaction.file(file_id)
        if file and not file.sent and not transaction.held_files([file_id]):
            transaction.delete_file(file_id)

    return delete


def _expect_unneeded(digests: set[str]) -> Callable[[Transaction], None]:
    def expect(transaction: Transaction) -> None:
        later_us = transaction.now_us + int(_UNKNOWN_AGE.total_seconds() * 1_000_000)
        transaction.expect_unneeded(digests, later_us)

    return expect
