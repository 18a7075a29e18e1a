"""The interface of a storage for the contents of files, and what every storage guarantees.

A content is identified by its SHA-256 alone. The same bytes are kept once, however often they are uploaded,
and a name that a user chose never becomes a path. The database knows which contents are needed; the storage
only knows which ones it has.

- *Whole.* A content is stored completely or not at all, even if the process or the machine crashes.
- *Durable.* When :meth:`Contents.put` returns, the content survives a loss of power.
- *Full is an error.* If there is no space, ``StoreFull`` is raised, and nothing is left half-written.

All methods block, so they must not be called on the event loop. Several threads may call them at once, but
:meth:`Contents.put` and :meth:`Contents.delete` MUST NOT run at the same time for the same content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import NamedTuple, Protocol

from grpc_chat.errors import StoreFull, StoreUnavailable

_AT_ONCE = 1024 * 1024

_DIGEST = re.compile("[0-9a-f]{64}")


class Arriving(Protocol):
    """Keeps the bytes of unfinished uploads, by ids that the server made. Their length is the progress.

    Only one thread at a time may write an upload.
    """

    def require_room(self, size: int) -> None:
        """Check that there is space for this many more bytes.

        Raises:
            StoreFull: There is not enough space.
        """

    def length(self, upload_id: str) -> int:
        """How many bytes have arrived."""

    def append(self, upload_id: str, offset: int, data: bytes) -> None:
        """Add bytes at the end, which is at ``offset``. Afterwards all of them are on the disk, or none.

        Raises:
            StoreFull: There is not enough space.
            StoreUnavailable: The bytes can't be written.
        """

    def seal(self, upload_id: str) -> str:
        """Write all of an upload to the disk, and return its SHA-256."""

    def path(self, upload_id: str) -> Path:
        """The file with the upload's bytes."""

    def temporary(self) -> AbstractContextManager[Path]:
        """A path for a temporary file beside the uploads. It is removed afterwards, unless it was moved
        away."""

    def discard(self, upload_id: str) -> None:
        """Remove an upload's bytes."""

    def uploads(self) -> list[str]:
        """The ids of the uploads of which anything has arrived."""


class Contents(Protocol):
    """Keeps contents by their SHA-256, as 64 lower-case hexadecimal digits."""

    place: str
    """Where the contents are, for people to read; empty for the folder beside the database."""

    def put(self, digest: str, path: Path) -> None:
        """Store the content of a file. The caller has synced the file, which may be gone afterwards.

        Storing a content again changes nothing.

        Raises:
            StoreFull: There is not enough space.
            StoreUnavailable: The content can't be written.
        """

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """Part of a content. It is shorter than ``length`` if the content ends earlier.

        Raises:
            KeyError: There is no such content.
            StoreUnavailable: The content can't be read.
        """

    def size(self, digest: str) -> int | None:
        """How many bytes a content has; None if there is no such content."""

    def delete(self, digest: str) -> None:
        """Remove a content, if it exists."""

    def own(self) -> Iterator[str]:
        """The contents that are stored for this database alone, in any order. None are, if other databases
        may use the same place."""

    def close(self) -> None:
        """Close all files and connections."""


class Storage(NamedTuple):
    """Where the contents of files are kept, and where uploads arrive."""

    contents: Contents
    arriving: Arriving


def require_digest(digest: str) -> str:
    """Check a digest before it becomes a path, and return it.

    Raises:
        ValueError: The text is not a digest.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError("not a SHA-256")
    return digest


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn the system's errors about files into errors that callers of the server may see.

    Raises:
        StoreFull: The disk is full, or the user that the server runs as may use no more of it.
        StoreUnavailable: Anything else.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (ENOSPC, EDQUOT):
            raise StoreFull("the server's disk is full; nothing was stored") from exc
        raise StoreUnavailable(f"the server can't {what}: {exc.strerror}") from exc


def sync(path: Path) -> str:
    """Write a file to the disk (fsync), and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while data := file.read(_AT_ONCE):
            digest.update(data)
    return digest.hexdigest()
