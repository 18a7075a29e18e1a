"""How far members have read, and what that leaves, as a snapshot reads it.

A marker's room has a count of its messages (``rooms.message_count``), and each event says how far that was
when it was stored (``events.messages``). So what is unread is a difference, however many messages there are;
what is not counted of it, deleted messages and the member's own, is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import run

_AT = sa.and_(schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq == sa.bindparam("at"))
MESSAGES_AT = sa.select(schema.events.c.messages).where(_AT)
_OWN, _OWN_IN_THREADS = (
    sa.select(sa.func.count())
    .select_from(table)
    .where(table.c.room_id == sa.bindparam("room"), table.c.user_id == sa.bindparam("user"))
    .where(table.c.seq > sa.bindparam("at"))
    for table in (schema.sends, schema.thread_messages)
)


class MarkerReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def messages_at(self, room_id: str, seq: int) -> int | None:
        result = run(self._conn, MESSAGES_AT, {"room": room_id, "at": seq})
        found: int | None = result.scalar()
        return found

    def own_after(self, room_id: str, user_id: str, seq: int) -> int:
        values = {"room": room_id, "user": user_id, "at": seq}
        sent, in_threads = (run(self._conn, query, values).scalar() or 0 for query in (_OWN, _OWN_IN_THREADS))
        return int(sent - in_threads)

    def deleted_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        members, deleted = schema.members.c, schema.deleted_messages.c
        query = (
            sa.select(members.room_id, sa.func.count())
            .select_from(schema.members)
            .join(
                schema.deleted_messages,
                sa.and_(
                    deleted.room_id == members.room_id,
                    deleted.seq > members.read_seq,
                    deleted.user_id != members.user_id,
                ),
            )
            .where(members.user_id == user_id, members.room_id.in_(room_ids))
            .group_by(members.room_id)
        )
        return {row[0]: row[1] for row in self._conn.execute(query)}
