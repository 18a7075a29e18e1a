"""Contents on this machine's disk: ``ab/cdef…`` is the one whose SHA-256 begins with abcdef."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from grpc_chat.files.base import Storage, require_digest, told
from grpc_chat.files.spool import Spool


class LocalContents:
    """See :class:`grpc_chat.files.base.Contents`.

    Args:
        folder: Made where it is missing, for the owner alone. What is put must lie on the same file system.
    """

    place = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with told("make its folder of files"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, digest: str, path: Path) -> None:
        place = self.path(digest)
        with told("store a file"):
            if not place.parent.exists():
                place.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self.folder)
            # One that is there already is the same, unless the disk has lost its end.
            if not place.exists() or place.stat().st_size != path.stat().st_size:
                path.replace(place)
            sync_folder(place.parent)

    def read(self, digest: str, offset: int, length: int) -> bytes:
        with told("read a file"):
            try:
                descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise KeyError(digest) from None
            try:
                return os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)

    def size(self, digest: str) -> int | None:
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, digest: str) -> None:
        place = self.path(digest)
        with told("delete a file"), suppress(FileNotFoundError):
            place.unlink()
            sync_folder(place.parent)

    def own(self) -> Iterator[str]:
        with told("look through its files"):
            for folder in sorted(self.folder.iterdir()):
                if len(folder.name) == 2 and folder.is_dir():
                    for name in os.listdir(folder):
                        with suppress(ValueError):
                            yield require_digest(folder.name + name)

    def path(self, digest: str) -> Path:
        """Where a content is, or would be."""
        require_digest(digest)
        # 256 folders: 1,000,000 files are 4,000 in each.
        return self.folder / digest[:2] / digest[2:]

    def close(self) -> None:
        """See :meth:`grpc_chat.files.base.Contents.close`."""


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def local_storage(folder: Path, *, keep_free: int = 0) -> Storage:
    """Files in a folder.

    Args:
        keep_free: So many bytes of the disk are left to others.

    Raises:
        StoreUnavailable: The folder can't be used.
    """
    return Storage(LocalContents(folder), Spool(folder / "uploads", keep_free=keep_free))
