"""Whether a database is where it was last used. This reveals a copy of the database alone.

The database and a file beside it contain the same name. A database without such a file, or with another's, is
a copy, for example by ``sqlite3 .backup``, a dump or a replica, and its clients may have seen more than it
has. (If the whole folder is copied and restored, so is the file; then the stamps of the clients' positions
reveal it. If a copy replaces the database that it was made from, the mark does: see ``mark.py``.)
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class HomeFile:
    """A small file, for its owner alone, with the name of the place where a database is used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """The name; empty if there is none."""
        try:
            return self._path.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return ""

    def write(self) -> str:
        """Give the place a new name, and return it, for the database.

        The file is always whole, and is on the disk before the database has the name: a crash must not look
        like a copy.
        """
        name = secrets.token_hex(8)
        new = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{name}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return name
