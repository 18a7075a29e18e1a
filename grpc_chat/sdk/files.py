"""Files, from the client's side: uploading, downloading, links."""

from __future__ import annotations

import asyncio
import hashlib
import io
import mimetypes
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

from grpc_chat.errors import ChatError, Unavailable, UploadDamaged, WrongOffset
from grpc_chat.sdk import convert, retry
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.file_names import safe_name, sent_name
from grpc_chat.sdk.file_records import File, FileLink, Progress, Upload
from grpc_chat.wire import chat_pb2 as pb

T = TypeVar("T")

Source = str | os.PathLike[str] | bytes | BinaryIO
"""What can be uploaded: the path of a file, its content, or a file that is open for reading and can seek."""

OnProgress = Callable[[Progress], None]

_DOWNLOAD = "/chat.v1.FileService/DownloadFile"

_HASHED_AT_ONCE = 1024 * 1024


class FileCalls(Calls):
    """The calls about files."""

    async def upload(
        self,
        source: Source,
        *,
        name: str = "",
        content_type: str = "",
        keep_metadata: bool = False,
        progress: OnProgress | None = None,
        upload_id: str = "",
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> File:
        """Upload a file, and return what :meth:`Client.send` takes in ``files``. It continues where it was
        when the connection comes back or, given the ``upload_id``, in another program.

        Args:
            name: The name that people see; by default that of ``source``.
            content_type: Such as ``image/png``; by default guessed from the name.
            keep_metadata: Whether to keep an image's metadata, for example where it was taken.
            progress: Called when a part is on the server's disk.
            upload_id: The id of an earlier upload of the same file (see :class:`Progress`).
            timeout: How long to try without progress; None for no limit.

        Raises:
            ChatError: The server refuses it, for example with LimitExceeded or StoreFull.
            OSError: ``source`` can't be read.
            UploadDamaged: The file is not the one that the upload began with.
        """
        opened, given = await asyncio.to_thread(_opened, source)
        try:
            size, digest = await asyncio.to_thread(_measured, opened)
            patience = _Patience(timeout)
            if upload_id:
                finished, upload = await self._begun(upload_id, patience)
                if finished:
                    return finished
            else:
                name = name or sent_name(given)
                request = pb.CreateUploadRequest(
                    name=name,
                    size=size,
                    content_type=content_type or mimetypes.guess_type(name, strict=False)[0] or "",
                    sha256=digest,
                    keep_metadata=keep_metadata,
                )
                created = await self._repeat("FileService/CreateUpload", request, pb.CreateUploadResponse)
                upload = created.upload
            if upload.size != size:
                raise UploadDamaged(f"the upload was begun with a file of {upload.size} bytes, not {size}")
            await self._send_parts(opened, upload, patience, progress)
            finish = pb.FinishUploadRequest(upload_id=upload.upload_id)
            done = await patience.until_done(
                lambda: self._call("FileService/FinishUpload", finish, pb.FinishUploadResponse)
            )
            return convert.file(done.file)
        finally:
            if opened is not source:
                opened.close()

    async def _begun(self, upload_id: str, patience: _Patience) -> tuple[File | None, pb.Upload]:
        """An earlier upload, or the file that it has become."""
        request = pb.GetUploadRequest(upload_id=upload_id)
        try:
            got = await patience.until_done(
                lambda: self._call("FileService/GetUpload", request, pb.GetUploadResponse)
            )
        except ChatError as error:
            if error.code != "UPLOAD_NOT_FOUND":
                raise
            finish = pb.FinishUploadRequest(upload_id=upload_id)
            done = await self._repeat("FileService/FinishUpload", finish, pb.FinishUploadResponse)
            return convert.file(done.file), pb.Upload()
        return None, got.upload

    async def _send_parts(
        self, opened: BinaryIO, upload: pb.Upload, patience: _Patience, progress: OnProgress | None
    ) -> None:
        offset = upload.offset
        while True:
            if progress:
                progress(Progress(offset, upload.size, upload.upload_id))
            if offset >= upload.size:
                return
            data = await asyncio.to_thread(_read, opened, offset, min(upload.part_size, upload.size - offset))
            if not data:
                raise UploadDamaged("the file has become shorter while it was uploaded")
            part = pb.UploadPartRequest(upload_id=upload.upload_id, offset=offset, data=data)
            try:
                response = await patience.until_done(
                    lambda part=part: self._call("FileService/UploadPart", part, pb.UploadPartResponse)  # type: ignore[misc]
                )
                offset = response.offset
            except WrongOffset as error:
                # The server's disk has lost some of it, or another program is uploading it too.
                offset = error.offset
            patience.got_on()

    async def uploads(self) -> AsyncIterator[Upload]:
        """The caller's unfinished uploads, oldest first."""
        request = pb.ListUploadsRequest()
        async for upload in self._pages(
            "FileService/ListUploads", request, pb.ListUploadsResponse, "uploads"
        ):
            yield convert.upload(upload)

    async def cancel_upload(self, upload_id: str) -> None:
        """End an upload, or delete a file that was not sent yet."""
        request = pb.CancelUploadRequest(upload_id=upload_id)
        await self._repeat("FileService/CancelUpload", request, pb.CancelUploadResponse)

    async def download(
        self,
        file: File | str,
        path: str | os.PathLike[str],
        *,
        preview: bool = False,
        overwrite: bool = False,
        progress: OnProgress | None = None,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> Path:
        """Download a file, and return its path. It continues where it was when the connection comes back. The
        file gets its name when it is complete and its hash is right.

        Args:
            file: A file that a message carries, or its id.
            path: A file, or a folder, in which it gets the name that its sender gave it, made safe.
            preview: Whether to download the preview of an image instead.
            overwrite: Whether to replace an existing file.
            progress: Called with each piece.
            timeout: How long to try without progress; None for no limit.

        Raises:
            FileExistsError: There is a file already.
            OSError: It can't be written.
            ChatError: As :meth:`read_file`.
        """
        told, pieces = await self._opened(file, preview, _Patience(timeout))
        async with aclosing(pieces):
            name = safe_name(f"{told.name}.webp" if preview else told.name)
            place = await asyncio.to_thread(_place, Path(path), name, overwrite=overwrite)
            new = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}.part")
            digest, done = hashlib.sha256(), 0
            try:
                with new.open("xb") as opened:
                    async for data in pieces:
                        await asyncio.to_thread(opened.write, data)
                        digest.update(data)
                        done += len(data)
                        if progress:
                            progress(Progress(done, told.size))
                if not preview and told.sha256 and digest.digest() != told.sha256:
                    raise Unavailable("the file did not arrive as it is; download it again")
                await asyncio.to_thread(_put_in_place, new, place, overwrite=overwrite)
            finally:
                new.unlink(missing_ok=True)
        return place

    async def read_file(
        self,
        file: File | str,
        *,
        preview: bool = False,
        offset: int = 0,
        length: int = 0,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> AsyncGenerator[bytes]:
        """The content of a file, piece by piece.

        Args:
            length: How many bytes; 0 for all that follow ``offset``.

        Raises:
            FileNotFound: There is none, or the caller may not see it, or no longer.
        """
        _, pieces = await self._opened(file, preview, _Patience(timeout), offset, length)
        async with aclosing(pieces):
            async for data in pieces:
                yield data

    async def download_link(
        self, file: File | str, *, preview: bool = False, lifetime: timedelta | None = None
    ) -> FileLink:
        """A link with which a browser can download a file without a token, for some minutes."""
        request = pb.CreateDownloadLinkRequest(file_id=_id(file), preview=preview)
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        response = await self._repeat(
            "FileService/CreateDownloadLink", request, pb.CreateDownloadLinkResponse
        )
        return FileLink(response.url, convert.time(response.expire_time))

    async def _opened(
        self, file: File | str, preview: bool, patience: _Patience, offset: int = 0, length: int = 0
    ) -> tuple[File, AsyncGenerator[bytes]]:
        """A file's record, and the pieces of its content."""
        pieces = self._pieces(file, preview, patience, offset, length)
        told = await anext(pieces)
        assert isinstance(told, File)
        return told, _only_bytes(pieces)

    async def _pieces(
        self, file: File | str, preview: bool, patience: _Patience, offset: int, length: int
    ) -> AsyncGenerator[File | bytes]:
        told = False
        end = offset + length
        while True:
            request = pb.DownloadFileRequest(
                file_id=_id(file), preview=preview, offset=offset, length=end - offset if length else 0
            )
            responses = self._link.stream(
                "/chat.v1.FileService/DownloadFile", request, pb.DownloadFileResponse
            )
            try:
                async for response in responses:
                    patience.got_on()
                    if response.HasField("file") and not told:
                        told = True
                        yield convert.file(response.file)
                    if response.data:
                        offset += len(response.data)
                        yield response.data
                return
            except ChatError as error:
                if (length and offset >= end) or self._link.closed:
                    raise
                await patience.wait(error)


async def _only_bytes(pieces: AsyncGenerator[File | bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(pieces):
        async for piece in pieces:
            assert isinstance(piece, bytes)
            yield piece


class _Patience:
    """Tries again as long as there is hope, and gives up if there is no progress."""

    def __init__(self, timeout: timedelta | None) -> None:
        self._seconds = timeout.total_seconds() if timeout is not None else None
        self._backoff = retry.Backoff()
        self._since = asyncio.get_running_loop().time()

    def got_on(self) -> None:
        """There is progress."""
        self._backoff.reset()
        self._since = asyncio.get_running_loop().time()

    async def wait(self, error: ChatError) -> None:
        """Wait before the next try.

        Raises:
            ChatError: There will be no next try.
        """
        waited = asyncio.get_running_loop().time() - self._since
        if not retry.worthwhile(error) or (self._seconds is not None and waited >= self._seconds):
            raise error
        await asyncio.sleep(self._backoff.next(error).total_seconds())

    async def until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an idempotent call."""
        while True:
            try:
                return await attempt()
            except ChatError as error:
                await self.wait(error)


def _id(file: File | str) -> str:
    return file if isinstance(file, str) else file.file_id


def _opened(source: Source) -> tuple[BinaryIO, str]:
    """A source as an open file, and its name."""
    if isinstance(source, bytes):
        return io.BytesIO(source), ""
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb"), Path(source).name
    called = getattr(source, "name", "")
    return source, Path(called).name if isinstance(called, str) else ""


def _measured(opened: BinaryIO) -> tuple[int, bytes]:
    """The length and the SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    opened.seek(0)
    while data := opened.read(_HASHED_AT_ONCE):
        digest.update(data)
        size += len(data)
    return size, digest.digest()


def _read(opened: BinaryIO, offset: int, length: int) -> bytes:
    opened.seek(offset)
    return opened.read(length)


def _place(path: Path, name: str, *, overwrite: bool) -> Path:
    """The path of a download."""
    place = path / name if path.is_dir() else path
    if not overwrite and os.path.lexists(place):
        raise FileExistsError(f"{place} exists")
    return place


def _put_in_place(new: Path, place: Path, *, overwrite: bool) -> None:
    if overwrite:
        new.replace(place)
        return
    try:
        # Unlike a rename, it fails if there is one by now.
        os.link(new, place)
    except FileExistsError:
        raise FileExistsError(f"{place} exists") from None
    except OSError:
        # The file system has no links.
        if place.exists():
            raise FileExistsError(f"{place} exists") from None
        new.rename(place)
