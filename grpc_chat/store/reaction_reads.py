"""Reactions, as a snapshot reads them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.wire import chat_pb2 as pb

_r = schema.reactions.c
_OF_MESSAGE = sa.and_(_r.room_id == sa.bindparam("room"), _r.seq == sa.bindparam("number"))
_COUNTS = (
    sa.select(
        _r.emoji, sa.func.count(), sa.func.max(sa.case((_r.user_id == sa.bindparam("user"), 1), else_=0))
    )
    .where(_OF_MESSAGE)
    .group_by(_r.emoji)
    .order_by(sa.func.min(_r.create_time_us), _r.emoji)
)
_LISTED = (
    sa.select(_r.emoji, _r.user_id, _r.create_time_us)
    .where(
        _OF_MESSAGE,
        sa.tuple_(_r.emoji, _r.user_id) > sa.tuple_(sa.bindparam("emoji"), sa.bindparam("user")),
    )
    .order_by(_r.emoji, _r.user_id)
    .limit(sa.bindparam("most"))
)


class SqlReactionReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def reaction_counts(self, room_id: str, seq: int, user_id: str) -> list[pb.ReactionCount]:
        values = {"room": room_id, "number": seq, "user": user_id}
        return [
            pb.ReactionCount(emoji=emoji, count=count, mine=bool(mine))
            for emoji, count, mine in self._conn.execute(_COUNTS, values)
        ]

    def reactions(self, room_id: str, seq: int, *, after: tuple[str, str], limit: int) -> list[pb.Reaction]:
        values = {"room": room_id, "number": seq, "emoji": after[0], "user": after[1], "most": limit}
        found = []
        for emoji, user_id, time_us in self._conn.execute(_LISTED, values):
            found.append(pb.Reaction(emoji=emoji, user_id=user_id))
            found[-1].create_time.FromMicroseconds(time_us)
        return found
