"""Blocks, as a snapshot reads them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import Contact
from grpc_chat.store.statements import count, run
from grpc_chat.wire import chat_pb2 as pb

_me, _them = schema.users.alias("me"), schema.users.alias("them")


def blocks(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a user, or their owner, has blocked another, or the other's owner."""
    found = schema.blocks.c
    return (
        sa.select(sa.literal(1))
        .where(
            found.user_id.in_([one.c.user_id, one.c.owner_id]),
            found.blocked_user_id.in_([other.c.user_id, other.c.owner_id]),
        )
        .exists()
    )


_CONTACT = sa.select(
    _them.c.user_id,
    _them.c.direct_messages,
    blocks(_them, _me),
    blocks(_me, _them),
    sa.or_(
        _them.c.owner_id.in_([_me.c.user_id, _me.c.owner_id]),
        _me.c.owner_id == _them.c.user_id,
    ),
).where(_me.c.user_id == sa.bindparam("me"))
_WITH_USER = _CONTACT.where(_them.c.user_id == sa.bindparam("them"))
# Runs in the writer's transaction for messages in direct rooms: one statement for both directions.
_IN_DIRECT_ROOM = _CONTACT.join(schema.members, schema.members.c.user_id == _them.c.user_id).where(
    schema.members.c.room_id == sa.bindparam("room"), schema.members.c.user_id != _me.c.user_id
)


class BlockReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def contact(self, user_id: str, other_id: str) -> Contact | None:
        return self._contact(_WITH_USER, {"me": user_id, "them": other_id})

    def contact_in(self, room_id: str, user_id: str) -> Contact | None:
        return self._contact(_IN_DIRECT_ROOM, {"me": user_id, "room": room_id})

    def _contact(self, query: sa.ClauseElement, values: dict[str, str]) -> Contact | None:
        result = run(self._conn, query, values)
        row = result.cursor.fetchone()
        result.close()
        return None if row is None else Contact(row[0], row[1], bool(row[2]), bool(row[3]), bool(row[4]))

    def block(self, user_id: str, blocked_user_id: str) -> pb.Block | None:
        one = _BLOCKS.where(
            schema.blocks.c.user_id == user_id, schema.blocks.c.blocked_user_id == blocked_user_id
        )
        row = self._conn.execute(one).first()
        return _block(row) if row else None

    def blocks(self, user_id: str, *, after: str, limit: int) -> list[pb.Block]:
        query = (
            _BLOCKS.where(schema.blocks.c.user_id == user_id, schema.blocks.c.blocked_user_id > after)
            .order_by(schema.blocks.c.blocked_user_id)
            .limit(limit)
        )
        return [_block(row) for row in self._conn.execute(query)]

    def blocks_of(self, user_id: str) -> int:
        return count(self._conn, schema.blocks.c.user_id == user_id)


_BLOCKS = sa.select(
    schema.users.c.user_id, schema.users.c.display_name, schema.users.c.kind, schema.blocks.c.create_time_us
).join(schema.users, schema.users.c.user_id == schema.blocks.c.blocked_user_id)


def _block(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.Block:
    block = pb.Block(user=pb.User(user_id=row.user_id, display_name=row.display_name, kind=row.kind))
    block.create_time.FromMicroseconds(row.create_time_us)
    return block
