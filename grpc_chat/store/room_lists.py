"""The rooms of a user as lists show them, as a snapshot reads them: one statement for any number of rooms.

What is not in a room's own row (the newest message, mentions, the other member of a direct room, pins) is a
subquery, which the database carries out for each room by a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.inbox_reads import MENTIONED, OF_MEMBERSHIP, WAITING
from grpc_chat.store.records import Attention, ListedRoom, Membership
from grpc_chat.store.room_reads import room_of
from grpc_chat.store.statements import MEMBERSHIP_COLUMNS, run
from grpc_chat.wire import chat_pb2 as pb

LOOKED_AT = 100
"""How many of a room's newest events may lie after its newest message for that to be found."""
_LONGEST = 4096
"""The longest event that comes with its room: a thousand long ones would take 64 MiB."""

_rooms, _members, _wants = schema.rooms.c, schema.members.c, schema.notifications.c
_events, _users = schema.events.c, schema.users.c
_NONE: sa.ColumnElement[int] = sa.literal_column("0")
_DIRECT: sa.ColumnElement[int] = sa.literal_column(str(int(pb.ROOM_KIND_DIRECT)))
# The newest event up to which a room had fewer messages than it has: the next one is its newest message.
_before_last = (
    sa.select(_events.seq)
    .where(_events.room_id == _rooms.room_id, _events.seq > _rooms.last_seq - LOOKED_AT)
    .where(sa.or_(_events.messages.is_(None), _events.messages < _rooms.message_count))
    .order_by(_events.seq.desc())
    .limit(sa.literal_column("1"))
    .correlate(schema.rooms)
    .scalar_subquery()
)
_newest = sa.case(
    # Nothing was counted yet: what there is was stored by an older version.
    (_rooms.message_count == _NONE, _rooms.last_seq),
    else_=sa.func.coalesce(_before_last + 1, sa.case((_rooms.last_seq <= LOOKED_AT, 1))),
)
_theirs = schema.members.alias("theirs")
_peer_id = (
    sa.select(_theirs.c.user_id)
    .where(_theirs.c.room_id == _rooms.room_id, _theirs.c.user_id != _members.user_id)
    .limit(sa.literal_column("1"))
    .correlate(schema.rooms, schema.members)
    .scalar_subquery()
)
# As a parameter, SQLAlchemy would put it in only when it runs the statement itself.
_comma: Any = sa.literal_column("','")
_pinned = (
    sa.select(sa.func.aggregate_strings(sa.cast(schema.pins.c.seq, sa.String), _comma))
    .where(schema.pins.c.room_id == _rooms.room_id)
    .correlate(schema.rooms)
    .scalar_subquery()
)
_ROOM_COLUMNS = (
    _rooms.name,
    _rooms.topic,
    _rooms.create_time_us,
    _rooms.archive_time_us,
    _rooms.member_count,
    _rooms.receipts,
)
_OF_ROOM = len(_ROOM_COLUMNS)
_STATE_COLUMNS = (
    WAITING,
    MENTIONED,
    sa.func.coalesce(_wants.level, _NONE),
    sa.func.coalesce(_wants.muted_until_us, _NONE),
    _pinned,
)
_LISTED = (
    sa.select(
        *[
            column.label(f"c{at}")
            for at, column in enumerate((*MEMBERSHIP_COLUMNS, *_ROOM_COLUMNS, *_STATE_COLUMNS))
        ],
        _newest.label("newest"),
        # Only direct rooms are looked through for another member: others have thousands.
        sa.case((_rooms.kind == _DIRECT, _peer_id)).label("peer_id"),
    )
    .select_from(schema.members)
    .join(schema.rooms, _rooms.room_id == _members.room_id)
    .outerjoin(schema.notifications, OF_MEMBERSHIP)
    .where(_members.user_id == sa.bindparam("user"))
)
_WIDTH = len(_LISTED.selected_columns) - 1


def _with_others(rooms: sa.Select[Any]) -> sa.Select[Any]:
    """The rooms with their newest events and other members, in no order: sorting such rows would take longer
    here."""
    listed = rooms.subquery("listed")
    length = sa.func.length(_events.payload)
    return (
        sa.select(
            *[column for column in listed.c if column.name != "peer_id"],
            length,
            sa.case((length <= sa.literal_column(str(_LONGEST)), _events.payload)),
            _events.checksum,
            _users.user_id,
            _users.display_name,
            _users.kind,
        )
        .select_from(listed)
        .outerjoin(schema.events, sa.and_(_events.room_id == listed.c.c0, _events.seq == listed.c.newest))
        .outerjoin(schema.users, _users.user_id == listed.c.peer_id)
    )


_AFTER = _with_others(
    _LISTED.where(_members.room_id > sa.bindparam("after"))
    .order_by(_members.room_id)
    .limit(sa.bindparam("most"))
)
_THESE = _with_others(_LISTED.where(_members.room_id.in_(sa.bindparam("rooms", expanding=True))))


class RoomListReads:
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection
    _epoch: str
    _tell_of_damage: Callable[[str, int], None]

    def listed_rooms(self, user_id: str, *, after: str, limit: int) -> list[ListedRoom]:
        result = run(self._conn, _AFTER, {"user": user_id, "after": after, "most": limit})
        rows = sorted(result.cursor.fetchall(), key=itemgetter(0))
        result.close()
        return self._listed(rows)

    def listed_rooms_in(self, user_id: str, room_ids: Sequence[str]) -> dict[str, ListedRoom]:
        found = self._listed(self._conn.execute(_THESE, {"user": user_id, "rooms": list(room_ids)}))
        return {room.membership.room_id: room for room in found}

    def _listed(self, rows: Iterable[Any]) -> list[ListedRoom]:
        ends_at = len(MEMBERSHIP_COLUMNS)
        found: list[ListedRoom] = []
        for row in rows:
            membership = Membership._make(row[:ends_at])
            unread, mentions, level, muted_until_us, pinned, newest = row[ends_at + _OF_ROOM : _WIDTH]
            length, payload, checksum, *peer = row[_WIDTH:]
            if payload is not None and checksum is not None and crc32(payload) != checksum:
                self._tell_of_damage(membership.room_id, newest)
                payload = None
            found.append(
                ListedRoom(
                    membership,
                    room_of(self._epoch, membership, *row[ends_at : ends_at + _OF_ROOM]),
                    unread,
                    mentions,
                    Attention(level, muted_until_us),
                    tuple(map(int, pinned.split(","))) if pinned else (),
                    newest or 0,
                    payload,
                    (length or 0) > _LONGEST,
                    pb.User(user_id=peer[0], display_name=peer[1], kind=peer[2]) if peer[0] else None,
                )
            )
        return found
