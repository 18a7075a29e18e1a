"""Files on their way to the server, part by part, until they are complete."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.disk import Disk
from grpc_chat.core.page_token import Listed
from grpc_chat.core.turns import FewAtATime, share
from grpc_chat.errors import (
    FailedPrecondition,
    InvalidRequest,
    LimitExceeded,
    RateLimited,
    UploadDamaged,
    UploadNotFound,
    WrongOffset,
)
from grpc_chat.files.base import Arriving, Contents, sync
from grpc_chat.files.images import Images, Seen
from grpc_chat.metrics import Totals
from grpc_chat.store.base import Transaction
from grpc_chat.store.files import FileRecord, UploadRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3

_UNKNOWN_TYPE = "application/octet-stream"

_LOOKING_AT_ONCE = 1
"""How many images are examined at once: each may take a gigabyte of memory, and a core."""

_SETTLED = timedelta(hours=1)
"""When to check a content that is being stored: long after that has succeeded or failed."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The limits of files. Those of a user include the user's bots.

    Attributes:
        uploads: Whether new uploads are allowed.
        file_bytes: The largest file.
        user_bytes: The bytes of all of a user's files.
        user_files: How many files a user may have.
        all_bytes: The bytes of all users' files.
        uploads_per_user: How many unfinished uploads a user may have.
        part_bytes: The largest part of an upload.
        upload_age: How long an upload may take before it is removed.
        unsent_age: How long a file is kept that no message carries.
        link_age: How long a link works.
        parts_per_user: How many of a user's parts are stored at once.
        downloads_per_user: How many downloads a user may have at once.
        download_bytes_per_second: The rate of all of a user's downloads; 0 for any.
    """

    uploads: bool = True
    file_bytes: int = 100 * _MIB
    user_bytes: int = 2 * _GIB
    user_files: int = 20_000
    all_bytes: int = 20 * _GIB
    uploads_per_user: int = 20
    part_bytes: int = 192 * _KIB
    upload_age: timedelta = timedelta(days=3)
    unsent_age: timedelta = timedelta(days=1)
    link_age: timedelta = timedelta(minutes=10)
    parts_per_user: int = 16
    downloads_per_user: int = 16
    download_bytes_per_second: int = 50 * _MIB


class Uploads:
    """The uploads of all users.

    Args:
        disk: The threads for blocking work.
        placing: Prevents a content from being stored and deleted at the same time.
        images: Examines images; None to treat them like other files.
        totals: Counts bytes.
    """

    def __init__(
        self,
        context: Context,
        contents: Contents,
        arriving: Arriving,
        disk: Disk,
        *,
        placing: FewAtATime,
        limits: FileLimits,
        images: Images | None = None,
        totals: Totals | None = None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._clock = context.clock
        self._contents = contents
        self._arriving = arriving
        self._disk = disk
        self._placing = placing
        self._limits = limits
        self._images = images
        self._totals = totals or Totals()
        self._parts: Counter[str] = Counter()
        self._looking = asyncio.Semaphore(_LOOKING_AT_ONCE)
        # Parts of one upload, and its end, are dealt with one after the other; so are the images of a user.
        self._one = FewAtATime()

    async def create(self, caller: Caller, request: pb.CreateUploadRequest) -> pb.Upload:
        """Begin an upload. See ``FileService.CreateUpload``."""
        if not self._limits.uploads:
            raise FailedPrecondition("this server takes no files")
        if request.size > self._limits.file_bytes:
            raise LimitExceeded(
                f"size must be at most {self._limits.file_bytes} bytes, and is {request.size}",
                field="size",
                metadata={"limit": str(self._limits.file_bytes)},
            )
        await self._disk.run(self._arriving.require_room, request.size)
        upload = UploadRecord(
            upload_id=_new_id(),
            user_id=caller.user_id,
            charged_to=caller.charged_to,
            name=request.name,
            size=request.size,
            content_type=request.content_type.lower() or _UNKNOWN_TYPE,
            sha256=request.sha256,
            keep_metadata=request.keep_metadata,
            create_time_us=int(self._clock() * 1_000_000),
        )
        await self._committer.transact(caller, partial(self._begin, upload))
        return self._told(upload, 0)

    def _begin(self, upload: UploadRecord, transaction: Transaction) -> None:
        limits = self._limits
        usage, all_usage = transaction.file_usage(upload.charged_to), transaction.file_usage("")
        for so_many, most, what in (
            (usage.uploads + 1, limits.uploads_per_user, "unfinished uploads; finish or cancel one"),
            (usage.uploads + usage.files + 1, limits.user_files, "files; delete messages that carry some"),
            (usage.bytes + upload.size, limits.user_bytes, "bytes of files; delete messages that carry some"),
        ):
            if so_many > most:
                raise LimitExceeded(f"you may have at most {most} {what}", metadata={"limit": str(most)})
        if all_usage.bytes + upload.size > limits.all_bytes:
            raise LimitExceeded("the server keeps no more files", metadata={"limit": str(limits.all_bytes)})
        transaction.insert_upload(upload)

    async def get(self, caller: Caller, upload_id: str) -> pb.Upload:
        """An upload, with its progress.

        Raises:
            UploadNotFound: The caller has no such upload.
        """
        upload = await self._readers.run(lambda snapshot: _own(snapshot, caller, upload_id))
        return self._told(upload, await self._disk.run(self._arriving.length, upload_id))

    async def list_(self, caller: Caller, request: pb.ListUploadsRequest) -> Listed[pb.Upload]:
        """A page of the caller's uploads, oldest first."""
        page = self._pages.open(f"ListUploads {caller.user_id}", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.uploads(caller.user_id, after=page.after_time, limit=page.limit)
        )
        told = [
            self._told(upload, await self._disk.run(self._arriving.length, upload.upload_id))
            for upload in page.cut(found)
        ]
        return Listed(told, page.next(found, lambda upload: f"{upload.create_time_us} {upload.upload_id}"))

    async def put(self, caller: Caller, request: pb.UploadPartRequest) -> int:
        """Store a part, and return how many bytes have arrived. See ``FileService.UploadPart``."""
        who = caller.charged_to
        if self._parts[who] >= self._limits.parts_per_user:
            # Each waiting part takes memory.
            raise RateLimited(
                f"{self._limits.parts_per_user} of your parts are being stored at once, which is the maximum",
                retry_after=timedelta(milliseconds=200),
            )
        self._parts[who] += 1
        try:
            return await self._disk.whole(self._put(caller, request.upload_id, request.offset, request.data))
        finally:
            self._parts[who] -= 1
            if not self._parts[who]:
                del self._parts[who]

    async def _put(self, caller: Caller, upload_id: str, offset: int, data: bytes) -> int:
        async with self._one.turn(upload_id):
            upload = await self._readers.run(lambda snapshot: _own(snapshot, caller, upload_id))
            if offset + len(data) > upload.size:
                raise InvalidRequest(
                    f"data must not go beyond the {upload.size} bytes that were announced", field="data"
                )
            there = await self._disk.run(self._arriving.length, upload_id)
            if offset > there:
                raise _go_on_at(there, "offset")
            if new := data[there - offset :]:
                await self._disk.run(self._arriving.append, upload_id, there, new)
                self._totals.file_bytes_received += len(new)
            return there + len(new)

    async def finish(self, caller: Caller, upload_id: str) -> pb.File:
        """Make a file of an upload. See ``FileService.FinishUpload``."""
        return await self._disk.whole(self._finish(caller, upload_id))

    async def _finish(self, caller: Caller, upload_id: str) -> pb.File:
        async with self._one.turn(upload_id):

            def find(snapshot: Snapshot) -> UploadRecord | FileRecord:
                file = snapshot.file(upload_id)
                return file if file and file.user_id == caller.user_id else _own(snapshot, caller, upload_id)

            found = await self._readers.run(find)
            if isinstance(found, FileRecord):
                # An earlier call finished the upload, but its answer was lost.
                return file_told(found)
            there = await self._disk.run(self._arriving.length, upload_id)
            if there < found.size:
                raise _go_on_at(there, "")
            digest = await self._disk.run(self._arriving.seal, upload_id)
            if found.sha256 and found.sha256.hex() != digest:
                await self._end(caller, upload_id)
                raise UploadDamaged("what arrived is not what its sha256 says; upload the file again")
            with self._arriving.temporary() as stripped, self._arriving.temporary() as preview:
                file, places = await self._looked_into(found, digest, stripped, preview)
                await self._place(caller, file, places)
            await self._disk.run(self._arriving.discard, upload_id)
            return file_told(file)

    async def _looked_into(
        self, upload: UploadRecord, digest: str, stripped: Path, preview: Path
    ) -> tuple[FileRecord, dict[str, Path]]:
        """The file that an upload becomes, and the paths of the contents that it needs.

        Args:
            stripped, preview: Paths of files that may be created.
        """
        path, file = self._arriving.path(upload.upload_id), _file_of(upload, digest)
        seen = await self._see(path, None if upload.keep_metadata else stripped, preview)
        if seen.stripped:
            digest, size = await self._disk.run(_sealed, stripped)
            path, file = stripped, file._replace(digest=digest, size=size, metadata_removed=True)
        places = {file.digest: path}
        if seen.has_preview:
            digest, size = await self._disk.run(_sealed, preview)
            places.setdefault(digest, preview)
            file = file._replace(
                content_type=seen.content_type,
                width=seen.width,
                height=seen.height,
                preview_digest=digest,
                preview_size=size,
            )
        return file, places

    async def _see(self, path: Path, stripped: Path | None, preview: Path) -> Seen:
        """Examine a file that may be an image. A user's files are examined one at a time."""
        images = self._images
        if not images or not await self._disk.run(images.may_be_one, path):
            return Seen()
        async with self._one.turn(f"images of {share.get()}"), self._looking:
            return await self._disk.run(partial(images.look, path, stripped=stripped, preview=preview))

    async def _place(self, caller: Caller, file: FileRecord, places: Mapping[str, Path]) -> None:
        """Store a file's contents, and then the file's row. A content without its file is found by a row that
        is written before, and a file without its content never exists."""

        def expect(transaction: Transaction) -> None:
            later_us = transaction.now_us + int(_SETTLED.total_seconds() * 1_000_000)
            transaction.expect_unneeded(places, later_us)

        def note(transaction: Transaction) -> None:
            if not transaction.delete_upload(file.file_id):
                raise _no_upload()
            transaction.insert_file(file)

        async with AsyncExitStack() as turns:
            # In order, so that no two wait for each other.
            for digest in sorted(places):
                await turns.enter_async_context(self._placing.turn(digest))
            await self._committer.transact(caller, expect)
            for digest, path in places.items():
                await self._disk.run(self._contents.put, digest, path)
            await self._committer.transact(caller, note)

    async def cancel(self, caller: Caller, upload_id: str) -> None:
        """End an upload, or delete a file that no message has carried. See ``FileService.CancelUpload``."""
        await self._disk.whole(self._cancel(caller, upload_id))

    async def _cancel(self, caller: Caller, upload_id: str) -> None:
        async with self._one.turn(upload_id):
            await self._end(caller, upload_id)

    async def _end(self, caller: Caller, upload_id: str) -> None:
        def end(transaction: Transaction) -> None:
            file = transaction.file(upload_id)
            if file and file.user_id == caller.user_id and not file.sent:
                if transaction.held_files([upload_id]):
                    raise FailedPrecondition(
                        "a message that you have scheduled carries this file: cancel that message first",
                        field="upload_id",
                    )
                transaction.delete_file(upload_id)
                return
            _own(transaction, caller, upload_id)
            transaction.delete_upload(upload_id)

        await self._committer.transact(caller, end)
        await self._disk.run(self._arriving.discard, upload_id)

    async def expire(self, upload: UploadRecord, caller: Caller) -> None:
        """End an upload that has taken too long."""

        def end(transaction: Transaction) -> None:
            transaction.delete_upload(upload.upload_id)

        async with self._one.turn(upload.upload_id):
            await self._committer.transact(caller, end)
            await self._disk.run(self._arriving.discard, upload.upload_id)

    def _told(self, upload: UploadRecord, offset: int) -> pb.Upload:
        told = pb.Upload(
            upload_id=upload.upload_id,
            name=upload.name,
            size=upload.size,
            content_type=upload.content_type,
            offset=offset,
            part_size=self._limits.part_bytes,
        )
        told.create_time.FromMicroseconds(upload.create_time_us)
        age_us = int(self._limits.upload_age.total_seconds() * 1_000_000)
        told.expire_time.FromMicroseconds(upload.create_time_us + age_us)
        return told


