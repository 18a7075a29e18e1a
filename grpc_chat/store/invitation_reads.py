"""Invitations and invites, as a snapshot reads them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import InvitationRecord, Waiting
from grpc_chat.store.statements import run
from grpc_chat.wire import chat_pb2 as pb


class InvitationReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def invitation(self, room_id: str, user_id: str) -> InvitationRecord | None:
        table = schema.invitations
        one = sa.select(table).where(table.c.room_id == room_id, table.c.user_id == user_id)
        row = self._conn.execute(one).first()
        if row is None:
            return None
        return InvitationRecord(**{**row._mapping, "hidden": bool(row.hidden)})

    def invitation_told(self, room_id: str, user_id: str) -> pb.Invitation | None:
        one = _TOLD.where(schema.invitations.c.room_id == room_id, schema.invitations.c.user_id == user_id)
        row = self._conn.execute(one).first()
        return _told(row) if row else None

    def invitations_of(
        self, user_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[pb.Invitation]:
        table = schema.invitations.c
        query = (
            _TOLD.where(table.user_id == user_id, table.hidden == 0)
            .order_by(table.create_time_us.desc(), table.room_id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(sa.tuple_(table.create_time_us, table.room_id) < after)
        return [_told(row) for row in self._conn.execute(query)]

    def invitations_to(self, room_id: str, *, after: str, limit: int) -> list[pb.Invitation]:
        table = schema.invitations.c
        query = (
            _TOLD.where(table.room_id == room_id, table.user_id > after).order_by(table.user_id).limit(limit)
        )
        return [_told(row) for row in self._conn.execute(query)]

    def waiting(self, user_id: str) -> list[Waiting]:
        table, makers = schema.invitations, schema.users
        query = (
            sa.select(table.c.room_id, sa.func.coalesce(makers.c.owner_id, table.c.invited_by))
            .outerjoin(makers, makers.c.user_id == table.c.invited_by)
            .where(table.c.user_id == user_id)
            .order_by(table.c.create_time_us, table.c.room_id)
        )
        return [Waiting(*row) for row in self._conn.execute(query)]

    def is_asked_by(self, user_id: str, other_id: str) -> bool:
        table = schema.invitations.c
        query = (
            sa.select(sa.literal(1))
            .where(table.user_id == user_id, table.invited_by == other_id, table.hidden == 0)
            .limit(1)
        )
        return self._conn.scalar(query) is not None

    def rooms_added_to(self, user_id: str, by: str, *, after: str, limit: int) -> list[str]:
        members, rooms = schema.members, schema.rooms
        query = (
            sa.select(members.c.room_id)
            .join(rooms, rooms.c.room_id == members.c.room_id)
            .where(members.c.user_id == user_id, members.c.room_id > after)
            .where(members.c.added_by.in_(with_bots(by)), rooms.c.kind != pb.ROOM_KIND_DIRECT)
            .order_by(members.c.room_id)
            .limit(limit)
        )
        return list(self._conn.scalars(query))

    def added_rooms_of(self, user_id: str) -> int:
        return int(run(self._conn, _ADDED_ROOMS_OF, {"user": user_id}).scalar() or 0)


def with_bots(user_id: str) -> sa.Select[str]:
    """The ids of a user and of the bots that they own."""
    users = schema.users.c
    return sa.select(users.user_id).where(sa.or_(users.user_id == user_id, users.owner_id == user_id))


_ADDED_ROOMS_OF = (
    sa.select(sa.func.count())
    .select_from(schema.members)
    .join(schema.rooms, schema.rooms.c.room_id == schema.members.c.room_id)
    .where(schema.members.c.user_id == sa.bindparam("user"), schema.members.c.added_by != "")
    .where(schema.rooms.c.kind != pb.ROOM_KIND_DIRECT)
)
_ASKED, _ASKING = schema.users.alias("asked"), schema.users.alias("asking")
_TOLD = (
    sa.select(
        schema.invitations,
        schema.rooms.c.name,
        schema.rooms.c.kind,
        schema.rooms.c.topic,
        schema.rooms.c.member_count,
        _ASKED.c.display_name.label("asked_name"),
        _ASKED.c.kind.label("asked_kind"),
        _ASKING.c.display_name.label("asking_name"),
        _ASKING.c.kind.label("asking_kind"),
    )
    .join(schema.rooms, schema.rooms.c.room_id == schema.invitations.c.room_id)
    .join(_ASKED, _ASKED.c.user_id == schema.invitations.c.user_id)
    .join(_ASKING, _ASKING.c.user_id == schema.invitations.c.invited_by)
)


def _told(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.Invitation:
    told = pb.Invitation(
        room_id=row.room_id,
        room_name=row.name,
        room_kind=row.kind,
        room_topic=row.topic,
        room_member_count=row.member_count,
        user=pb.User(user_id=row.user_id, display_name=row.asked_name, kind=row.asked_kind),
        role=row.role,
        invited_by=pb.User(user_id=row.invited_by, display_name=row.asking_name, kind=row.asking_kind),
        reason=row.reason,
    )
    told.create_time.FromMicroseconds(row.create_time_us)
    return told
