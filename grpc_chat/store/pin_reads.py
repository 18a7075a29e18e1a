"""Pinned messages, as a snapshot reads them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import PinRecord
from grpc_chat.store.statements import at_once, filled, marks

_p = schema.pins.c
_COLUMNS = (_p.seq, _p.pin_seq, _p.user_id, _p.create_time_us)
# With the last room several times, the count is the same.
_COUNTS = """
WITH wanted (room_id, first_seq) AS (VALUES {wanted})
SELECT wanted.room_id, COUNT(DISTINCT pins.seq)
FROM wanted CROSS JOIN pins
WHERE pins.room_id = wanted.room_id AND pins.seq >= wanted.first_seq
GROUP BY wanted.room_id
"""


class PinReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def pin(self, room_id: str, seq: int) -> PinRecord | None:
        row = self._conn.execute(sa.select(*_COLUMNS).where(_p.room_id == room_id, _p.seq == seq)).first()
        return PinRecord(*row) if row else None

    def pins(self, room_id: str, *, first_seq: int, before: int | None, limit: int) -> list[PinRecord]:
        query = sa.select(*_COLUMNS).where(_p.room_id == room_id, _p.seq >= first_seq)
        if before is not None:
            query = query.where(_p.pin_seq < before)
        query = query.order_by(_p.pin_seq.desc()).limit(limit)
        return [PinRecord(*row) for row in self._conn.execute(query)]

    def pin_counts(self, first_seqs: Mapping[str, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in at_once(list(first_seqs.items())):
            values = filled(some)
            result = self._conn.exec_driver_sql(_sql(self._conn.dialect.paramstyle, len(values) // 2), values)
            found.update(result.cursor.fetchall())
            result.close()
        return found


@functools.cache
def _sql(paramstyle: str, rooms: int) -> str:
    return _COUNTS.format(wanted=marks(paramstyle, "TEXT", "BIGINT", rows=rooms))