def file_told(file: FileRecord) -> pb.File:
    """A file as messages and answers show it."""
    return pb.File(
        file_id=file.file_id,
        name=file.name,
        size=file.size,
        content_type=file.content_type,
        width=file.width,
        height=file.height,
        has_preview=bool(file.preview_digest),
        metadata_removed=file.metadata_removed,
        sha256=bytes.fromhex(file.digest),
    )


def _file_of(upload: UploadRecord, digest: str) -> FileRecord:
    return FileRecord(
        file_id=upload.upload_id,
        user_id=upload.user_id,
        charged_to=upload.charged_to,
        name=upload.name,
        size=upload.size,
        content_type=upload.content_type,
        digest=digest,
        width=0,
        height=0,
        metadata_removed=False,
        preview_digest="",
        preview_size=0,
        create_time_us=upload.create_time_us,
        sent=False,
    )


def _sealed(path: Path) -> tuple[str, int]:
    """Write a file to the disk, and return its hash and length."""
    return sync(path), path.stat().st_size


def _own(snapshot: Snapshot, caller: Caller, upload_id: str) -> UploadRecord:
    upload = snapshot.upload(upload_id)
    if upload is None or upload.user_id != caller.user_id:
        raise _no_upload()
    return upload


def _no_upload() -> UploadNotFound:
    return UploadNotFound(
        "you have no such upload; it may have expired, or been canceled or finished", field="upload_id"
    )


def _go_on_at(there: int, field: str) -> WrongOffset:
    return WrongOffset(
        f"the server has the first {there} bytes of this file; go on there",
        field=field,
        metadata={"offset": str(there)},
    )


def _new_id(token: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """128 random bits, in lower-case letters and digits."""
    return base64.b32encode(token(16)).decode().rstrip("=").lower()
