"""The PostgreSQL driver of the store: one connection writes, a few read, and nothing depends on a session.

Whatever a transaction relies on is set within it, and nothing is prepared, so that a pooler in transaction
mode may stand in between.
"""

from __future__ import annotations

import functools
import logging
import secrets
import time
import weakref
from contextlib import suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import conninfo
from psycopg.adapt import Dumper
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.util import LRUCache

from grpc_chat.errors import StoreUnavailable
from grpc_chat.store import migrations
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.statements import execute

log = logging.getLogger(__name__)

OLDEST = 15
"""The oldest version of PostgreSQL that is taken: the oldest that is still maintained."""

_WRITER = "writer"
"""The fact that names the store which writes to the database."""

# Advisory locks belong to one database. Writers hold this one shared, in each transaction; to change the
# schema, or to take over, it is held alone.
_BEGIN_ALONE = (
    "BEGIN; SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '10min'; "
    "SELECT pg_advisory_xact_lock(1735553123)"
)
# One message to the server and one answer. The time-outs end transactions that would stand in others' way,
# such as one whose client is gone. Full durability is asked for each time, because a role or a database may
# have a default of its own.
_BEGIN_WRITING = (
    "BEGIN; SET LOCAL synchronous_commit = 'on'; SET LOCAL lock_timeout = '10s'; "
    "SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '60s'; "
    "SELECT pg_advisory_xact_lock_shared(1735553123); "
    "SELECT value, pg_current_xact_id()::text FROM meta WHERE name = 'writer'"
)
_BEGIN_READING = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '60s'; "
    "SET LOCAL idle_in_transaction_session_timeout = '10min'"
)

