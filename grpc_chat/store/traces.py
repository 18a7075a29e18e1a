"""What events say about deleted messages, and is yet to be erased."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.rows import Rows

_d = schema.deleted_traces.c
_SOME = sa.select(_d.room_id, _d.seq).limit(1)


class SqlTraceReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def traces_left(self) -> bool:
        return self._conn.execute(_SOME).first() is not None


class SqlTraceWrites:
    """A part of :class:`grpc_chat.store.base.Transaction`."""

    _conn: sa.Connection
    _rows: Rows

    def erase_traces(self) -> bool:
        found = self._conn.execute(_SOME).first()
        if found is None:
            return False
        room_id, seq = found
        if not self._rows.erase_traces(room_id, seq):
            self._rows.delete(schema.deleted_traces, room_id=room_id, seq=seq)
        return True
