"""The store, with SQLAlchemy Core. Differences between databases are in sqlite.py and postgres.py."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from grpc_chat.errors import ChatError, StoreFull, StoreUnavailable
from grpc_chat.store import schema
from grpc_chat.store.base import Result, Write
from grpc_chat.store.batch import Batch
from grpc_chat.store.identity import begin_epoch, identify
from grpc_chat.store.snapshot import SqlSnapshot
from grpc_chat.store.statements import insert_into
from grpc_chat.store.transaction import SqlTransaction

log = logging.getLogger(__name__)

_ENDED_SESSIONS = 10_000
"""How many ended sessions are remembered: more than can end while a call waits."""

_SNAPSHOT_SECONDS = 30
"""How long opening a snapshot waits for another to close."""

_MOST_TOLD = 1000
"""How many damaged events are logged. More of them, from a failing disk, would say nothing new."""


_ATTEMPTS = 3
"""How often a transaction is tried in all, if what kept it from being stored may pass at once."""


class _Repeated(Exception):
    """A ``client_message_id`` of the batch was used before. A second, careful attempt finds out which."""


class Driver(Protocol):
    """What a database adds to the common implementation."""

    writer: sa.Engine
    reader: sa.Engine

    def is_full(self, error: SQLAlchemyError) -> bool:
        """Whether the disk is full, and certainly nothing of the transaction is stored."""

    def is_fatal(self, error: SQLAlchemyError) -> bool:
        """Whether no further write can be trusted before a restart."""

    def is_passing(self, error: SQLAlchemyError) -> bool:
        """Whether nothing of the transaction is stored, and it may succeed if it is done again."""

    def is_lost(self, error: SQLAlchemyError) -> bool:
        """Whether the connection can't be used any longer, while another might."""

    def was_stored(self) -> bool | None:
        """Whether the last transaction of the writer is stored, after its connection was lost while it was
        committed. None if that can't be found out."""

    def count(self, conn: sa.Connection) -> bool:
        """Count a transaction that stores no event, before it is committed. Nothing else would record it.

        Returns:
            Whether the transaction was counted, which it is if it changes anything.
        """

    def committed(
        self, conn: sa.Connection, epoch: str, newest: tuple[str, int] | None, *, counted: bool
    ) -> None:
        """Record a transaction that is durable now, and its last event."""

    def epoch_began(self, epoch: str) -> None:
        """Forget what was acknowledged in other epochs."""

    def forget_deleted(self) -> bool:
        """See :meth:`grpc_chat.store.base.Store.forget_deleted`."""

    def compact(self, conn: sa.Connection) -> None:
        """See :meth:`SqlStore.compact`."""

    def close(self) -> None:
        """Close all connections and files."""


