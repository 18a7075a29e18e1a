"""Consumers and their positions, as a snapshot reads them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import ConsumerRecord, Place
from grpc_chat.store.statements import count, run

_ALL = 2**31 - 1
_NAMES = sa.select(schema.consumer_names)
_POSITIONS = (
    sa.select(schema.consumers.c.room_id, schema.consumers.c.seq, schema.consumers.c.stamp)
    .where(
        schema.consumers.c.user_id == sa.bindparam("user"),
        schema.consumers.c.consumer == sa.bindparam("name"),
        schema.consumers.c.room_id > sa.bindparam("after"),
    )
    .order_by(schema.consumers.c.room_id)
    .limit(sa.bindparam("most"))
)


class ConsumerReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def has_consumer(self, user_id: str, consumer: str) -> bool:
        names = schema.consumer_names.c
        return count(self._conn, sa.and_(names.user_id == user_id, names.consumer == consumer)) > 0

    def consumers_of(self, user_id: str) -> int:
        return count(self._conn, schema.consumer_names.c.user_id == user_id)

    def consumers(self, user_id: str, *, after: str, limit: int) -> list[ConsumerRecord]:
        names = schema.consumer_names.c
        query = (
            _NAMES.where(names.user_id == user_id, names.consumer > after)
            .order_by(names.consumer)
            .limit(limit)
        )
        return [ConsumerRecord(*row) for row in self._conn.execute(query)]

    def unused_consumers(self, before_us: int, *, limit: int) -> list[ConsumerRecord]:
        last_used = schema.consumer_names.c.last_used_us
        query = _NAMES.where(last_used < before_us).order_by(last_used).limit(limit)
        return [ConsumerRecord(*row) for row in self._conn.execute(query)]

    def consumer_positions(
        self, user_id: str, consumer: str, *, after: str, limit: int
    ) -> list[tuple[str, Place, int]]:
        consumers, rooms, members = schema.consumers.c, schema.rooms.c, schema.members.c
        # Looked up for each: with a join, the rows could come in the order of another table, and would be
        # sorted.
        newest = sa.select(rooms.last_seq).where(rooms.room_id == consumers.room_id).scalar_subquery()
        is_member = sa.exists().where(
            members.room_id == consumers.room_id, members.user_id == consumers.user_id
        )
        query = (
            sa.select(consumers.room_id, consumers.seq, consumers.stamp, newest)
            .where(consumers.user_id == user_id, consumers.consumer == consumer)
            .where(consumers.room_id > after, is_member)
            .order_by(consumers.room_id)
            .limit(limit)
        )
        return [
            (room_id, Place(seq, stamp), last_seq)
            for room_id, seq, stamp, last_seq in self._conn.execute(query)
        ]

    def positions(
        self, user_id: str, consumer: str, *, after: str = "", limit: int = _ALL
    ) -> dict[str, Place]:
        values = {"user": user_id, "name": consumer, "after": after, "most": limit}
        result = run(self._conn, _POSITIONS, values)
        rows = result.cursor.fetchall()
        result.close()
        return {room_id: Place(seq, stamp) for room_id, seq, stamp in rows}
