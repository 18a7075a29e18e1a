"""The last acknowledged commit, kept beside the database. This reveals a database that has lost it.

SQLite drops the end of a write-ahead log that does not match its checksums, and a log that was cut short, or
an older copy of the database, looks like nothing ever happened. The mark is written after a commit is
durable, and is not synced itself. So after a crash it may be older than the database, but never newer.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

_EVENT = struct.Struct(">IQH")
"""Checksum of the rest up to the room's id, number of the event, length of the id."""
_MORE = struct.Struct(">IQB")
"""Checksum of the rest and of what came before, number of other commits, length of the epoch."""

_MOST_BYTES = _EVENT.size + 65_535 + _MORE.size + 255


class Acknowledged(NamedTuple):
    """The last commits."""

    room_id: str = ""
    """The room of the last event; empty if there was none yet."""
    seq: int = 0
    others: int = 0
    """How many commits stored no event: those of accounts, sessions, positions."""
    epoch: str = ""
    """The database's epoch; empty if an older version of this program wrote the mark, which had no ``others``
    either."""


class Mark:
    """The last acknowledged commit, in a small file for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, what: Acknowledged) -> None:
        """Remember what is durable."""
        name, epoch = what.room_id.encode(), what.epoch.encode()
        event = struct.pack(">QH", what.seq, len(name)) + name
        event = struct.pack(">I", zlib.crc32(event)) + event
        # Older versions read and write the event alone, so it is a separate record; theirs does not match the
        # checksum of what follows it here.
        more = struct.pack(">QB", what.others, len(epoch)) + epoch
        more = struct.pack(">I", zlib.crc32(event + more)) + more
        os.pwrite(self._descriptor, event + more, 0)

    def read(self) -> Acknowledged | None:
        """Read the mark; None if there is none, or it can't be read."""
        data = os.pread(self._descriptor, _MOST_BYTES, 0)
        if len(data) < _EVENT.size:
            return None
        checksum, seq, length = _EVENT.unpack_from(data)
        end = _EVENT.size + length
        event, rest = data[:end], data[end:]
        if zlib.crc32(event[4:]) != checksum:
            return None
        try:
            found = Acknowledged(event[_EVENT.size :].decode(), seq)
            if len(rest) >= _MORE.size:
                checksum, others, length = _MORE.unpack_from(rest)
                more = rest[: _MORE.size + length]
                if zlib.crc32(event + more[4:]) == checksum:
                    found = found._replace(others=others, epoch=more[_MORE.size :].decode())
        except UnicodeDecodeError:
            # This can only happen on purpose, or by a chance of one in four thousand million.
            return None
        return found

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
