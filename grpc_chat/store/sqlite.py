"""The SQLite driver of the store: one file, one process, WAL with ``synchronous=FULL``."""

from __future__ import annotations

import fcntl
import functools
import logging
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import LRUCache

from grpc_chat.errors import StoreInUse, StoreUnavailable
from grpc_chat.store import migrations, schema, statements
from grpc_chat.store.home import HomeFile
from grpc_chat.store.identity import OTHER_COMMITS
from grpc_chat.store.mark import Acknowledged, Mark
from grpc_chat.store.sql import SqlStore

log = logging.getLogger(__name__)

# Full, busy, locked and interrupted statements leave the file as it was. After any other error on the way to
# the disk, its contents are uncertain until SQLite has read it again from the start.
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

# The index of the log (-shm) could not grow, usually because the disk is full. It is made from the log, and
# no data depends on it. SQLite undoes the transaction, and the next one overwrites its part of the log. But
# that part was complete and synced: after a crash in between, the transaction is valid. So it is not certain
# that nothing was stored, as it is with SQLITE_FULL.
_INDEX_FULL = sqlite3.SQLITE_IOERR_SHMSIZE


# Up to this size the whole database is checked at every start (it takes at most a second); a larger one only
# if the server did not stop in order.
_SMALL_BYTES = 256 * 1024 * 1024

# While it waits for somebody who reads, nobody writes.
_FORGET_SECONDS = 0.05

# Of SQLite's -shm file.
_SMALLEST_INDEX = 32_768


def open_store(folder: Path, *, readers: int = 2, accept_loss: bool = False) -> SqlStore:
    """Open the database ``chat.db`` in a folder, and make both if they do not exist. Only the owner may use
    the folder (0700) and the files (0600).

    Args:
        folder: Where the database is. Not shared over a network: SQLite's WAL needs shared memory.
        readers: How many snapshots may be open at once; one more waits.
        accept_loss: If the database has lost acknowledged events, begin a new epoch with what is left.

    Raises:
        StoreUnavailable: Another process has it open, it can't be opened or read, it is damaged, it has lost
            acknowledged changes, or it was made by a newer version of the program.
    """
    lock = lock_folder(make_folder(folder))
    try:
        driver = _SqliteDriver(folder / "chat.db", lock, readers=readers)
    except SQLAlchemyError as exc:
        os.close(lock)
        raise _unopened(folder, exc) from exc
    except BaseException:
        os.close(lock)
        raise
    try:
        store = SqlStore(driver, readers=readers)
    except SQLAlchemyError as exc:
        driver.close()
        raise _unopened(folder, exc) from exc
    try:
        _require_all_acknowledged(store, driver, folder, accept_loss=accept_loss)
        _require_home(store, folder)
    except SQLAlchemyError as exc:
        store.close()
        raise _unopened(folder, exc) from exc
    except OSError as exc:
        store.close()
        raise StoreUnavailable(f"the data folder {folder} can't be used: {exc.strerror}") from exc
    except BaseException:
        store.close()
        raise
    return store


def _unopened(folder: Path, error: SQLAlchemyError) -> StoreUnavailable:
    why: object = getattr(error, "orig", None) or error
    code = _code(error)
    # If there is no room for the index of the log (-shm), SQLite reports an I/O error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _has_no_space(folder)):
        why = "the disk is full"
    return StoreUnavailable(f"the database in {folder} can't be opened: {why}")


