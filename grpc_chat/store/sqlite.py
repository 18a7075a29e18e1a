"""What SQLite adds to the common store: one file, one process, WAL with ``synchronous=FULL``."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from grpc_chat.errors import StoreUnavailable
from grpc_chat.store import migrations
from grpc_chat.store.sql import SqlStore

# Full, busy, locked and interrupted statements leave the file as it was. Whatever else goes wrong on the way
# to the disk leaves what it holds uncertain until SQLite has read it again from the start.
_HARMLESS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_TOOBIG,
}


def open_store(folder: Path, *, readers: int = 2) -> SqlStore:
    """Open the database ``chat.db`` in a folder, making both where they are missing.

    The folder is for the owner alone (0700), and so are the files (0600).

    Args:
        folder: Where the database is. Not shared over a network: SQLite's WAL needs shared memory.
        readers: How many snapshots may be open at once; one more waits.

    Raises:
        StoreUnavailable: Another process has it open, it can't be opened or read, or it was made by a newer
            version of the program.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(f"the data folder {folder} can't be made: {exc.strerror}") from exc
    lock = _lock(folder)
    try:
        driver = _SqliteDriver(folder / "chat.db", lock, readers=readers)
        return SqlStore(driver)
    except BaseException:
        os.close(lock)
        raise


def _lock(folder: Path) -> int:
    """Make this process the only one that uses the folder, until the descriptor is closed.

    SQLite alone would let two servers take turns, each believing that it knows the heads of all rooms.
    """
    path = folder / "chat.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreUnavailable(f"the data folder {folder} can't be used: {exc.strerror}") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        by = f" (process {holder})" if holder.isdigit() else ""
        raise StoreUnavailable(
            f"another server{by} is using the data folder {folder}; stop it, or choose another folder"
        ) from exc
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


class _SqliteDriver:
    """See :class:`grpc_chat.store.sql.Driver`."""

    def __init__(self, path: Path, lock: int, *, readers: int) -> None:
        self._lock = lock
        try:
            # SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as exc:
            raise StoreUnavailable(f"the database {path} can't be opened: {exc.strerror}") from exc
        self.writer = _engine(path, begin="BEGIN IMMEDIATE", connections=1)
        self.reader = _engine(path, begin="BEGIN", connections=readers)
        try:
            with self.writer.connect() as conn:
                migrations.upgrade(conn)
        except SQLAlchemyError as exc:
            self.writer.dispose()
            why = getattr(exc, "orig", None) or exc
            raise StoreUnavailable(f"the database {path} can't be opened: {why}") from exc
        except BaseException:
            self.writer.dispose()
            raise

    def is_full(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return _code(error) == sqlite3.SQLITE_FULL

    def is_fatal(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return _code(error) not in _HARMLESS

    def close(self) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        self.reader.dispose()
        self.writer.dispose()
        os.close(self._lock)


def _code(error: SQLAlchemyError) -> int | None:
    """SQLite's primary result code, https://sqlite.org/rescode.html"""
    code: int | None = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _engine(path: Path, *, begin: str, connections: int) -> sa.Engine:
    # check_same_thread: the pool hands a connection to one thread at a time, which is all SQLite asks.
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False, "timeout": 5},
        poolclass=sa.QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # The module's own transactions begin late and not for DDL; ours begin when we say so.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "cache_size=-16384",
            "wal_autocheckpoint=4000",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
