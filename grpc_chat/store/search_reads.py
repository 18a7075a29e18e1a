"""What search reads of the logs, on SQL."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import events_at


class SearchReads:
    """Part of :class:`grpc_chat.store.snapshot.SqlSnapshot`."""

    _conn: sa.Connection

    def heads_after(self, room_id: str, *, limit: int) -> list[tuple[str, int]]:
        """See :meth:`grpc_chat.store.reads.Snapshot.heads_after`."""
        rooms = schema.rooms.c
        query = (
            sa.select(rooms.room_id, rooms.last_seq)
            .where(rooms.room_id > room_id)
            .order_by(rooms.room_id)
            .limit(limit)
        )
        return [(found, last_seq) for found, last_seq in self._conn.execute(query)]

    def payloads_at(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """See :meth:`grpc_chat.store.reads.Snapshot.payloads_at`."""
        return {
            (row[0], row[1]): row[3]
            for row in events_at(self._conn, places)
            if row[4] is None or crc32(row[3]) == row[4]
        }