_DEFAULTS = {
    "application_name": "grpc-chat",
    "connect_timeout": "10",
    # Of several servers, the one that takes writes.
    "target_session_attrs": "read-write",
    # A server that is gone without a word is noticed after half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}
_OUTCOME_SECONDS = 10.0
"""How long a transaction whose outcome is unknown may still be under way."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_AGAIN = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, a lock that was not to be had in time."""
_FULL = {"53100"}
_DAMAGED = {"58030", "XX001", "XX002", "F0000"}
"""An I/O error, or data that is damaged."""
_AWAY = ("08", "57P")
"""The connection is gone, or the server shuts down or starts."""


class _FlagDumper(Dumper):
    """Gives the server true and false as the numbers that columns have, which it does not do by itself."""

    oid = psycopg.postgres.types["int2"].oid

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


class _TakenOver(SQLAlchemyError):
    """Another server has begun to write to the database."""


def open_store(
    url: str, *, password: str | None = None, readers: int = 2, require_durable: bool = True
) -> SqlStore:
    """Open a database of a PostgreSQL server, and make its tables if it has none.

    A server that has it open already stops at its next write: two would each believe that they know the
    sessions and the heads of all rooms.

    Args:
        url: As libpq takes it: ``postgresql://user@host:5432/database?sslmode=verify-full``.
        password: The password, where ``url`` has none. It appears in no message.
        readers: How many snapshots may be open at once; one more waits.
        require_durable: Refuse a server that may lose what it has confirmed. Only tests say no.

    Raises:
        StoreUnavailable: The server can't be reached, refuses to log in, is too old, or may lose what it has
            confirmed; or a newer version of the program made the tables.
    """
    try:
        given = {name: str(value) for name, value in conninfo.conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError as exc:
        # libpq repeats what it was given.
        raise StoreUnavailable("the URL of the PostgreSQL database can't be understood") from exc
    parameters = _DEFAULTS | given | ({"password": password} if password else {})
    where = place(url)
    try:
        driver = _PostgresDriver(parameters, where, readers=readers, require_durable=require_durable)
    except (SQLAlchemyError, psycopg.Error) as exc:
        raise _unopened(where, exc) from exc
    try:
        store = SqlStore(driver, readers=readers)
    except BaseException as exc:
        driver.close()
        if isinstance(exc, SQLAlchemyError):
            raise _unopened(where, exc) from exc
        raise
    if store.is_backup:
        log.warning("the database %s is a backup that was put there; going on in a new epoch", where)
        store.begin_epoch()
    return store


def place(url: str) -> str:
    """A database's server and name, for people: without its password, or whatever else a URL may hold."""
    with suppress(psycopg.ProgrammingError):
        given = conninfo.conninfo_to_dict(url)
        host = given.get("host") or given.get("hostaddr") or "localhost"
        port = f":{given['port']}" if given.get("port") else ""
        return f"{given.get('dbname') or given.get('user') or ''} on {host}{port}"
    return "(a URL that can't be understood)"


def _unopened(where: str, error: Exception) -> StoreUnavailable:
    """What to tell of an error while opening. The texts of libpq and of the server name the user, the
    database and the address, but no password."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlstate", None) or ""
    if code == "42501":
        return StoreUnavailable(
            f"the PostgreSQL database {where} can't be used: the user may not make tables in it; "
            "GRANT CREATE ON SCHEMA public to the user, or make the user its owner"
        )
    said = " ".join(str(original).split())
    return StoreUnavailable(f"the PostgreSQL database {where} can't be opened: {said}")


class _PostgresDriver:
    """See :class:`grpc_chat.store.sql.Driver`."""

    def __init__(
        self, parameters: dict[str, str], where: str, *, readers: int, require_durable: bool
    ) -> None:
        self._parameters = parameters
        self._where = where
        # Names this store among those that ever wrote to the database.
        self._name = secrets.token_hex(8)
        self._closed = False
        # Pools forget those that are in use when they are disposed of.
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        # The writing transaction that was begun last.
        self._transaction = ""
        with self._connect() as connection:
            _require_suitable(connection, where, require_durable=require_durable)
            self._lowering = _lowering(connection)
        self._take_over()
        self.writer = self._engine(connections=1)
        self.reader = self._engine(connections=readers)
        sa.event.listen(self.writer, "begin", self._begin_writing)
        sa.event.listen(self.reader, "begin", _begin_reading)

    def _connect(self) -> Any:
        if self._closed:
            # A pool that was disposed of would open more.
            raise psycopg.InterfaceError("the store is closed")
        # Transactions begin explicitly. Statements that were prepared would be missing on the next connection
        # that a pooler picks.
        connection = psycopg.connect(**self._parameters, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]
        connection.adapters.register_dumper(bool, _FlagDumper)
        self._connections.add(connection)
        return connection

    def _engine(self, *, connections: int) -> sa.Engine:
        dialect = _dialect(self._lowering)
        pool = sa.QueuePool(self._connect, pool_size=connections, max_overflow=0, timeout=30, dialect=dialect)
        return sa.Engine(
            pool,
            dialect,
            sa.make_url("postgresql+psycopg://"),
            # Errors go to the log, and would take people's messages with them.
            hide_parameters=True,
            execution_options={"compiled_cache": _compiled},
        )

    def _take_over(self) -> None:
        """Bring the schema up to date, and become the one that writes."""
        engine = self._engine(connections=1)
        sa.event.listen(engine, "begin", lambda conn: conn.exec_driver_sql(_BEGIN_ALONE))
        try:
            with engine.connect() as conn:
                migrations.upgrade(conn)
                with conn.begin():
                    conn.exec_driver_sql(
                        "INSERT INTO meta (name, value) VALUES (%s, %s) "
                        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                        (_WRITER, self._name),
                    )
        finally:
            engine.dispose()

    def _begin_writing(self, conn: sa.Connection) -> None:
        cursor = execute(conn, _BEGIN_WRITING)
        while cursor.nextset():
            pass
        found = cursor.fetchone()
        cursor.close()
        if found is None or found[0] != self._name:
            conn.connection.rollback()
            raise _TakenOver(f"another server writes to {self._where} now")
        self._transaction = found[1]

    def is_full(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return _code(error) in _FULL

    def is_fatal(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return isinstance(error, _TakenOver) or _code(error) in _DAMAGED

    def is_passing(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return _code(error) in _AGAIN

    def is_lost(self, error: SQLAlchemyError) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        original = error.orig if isinstance(error, DBAPIError) else None
        if not isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
            return False
        code = original.sqlstate
        # What libpq reports by itself has no code.
        return code is None or code.startswith(_AWAY)

    def was_stored(self) -> bool | None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        until = time.monotonic() + _OUTCOME_SECONDS
        while time.monotonic() < until:
            try:
                with self._connect() as connection:
                    asked = "SELECT pg_xact_status(%s::xid8)"
                    [status] = connection.execute(asked, (self._transaction,)).fetchone()
            except psycopg.Error as exc:
                log.warning("the database does not say what became of a commit: %s", type(exc).__name__)
                status = "in progress"
            if status != "in progress":
                return {"committed": True, "aborted": False}.get(status)
            time.sleep(0.1)
        return None

    def count(self, conn: sa.Connection) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        return False

    def committed(
        self, conn: sa.Connection, epoch: str, newest: tuple[str, int] | None, *, counted: bool
    ) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""

    def epoch_began(self, epoch: str) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""

    def forget_deleted(self) -> bool:
        """See :class:`grpc_chat.store.sql.Driver`."""
        # Old rows go with the server's own vacuum, and its log with its checkpoints.
        return True

    def compact(self, conn: sa.Connection) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        connection: Any = conn.connection.driver_connection
        connection.execute("VACUUM FULL")

    def close(self) -> None:
        """See :class:`grpc_chat.store.sql.Driver`."""
        self._closed = True
        self.reader.dispose()
        self.writer.dispose()
        for connection in list(self._connections):
            connection.close()


def _require_suitable(connection: Any, where: str, *, require_durable: bool) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise StoreUnavailable(
            f"the PostgreSQL server of {where} has version {version}, which must be {OLDEST} or newer"
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreUnavailable(f"the database {where} has the encoding {encoding}, which must be UTF8")
    if not require_durable:
        return
    for name in ("fsync", "full_page_writes"):
        [value] = connection.execute(f"SHOW {name}").fetchone()
        if value != "on":
            raise StoreUnavailable(
                f"the PostgreSQL server of {where} may lose what it has confirmed: it has {name} = {value}; "
                f"set {name} = on in its postgresql.conf, and reload it"
            )
    # Transactions ask for it themselves. A default other than that is most likely meant.
    [value] = connection.execute("SHOW synchronous_commit").fetchone()
    if value not in ("on", "remote_apply"):
        raise StoreUnavailable(
            f"the PostgreSQL server of {where} may lose what it has confirmed: it has synchronous_commit = "
            f"{value}; set synchronous_commit = on for this server, database and user"
        )


def _begin_reading(conn: sa.Connection) -> None:
    execute(conn, _BEGIN_READING).close()


def _code(error: SQLAlchemyError) -> str | None:
    """PostgreSQL's five letters for an error; None if it is not the server's."""
    code: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return code


@functools.cache
def _dialect(lowering: str) -> sa.Dialect:
    """What makes statements into text. The text is kept for each dialect.

    Args:
        lowering: The collation of :func:`_lowering`.
    """

    class Compiler(psycopg_dialect.PGCompiler_psycopg):
        def visit_lower_func(self, function: Any, **options: Any) -> str:
            # Bytewise again, as what it is compared with.
            lower = f'lower({self.function_argspec(function, **options)} COLLATE "{lowering}")'
            return f'({lower} COLLATE "C")'

    # Parameters by position: see statements.text_of.
    engine = sa.create_engine("postgresql+psycopg://", paramstyle="format", use_native_hstore=False)
    engine.dialect.statement_compiler = Compiler
    return engine.dialect


_LOWERING = ("pg_unicode_fast", "pg_c_utf8", "und-x-icu", "C.utf8", "C.UTF-8", "en_US.utf8")
"""Collations that know the letters of all languages, as the builds of PostgreSQL have them, best first."""


def _lowering(connection: Any) -> str:
    """The collation by which the server is to make letters small. By its default it may know only those of
    ASCII, and a search for ÄPFEL would not even find ÄPFEL."""
    asked = (
        "SELECT collname FROM pg_collation WHERE collname = ANY(%s) "
        "AND collencoding IN (-1, pg_char_to_encoding('UTF8'))"
    )
    found = {name for (name,) in connection.execute(asked, (list(_LOWERING),))}
    return next((name for name in _LOWERING if name in found), "default")


_compiled = LRUCache[Any, Any](1000)
