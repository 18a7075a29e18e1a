"""Consumers, as a transaction changes them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from grpc_chat.store import schema


class ConsumerWrites:
    """See :class:`grpc_chat.store.base.Transaction`."""

    _conn: sa.Connection
    now_us: int

    def use_consumers(self, used: Iterable[tuple[str, str]]) -> None:
        names = schema.consumer_names
        touch = (
            sa.update(names)
            .where(names.c.user_id == sa.bindparam("user"), names.c.consumer == sa.bindparam("name"))
            .values(last_used_us=self.now_us)
        )
        if rows := [{"user": user_id, "name": consumer} for user_id, consumer in used]:
            self._conn.execute(touch, rows)

    def delete_consumer(self, user_id: str, consumer: str) -> bool:
        found = False
        for table in (schema.consumers, schema.consumer_names):
            one = sa.and_(table.c.user_id == user_id, table.c.consumer == consumer)
            found = self._conn.execute(sa.delete(table).where(one)).rowcount > 0 or found
        return found
