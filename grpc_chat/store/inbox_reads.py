"""What waits for a user across their rooms, as a snapshot reads it: one statement for any number of rooms."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.mention_reads import UNREAD_MENTIONS
from grpc_chat.store.records import Attention, InboxRoom
from grpc_chat.store.statements import run

_rooms, _members, _wants = schema.rooms.c, schema.members.c, schema.notifications.c
_deleted = schema.deleted_messages.c
_NONE: sa.ColumnElement[int] = sa.literal_column("0")

_counted = _rooms.message_count - _members.read_count - _members.read_own
_deleted_after = (
    sa.select(sa.func.count())
    .select_from(schema.deleted_messages)
    .where(_deleted.room_id == _members.room_id, _deleted.seq > _members.read_seq)
    .where(_deleted.user_id != _members.user_id)
    .correlate(schema.members)
    .scalar_subquery()
)
OF_MEMBERSHIP = sa.and_(
    _wants.room_id == _members.room_id,
    _wants.user_id == _members.user_id,
    # A row that is left of an earlier membership means nothing.
    _wants.join_seq == _members.join_seq,
)
# Rooms in which nothing waits, nearly all of them, are not looked through for deleted messages.
WAITING = sa.case((_counted > _NONE, _counted - _deleted_after), else_=_NONE)
"""For a row of members with its room: how many messages of others come after its marker."""
MENTIONED = sa.case((_rooms.last_seq > _members.read_seq, UNREAD_MENTIONS), else_=_NONE)
"""The same, of messages that mention the member."""
_INBOX = (
    sa.select(
        _rooms.room_id,
        _rooms.last_event_us,
        WAITING,
        MENTIONED,
        sa.func.coalesce(_wants.level, _NONE),
        sa.func.coalesce(_wants.muted_until_us, _NONE),
    )
    .select_from(schema.members)
    .join(schema.rooms, _rooms.room_id == _members.room_id)
    .outerjoin(schema.notifications, OF_MEMBERSHIP)
    .where(_members.user_id == sa.bindparam("user"), _members.room_id > sa.bindparam("after"))
    .order_by(_members.room_id)
    .limit(sa.bindparam("most"))
)


class InboxReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def inbox(self, user_id: str, *, after: str, limit: int) -> list[InboxRoom]:
        result = run(self._conn, _INBOX, {"user": user_id, "after": after, "most": limit})
        rows = result.cursor.fetchall()
        result.close()
        return [
            InboxRoom(room_id, last_event_us, unread, mentions, Attention(level, until_us))
            for room_id, last_event_us, unread, mentions, level, until_us in rows
        ]

    def attention(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Attention]:
        query = (
            sa.select(_wants.room_id, _wants.level, _wants.muted_until_us)
            .join(schema.members, OF_MEMBERSHIP)
            .where(_wants.user_id == user_id, _wants.room_id.in_(list(room_ids)))
        )
        return {row.room_id: Attention(row.level, row.muted_until_us) for row in self._conn.execute(query)}
