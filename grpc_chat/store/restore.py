"""Replaces a server's database with a backup."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from grpc_chat.errors import StoreUnavailable
from grpc_chat.store import migrations, schema
from grpc_chat.store.contents import (
    BackupError,
    Contents,
    Progress,
    read_contents,
    require_intact,
    require_ours,
)
from grpc_chat.store.copying import NewFile, connect, connect_alone, copy, sync_folder, why
from grpc_chat.store.identity import begin_epoch
from grpc_chat.store.sqlite import lock_folder

_BEFORE = "chat.db.before-restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore."""

    contents: Contents
    """What is in the database now."""
    sessions: int
    """How many logins and tokens work again or, with ``end_sessions``, were ended."""
    kept: Path | None
    """Where the previous database was moved; None if there was none."""


def examine(
    file: Path, *, progress: Progress, also: Callable[[sqlite3.Connection], None] = lambda _: None
) -> Contents:
    """Check a backup, or any other copy of a database, without changing it.

    Args:
        also: A further check, called with the copy.

    Raises:
        BackupError: The file is not a backup, is damaged, or was made by a newer version of the program.
    """
    with _reading(file) as conn:
        require_ours(conn, str(file))
        require_intact(conn, str(file), progress)
        contents = read_contents(conn, file, progress)
        also(conn)
        return contents


