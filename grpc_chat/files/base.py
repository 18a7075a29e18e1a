"""The interface of what keeps the contents of files, and what it guarantees.

A content is known by its SHA-256 and by nothing else: the same bytes are kept once, however often they are
uploaded, and no name that a user chose ever becomes a path. The database says which contents are needed;
here is only whether they are there.

- *Whole.* A content is there completely or not at all, whenever the process or the machine ends.
- *Durable.* When :meth:`Contents.put` returns, the content survives a loss of power.
- *Full is said.* Where there is no room, ``StoreFull`` is raised and nothing is left half-written.

All methods block; call them from a thread that may. They may be called by several threads at once, but for
one content :meth:`Contents.put` and :meth:`Contents.delete` MUST NOT run at the same time.
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
    """Keeps what has arrived of uploads, by ids that the server made. Their length says how far they are.

    One upload is written by one thread at a time.
    """

    def require_room(self, size: int) -> None:
        """See that there is room for so many more bytes.

        Raises:
            StoreFull: There is no space.
        """

    def length(self, upload_id: str) -> int:
        """How many bytes have arrived."""

    def append(self, upload_id: str, offset: int, data: bytes) -> None:
        """Add bytes at the end, which is at ``offset``; they are on the disk afterwards, or none of them is.

        Raises:
            StoreFull: There is no room.
            StoreUnavailable: They can't be written.
        """

    def seal(self, upload_id: str) -> str:
        """Have all of an upload be on the disk, and return its SHA-256."""

    def path(self, upload_id: str) -> Path:
        """The file in which it is."""

    def temporary(self) -> AbstractContextManager[Path]:
        """A name for a file beside them that is gone afterwards, unless it was moved away."""

    def discard(self, upload_id: str) -> None:
        """Forget what has arrived."""

    def uploads(self) -> list[str]:
        """The ids of those of which anything has arrived."""


class Contents(Protocol):
    """Keeps contents by their SHA-256, in 64 hexadecimal digits of lower case."""

    place: str
    """Where they are, for people; empty for the folder beside the database."""

    def put(self, digest: str, path: Path) -> None:
        """Keep what is in a file, which is synced and the caller's to give away: it may be gone afterwards.

        Putting what is there already changes nothing.

        Raises:
            StoreFull: There is no room.
            StoreUnavailable: It can't be written.
        """

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """Part of a content; shorter where it ends before.

        Raises:
            KeyError: It is not there.
            StoreUnavailable: It can't be read.
        """

    def size(self, digest: str) -> int | None:
        """How many bytes a content has; None where it is not there."""

    def delete(self, digest: str) -> None:
        """Remove a content, if it is there."""

    def own(self) -> Iterator[str]:
        """Those that are kept here for this database alone, in any order; none where others may keep theirs
        in the same place."""

    def close(self) -> None:
        """Let go of everything."""


class Storage(NamedTuple):
    """Where files are, and where they arrive."""

    contents: Contents
    arriving: Arriving


def require_digest(digest: str) -> str:
    """A digest, which is going to be a path.

    Raises:
        ValueError: It is not a digest.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError("not a SHA-256")
    return digest


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what the system says of files as what the callers of a server may know.

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
    """Have a file be on the disk, and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while data := file.read(_AT_ONCE):
            digest.update(data)
    return digest.hexdigest()
