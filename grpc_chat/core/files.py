"""Files that messages carry: who may see them, and their contents."""

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
"""How long a download goes on after its user lost the right to see the file."""


def visible(snapshot: Snapshot, user_id: str, file_id: str) -> Pieces[FileRecord | None]:
    """A file, if the user may see it: their own file that was not sent yet, or a file in a message that they
    may read now. Otherwise None, as for a file that does not exist.
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
            # If a member can't read the newest message in the room that carries the file, they can't read
            # any.
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
        """The files that messages are to carry, without those that do not exist. :meth:`may_carry` checks
        whether the sender may send them, when the messages are stored."""
        ids = list(dict.fromkeys(file_id for message in messages for file_id in message.file_ids))
        return await self._readers.run(lambda snapshot: snapshot.files(ids))

    @staticmethod
    def may_carry(
        caller: Caller, path: str, file_ids: Sequence[str], found: dict[str, FileRecord]
    ) -> CheckState:
        """A check for the transaction that stores a message with files: whether the sender may send them."""

        def check(snapshot: Snapshot) -> ChatError | None:
            for at, file_id in enumerate(file_ids):
                field = f"{path}.file_ids[{at}]"
                # The message's description of the file was made from what was found before.
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
        """Count a download of the caller's while it lasts.

        Raises:
            RateLimited: The caller has too many downloads.
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
        """Part of a file's content, in pieces that are read when they are asked for, at the user's allowed
        rate.

        Args:
            length: 0 for everything after the offset.

        Raises:
            FileNotFound: The caller may no longer see the file.
            SessionEnded: The caller's session has ended.
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
                # The content was deleted meanwhile, or the disk has lost it.
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
