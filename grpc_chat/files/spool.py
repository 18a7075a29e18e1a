"""Uploads that are not finished, on this machine's disk: each is a file that grows, as far as it is."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grpc_chat.errors import StoreFull
from grpc_chat.files.base import sync, told

_TEMPORARY = "tmp-"


class Spool:
    """See :class:`grpc_chat.files.base.Arriving`.

    Args:
        folder: Made where it is missing, for the owner alone.
        keep_free: So many bytes of the disk are left to others: the database is on it, too.
    """

    def __init__(self, folder: Path, *, keep_free: int = 0) -> None:
        self._folder = folder
        self._keep_free = keep_free
        with told("make its folder of uploads"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What was being looked into when the process ended.
            for left in folder.glob(f"{_TEMPORARY}*"):
                left.unlink()

    def require_room(self, size: int) -> None:
        with told("look at its disk"):
            free = shutil.disk_usage(self._folder).free
        if size and free - size < self._keep_free:
            raise StoreFull("the server's disk has no room for this file; nothing was stored")

    def length(self, upload_id: str) -> int:
        try:
            return self.path(upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, upload_id: str, offset: int, data: bytes) -> None:
        with told("store a part of a file"):
            descriptor = os.open(self.path(upload_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                try:
                    written = 0
                    while written < len(data):
                        written += os.pwrite(descriptor, data[written:], offset + written)
                    os.fdatasync(descriptor)
                except OSError:
                    # What is there says how far the upload is, so half a part must not be.
                    os.ftruncate(descriptor, offset)
                    raise
            finally:
                os.close(descriptor)

    def seal(self, upload_id: str) -> str:
        with told("read an upload"):
            path = self.path(upload_id)
            path.touch(mode=0o600)
            return sync(path)

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        path = self._folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def discard(self, upload_id: str) -> None:
        with told("delete an upload"), suppress(FileNotFoundError):
            self.path(upload_id).unlink()

    def uploads(self) -> list[str]:
        with told("look through its uploads"):
            names = os.listdir(self._folder)
        return [name for name in names if not name.startswith(_TEMPORARY)]

    def path(self, upload_id: str) -> Path:
        # Only ids that the database has get here; a path must not depend on that.
        if not upload_id.isalnum() or not upload_id.isascii():
            raise ValueError("not an upload's id")
        return self._folder / upload_id
