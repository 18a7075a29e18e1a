"""What is left on the disk of a server that has stopped."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from tests.torture.changers import MARK

_WORD = re.compile(MARK.encode() + rb"[0-9a-f]{14}")


def words_on_disk(folder: Path) -> dict[str, str]:
    """The marked words in the bytes of all files, and which file has each.

    The databases are compacted before: what SQLite overwrites stays in copies that it makes while it moves
    rows, until then.
    """
    for database in folder.glob("*.db"):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found: dict[str, str] = {}
    for path in folder.rglob("*"):
        # What a restore replaced is kept as it was.
        if path.is_file() and ".before-restore-" not in path.name:
            for word in _WORD.findall(path.read_bytes()):
                found[word.decode()] = path.name
    return found


def among(words: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, str]:
    """Of texts, by what stands for them with their words: those that are there, and where."""
    return {key: words[word] for key, word in texts.items() if word in words}
