"""Who has received and read a message, as a snapshot reads it. There is no row for a message and a reader:
their positions say it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import ConsumerPlace, ReaderPlace
from grpc_chat.store.statements import run

_members, _consumers, _statuses = schema.members.c, schema.consumers.c, schema.statuses.c
_received = schema.received.c
_NONE: sa.ColumnElement[int] = sa.literal_column("0")
_received_us = (
    sa.select(sa.func.min(_consumers.time_us))
    .where(_consumers.room_id == _members.room_id, _consumers.user_id == _members.user_id)
    .where(_consumers.seq >= sa.bindparam("at"))
    .correlate(schema.members)
    .scalar_subquery()
)
_noted_us = (
    sa.select(_received.time_us)
    .where(_received.room_id == _members.room_id, _received.user_id == _members.user_id)
    .where(_received.after_seq < sa.bindparam("from"), _received.seq >= sa.bindparam("upto"))
    .correlate(schema.members)
    .scalar_subquery()
)
_READERS = (
    sa.select(
        _members.user_id,
        _members.read_seq,
        _received_us,
        _noted_us,
        sa.func.coalesce(_statuses.hide_receipts, _NONE),
        sa.func.coalesce(_statuses.hide_last_seen, _NONE),
        sa.func.coalesce(_statuses.appear_offline, _NONE),
    )
    .select_from(schema.members)
    .outerjoin(schema.statuses, _statuses.user_id == _members.user_id)
    .where(_members.room_id == sa.bindparam("room"), _members.user_id > sa.bindparam("after"))
    .where(_members.join_seq < sa.bindparam("number"), _members.user_id != sa.bindparam("sender"))
    .order_by(_members.user_id)
    .limit(sa.bindparam("most"))
)
_NOTED = sa.select(_received.seq, _received.time_us, _received.after_seq).where(
    _received.room_id == sa.bindparam("room"), _received.user_id == sa.bindparam("user")
)
_PLACES = (
    sa.select(_consumers.consumer, _consumers.seq, _consumers.time_us)
    .where(_consumers.room_id == sa.bindparam("room"), _consumers.user_id == sa.bindparam("user"))
    .order_by(_consumers.consumer)
)


class ReceiptReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def readers(self, room_id: str, seq: int, *, sender: str, after: str, limit: int) -> list[ReaderPlace]:
        # A name for each place: the driver takes the values in order.
        values: dict[str, object] = dict.fromkeys(("at", "from", "upto", "number"), seq)
        values |= {"room": room_id, "sender": sender, "after": after, "most": limit}
        result = run(self._conn, _READERS, values)
        rows = result.cursor.fetchall()
        result.close()
        return [
            ReaderPlace(user_id, read_seq, _earlier(received_us, noted_us), *map(bool, hides))
            for user_id, read_seq, received_us, noted_us, *hides in rows
        ]

    def consumers_in(self, room_id: str, user_id: str) -> list[ConsumerPlace]:
        result = run(self._conn, _PLACES, {"room": room_id, "user": user_id})
        rows = result.cursor.fetchall()
        result.close()
        noted: Any = run(self._conn, _NOTED, {"room": room_id, "user": user_id}).fetchall()
        return [ConsumerPlace(*row) for row in rows] + [
            ConsumerPlace("", seq, time_us, after) for seq, time_us, after in noted
        ]


def _earlier(one: int | None, other: int | None) -> int | None:
    return min(one, other) if one is not None and other is not None else one if other is None else other