def _has_no_space(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _SMALLEST_INDEX
    except OSError:
        return False


def _require_all_acknowledged(
    store: SqlStore, driver: _SqliteDriver, folder: Path, *, accept_loss: bool
) -> None:
    """Compare the database with the mark beside it, which has the last acknowledged commit."""
    seen = driver.mark.read()
    if store.is_backup or (seen and seen.epoch and seen.epoch != store.epoch):
        # The mark is of another epoch, and says nothing about this one.
        log.warning(
            "the database in %s is %s; going on in a new epoch",
            folder,
            "a backup that was put there" if store.is_backup else "not the one that was used here last",
        )
        store.begin_epoch()
        return
    if seen is None:
        return
    lost = ""
    if (last_seq := store.last_seq(seen.room_id)) < seen.seq:
        lost = (
            "has lost events that were acknowledged: "
            f"the room {seen.room_id!r} had event {seen.seq}, and now ends at {last_seq}"
        )
    elif driver.others < seen.others:
        lost = (
            f"has lost {seen.others - driver.others} of {seen.others} changes that were acknowledged, "
            "of accounts, sessions, members or positions"
        )
    driver.seen = seen
    if not lost:
        return
    lost = f"the database in {folder} {lost}"
    if not accept_loss:
        raise StoreUnavailable(
            f"{lost}. Restore a backup (grpc-chat admin restore FILE --replace), or go on with what is left "
            "by --accept-loss (GRPC_CHAT_ACCEPT_LOSS=true), which makes all clients read their rooms again"
        )
    log.error("%s; going on in a new epoch", lost)
    store.begin_epoch()


def _require_home(store: SqlStore, folder: Path) -> None:
    """Begin a new epoch if the database is a copy that was put here without the files beside it."""
    file = HomeFile(folder / "chat.home")
    epoch, _, home = (store.fact("home") or "").partition(" ")
    if epoch == store.epoch:
        if home and home == file.read():
            return
        log.warning(
            "the database in %s is a copy that was put there; going on in a new epoch, so that clients which "
            "have seen more of it are told",
            folder,
        )
        store.begin_epoch()
    # Otherwise it is new, or of an older version, which is trusted; or its epoch is new, which is enough.
    store.put_fact("home", f"{store.epoch} {file.write()}")


def make_folder(folder: Path) -> Path:
    """The folder, made if it does not exist; only its owner may use it.

    Raises:
        StoreUnavailable: It can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(f"the data folder {folder} can't be made: {exc.strerror}") from exc
    return folder


def lock_folder(folder: Path) -> int:
    """Make this process the only one that uses the folder, until the descriptor is closed.

    SQLite alone would let two servers take turns, each believing that it knows the heads of all rooms.

    Raises:
        StoreInUse: Another process is.
        StoreUnavailable: The folder can't be used.
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
        raise StoreInUse(
            f"another server{by} is using the data folder {folder}; stop it, or choose another folder"
        ) from exc
    # For the sentence above. On a full disk, stored data can still be read.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


class _SqliteDriver:
    """See :class:`grpc_chat.store.sql.Driver`."""

    def __init__(self, path: Path, lock: int, *, readers: int) -> None:
        self._lock = lock
        self._path = path
        log_file = path.with_name(path.name + "-wal")
        try:
            # SQLite gives its -wal and -shm files the mode of the database.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            # An orderly stop leaves no log behind.
            in_doubt = log_file.exists() and log_file.stat().st_size > 0
            check = in_doubt or path.stat().st_size < _SMALL_BYTES
            self.mark = Mark(path.with_name("chat.mark"))
        except OSError as exc:
            raise StoreUnavailable(f"the database {path} can't be opened: {exc.strerror}") from exc
        self.writer = _engine(path, begin="BEGIN IMMEDIATE", connections=1)
        self.reader = _engine(path, begin="BEGIN", connections=readers)
        self.seen = Acknowledged()
        """The contents of the mark."""
        # The count of the writer's connection, when it was last read.
        self._changes = 0
        try:
            with self.writer.connect() as conn:
                if check and (damage := conn.exec_driver_sql("PRAGMA quick_check(1)").scalar()) != "ok":
                    raise StoreUnavailable(
                        f"the database {path} is damaged ({damage}); "
                        "restore a backup: grpc-chat admin restore FILE --replace"
                    )
                conn.rollback()
                migrations.upgrade(conn)
                self.others = int(conn.scalar(_OTHER_COMMITS) or 0)
        except BaseException:
            self.writer.dispose()
            self.mark.close()
            raise

    def is_full(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        # It is certain from COMMIT too: the frame that makes a transaction valid is the last one written to
        # the WAL, and an fsync that finds the disk full is an I/O error.
        return _code(error) == sqlite3.SQLITE_FULL

    def is_fatal(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return _is_fatal(error.orig if isinstance(error, DBAPIError) else None)

    def is_passing(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return False

    def is_lost(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        # There is no server that could go away.
        return False

    def was_stored(self) -> bool | None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return None

    def count(self, conn: sa.Connection) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        if _changes(conn) == self._changes:
            # Everything was refused, or was so before. Counting would make it wait for the disk.
            return False
        statements.execute(conn, _COUNT, (OTHER_COMMITS, str(self.others + 1)))
        return True

    def committed(
        self, conn: sa.Connection, epoch: str, newest: tuple[str, int] | None, *, counted: bool
    ) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        self._changes = _changes(conn)
        if counted:
            self.others += 1
        if counted or newest:
            room_id, seq = newest or self.seen[:2]
            self._remember(Acknowledged(room_id, seq, self.others, epoch))

    def epoch_began(self, epoch: str) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        self._remember(Acknowledged(others=self.others, epoch=epoch))

    def _remember(self, seen: Acknowledged) -> None:
        self.seen = seen
        # If it can't be written, for example on a full disk, there is an older mark or none, which claims
        # less.
        with suppress(OSError):
            self.mark.write(seen)

    def forget_deleted(self) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        # The write-ahead log has the pages as they were, until it is begun anew.
        connection = sqlite3.connect(self._path, timeout=_FORGET_SECONDS)
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        except sqlite3.OperationalError as exc:
            if _is_fatal(exc):
                raise
            return False
        finally:
            connection.close()

    def compact(self, conn: sa.Connection) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        connection: Any = conn.connection.driver_connection
        # Overwriting what is deleted (secure_delete) does not reach all of it: where SQLite divides a page,
        # copies of rows are left over.
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        conn.rollback()

    def close(self) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        self.reader.dispose()
        self.writer.dispose()
        self.mark.close()
        os.close(self._lock)


_OTHER_COMMITS = sa.select(schema.meta.c.value).where(schema.meta.c.name == OTHER_COMMITS)


# Not through SQLAlchemy's compiler, which takes twice as long as SQLite does.
_COUNT = (
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def _changes(conn: sa.Connection) -> int:
    """How many rows a connection has changed so far, undone changes included."""
    connection: Any = conn.connection.driver_connection
    changes: int = connection.total_changes
    return changes


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _code(error: SQLAlchemyError) -> int | None:
    """SQLite's primary result code, https://sqlite.org/rescode.html"""
    code: int | None = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _is_fatal(error: BaseException | None) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    # Without a code the error is not SQLite's but the driver's: invalid text, or a number that is too large.
    return code is not None and code != _INDEX_FULL and code & 0xFF not in _HARMLESS


@functools.cache
def _dialect() -> sa.Dialect:
    """What makes statements into text. The text is kept for each dialect: with one for all engines, those of
    readers need not make it again, nor a second server in the process."""
    engine = sa.create_engine("sqlite://")
    # It looks at the first connection for what this SQLite can do.
    engine.connect().close()
    engine.dispose()
    return engine.dialect


_compiled = LRUCache[Any, Any](1000)


def _engine(path: Path, *, begin: str, connections: int) -> sa.Engine:
    dialect = _dialect()

    def connect() -> Any:
        # check_same_thread: the pool hands a connection to one thread at a time, which is all SQLite asks.
        return sqlite3.connect(path, check_same_thread=False, timeout=5)

    pool = sa.QueuePool(connect, pool_size=connections, max_overflow=0, timeout=30, dialect=dialect)
    engine = sa.Engine(
        pool,
        dialect,
        sa.make_url(f"sqlite:///{path}"),
        # Errors go to the log, and would take people's messages with them.
        hide_parameters=True,
        execution_options={"compiled_cache": _compiled},
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # The module's own transactions begin late and not for DDL; ours begin explicitly.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "cache_size=-16384",
            "wal_autocheckpoint=4000",
            "secure_delete=ON",
            # An insert of several rows keeps what it needs to undo itself. In a separate file that would take
            # a descriptor, and make the database fail if there is none left.
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        # SQLite's own function changes only ASCII letters: a search for ÄPFEL would not even find ÄPFEL,
        # because the words to search for are in lower case.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        statements.execute(connection, begin)

    return engine
