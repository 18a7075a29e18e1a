"""Statements, and ways to run them, that several modules of the store use."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from grpc_chat.store import schema
from grpc_chat.store.records import Membership
from grpc_chat.wire import frames

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def blocked(users: sa.FromClause) -> sa.ColumnElement[bool]:
    """A condition on a row of users: whether the account or its owner is blocked."""
    owner = schema.users.alias()
    of_owner = sa.exists().where(owner.c.user_id == users.c.owner_id, owner.c.block_time_us.is_not(None))
    return sa.or_(users.c.block_time_us.is_not(None), of_owner)


def insert_into(table: sa.Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An insert that supports ON CONFLICT, for which both databases have the same syntax."""
    if dialect == "postgresql":
        # Imported here because it loads the dialects of all its drivers, which a server on SQLite does not
        # need.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)


@functools.cache
def text_of(statement: sa.ClauseElement, dialect: sa.Dialect) -> tuple[str, dict[str, Any]]:
    """A statement's text for the driver, and its parameters in order, with the values that they already
    have. Each must be used once: the dictionary could not say in which places it belongs."""
    compiled = statement.compile(dialect=dialect)
    order = getattr(compiled, "positiontup", None)
    if order is None:
        raise TypeError(f"{dialect.name} does not take parameters by position")
    parameters = {name: compiled.params[name] for name in order}
    if len(parameters) < len(order):
        twice = sorted(name for name in parameters if order.count(name) > 1)
        raise TypeError(f"parameters must be used once each in a statement: {twice}")
    return str(compiled), parameters


def run(conn: sa.Connection, statement: sa.ClauseElement, values: dict[str, Any]) -> sa.CursorResult[Any]:
    """Run a statement that reads. Skips the work that SQLAlchemy does to make its text."""
    return conn.exec_driver_sql(*_filled_in(conn, statement, values))


def first(conn: sa.Connection, statement: sa.ClauseElement, values: dict[str, Any]) -> Any:
    """The first row of a statement that reads, as a tuple, or None. As :func:`run`, without SQLAlchemy."""
    sql, parameters = _filled_in(conn, statement, values)
    cursor = execute(_for_reading(conn, sql), sql, parameters)
    row = cursor.fetchone()
    cursor.close()
    return row


def _for_reading(conn: sa.Connection, sql: str) -> sa.Connection:
    """The connection for a statement that reads. Within a transaction, rows may be waiting that it has to
    find."""
    prepare = getattr(conn, "for_reading", None)
    return prepare(sql) if prepare else conn


def _filled_in(
    conn: sa.Connection, statement: sa.ClauseElement, values: dict[str, Any]
) -> tuple[str, tuple[Any, ...]]:
    sql, parameters = text_of(statement, conn.dialect)
    return sql, tuple((parameters | values).values())


def change(conn: sa.Connection, statement: sa.ClauseElement, *values: dict[str, Any]) -> None:
    """Run a statement of the hot path that returns no rows, once for each of these values."""
    if len(values) == 1:
        execute(conn, *_filled_in(conn, statement, values[0]))
    else:
        sql, parameters = text_of(statement, conn.dialect)
        execute(conn, sql, [tuple((parameters | each).values()) for each in values], many=True)


def execute(conn: sa.Connection, sql: str, values: Sequence[Any] = (), *, many: bool = False) -> Any:
    """Run a statement with the driver alone, and return its cursor, which has the rows.

    This bypasses SQLAlchemy, whose own work for five statements takes a third of a small commit. The
    transaction must have begun. Errors are SQLAlchemy's, as everywhere else.

    Args:
        values: The parameters' values, in order.
        many: Whether ``values`` has several rows, for each of which the statement is run.
    """
    errors = conn.dialect.loaded_dbapi.Error
    try:
        cursor = conn.connection.cursor()
        if many:
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
    except errors as exc:
        raise sa.exc.DBAPIError.instance(
            sql, None, exc, errors, hide_parameters=True, dialect=conn.dialect
        ) from exc
    return cursor


