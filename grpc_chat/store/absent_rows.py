"""Knows, within a transaction, which rooms have no rows of a kind that few rooms have."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import row_statements
from grpc_chat.store.statements import first
from grpc_chat.store.thread_rows import ThreadRows


class AbsentRows(ThreadRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # Whether a table has any rows of a room.
        self._any: dict[tuple[str, str], bool] = {}

    def has_any(self, table: sa.Table, room_id: str) -> bool:
        """Whether a table may have rows of a room. Few rooms have bans or invitations, and in the others no
        user needs to be looked for."""
        if self._put.get(table):
            return True
        key = (table.name, room_id)
        if key not in self._any:
            found = first(self.conn, row_statements.any_of_room(table), {"room": room_id})
            self._any[key] = found is not None
        return self._any[key]

    def forget_absent(self) -> None:
        """Forget which tables have no rows of a room: a statement may add some."""
        self._any.clear()
