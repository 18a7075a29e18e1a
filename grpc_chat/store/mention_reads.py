"""Who mentions a user, as a snapshot reads it.

People who write a lot can mention somebody a million times. So no statement here reads more than a fixed
number of rows for each room, and what does not count (mentions by people whom the user has blocked, and
in rooms that they have left) is sorted out in `core`, which reads them in pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.mention_rows import EVERYONE
from grpc_chat.store.records import MentionRecord

_MOST_COUNTED = 1000
_n, _m = schema.mentions.alias("n"), schema.members
_EVERYONE: sa.ColumnElement[str] = sa.literal_column(f"'{EVERYONE}'")
_COLUMNS = (_n.c.create_time_us, _n.c.room_id, _n.c.seq, _n.c.sender_id)
_NEWEST = (_n.c.create_time_us.desc(), _n.c.room_id.desc(), _n.c.seq.desc())


def _before(table: sa.FromClause, before: tuple[int, str] | None) -> sa.ColumnElement[bool]:
    if before is None:
        return sa.true()
    return sa.tuple_(table.c.create_time_us, table.c.room_id) < before


def _has_blocked(user: sa.ColumnElement[str], other: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a user has blocked another, or the other's owner."""
    users, blocks = schema.users.alias("sender"), schema.blocks
    block: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .where(
            blocks.c.user_id == user,
            blocks.c.blocked_user_id.in_([users.c.user_id, users.c.owner_id]),
        )
        .correlate_except(blocks)
    )
    sender: sa.Select[Any] = sa.select(sa.literal_column("1")).where(users.c.user_id == other, block.exists())
    return sender.correlate_except(users).exists()


def _unread_rows() -> sa.Subquery:
    """For each member of the statement around it, the first mentions after their marker."""
    of_member = sa.and_(
        _n.c.room_id == _m.c.room_id,
        _n.c.user_id.in_([_m.c.user_id, _EVERYONE]),
        _n.c.seq > _m.c.read_seq,
    )
    return (
        sa.select(_n.c.seq, _n.c.sender_id)
        .where(of_member)
        .limit(_MOST_COUNTED)
        .correlate(_m)
        .subquery("unread")
    )


_UNREAD = _unread_rows()
UNREAD_MENTIONS = (
    sa.select(sa.func.count(_UNREAD.c.seq.distinct()))
    .select_from(_UNREAD)
    .where(_UNREAD.c.sender_id != _m.c.user_id, ~_has_blocked(_m.c.user_id, _UNREAD.c.sender_id))
    .correlate(_m)
    .scalar_subquery()
)
"""For a row of members: how many messages after its marker mention that member."""


class MentionReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def mentions_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        query = sa.select(_m.c.room_id, UNREAD_MENTIONS).where(
            _m.c.user_id == user_id, _m.c.room_id.in_(room_ids)
        )
        return {row[0]: row[1] for row in self._conn.execute(query) if row[1]}

    def mentions(
        self, user_id: str, *, room_id: str = "", unread: bool, before: tuple[int, str] | None, limit: int
    ) -> list[MentionRecord]:
        of_room = _m.c.room_id == room_id if room_id else sa.true()
        found = set(self._in_rooms(user_id, EVERYONE, of_room, before, limit, unread=unread))
        if unread or room_id:
            found |= set(self._in_rooms(user_id, user_id, of_room, before, limit, unread=unread))
        else:
            query = (
                sa.select(*_COLUMNS)
                .where(_n.c.user_id == user_id, _before(_n, before))
                .order_by(*_NEWEST)
                .limit(limit)
            )
            found |= {MentionRecord(*row) for row in self._conn.execute(query)}
        return sorted(found, key=lambda each: each[:2], reverse=True)[:limit]

    def _in_rooms(
        self,
        user_id: str,
        mentioned: str,
        of_room: sa.ColumnElement[bool],
        before: tuple[int, str] | None,
        limit: int,
        *,
        unread: bool,
    ) -> list[MentionRecord]:
        """The newest mentions in rooms of a user, through the rooms: of each at most so many."""
        some = schema.mentions.alias("some")
        newest = (
            sa.select(some.c.seq)
            .where(some.c.room_id == _m.c.room_id, some.c.user_id == mentioned, _before(some, before))
            .order_by(some.c.seq.desc())
            .limit(limit)
            .correlate(_m)
        )
        first: sa.ColumnElement[int] = sa.literal_column("0")
        if unread:
            first = _m.c.read_seq
        elif mentioned == EVERYONE:
            # Somebody who came later was not among them.
            first = _m.c.join_seq
        query = (
            sa.select(*_COLUMNS)
            .select_from(_m.join(_n, sa.and_(_n.c.room_id == _m.c.room_id, _n.c.user_id == mentioned)))
            .where(_m.c.user_id == user_id, of_room, _n.c.seq > first, _n.c.seq.in_(newest))
            .order_by(*_NEWEST)
            .limit(limit)
        )
        return [MentionRecord(*row) for row in self._conn.execute(query)]

    def blocked_among(self, user_id: str, other_ids: Collection[str]) -> set[str]:
        users = schema.users.c
        me: sa.ColumnElement[str] = sa.literal(user_id)
        query = sa.select(users.user_id).where(
            users.user_id.in_(list(other_ids)), _has_blocked(me, users.user_id)
        )
        return set(self._conn.scalars(query))
