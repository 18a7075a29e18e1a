"""What waits for a user across their rooms, as a snapshot reads it: one statement for any number of rooms."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.mention_reads import UNREAD_MENTIONS
from grpc_chat.store.records import Attention, InboxRoom
from grpc_chat.store.statements import run
from grpc_chat.wire import chat_pb2 as pb

_LOOKED_AT = 100
"""How many of a room's newest events may lie after its newest message for that to be found."""

_rooms, _members, _wants = schema.rooms.c, schema.members.c, schema.notifications.c
_deleted, _events = schema.deleted_messages.c, schema.events.c
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
_OF_MEMBERSHIP = sa.and_(
    _wants.room_id == _members.room_id,
    _wants.user_id == _members.user_id,
    # A row that is left of an earlier membership means nothing.
    _wants.join_seq == _members.join_seq,
)
_INBOX = (
    sa.select(
        _rooms.room_id,
        _rooms.last_event_us,
        # Rooms in which nothing waits, nearly all of them, are not looked through for deleted messages.
        sa.case((_counted > _NONE, _counted - _deleted_after), else_=_NONE),
        sa.case((_rooms.last_seq > _members.read_seq, UNREAD_MENTIONS), else_=_NONE),
        sa.func.coalesce(_wants.level, _NONE),
        sa.func.coalesce(_wants.muted_until_us, _NONE),
    )
    .select_from(schema.members)
    .join(schema.rooms, _rooms.room_id == _members.room_id)
    .outerjoin(schema.notifications, _OF_MEMBERSHIP)
    .where(_members.user_id == sa.bindparam("user"), _members.room_id > sa.bindparam("after"))
    .order_by(_members.room_id)
    .limit(sa.bindparam("most"))
)
_before_last = (
    sa.select(_events.seq)
    .where(_events.room_id == _rooms.room_id, _events.seq > _rooms.last_seq - _LOOKED_AT)
    .where(sa.or_(_events.messages.is_(None), _events.messages < _rooms.message_count))
    .order_by(_events.seq.desc())
    .limit(sa.literal_column("1"))
    .correlate(schema.rooms)
    .scalar_subquery()
)
"""The newest event up to which a room had fewer messages than it has: the next one is its newest message."""


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
            .join(schema.members, _OF_MEMBERSHIP)
            .where(_wants.user_id == user_id, _wants.room_id.in_(list(room_ids)))
        )
        return {row.room_id: Attention(row.level, row.muted_until_us) for row in self._conn.execute(query)}

    def last_messages(self, room_ids: Sequence[str]) -> dict[str, int]:
        query = sa.select(_rooms.room_id, _rooms.last_seq, _rooms.message_count, _before_last).where(
            _rooms.room_id.in_(list(room_ids))
        )
        found: dict[str, int] = {}
        for room_id, last_seq, messages, before in self._conn.execute(query):
            if not messages:
                # Nothing was counted yet: what there is was stored by an older version.
                found[room_id] = last_seq
            elif before is not None:
                found[room_id] = before + 1
            elif last_seq <= _LOOKED_AT:
                found[room_id] = 1
        return found

    def peers(self, user_id: str, room_ids: Sequence[str]) -> dict[str, pb.User]:
        users = schema.users.c
        query = (
            sa.select(_members.room_id, users.user_id, users.display_name, users.kind)
            .join(schema.users, users.user_id == _members.user_id)
            .where(_members.room_id.in_(list(room_ids)), _members.user_id != user_id)
        )
        return {
            row.room_id: pb.User(user_id=row.user_id, display_name=row.display_name, kind=row.kind)
            for row in self._conn.execute(query)
        }
