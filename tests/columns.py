"""Rows of the store as no command leaves them, for tests that need them so."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.base import Transaction
from grpc_chat.store.transaction import SqlTransaction


def change_room(transaction: Transaction, room_id: str, **columns: Any) -> None:
    """Set columns of a room, without an event that says so."""
    _change(transaction, schema.rooms, schema.rooms.c.room_id == room_id, columns)


def change_account(transaction: Transaction, user_id: str, **columns: Any) -> None:
    """Set columns of an account."""
    _change(transaction, schema.users, schema.users.c.user_id == user_id, columns)


def _change(
    transaction: Transaction, table: sa.Table, which: sa.ColumnElement[bool], columns: dict[str, Any]
) -> None:
    assert isinstance(transaction, SqlTransaction)
    transaction._conn.execute(sa.update(table).where(which).values(columns))
