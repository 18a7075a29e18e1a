"""Files that messages carry: who may see them, and what they hold."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from grpc_chat.core import access
from grpc_chat.core.caller import Authenticator, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.disk import Disk
from grpc_chat.core.rates import Rate
from grpc_chat.core.reads import Pieces, at_once
from grpc_chat.core.uploads import FileLimits
from grpc_chat.errors import ChatError, FileNotFound, LimitExceeded, RateLimited
from grpc_chat.files.base import Contents
from grpc_chat.metrics import Totals
from grpc_chat.store.files import FileRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.writes import CheckState
from grpc_chat.wire import chat_pb2 as pb

PIECE_BYTES = 128 * 1024
"""How much of a file is in memory for each download."""

_MOST_CARRIERS = 1000
"""The most messages that carry one file. For each user who wants to see it, the room of each is checked."""

_CARRIERS_AT_ONCE = 100

_ASK_AGAIN_SECONDS = 1.0
"""How long somebody may go on downloading a file that they may not see any longer."""


def visible(snapshot: Snapshot, user_id: str, file_id: str) -> Pieces[FileRecord | None]:
    """A file that somebody may see: their own that was not sent yet, or one that a message carries which they
    may read now. None for any other file, and if there is none.
    """
    file = snapshot.file(file_id)
    if file is None:
        return None
    if not file.sent:
        return file if file.user_id == user_id else None
    after = ""
    while carriers := snapshot.carriers(file_id, user_id, after=after, limit=_CARRIERS_AT_ONCE):
        rooms = snapshot.memberships_in(user_id, [room_id for room_id, _ in carriers])
        for room_id, newest in carriers:
            room = rooms.get(room_id)
            # Of a room's messages that carry it, a member may read the newest, or none.
            if room and not access.to_read(room_id, room) and newest >= access.visible_from(room):
                return file
        after = carriers[-1][0]
        snapshot = yield
    return None


class Files:
    """The files of all rooms.

    Args:
        totals: Where bytes are counted.
        clock: Seconds, never set.
    """

    def __init__(
        self,
        context: Context,
        contents: Contents,
        disk: Disk,
        *,
        authenticator: Authenticator,
        limits: FileLimits,
        totals: Totals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._readers = context.readers
        self._contents = contents
        self._disk = disk
        self._authenticator = authenticator
        self._totals = totals or Totals()
        self._most = limits.downloads_per_user
        self._clock = clock
        self._pace = Rate(
            per_second=limits.download_bytes_per_second,
            burst=max(limits.download_bytes_per_second, 2 * PIECE_BYTES),
            clock=clock,
        )
        self._downloads: Counter[str] = Counter()

    @property
    def downloads(self) -> int:
        """How many downloads are under way."""
        return self._downloads.total()

    # Sending

    async def to_carry(self, messages: Sequence[pb.OutgoingMessage]) -> dict[str, FileRecord]:
        """The files that messages are to carry, as far as there are such. Whether the sender may send them is
        asked when they are stored (:meth:`may_carry`)."""
        ids = list(dict.fromkeys(file_id for message in messages for file_id in message.file_ids))
        return await self._readers.run(lambda snapshot: snapshot.files(ids))

    @staticmethod
    def may_carry(
        caller: Caller, path: str, file_ids: Sequence[str], found: dict[str, FileRecord]
    ) -> CheckState:
        """What is asked in the transaction in which a message is stored that carries files."""

        def check(snapshot: Snapshot) -> ChatError | None:
            for at, file_id in enumerate(file_ids):
                field = f"{path}.file_ids[{at}]"
                # What the message says of it was read before.
                if file_id not in found or not at_once(visible(snapshot, caller.user_id, file_id), snapshot):
                    return _not_found(field)
                if snapshot.carriers_of(file_id) >= _MOST_CARRIERS:
                    return LimitExceeded(
                        f"{_MOST_CARRIERS} messages carry this file already; upload it anew",
                        field=field,
                        metadata={"limit": str(_MOST_CARRIERS)},
                    )
            return None

        return check

    # Downloading

    async def find(self, caller: Caller, file_id: str, *, preview: bool = False) -> FileRecord:
        """A file that the caller may see.

        Raises:
            FileNotFound: There is none, or it has no preview.
        """
        file = await self._readers.run_pieces(lambda snapshot: visible(snapshot, caller.user_id, file_id))
        if file is None or (preview and not file.preview_digest):
            raise _not_found("file_id")
        return file

    @contextmanager
    def one_download(self, caller: Caller) -> Iterator[None]:
        """Count a download of the caller's as long as it lasts.

        Raises:
            RateLimited: They have too many.
        """
        who = caller.charged_to
        if self._downloads[who] >= self._most:
            raise RateLimited(f"{self._most} of your downloads are under way, which is the maximum")
        self._downloads[who] += 1
        try:
            yield
        finally:
            self._downloads[who] -= 1
            if not self._downloads[who]:
                del self._downloads[who]

    async def pieces(
        self, caller: Caller, file: FileRecord, offset: int, length: int, *, preview: bool = False
    ) -> AsyncGenerator[bytes]:
        """A part of what a file holds, read when it is asked for, and not faster than its user may.

        Args:
            length: 0 for all that follows.

        Raises:
            FileNotFound: The caller may not see it any longer.
            SessionEnded: Their session is no more.
        """
        digest, size = (file.preview_digest, file.preview_size) if preview else (file.digest, file.size)
        end = min(size, offset + length) if length else size
        asked = self._clock()
        while offset < end:
            count = min(PIECE_BYTES, end - offset)
            await self._wait_for(caller.charged_to, count)
            if self._clock() - asked >= _ASK_AGAIN_SECONDS:
                await self._ask_again(caller, file.file_id)
                asked = self._clock()
            try:
                data = await self._disk.run(self._contents.read, digest, offset, count)
            except KeyError:
                data = b""
            if len(data) < count:
                # It was deleted meanwhile, or the disk has lost it.
                raise _not_found("file_id")
            self._totals.file_bytes_sent += count
            yield data
            offset += count

    async def _ask_again(self, caller: Caller, file_id: str) -> None:
        await self._readers.run(lambda snapshot: self._authenticator.require_session(snapshot, caller))
        await self.find(caller, file_id)

    async def _wait_for(self, user_id: str, count: int) -> None:
        while True:
            try:
                self._pace.take(user_id, count)
                return
            except RateLimited as limited:
                await asyncio.sleep((limited.retry_after or timedelta(seconds=1)).total_seconds())


def _not_found(field: str) -> FileNotFound:
    return FileNotFound("there is no such file, or you may not see it", field=field)
