"""Changes many rows with a few statements."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import execute, marks, pieces


class Update(NamedTuple):
    """What is changed of a table's rows. Rows have the values of ``keys`` and then of ``columns``."""

    table: sa.Table
    keys: tuple[str, ...]
    """The primary key."""
    columns: tuple[str, ...]


SET_HEAD = Update(schema.rooms, ("room_id",), ("last_seq", "last_event_us", "message_count"))
SET_MARKER = Update(schema.members, ("room_id", "user_id"), ("read_seq", "read_count", "read_own"))
REWRITE = Update(schema.events, ("room_id", "seq"), ("payload", "checksum"))
FORGET_CONTENT = Update(schema.sends, ("room_id", "user_id", "client_message_id"), ("content_hash",))


_UPDATE = """
WITH wanted ({names}) AS (VALUES {values})
UPDATE {table} SET {changed} FROM wanted WHERE {same}
"""


def update_rows(conn: sa.Connection, update: Update, rows: Sequence[tuple[object, ...]]) -> None:
    """Change rows, each once, in a few statements of fixed sizes. Rows that are not there are left out.

    The driver's executemany would let go of the interpreter's lock for each row; see
    :func:`grpc_chat.store.statements.insert_rows`.
    """
    for count, values in pieces(rows):
        execute(conn, _sql(update, conn.dialect, count), values)


@functools.cache
def _sql(update: Update, dialect: sa.Dialect, rows: int) -> str:
    table, keys, columns = update
    names = (*keys, *columns)
    types = [_type(table.c[name], dialect) for name in names]
    values = marks(dialect.paramstyle, *types, rows=rows)
    changed = ", ".join(f"{name} = wanted.{name}" for name in columns)
    same = " AND ".join(f"{table.name}.{name} = wanted.{name}" for name in keys)
    return _UPDATE.format(names=", ".join(names), values=values, table=table.name, changed=changed, same=same)


def _type(column: sa.Column[object], dialect: sa.Dialect) -> str:
    """A column's type without its collation, which a value has no use for."""
    return "TEXT" if isinstance(column.type, sa.Text) else column.type.compile(dialect=dialect)
