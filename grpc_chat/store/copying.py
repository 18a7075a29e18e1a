"""Copying a database into a new file, which gets its name when it is complete."""

from __future__ import annotations

import fcntl
import itertools
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from grpc_chat.store.contents import BackupError, Progress

_STEP = 1024
"""Pages (4 MiB) that are copied between two signs of life."""

_STEPS_TO_SYNC = 4

_SIDE_FILES = ("-wal", "-shm", "-journal")


def connect(path: Path, **options: str | int) -> sqlite3.Connection:
    """A connection that begins no transactions by itself; ``options`` are those of SQLite's file URIs."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    conn = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{query}", uri=True, isolation_level=None)
    conn.execute("PRAGMA trusted_schema=OFF")
    return conn


def connect_alone(path: Path) -> sqlite3.Connection:
    """A connection to a file that nobody else uses, without SQLite's locks, which network shares often lack
    ("database is locked").
    """
    conn = connect(path, mode="rw", vfs="unix-none")
    # Otherwise the file's log would need an index in shared memory, which does not work without locks.
    conn.execute("PRAGMA locking_mode=EXCLUSIVE")
    # The caller makes the file durable, once, at the end.
    conn.execute("PRAGMA synchronous=OFF")
    return conn


class NewFile:
    """A file for its owner alone (0600) that is made beside its destination, and gets there whole or not at
    all. Leftovers of programs that were killed are removed.

    Attributes:
        path: Where it is made.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        _remove_abandoned(place)
        self.path = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Shows that somebody is still working on it. If the file system has no locks, nothing is removed
        # either.
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> NewFile:
        return self

    def sync(self) -> None:
        """Write what there is to the disk now. Gigabytes at the end would make others wait for the disk, such
        as a server that commits: a commit took 0.36 s while a file of 1.9 GB was made durable at once, and at
        most 0.1 s since.
        """
        os.fdatasync(self._descriptor)

    def put_in_place(self, *, replace: bool) -> None:
        """Make it durable, and give it its name. No connection to it may be open.

        Raises:
            FileExistsError: There is a file of that name, and ``replace`` is false.
        """
        os.fsync(self._descriptor)
        if replace:
            os.replace(self.path, self._place)
        else:
            try:
                # Unlike a check and a rename, it can't overwrite a file that was made in between.
                os.link(self.path, self._place)
            except FileExistsError:
                raise
            except OSError:
                # The file system has no links.
                if self._place.exists():
                    raise FileExistsError from None
                os.rename(self.path, self._place)
        sync_folder(self._place.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        _remove(self.path)


def _remove_abandoned(place: Path) -> None:
    for path in place.parent.glob(f".{_escaped(place.name)}.*.partial"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
        os.close(descriptor)


def _escaped(name: str) -> str:
    """A name as a pattern that only it matches."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _remove(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Some network file systems can't do this, and don't need it.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: sqlite3.Connection, new: NewFile, progress: Progress) -> None:
    """Copy the whole database of this moment into an empty file. Writers can go on: all steps read from one
    snapshot. Without it, each commit of another process makes SQLite's backup start again, and under load it
    never ends.

    Raises:
        BackupError: It can't be read or written.
    """

    steps = itertools.count(1)

    def tell(_status: int, remaining: int, total: int) -> None:
        progress("copying", 1 - remaining / max(total, 1))
        if next(steps) % _STEPS_TO_SYNC == 0:
            new.sync()

    try:
        with closing(connect_alone(new.path)) as target:
            # There is nothing to roll back to.
            target.execute("PRAGMA journal_mode=OFF")
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=_STEP, progress=tell)
            source.execute("ROLLBACK")
    except sqlite3.Error as exc:
        raise BackupError(f"the copy can't be made: {why(exc)}") from exc


def why(error: sqlite3.Error) -> str:
    """The meaning of an SQLite error, for people."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return "the disk is full"
    name = getattr(error, "sqlite_errorname", "")
    return f"{error} ({name})" if name else str(error)
