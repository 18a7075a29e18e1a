"""The directory of people, as a snapshot reads it."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import like
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.spelling import spellings

_u = schema.users.c


class PeopleReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def people(self, query: str, *, sharing_rooms_with: str | None, after: str, limit: int) -> list[pb.User]:
        found = (
            sa.select(_u.user_id, _u.display_name, _u.kind)
            .where(_u.user_id > after, _u.kind == pb.USER_KIND_PERSON, _u.block_time_us.is_(None))
            .order_by(_u.user_id)
            .limit(limit)
        )
        if sharing_rooms_with is not None:
            mine, theirs = schema.members.alias("mine"), schema.members.alias("theirs")
            shared = (
                sa.select(theirs.c.user_id)
                .select_from(mine.join(theirs, mine.c.room_id == theirs.c.room_id))
                .where(mine.c.user_id == sharing_rooms_with)
            )
            found = found.where(sa.or_(_u.user_id == sharing_rooms_with, _u.user_id.in_(shared)))
        if query:
            # Names are stored as they were sent, and an é may be one character or two.
            begins = [like(spelt.lower())[1:] for spelt in spellings(query)]
            name = sa.func.lower(_u.display_name)
            found = found.where(
                sa.or_(
                    *[sa.func.lower(_u.user_id).like(begin, escape="!") for begin in begins],
                    *[name.like(begin, escape="!") for begin in begins],
                    *[name.like(f"% {begin}", escape="!") for begin in begins],
                )
            )
        return [
            pb.User(user_id=row.user_id, display_name=row.display_name, kind=row.kind)
            for row in self._conn.execute(found)
        ]
