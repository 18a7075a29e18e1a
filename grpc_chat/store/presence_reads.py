"""What users show others of themselves, as a snapshot reads it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.block_reads import blocks
from grpc_chat.store.records import StatusRecord

_last_session = (
    sa.select(sa.func.max(schema.sessions.c.last_used_us))
    .where(schema.sessions.c.user_id == schema.users.c.user_id)
    .correlate(schema.users)
    .scalar_subquery()
)
_STATUSES = sa.select(
    schema.users.c.user_id,
    schema.statuses.c.text,
    schema.statuses.c.emoji,
    schema.statuses.c.expire_time_us,
    schema.statuses.c.appear_offline,
    schema.statuses.c.hide_last_seen,
    schema.statuses.c.hide_receipts,
    _last_session,
    schema.users.c.last_used_us,
).select_from(schema.users.outerjoin(schema.statuses, schema.statuses.c.user_id == schema.users.c.user_id))


class PresenceReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def statuses(self, user_ids: Sequence[str]) -> dict[str, StatusRecord]:
        query = _STATUSES.where(schema.users.c.user_id.in_(list(user_ids)))
        return {
            row[0]: StatusRecord(
                user_id=row[0],
                text=row[1] or "",
                emoji=row[2] or "",
                expire_time_us=row[3],
                appear_offline=bool(row[4]),
                hide_last_seen=bool(row[5]),
                hide_receipts=bool(row[6]),
                last_used_us=max(row[7] or 0, row[8] or 0),
            )
            for row in self._conn.execute(query)
        }

    def expired_statuses(self, now_us: int, *, limit: int) -> list[str]:
        statuses = schema.statuses.c
        query = sa.select(statuses.user_id).where(statuses.expire_time_us <= now_us).limit(limit)
        return list(self._conn.scalars(query))

    def refusing(self, user_ids: Sequence[str], user_id: str) -> set[str]:
        me, them = schema.users.alias("me"), schema.users.alias("them")
        query = (
            sa.select(them.c.user_id)
            .select_from(sa.join(me, them, sa.true()))
            .where(me.c.user_id == user_id, them.c.user_id.in_(list(user_ids)), blocks(them, me))
        )
        return set(self._conn.scalars(query))

    def refused_by(self, user_id: str) -> set[str]:
        users, blocked, me = schema.users, schema.blocks.c, schema.users.alias("me")
        mine = (
            sa.select(blocked.blocked_user_id)
            .join(me, sa.or_(blocked.user_id == me.c.user_id, blocked.user_id == me.c.owner_id))
            .where(me.c.user_id == user_id)
        )
        found = set(self._conn.scalars(mine))
        if found:
            # A user is blocked together with their bots, and a bot with its owner.
            bots = sa.select(users.c.user_id, users.c.owner_id).where(
                sa.or_(users.c.owner_id.in_(found), users.c.user_id.in_(found))
            )
            for bot, owner in self._conn.execute(bots).all():
                found.update(name for name in (bot, owner) if name)
        return found

    def small_rooms(self, user_id: str, *, members: int, limit: int) -> list[str]:
        rooms, mine = schema.rooms.c, schema.members.c
        query = (
            sa.select(mine.room_id)
            .join(schema.rooms, rooms.room_id == mine.room_id)
            .where(mine.user_id == user_id, rooms.member_count <= members)
            .order_by(mine.room_id)
            .limit(limit)
        )
        return list(self._conn.scalars(query))
