"""Rooms and who is in them, as a snapshot reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.store import schema
from grpc_chat.store.records import InviteRecord, Membership
from grpc_chat.store.statements import (
    MEMBERSHIP_COLUMNS,
    blocked,
    count,
    first,
    like,
    membership,
    memberships,
    run,
)
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.spelling import spellings

_ALL = 2**31 - 1

_MEMBERSHIPS = (
    sa.select(*MEMBERSHIP_COLUMNS)
    .select_from(schema.rooms)
    .join(schema.members, schema.members.c.room_id == schema.rooms.c.room_id)
    .where(schema.members.c.user_id == sa.bindparam("user"), schema.members.c.room_id > sa.bindparam("after"))
    .order_by(schema.members.c.room_id)
    .limit(sa.bindparam("most"))
)


_PEER = (
    sa.select(schema.users.c.user_id, schema.users.c.display_name, schema.users.c.kind)
    .join(schema.members, schema.members.c.user_id == schema.users.c.user_id)
    .where(schema.members.c.room_id == sa.bindparam("room"))
    .where(schema.members.c.user_id != sa.bindparam("user"))
    .limit(1)
)


class RoomReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection
    _epoch: str

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        return membership(self._conn, room_id, user_id)

    def memberships_in(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Membership]:
        found = memberships(self._conn, [(room_id, user_id) for room_id in room_ids])
        return {room_id: room for (room_id, _), room in found.items() if room}

    def memberships(self, user_id: str, *, after: str = "", limit: int = _ALL) -> list[Membership]:
        result = run(self._conn, _MEMBERSHIPS, {"user": user_id, "after": after, "most": limit})
        rows = result.cursor.fetchall()
        result.close()
        return [Membership(*row) for row in rows]

    def room(self, room_id: str) -> pb.Room | None:
        rooms = schema.rooms
        query = sa.select(rooms).where(rooms.c.room_id == room_id)
        row = self._conn.execute(query).first()
        return self._room(row) if row else None

    def public_rooms(
        self, query: str, *, archived: bool, after: str, limit: int
    ) -> list[tuple[str, pb.Room]]:
        rooms = schema.rooms
        found = sa.select(rooms).where(rooms.c.public_name > after).order_by(rooms.c.public_name).limit(limit)
        if not archived:
            found = found.where(rooms.c.archive_time_us.is_(None))
        if query:
            # For topics, the databases match upper and lower case, but not ß and ss.
            topic = sa.func.lower(rooms.c.topic)
            found = found.where(
                sa.or_(
                    rooms.c.public_name.like(like(query), escape="!"),
                    *[topic.like(like(spelt), escape="!") for spelt in spellings(query)],
                )
            )
        return [(row.public_name, self._room(row)) for row in self._conn.execute(found)]

    def public_room(self, public_name: str) -> str | None:
        rooms = schema.rooms.c
        found: str | None = self._conn.scalar(
            sa.select(rooms.room_id).where(rooms.public_name == public_name)
        )
        return found

    def unpurged(self) -> bool:
        return count(self._conn, schema.deleted_rooms.c.purged == 0) > 0

    def was_deleted(self, room_id: str) -> bool:
        return count(self._conn, schema.deleted_rooms.c.room_id == room_id) > 0

    def request_hash(self, room_id: str) -> bytes | None:
        rooms = schema.rooms.c
        found: bytes | None = self._conn.scalar(sa.select(rooms.request_hash).where(rooms.room_id == room_id))
        return found

    def _room(self, row: sa.Row[Any, *tuple[Any, ...]]) -> pb.Room:
        membership = Membership(
            row.room_id,
            role=0,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            kind=row.kind,
            history=row.history,
            posting=row.posting,
            last_event_us=row.last_event_us,
            edit_window_us=row.edit_window_us,
            keep_edits=row.keep_edits,
            slow_mode_us=row.slow_mode_us,
        )
        return room_of(
            self._epoch,
            membership,
            row.name,
            row.topic,
            row.create_time_us,
            row.archive_time_us,
            row.member_count,
            row.receipts,
        )

    def peer(self, room_id: str, user_id: str) -> pb.User | None:
        result = run(self._conn, _PEER, {"room": room_id, "user": user_id})
        row = result.cursor.fetchone()
        result.close()
        return pb.User(user_id=row[0], display_name=row[1], kind=row[2]) if row else None

    def members(self, room_id: str, *, after: str, limit: int) -> list[pb.Member]:
        query = (
            _MEMBERS.where(schema.members.c.room_id == room_id, schema.members.c.user_id > after)
            .order_by(schema.members.c.user_id)
            .limit(limit)
        )
        return [_member(row) for row in self._conn.execute(query)]

    def member(self, room_id: str, user_id: str) -> pb.Member | None:
        row = run(self._conn, _MEMBER, {"room": room_id, "user": user_id}).first()
        return _member(row) if row else None

    def rooms_of(self, user_id: str) -> int:
        (found,) = first(self._conn, _ROOMS_OF, {"user": user_id})
        return int(found)

    def members_of(self, room_id: str) -> int:
        rooms = schema.rooms.c
        return self._conn.scalar(sa.select(rooms.member_count).where(rooms.room_id == room_id)) or 0

    def owners(self, room_id: str, *, but: str = "") -> int:
        (found,) = first(self._conn, _OTHER_OWNERS, {"room": room_id, "but": but})
        return int(found)

    def owned_only_by(self, user_ids: Sequence[str], *, limit: int) -> tuple[list[pb.Room], int]:
        rooms, mine = schema.rooms, schema.members.alias("mine")
        ids = list(user_ids)
        owned = (
            sa.select(mine.c.room_id)
            .where(mine.c.user_id.in_(ids), mine.c.role == pb.ROLE_OWNER)
            .where(~_active_owners(mine.c.room_id).where(schema.members.c.user_id.not_in(ids)).exists())
        )
        query = sa.select(rooms).where(rooms.c.room_id.in_(owned)).order_by(rooms.c.room_id)
        found = self._conn.execute(query).all()
        return [self._room(row) for row in found[:limit]], len(found)

    def unowned_rooms(self, *, after: str, limit: int) -> list[pb.Room]:
        # Through the blocked users, who are few: every room has an owner, and rooms are many.
        rooms, gone, users = schema.rooms, schema.members.alias("gone"), schema.users
        owned = (
            sa.select(gone.c.room_id)
            .join(users, users.c.user_id == gone.c.user_id)
            .where(blocked(users), gone.c.role == pb.ROLE_OWNER, gone.c.room_id > after)
            .where(~_active_owners(gone.c.room_id).exists())
        )
        query = sa.select(rooms).where(rooms.c.room_id.in_(owned)).order_by(rooms.c.room_id).limit(limit)
        return [self._room(row) for row in self._conn.execute(query)]

    def share_a_room(self, user_id: str, other_id: str) -> bool:
        return run(self._conn, _SHARED, {"user": user_id, "other": other_id}).first() is not None

    def meets(self, user_id: str, other_id: str) -> bool:
        return run(self._conn, _MET, {"user": user_id, "other": other_id}).first() is not None

    def ban(self, room_id: str, user_id: str) -> pb.Ban | None:
        row = self._conn.execute(
            _BANS.where(schema.bans.c.room_id == room_id, schema.bans.c.user_id == user_id)
        ).first()
        return _ban(row) if row else None

    def keeping_out(self, room_id: str, user_id: str) -> pb.Ban | None:
        values = {"room": room_id, "user": user_id, "other": user_id}
        found = [_ban(row) for row in run(self._conn, _KEEPING_OUT, values)]
        # Their own ban first, if there are both.
        return min(found, key=lambda ban: ban.user.user_id != user_id, default=None)

    def bots_in(self, room_id: str, owner_id: str) -> list[pb.Member]:
        query = _MEMBERS.where(
            schema.members.c.room_id == room_id, schema.users.c.owner_id == owner_id
        ).order_by(schema.members.c.user_id)
        return [_member(row) for row in self._conn.execute(query)]

    def rooms_that_ban(self, user_id: str, *, member: str) -> list[str]:
        bans, members = schema.bans, schema.members
        query = (
            sa.select(members.c.room_id)
            .join(bans, bans.c.room_id == members.c.room_id)
            .where(members.c.user_id == member, bans.c.user_id == user_id)
            .order_by(members.c.room_id)
        )
        return list(self._conn.scalars(query))

    def bans(self, room_id: str, *, after: str, limit: int) -> list[pb.Ban]:
        query = (
            _BANS.where(schema.bans.c.room_id == room_id, schema.bans.c.user_id > after)
            .order_by(schema.bans.c.user_id)
            .limit(limit)
        )
        return [_ban(row) for row in self._conn.execute(query)]

    def invite(self, code_hash: bytes) -> InviteRecord | None:
        row = self._conn.execute(_INVITES.where(schema.invites.c.code_hash == code_hash)).first()
        return _invite(row) if row else None

    def edits(self, room_id: str, seq: int, *, after: int | None, limit: int) -> list[pb.MessageVersion]:
        edits = schema.edits.c
        query = sa.select(schema.edits).where(edits.room_id == room_id, edits.seq == seq)
        if after is not None:
            query = query.where(edits.version < after)
        found = []
        for row in self._conn.execute(query.order_by(edits.version.desc()).limit(limit)):
            found.append(pb.MessageVersion(version=row.version, text=row.text))
            found[-1].time.FromMicroseconds(row.time_us)
        return found

    def invites_of(self, room_id: str) -> int:
        return count(self._conn, schema.invites.c.room_id == room_id)

    def invites(self, room_id: str, *, after: tuple[int, str] | None, limit: int) -> list[InviteRecord]:
        invites = schema.invites.c
        query = (
            _INVITES.where(invites.room_id == room_id, _NOT_USED_UP)
            .order_by(invites.create_time_us.desc(), invites.invite_id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(sa.tuple_(invites.create_time_us, invites.invite_id) < after)
        return [_invite(row) for row in self._conn.execute(query)]


_MEMBERS = sa.select(
    schema.members,
    schema.users.c.display_name,
    schema.users.c.kind,
    blocked(schema.users).label("blocked"),
).join(schema.users, schema.users.c.user_id == schema.members.c.user_id)
_BANS = sa.select(schema.bans, schema.users.c.display_name, schema.users.c.kind).join(
    schema.users, schema.users.c.user_id == schema.bans.c.user_id
)
_USER: sa.BindParameter[str] = sa.bindparam("user")
_OTHER: sa.BindParameter[str] = sa.bindparam("other")
_ROOM: sa.BindParameter[str] = sa.bindparam("room")
_BUT: sa.BindParameter[str] = sa.bindparam("but")
# The statements that run with each change of members are made once: see ``run``.
_MEMBER = _MEMBERS.where(schema.members.c.room_id == _ROOM, schema.members.c.user_id == _USER)
_ROOMS_OF = (
    sa.select(sa.func.count())
    .select_from(schema.members)
    .where(schema.members.c.user_id == _USER, schema.members.c.added_by == sa.literal_column("''"))
)
_MINE, _THEIRS = schema.members.alias("mine"), schema.members.alias("theirs")
_SHARED: sa.Select[int] = (
    sa.select(sa.literal_column("1"))
    .select_from(_MINE)
    .join(_THEIRS, _THEIRS.c.room_id == _MINE.c.room_id)
    .where(_MINE.c.user_id == _USER, _THEIRS.c.user_id == _OTHER)
    .limit(sa.literal_column("1"))
)
_MET: sa.Select[int] = (
    _SHARED.join(schema.rooms, schema.rooms.c.room_id == _MINE.c.room_id)
    .where(_MINE.c.added_by == sa.literal_column("''"))
    .where(schema.rooms.c.kind == sa.literal_column(str(int(pb.ROOM_KIND_PRIVATE))))
)
_OWNED = schema.users.alias("kept_out")
_KEEPING_OUT = _BANS.where(
    schema.bans.c.room_id == _ROOM,
    schema.bans.c.user_id.in_(
        [_USER, sa.select(_OWNED.c.owner_id).where(_OWNED.c.user_id == _OTHER).scalar_subquery()]
    ),
)
_INVITES = sa.select(*[column for column in schema.invites.c if column.name != "code_hash"])
# They stay while there is room, for users who call again with an invite that let them in.
_NOT_USED_UP = sa.or_(schema.invites.c.max_uses == 0, schema.invites.c.uses < schema.invites.c.max_uses)


def _active_owners(room_id: str | sa.ColumnElement[str]) -> sa.Select[Any]:
    """The owners of a room who are not blocked."""
    members, users = schema.members, schema.users.alias("owner")
    return (
        sa.select(members.c.user_id)
        .join(users, users.c.user_id == members.c.user_id)
        .where(members.c.room_id == room_id, members.c.role == pb.ROLE_OWNER, ~blocked(users))
    )


_OTHER_OWNERS = sa.select(sa.func.count()).select_from(
    _active_owners(_ROOM).where(schema.members.c.user_id != _BUT).subquery()
)


def room_of(
    epoch: str,
    membership: Membership,
    name: str,
    topic: str,
    create_time_us: int,
    archive_time_us: int | None,
    member_count: int,
    receipts: int,
) -> pb.Room:
    """A room without the fields that depend on the caller.

    Args:
        membership: Anybody's.
        receipts: What was chosen, as ``chat.v1.Receipts``; 0 for what is usual for its kind.
    """
    usual = pb.RECEIPTS_MEMBERS if membership.kind == pb.ROOM_KIND_DIRECT else pb.RECEIPTS_OFF
    room = pb.Room(
        room_id=membership.room_id,
        name=name,
        epoch=epoch,
        first_seq=membership.first_seq,
        last_seq=membership.last_seq,
        kind=pb.RoomKind.ValueType(membership.kind),
        topic=topic,
        history=pb.History.ValueType(membership.history),
        posting=pb.Posting.ValueType(membership.posting),
        member_count=member_count,
        keep_edits=bool(membership.keep_edits),
        receipts=pb.Receipts.ValueType(receipts or usual),
    )
    set_time(room.create_time, create_time_us)
    if membership.edit_window_us:
        room.edit_window.FromMicroseconds(membership.edit_window_us)
    if membership.slow_mode_us:
        room.slow_mode.FromMicroseconds(membership.slow_mode_us)
    if membership.last_event_us:
        set_time(room.last_event_time, membership.last_event_us)
    if archive_time_us is not None:
        set_time(room.archive_time, archive_time_us)
    return room


def set_time(time: Timestamp, time_us: int) -> None:
    """Set a time in microseconds since 1970. ``FromMicroseconds`` takes several times as long."""
    time.seconds, micros = divmod(time_us, 1_000_000)
    time.nanos = micros * 1000


def _user(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.User:
    return pb.User(user_id=row.user_id, display_name=row.display_name, kind=row.kind)


def _member(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.Member:
    member = pb.Member(user=_user(row), role=row.role, join_seq=row.join_seq, blocked=bool(row.blocked))
    member.join_time.FromMicroseconds(row.join_time_us)
    return member


def _ban(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.Ban:
    ban = pb.Ban(user=_user(row), banned_by_user_id=row.banned_by, reason=row.reason)
    ban.create_time.FromMicroseconds(row.create_time_us)
    return ban


def _invite(row: sa.Row[Any, *tuple[Any, ...]]) -> InviteRecord:
    values = dict(row._mapping)
    values["registers"] = bool(values["registers"])
    values["makes_admin"] = bool(values["makes_admin"])
    return InviteRecord(**values)
