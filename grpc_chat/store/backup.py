"""Makes a backup: one file with the whole contents of a database, whether its server is running or not.

Another process than the server makes the backup, and only reads. It does not take the folder's lock, which
belongs to the server. SQLite's own locks let it read the database as of one moment while a server writes,
starts or stops.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from grpc_chat.store.contents import (
    BackupError,
    Contents,
    Progress,
    read_contents,
    require_intact,
    require_ours,
)
from grpc_chat.store.copying import NewFile, connect, connect_alone, copy, why
from grpc_chat.store.identity import BACKUP_TIME, BACKUP_VERSION


def back_up(
    folder: Path,
    file: Path,
    *,
    replace: bool,
    version: str,
    progress: Progress,
    also: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> Contents:
    """Copy the database in a folder into a file for the owner alone.

    The file gets its name when it is complete, has been checked and is on the disk. Until then, and if
    anything fails or this process is killed, an existing file of that name is unchanged.

    Args:
        folder: The data folder. Other files in it (a certificate, a log) are not copied.
        file: The backup to write. Its folder must exist.
        replace: Whether an existing file of that name is replaced.
        version: This program's version, which is stored in the copy.
        also: A further step before the file gets its name, called with the copy.

    Raises:
        BackupError: There is no such database, it is damaged, or the file exists or can't be written.
    """
    database = folder / "chat.db"
    if not database.exists():
        raise BackupError(f"there is no database in {folder}; --data is the folder that the server was given")
    place = _require_writable(Path(os.path.realpath(file)), folder, replace=replace)
    what = f"the database in {folder}"
    try:
        with NewFile(place) as new:
            with closing(_open_database(database)) as source:
                require_ours(source, what)
                copy(source, new, progress)
            with closing(connect_alone(new.path)) as made:
                # A file in WAL mode can't be read in a folder that can't be written.
                made.execute("PRAGMA journal_mode=DELETE")
                require_intact(made, f"{what}, or its copy,", progress)
                facts = {BACKUP_TIME: str(time.time_ns() // 1000), BACKUP_VERSION: version}
                made.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", facts.items())
                contents = read_contents(made, new.path, progress)
                also(made)
            new.put_in_place(replace=replace)
    except FileExistsError:
        raise _exists(place) from None
    except OSError as exc:
        raise BackupError(f"can't write {place}: {exc.strerror}") from exc
    except sqlite3.Error as exc:
        raise BackupError(f"can't write {place}: {why(exc)}") from exc
    return contents


def _open_database(path: Path) -> sqlite3.Connection:
    """A connection that leaves the database and its log as they are.

    When the last connection to a database closes, SQLite writes the log into the database and removes the
    log. Only the server may do that: after a crash, the log tells it to check the whole database. So if there
    is a log, this connection is read-only. If there is none, SQLite creates one for reading and must be able
    to remove it, so the connection can write.
    """
    mode = "ro" if path.with_name(path.name + "-wal").exists() else "rw"
    try:
        return connect(path, mode=mode)
    except sqlite3.Error as exc:
        raise BackupError(f"the database {path} can't be opened: {exc}") from exc


def _require_writable(place: Path, folder: Path, *, replace: bool) -> Path:
    if place.parent == Path(os.path.realpath(folder)) and place.name.startswith("chat."):
        raise BackupError(f"{place} belongs to the database itself; give the backup another name")
    if not place.parent.is_dir():
        raise BackupError(f"there is no folder {place.parent}")
    if place.is_dir():
        raise BackupError(f"{place} is a folder; name a file in it")
    if place.exists():
        if not place.is_file():
            raise BackupError(f"{place} is not a regular file")
        if not replace:
            raise _exists(place)
    return place


def _exists(place: Path) -> BackupError:
    return BackupError(f"{place} exists; choose another name, or --replace it")