class SqlStore:
    """A :class:`grpc_chat.store.base.Store` on a relational database.

    Args:
        driver: The database, its schema up to date.
        readers: How many snapshots may be open at once. A further one waits.
        clock: Microseconds since 1970, UTC.

    A repeated send is noticed when its insert violates a primary key. Only then is the batch repeated the
    careful way, with each ``client_message_id`` looked up first. Repeated sends are rare, and the look-ups
    would cost more than the inserts.
    """

    def __init__(self, driver: Driver, *, readers: int = 2, clock: Callable[[], int] | None = None) -> None:
        self._driver = driver
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._failed = False
        self.check_sessions = False
        # Calls that came in before a session ended may still be waiting. A dict keeps the order.
        self._ended: dict[str, None] = {}
        # One permanent connection for the one writer: checking one out costs a quarter of a small commit.
        self._connection = driver.writer.connect()
        # The same for readers. None stands for a connection that is yet to be opened.
        self._idle: queue.LifoQueue[sa.Connection | None] = queue.LifoQueue()
        for _ in range(readers):
            self._idle.put(None)
        # The driver's own errors, which SQLAlchemy does not translate while rows are fetched.
        self._driver_error: type[Exception] = driver.reader.dialect.loaded_dbapi.Error
        self._damaged: set[tuple[str, int]] = set()
        with self._connection.begin():
            self.epoch, self.secret, self.is_backup = identify(self._connection)

    @property
    def failed(self) -> bool:
        """See :attr:`grpc_chat.store.base.Store.failed`."""
        return self._failed

    def close(self) -> None:
        """See :meth:`grpc_chat.store.base.Store.close`."""
        self._connection.close()
        for connection in [self._idle.get() for _ in range(self._idle.qsize())]:
            if connection is not None:
                connection.close()
            self._idle.put(None)
        self._driver.close()

    def last_seq(self, room_id: str) -> int:
        """The number of a room's newest event, even if the room was deleted; 0 if there never was an
        event."""
        deleted = schema.deleted_rooms.c
        query = sa.select(deleted.last_seq).where(deleted.room_id == room_id)
        with self._writing().begin():
            if (last_seq := self._connection.scalar(query)) is not None:
                return int(last_seq)
        with self.snapshot() as snapshot:
            return snapshot.heads([room_id]).get(room_id, 0)

    def begin_epoch(self) -> None:
        """See :meth:`grpc_chat.store.base.Store.begin_epoch`."""
        with self._writing().begin():
            epoch = begin_epoch(self._connection)
        self.epoch, self.is_backup = epoch, False
        self._driver.epoch_began(epoch)

    def fact(self, name: str) -> str | None:
        """The database's fact with this name (table ``meta``); None if it has none."""
        meta = schema.meta.c
        with self._writing().begin():
            found: str | None = self._connection.scalar(sa.select(meta.value).where(meta.name == name))
        return found

    def put_fact(self, name: str, value: str) -> None:
        """Set a fact of the database."""
        meta = schema.meta
        insert = insert_into(meta, self._connection.dialect.name)
        insert = insert.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": value})
        with self._writing().begin():
            self._connection.execute(insert, {"name": name, "value": value})

    # Writing

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        """See :meth:`grpc_chat.store.base.Store.commit`."""
        if self._failed:
            raise StoreUnavailable("the database failed earlier; the server must be restarted")
        try:
            return self._transaction(writes, careful=False)
        except _Repeated:
            return self._transaction(writes, careful=True)

    def _transaction(
        self, writes: Sequence[Write], *, careful: bool, attempts: int = _ATTEMPTS
    ) -> list[Result]:
        results: list[Result] = []
        committing = False
        try:
            conn = self._writing()
            # The block commits when it succeeds. If that fails, it also makes SQLAlchemy roll back. Otherwise
            # the connection would take no further transaction.
            batch = Batch(
                conn,
                self._clock(),
                careful=careful,
                transaction=self._opened,
                ended=self._ended,
                check_sessions=self.check_sessions,
            )
            counted = False
            try:
                with conn.begin():
                    results = batch.carry_out(writes)
                    counted = not batch.newest and self._driver.count(conn)
                    committing = True
            except SQLAlchemyError as exc:
                if not (committing and self._driver.is_lost(exc) and self._found_stored()):
                    raise
            for session_id in batch.revived:
                self._ended.pop(session_id, None)
            for session_id in batch.ended:
                self._ended[session_id] = None
                if len(self._ended) > _ENDED_SESSIONS:
                    self._ended.pop(next(iter(self._ended)))
            self._driver.committed(conn, self.epoch, batch.newest, counted=counted)
            return results
        except IntegrityError as exc:
            if careful:
                raise StoreUnavailable("the database refused a commit") from exc
            raise _Repeated from exc
        except self._driver_error as exc:
            # An error of reading, before anything was written.
            raise StoreUnavailable("the database can't be read") from exc
        except SQLAlchemyError as exc:
            if self._driver.is_lost(exc):
                self._drop_connection()
                # What was not committed is not stored, and can be done again.
                if attempts > 1 and not self._failed:
                    return self._transaction(writes, careful=careful, attempts=attempts - 1)
            elif attempts > 1 and self._driver.is_passing(exc):
                return self._transaction(writes, careful=careful, attempts=attempts - 1)
            if self._failed:
                raise StoreUnavailable("the database did not confirm the commit") from exc
            if self._driver.is_full(exc):
                raise StoreFull("the server's disk is full; nothing was stored") from exc
            # A COMMIT that failed may still be stored: after an injected fdatasync error, the rows were there
            # on restart.
            self._failed = self._driver.is_fatal(exc)
            self._tell_of_error("a commit", exc.orig if isinstance(exc, DBAPIError) else exc)
            raise StoreUnavailable("the database did not confirm the commit") from exc

    def _found_stored(self) -> bool:
        """Whether a transaction is stored whose connection was lost while it was committed.

        If that can't be found out, the store has failed: what this process remembers may not be what is
        stored.
        """
        self._drop_connection()
        stored = self._driver.was_stored()
        if stored is None:
            self._failed = True
            log.critical("the database did not say whether a commit was stored")
        return bool(stored)

    def _writing(self) -> sa.Connection:
        """The writer's connection; a new one if it was lost."""
        if self._connection.closed:
            self._connection = self._driver.writer.connect()
        return self._connection

    def _drop_connection(self) -> None:
        """Give up the writer's connection. The next transaction opens another."""
        if not self._connection.closed:
            self._connection.invalidate()
            self._connection.close()

    def _opened(self, batch: Batch) -> SqlTransaction:
        return SqlTransaction(batch, self.epoch, self._tell_of_damage)

    def forget_deleted(self) -> bool:
        """See :meth:`grpc_chat.store.base.Store.forget_deleted`."""
        try:
            return self._driver.forget_deleted()
        except self._driver_error as exc:
            # As after a failed COMMIT, it is unknown what is on the disk.
            self._failed = True
            self._tell_of_error("overwriting what was deleted", exc)
            raise StoreUnavailable("the database could not be written") from exc

    def _tell_of_error(self, doing: str, error: BaseException | None) -> None:
        """Log what the database reported, by name alone: its text could contain what was to be stored."""
        reported = getattr(error, "sqlite_errorname", None) or type(error).__name__
        log.log(
            logging.CRITICAL if self._failed else logging.ERROR, "the database failed %s: %s", doing, reported
        )

    def compact(self) -> None:
        """Rewrite the database without anything that was deleted. This takes as much time and disk space as
        copying it. Nothing else may use the database meanwhile."""
        try:
            self._driver.compact(self._connection)
        except (SQLAlchemyError, self._driver_error) as exc:
            raise StoreUnavailable("the database could not be written anew; it is as it was") from exc

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """See :meth:`grpc_chat.store.base.Store.snapshot`."""
        try:
            conn = self._idle.get(timeout=_SNAPSHOT_SECONDS)
        except queue.Empty as exc:
            raise StoreUnavailable("too many are reading the database") from exc
        usable = False
        try:
            conn = conn or self._driver.reader.connect()
            try:
                transaction = conn.begin()
            except SQLAlchemyError as exc:
                # It may have been lost long ago, for example when the server was restarted.
                if not self._driver.is_lost(exc):
                    raise
                conn.invalidate()
                conn.close()
                conn = self._driver.reader.connect()
                transaction = conn.begin()
            with transaction:
                yield SqlSnapshot(conn, self.epoch, self._tell_of_damage)
            usable = True
        except ChatError:
            usable = True
            raise
        except (SQLAlchemyError, self._driver_error) as exc:
            raise StoreUnavailable("the database can't be read") from exc
        finally:
            if conn is not None and not usable:
                conn.close()
            self._idle.put(conn if usable else None)

    def _tell_of_damage(self, room_id: str, seq: int) -> None:
        """Log that an event does not match its checksum; once, however often it is read."""
        if (room_id, seq) not in self._damaged and len(self._damaged) < _MOST_TOLD:
            self._damaged.add((room_id, seq))
            log.error(
                "event %d of room %r is damaged on the disk, and left out; a backup may still have it",
                seq,
                room_id,
            )
