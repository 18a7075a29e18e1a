"""What was acknowledged last, kept beside the database: so a database that has lost it is noticed.

SQLite drops the end of a write-ahead log that does not match its checksums, and a log that was cut short,
or an older copy of the database, looks like nothing ever happened. The mark is written after a commit is
durable and never synced itself: so after a crash it may be older than the database, but never newer.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

_HEADER = struct.Struct(">IQH")  # checksum of the rest, seq, length of the room's id


class Mark:
    """The room and number of the last event that was committed, in a small file for the owner alone."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, room_id: str, seq: int) -> None:
        """Remember an event that is durable."""
        name = room_id.encode()
        rest = struct.pack(">QH", seq, len(name)) + name
        os.pwrite(self._descriptor, struct.pack(">I", zlib.crc32(rest)) + rest, 0)

    def read(self) -> tuple[str, int] | None:
        """The event remembered last; None where there is none, or it can't be made out."""
        data = os.pread(self._descriptor, 65_536 + _HEADER.size, 0)
        if len(data) < _HEADER.size:
            return None
        checksum, seq, length = _HEADER.unpack_from(data)
        end = _HEADER.size + length
        if zlib.crc32(data[4:end]) != checksum:
            return None
        return data[_HEADER.size : end].decode(), seq

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