def restore(
    file: Path,
    folder: Path,
    *,
    replace: bool,
    end_sessions: bool,
    progress: Progress,
    now: datetime,
    also: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> Restored:
    """Replace the database in a folder with the contents of a backup, in a new epoch.

    The new database is complete, at this program's revision and on the disk before it gets its name. If
    anything fails before then, or this process is killed, the folder's database is unchanged.

    Args:
        file: A backup made by :func:`grpc_chat.store.backup.back_up`, or another copy of a database. It is
            not changed.
        folder: The data folder, created if it is missing. No server may be using it.
        replace: Whether an existing database is replaced. It is kept under another name.
        end_sessions: Whether to end all sessions and tokens. Otherwise, those that were revoked after the
            backup was made are valid again.
        now: Used in the name of the database that is kept.
        also: A further step before the database gets its name, called with the new database.

    Raises:
        BackupError: The backup can't be used, a server is using the folder, a database exists and ``replace``
            is false, or the disk can't be written.
    """
    database = folder / "chat.db"
    with _alone_in(folder):
        if not replace:
            _require_none(database)
        if database.exists() and file.exists() and database.samefile(file):
            raise BackupError(f"{file} is the database itself")
        try:
            with NewFile(database) as new:
                with _reading(file) as source:
                    require_ours(source, str(file))
                    copy(source, new, progress)
                with closing(connect_alone(new.path)) as made:
                    require_intact(made, str(file), progress)
                    contents = read_contents(made, new.path, progress)
                    also(made)
                epoch, sessions = _begin_anew(new.path, end_sessions=end_sessions)
                contents = dataclasses.replace(contents, epoch=epoch, schema=migrations.LATEST)
                kept = _set_aside(database, now)
                new.put_in_place(replace=replace)
        except FileExistsError:
            raise BackupError(f"a database was made in {folder} meanwhile; nothing was changed") from None
        except OSError as exc:
            raise BackupError(f"can't write to {folder}: {exc.strerror}") from exc
        except (sqlite3.Error, SQLAlchemyError) as exc:
            cause = getattr(exc, "orig", exc)
            said = why(cause) if isinstance(cause, sqlite3.Error) else str(exc)
            raise BackupError(f"can't write to {folder}: {said}") from exc
        except StoreUnavailable as exc:
            raise BackupError(f"{file}: {exc.message}") from exc
    return Restored(contents, sessions, kept)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Create the folder if it is missing, and keep servers out of it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = lock_folder(folder)
    except OSError as exc:
        raise BackupError(f"the data folder {folder} can't be made: {exc.strerror}") from exc
    except StoreUnavailable as exc:
        raise BackupError(exc.message) from exc
    try:
        yield
    finally:
        os.close(lock)


def _require_none(database: Path) -> None:
    if database.exists():
        raise BackupError(
            f"there is a database in {database.parent}; --replace puts the backup in its place, "
            "and keeps it under another name"
        )
    # Leftovers of a database that is gone. SQLite would apply such a log to the new database.
    for suffix in ("-wal", "-journal"):
        left = database.with_name(database.name + suffix)
        if left.exists():
            raise BackupError(f"{left} is left over from a database; move it away, or give --replace")


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing, even in a folder that can't be written."""
    try:
        with file.open("rb") as opened:
            header = opened.read(20)
    except OSError as exc:
        raise BackupError(f"can't read {file}: {exc.strerror}") from exc
    if not header:
        raise BackupError(f"{file} is empty")
    if not header.startswith(b"SQLite format 3\0"):
        raise BackupError(f"{file} is not a database")
    has_log = header[18:19] == b"\x02"
    options: dict[str, str | int] = {"mode": "ro"}
    # The database of a stopped server. SQLite would have to create files beside it, if only to find that it
    # has no log. Nobody is using it: otherwise a log would exist.
    if has_log and not file.with_name(file.name + "-wal").exists():
        options["immutable"] = 1
    try:
        conn = connect(file, **options)
    except sqlite3.Error as exc:
        raise BackupError(f"can't read {file}: {why(exc)}") from exc
    with closing(conn):
        yield conn


def _begin_anew(path: Path, *, end_sessions: bool) -> tuple[str, int]:
    """Update a copy to this program's revision, and begin a new epoch. Returns the epoch, and how many
    sessions the copy has, or had before they were ended."""
    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect_alone(path), poolclass=sa.NullPool, hide_parameters=True
    )
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    sessions = schema.sessions
    with engine.connect() as conn:
        migrations.upgrade(conn)
        with conn.begin():
            epoch = begin_epoch(conn)
            count: int = conn.scalar(sa.select(sa.func.count()).select_from(sessions)) or 0
            if end_sessions:
                conn.execute(sa.delete(sessions))
    return epoch, count


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Give the existing database a second name, and remove the files that belong to it.

    The old database keeps its first name until the new one takes it. If this process ends in between, the old
    database is still in place. The files beside it must be gone by then, because they would be taken for the
    new database's: SQLite would apply the log to it, and a server would require the mark's last commit of it.
    """
    mark = database.with_name("chat.mark")
    if not database.exists():
        for left in (mark, *_beside(database)):
            left.unlink(missing_ok=True)
        return None
    kept = _free_name(database.with_name(f"{_BEFORE}-{now:%Y%m%d-%H%M%S}"))
    # SQLite removes a log when it has finished with it, even one that it could not use. If the database can't
    # be read, its log is kept with it, as it might make the database readable.
    logs = {
        log: kept.with_name(kept.name + log.name.removeprefix(database.name)) for log in _beside(database)
    }
    for log, kept_log in logs.items():
        if log.exists():
            shutil.copy2(log, kept_log)
    for unneeded in logs.values() if _fold(database) else logs:
        unneeded.unlink(missing_ok=True)
    mark.unlink(missing_ok=True)
    try:
        os.link(database, kept)
    except OSError:
        # A file system without links. If this process ends before the new database is in place, the folder
        # has no database, only the old one under its other name.
        database.rename(kept)
    sync_folder(database.parent)
    return kept


def _beside(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


def _fold(database: Path) -> bool:
    """Write a database's log into it. Returns False if the database can't be read."""
    try:
        with closing(connect(database, mode="rw")) as conn:
            if conn.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete":
                return True
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return False
        if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
    raise BackupError(f"another program is reading {database}; try again when it is done")


def _free_name(path: Path) -> Path:
    name, count = path, 1
    while name.exists():
        count += 1
        name = path.with_name(f"{path.name}-{count}")
    return name