# How many rows one insert takes: 256 of the widest table stay far below every database's bound on parameters.
_ROWS = (256, 128, 64, 32, 16, 8, 4, 2, 1)


@functools.cache
def _insert_sql(insert: sa.Insert, dialect: sa.Dialect, rows: int) -> str:
    """The text of an insert of this many rows, with values in the order of the table's columns."""
    sql, order = text_of(insert, dialect)
    if list(order) != [column.name for column in insert.table.columns]:
        raise TypeError(f"{dialect.name} orders the columns of {insert.table} in its own way")
    head, _, rest = sql.partition(" VALUES ")
    values, conflict, update = rest.partition(" ON CONFLICT ")
    return f"{head} VALUES {', '.join([values] * rows)}{conflict}{update}"


def insert_row(conn: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert one row."""
    conn.execute(sa.insert(table), values)


def insert_rows(conn: sa.Connection, insert: sa.Insert, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert tuples, whose values are in the order of the table's columns, in a few statements of fixed
    sizes.

    The driver gets the statement as text: SQLAlchemy's handling of each row's parameters costs three times as
    much as the row does in SQLite (measured with batches of 1,000 rows). The driver's executemany is not
    used, because it releases the interpreter's lock for each row, and then has to take it back from an event
    loop that is busy delivering.

    Args:
        insert: The insert into a table. Pass the same object each time: its text is cached.
    """
    for count, values in pieces(rows):
        execute(conn, _insert_sql(insert, conn.dialect, count), values)


def pieces(rows: Sequence[tuple[object, ...]]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Rows in pieces of a few sizes, so that few statements have to be prepared: the number of rows in each,
    and their values."""
    if len(rows) == 1:
        yield 1, rows[0]
        return
    start = 0
    for size in _ROWS:
        while len(rows) - start >= size:
            yield size, tuple(itertools.chain.from_iterable(rows[start : start + size]))
            start += size


# With two parameters each, these are a quarter of the parameters that SQLite takes in one statement.
_MOST_PLACES = 4096

_NONE: sa.ColumnElement[int] = sa.literal_column("0")
MEMBERSHIP_COLUMNS = (
    schema.rooms.c.room_id,
    sa.func.coalesce(schema.members.c.role, _NONE),
    schema.rooms.c.first_seq,
    schema.rooms.c.last_seq,
    sa.func.coalesce(schema.members.c.join_seq, _NONE),
    schema.rooms.c.kind,
    schema.rooms.c.history,
    schema.rooms.c.posting,
    schema.rooms.c.archive_time_us.is_not(None),
    schema.rooms.c.last_event_us,
    schema.rooms.c.edit_window_us,
    schema.rooms.c.keep_edits,
    schema.rooms.c.slow_mode_us,
    schema.rooms.c.message_count,
    *[
        sa.func.coalesce(column, _NONE)
        for column in (schema.members.c.read_seq, schema.members.c.read_count, schema.members.c.read_own)
    ],
)
"""The fields of :class:`Membership`, in order."""

_STANDING = (
    sa.select(*MEMBERSHIP_COLUMNS)
    .select_from(schema.rooms)
    .outerjoin(
        schema.members,
        sa.and_(
            schema.members.c.room_id == schema.rooms.c.room_id,
            schema.members.c.user_id == sa.bindparam("user"),
        ),
    )
    .where(schema.rooms.c.room_id == sa.bindparam("room"))
)


def membership(conn: sa.Connection, room_id: str, user_id: str) -> Membership | None:
    """A room as one user sees it; None if there is no such room."""
    cursor = execute(conn, *_filled_in(conn, _STANDING, {"room": room_id, "user": user_id}))
    row = cursor.fetchone()
    cursor.close()
    return None if row is None else Membership(*row)


_STANDINGS = """
WITH wanted (room_id, user_id) AS (VALUES {wanted})
SELECT {columns}, wanted.user_id
FROM wanted CROSS JOIN rooms
LEFT OUTER JOIN members ON members.room_id = wanted.room_id AND members.user_id = wanted.user_id
WHERE rooms.room_id = wanted.room_id
"""


def memberships(
    conn: sa.Connection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Membership | None]:
    """As :func:`membership`, for many pairs of a room and a user. Runs one statement for every 4,096
    pairs."""
    pairs = list(wanted)
    found: dict[tuple[str, str], Membership | None] = dict.fromkeys(pairs)
    for start in range(0, len(pairs), _MOST_PLACES):
        values = filled(pairs[start : start + _MOST_PLACES])
        sql = _memberships_sql(conn.dialect, len(values) // 2)
        cursor = execute(_for_reading(conn, sql), sql, values)
        for row in cursor.fetchall():
            found[row[0], row[-1]] = Membership(*row[:-1])
        cursor.close()
    return found


@functools.cache
def _memberships_sql(dialect: sa.Dialect, wanted: int) -> str:
    columns = ", ".join(str(column.compile(dialect=dialect)) for column in MEMBERSHIP_COLUMNS)
    return _STANDINGS.format(columns=columns, wanted=_pairs(dialect.paramstyle, wanted))


_CONSUMERS = """
WITH wanted (user_id, consumer) AS (VALUES {wanted})
SELECT consumer_names.user_id, consumer_names.consumer
FROM wanted CROSS JOIN consumer_names
WHERE consumer_names.user_id = wanted.user_id AND consumer_names.consumer = wanted.consumer
"""


def known_consumers(conn: sa.Connection, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these consumers, given by user and name, exist. Runs one statement for every 4,096 of them."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), _MOST_PLACES):
        values = filled(wanted[start : start + _MOST_PLACES])
        result = conn.exec_driver_sql(_consumers_sql(conn.dialect.paramstyle, len(values) // 2), values)
        found.update(result.cursor.fetchall())
        result.close()
    return found


@functools.cache
def _consumers_sql(paramstyle: str, wanted: int) -> str:
    return _CONSUMERS.format(wanted=_pairs(paramstyle, wanted))


def _pairs(paramstyle: str, count: int) -> str:
    return marks(paramstyle, "TEXT", "TEXT", rows=count)


def marks(paramstyle: str, *types: str, rows: int) -> str:
    """The placeholders of this many rows, whose columns have these types."""
    row = ", ".join(f"CAST({MARKS[paramstyle]} AS {type_})" for type_ in types)
    return ", ".join([f"({row})"] * rows)


def at_once(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    """The rows in parts, each small enough for one statement."""
    for start in range(0, len(rows), _MOST_PLACES):
        yield rows[start : start + _MOST_PLACES]


def filled(some: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """The values of rows, filled up to the next power of two with copies of the last row, so that few sizes
    of a statement have to be prepared."""
    size = 1 << (len(some) - 1).bit_length()
    return tuple(itertools.chain(*some, *[some[-1]] * (size - len(some))))


_SESSIONS = """
WITH wanted (session_id) AS (VALUES {wanted})
SELECT sessions.session_id FROM wanted CROSS JOIN sessions WHERE sessions.session_id = wanted.session_id
"""


def stored_sessions(conn: sa.Connection, session_ids: Iterable[str]) -> set[str]:
    """Which of these sessions exist. Runs one statement for every 4,096 of them."""
    found: set[str] = set()
    for some in at_once([(session_id,) for session_id in session_ids]):
        values = filled(some)
        result = conn.exec_driver_sql(_sessions_sql(conn.dialect.paramstyle, len(values)), values)
        found.update(session_id for (session_id,) in result.cursor.fetchall())
        result.close()
    return found


@functools.cache
def _sessions_sql(paramstyle: str, wanted: int) -> str:
    return _SESSIONS.format(wanted=marks(paramstyle, "TEXT", rows=wanted))


_SENT = """
WITH wanted (room_id, user_id, key) AS (VALUES {wanted})
SELECT sends.room_id, sends.user_id, sends.client_message_id, sends.seq, sends.content_hash,
events.payload, events.checksum
FROM wanted CROSS JOIN sends
LEFT OUTER JOIN events ON events.room_id = sends.room_id AND events.seq = sends.seq
WHERE sends.room_id = wanted.room_id AND sends.user_id = wanted.user_id
AND sends.client_message_id = wanted.key
"""
_MOST_SENT = 1024


@functools.cache
def _sent_sql(dialect: sa.Dialect, wanted: int) -> str:
    mark = MARKS[dialect.paramstyle]
    blob = schema.sends.c.client_message_id.type.compile(dialect=dialect)
    row = f"(CAST({mark} AS TEXT), CAST({mark} AS TEXT), CAST({mark} AS {blob}))"
    return _SENT.format(wanted=", ".join([row] * wanted))


def sent_before(
    conn: sa.Connection, keys: Iterable[tuple[str, str, bytes]]
) -> Iterator[tuple[str, str, bytes, int, bytes, int]]:
    """The events that were sent with these keys: room, user, the user's key, number, content hash, and when
    the event was stored (0 if it is damaged)."""
    wanted = list(keys)
    for start in range(0, len(wanted), _MOST_SENT):
        values = filled(wanted[start : start + _MOST_SENT])
        result = conn.exec_driver_sql(_sent_sql(conn.dialect, len(values) // 3), values)
        for *key_and_place, payload, checksum in iter(result.cursor.fetchone, None):
            intact = payload is not None and (checksum is None or crc32(payload) == checksum)
            room_id, user_id, key, seq, content_hash = key_and_place
            yield room_id, user_id, key, seq, content_hash, frames.stamp(payload) if intact else 0
        result.close()


MARKS = {"qmark": "?", "format": "%s", "pyformat": "%s"}

_PLACES = """
WITH places (room_id, seq) AS (VALUES {places})
SELECT events.room_id, events.seq, events.session_id, events.payload, events.checksum
FROM places CROSS JOIN events
WHERE events.room_id = places.room_id AND events.seq = places.seq
"""


@functools.cache
def _places_sql(paramstyle: str, places: int) -> str:
    return _PLACES.format(places=marks(paramstyle, "TEXT", "BIGINT", rows=places))


def events_at(
    conn: sa.Connection, places: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, int, str, bytes, int | None]]:
    """The events with these numbers, if they exist: room, number, session, payload, checksum.

    Runs one statement for every 4,096 events, with a look-up by primary key for each. Yields one row at a
    time, as 4,096 large messages take 256 MiB.
    """
    # The cross join makes SQLite start with the places. Its planner does not know how many there are, and
    # could otherwise scan all events.
    wanted = list(places)
    for start in range(0, len(wanted), _MOST_PLACES):
        values = filled(wanted[start : start + _MOST_PLACES])
        result = conn.exec_driver_sql(_places_sql(conn.dialect.paramstyle, len(values) // 2), values)
        try:
            yield from iter(result.cursor.fetchone, None)
        finally:
            result.close()


def stamps(conn: sa.Connection, places: Mapping[str, int]) -> dict[str, int]:
    """See :meth:`grpc_chat.store.reads.Snapshot.stamps`."""
    return {room_id: stamp for (room_id, _), stamp in stamps_at(conn, places.items()).items()}


def stamps_at(conn: sa.Connection, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """By room and number, the stamps of the events with these numbers. Those that do not exist, or do not
    match their checksum, are left out."""
    return {
        (room_id, seq): frames.stamp(payload)
        for room_id, seq, _, payload, checksum in events_at(conn, places)
        if checksum is None or crc32(payload) == checksum
    }


def like(text: str) -> str:
    """A pattern for LIKE, with ``!`` as its escape, that matches values that contain this text."""
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return f"%{text}%"


def count(conn: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    """How many rows meet a condition on one table."""
    return conn.scalar(sa.select(sa.func.count()).where(which)) or 0
