"""What a transaction may change apart from adding messages, on SQL."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.invitation_reads import with_bots
from grpc_chat.store.projections import PROJECTIONS
from grpc_chat.store.records import (
    Account,
    Ending,
    InvitationRecord,
    InviteRecord,
    SessionRecord,
    Standing,
    StoredEvent,
)
from grpc_chat.store.rows import Rows
from grpc_chat.store.snapshot import SqlSnapshot
from grpc_chat.store.statements import insert_into, run
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.store.batch import Batch


T = TypeVar("T")

_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_INVITED = sa.select(_ONE).where(
    schema.invitations.c.room_id == sa.bindparam("room"), schema.invitations.c.user_id == sa.bindparam("user")
)
_OFFERED = sa.select(_ONE).where(
    schema.invitations.c.room_id == sa.bindparam("room"),
    schema.invitations.c.invited_by == sa.bindparam("user"),
)
_CACHED = {schema.rooms, schema.members, schema.events, schema.consumer_names}
"""The tables of which :class:`Rows` knows something."""


@functools.lru_cache(maxsize=512)
def _names_in(sql: str) -> frozenset[str]:
    """The tables and columns that a statement names, and other words."""
    return frozenset(re.findall(r"\w+", sql))


class Statements:
    """The database as a transaction's methods use it: as it would be if nothing were collected.

    Before a statement that changes something, the savepoint is set that undoes it.
    """

    def __init__(self, conn: sa.Connection, rows: Rows) -> None:
        self._conn = conn
        self._rows = rows
        self.dialect = conn.dialect

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        self._prepare(statement)
        return cast("sa.CursorResult[Any]", self._conn.execute(statement, parameters))

    def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        return self.execute(statement, parameters).scalar()

    def scalars(self, statement: sa.Executable, parameters: Any = None) -> sa.ScalarResult[Any]:
        return self.execute(statement, parameters).scalars()

    def exec_driver_sql(self, sql: str, parameters: Any = None) -> sa.CursorResult[Any]:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            self._rows.before_reading(_names_in(sql))
        else:
            self._rows.before(changes=True)
            self._rows.forget()
        return self._conn.exec_driver_sql(sql, parameters)

    def _prepare(self, statement: sa.Executable) -> None:
        changes = not statement.is_select
        self._rows.before(changes=changes)
        if changes and getattr(statement, "table", None) in _CACHED:
            self._rows.forget()


class SqlTransaction(SqlSnapshot):
    """See :class:`grpc_chat.store.base.Transaction`.

    Args:
        batch: What it is part of.
    """

    def __init__(self, batch: Batch, epoch: str, tell_of_damage: Callable[[str, int], None]) -> None:
        statements = cast(sa.Connection, Statements(batch.conn, batch.rows))
        super().__init__(statements, epoch, tell_of_damage)
        self._batch = batch
        self._rows = batch.rows
        self.now_us = batch.now_us
        self.new: dict[str, list[StoredEvent]] = {}
        """By room, what it appended."""
        self.rewritten: dict[str, dict[int, StoredEvent]] = {}
        """By room and number, the events that say something else now."""
        self.effects: list[object] = []
        self.ended: list[str] = []
        """Sessions that it ended."""
        self.revived: list[str] = []
        """Sessions that it put back."""

    def after_commit(self, effect: object) -> None:
        self.effects.append(effect)

    def append(self, event: pb.Event, session_id: str) -> int:
        return self._batch.number(event.room_id, event, session_id, self.new)

    def rewrite(self, room_id: str, seq: int, event: pb.Event) -> bool:
        one = sa.and_(schema.events.c.room_id == room_id, schema.events.c.seq == seq)
        columns = (schema.events.c.session_id, schema.events.c.payload, schema.events.c.checksum)
        row = self._conn.execute(sa.select(*columns).where(one)).first()
        if row is None or (row.checksum is not None and crc32(row.payload) != row.checksum):
            return False
        old = pb.Event.FromString(row.payload)
        for of in (old, event):
            if (kind := of.WhichOneof("kind")) in PROJECTIONS:
                raise ValueError(f"other rows follow from {kind}: it stays as it is")
        event.room_id, event.seq = room_id, seq
        event.create_time.CopyFrom(old.create_time)
        payload = event.SerializeToString()
        self._conn.execute(
            sa.update(schema.events).where(one).values(payload=payload, checksum=crc32(payload))
        )
        self.rewritten.setdefault(room_id, {})[seq] = StoredEvent(seq, row.session_id, payload)
        return True

    def standing(self, room_id: str, user_id: str) -> Standing | None:
        return self._rows.exact(room_id, user_id)

    def member(self, room_id: str, user_id: str) -> pb.Member | None:
        return self._read(
            super().member, room_id, user_id, apart=self._rows.member_is_written(room_id, user_id)
        )

    def rooms_of(self, user_id: str) -> int:
        return self._read(super().rooms_of, user_id, apart=self._rows.rooms_are_written(user_id))

    def added_rooms_of(self, user_id: str) -> int:
        return self._read(super().added_rooms_of, user_id, apart=self._rows.rooms_are_written(user_id))

    def _read(self, read: Callable[..., T], *args: str, apart: bool) -> T:
        """Read what is not among the rows that are yet to be written, without having those written."""
        statements = self._conn
        if apart:
            self._conn = self._batch.conn
        try:
            return read(*args)
        finally:
            self._conn = statements

    def members_of(self, room_id: str) -> int:
        return self._rows.members_of(room_id)

    # Rooms

    def insert_room(self, room: pb.Room, *, public_name: str | None, request_hash: bytes | None) -> None:
        self._insert(
            schema.rooms,
            room_id=room.room_id,
            name=room.name,
            first_seq=1,
            last_seq=0,
            create_time_us=self.now_us,
            kind=room.kind,
            topic=room.topic,
            history=room.history,
            posting=room.posting,
            public_name=public_name,
            request_hash=request_hash,
        )

    def put_room(self, room_id: str, name: str, members: Mapping[str, pb.Role.ValueType]) -> None:
        rooms, table, conn = schema.rooms, schema.members, self._conn
        room = {
            "room_id": room_id,
            "name": name,
            "first_seq": 1,
            "last_seq": 0,
            "create_time_us": self.now_us,
            "member_count": len(members),
        }
        conn.execute(
            insert_into(rooms, conn.dialect.name).on_conflict_do_update(
                index_elements=[rooms.c.room_id],
                set_={"name": name, "member_count": len(members)},
            ),
            room,
        )
        of_room = table.c.room_id == room_id
        present = conn.scalars(sa.select(table.c.user_id).where(of_room))
        # One by one: a list in the statement would bound how many members a room can have.
        if gone := [{"gone": user_id} for user_id in present if user_id not in members]:
            conn.execute(sa.delete(table).where(of_room, table.c.user_id == sa.bindparam("gone")), gone)
        if members:
            insert = insert_into(schema.users, conn.dialect.name).on_conflict_do_nothing()
            conn.execute(
                insert,
                [
                    {"user_id": user_id, "display_name": user_id, "create_time_us": self.now_us}
                    for user_id in members
                ],
            )
            insert = insert_into(table, conn.dialect.name)
            conn.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.room_id, table.c.user_id],
                    set_={"role": insert.excluded.role},
                ),
                [
                    {
                        "room_id": room_id,
                        "user_id": user_id,
                        "role": role,
                        "join_time_us": self.now_us,
                    }
                    for user_id, role in members.items()
                ],
            )

    def set_public_name(self, room_id: str, public_name: str) -> None:
        rooms = schema.rooms
        one = sa.update(rooms).where(rooms.c.room_id == room_id)
        self._conn.execute(one.values(public_name=public_name))

    def delete_room(self, room_id: str) -> None:
        rooms = schema.rooms
        last_seq = self._conn.scalar(sa.select(rooms.c.last_seq).where(rooms.c.room_id == room_id))
        self._insert(
            schema.deleted_rooms,
            room_id=room_id,
            last_seq=last_seq,
            delete_time_us=self.now_us,
            purged=0,
        )
        for table in (
            schema.consumers,
            schema.members,
            schema.bans,
            schema.invites,
            schema.invitations,
            rooms,
        ):
            self._conn.execute(sa.delete(table).where(table.c.room_id == room_id))
        self.new.pop(room_id, None)

    def purge(self, limit: int, room_id: str = "") -> bool:
        deleted = schema.deleted_rooms
        unpurged = sa.select(deleted.c.room_id).where(deleted.c.purged == 0).limit(1)
        if room_id:
            unpurged = unpurged.where(deleted.c.room_id == room_id)
        found = self._conn.scalar(unpurged)
        if found is None:
            return False
        room_id = found
        sends, events = schema.sends.c, schema.events.c
        for table, key in (
            (schema.sends, sa.tuple_(sends.user_id, sends.client_message_id)),
            (schema.events, sa.tuple_(events.seq)),
        ):
            of_room = table.c.room_id == room_id
            some = sa.select(*key.clauses).where(of_room).limit(limit)
            if self._conn.execute(sa.delete(table).where(of_room, key.in_(some))).rowcount:
                return True
        one = sa.update(deleted).where(deleted.c.room_id == room_id)
        self._conn.execute(one.values(purged=1))
        return True

    def put_member(self, room_id: str, user_id: str, role: int, *, join_seq: int, added_by: str = "") -> None:
        self._rows.put_member(
            room_id, user_id, role, time_us=self.now_us, join_seq=join_seq, added_by=added_by
        )

    def set_role(self, room_id: str, user_id: str, role: int) -> None:
        self._rows.set_role(room_id, user_id, role)

    def delete_member(self, room_id: str, user_id: str) -> None:
        self._rows.delete_member(room_id, user_id)

    def put_ban(self, room_id: str, user_id: str, *, banned_by: str, reason: str) -> None:
        self._rows.put_ban(room_id, user_id, banned_by=banned_by, reason=reason, time_us=self.now_us)

    def delete_ban(self, room_id: str, user_id: str) -> None:
        self._rows.delete_ban(room_id, user_id)

    def insert_invite(self, invite: InviteRecord, code_hash: bytes) -> None:
        self._insert(schema.invites, **asdict(invite), code_hash=code_hash)

    def use_invite(self, invite_id: str) -> None:
        invites = schema.invites
        one = sa.update(invites).where(invites.c.invite_id == invite_id)
        self._conn.execute(one.values(uses=invites.c.uses + 1))

    def delete_invite(self, room_id: str, invite_id: str) -> bool:
        invites = schema.invites
        one = sa.and_(invites.c.room_id == room_id, invites.c.invite_id == invite_id)
        return self._conn.execute(sa.delete(invites).where(one)).rowcount > 0

    def trim_invites(self, room_id: str, *, keep: int) -> int:
        invites = schema.invites.c
        there = self.invites_of(room_id)
        if there > keep:
            used_up = sa.and_(invites.max_uses != 0, invites.uses >= invites.max_uses)
            oldest = (
                sa.select(invites.invite_id)
                .where(invites.room_id == room_id, sa.or_(used_up, invites.expire_time_us <= self.now_us))
                .order_by(invites.create_time_us, invites.invite_id)
                .limit(there - keep)
            )
            gone = self._conn.execute(sa.delete(schema.invites).where(invites.invite_id.in_(oldest)))
            there -= gone.rowcount
        return there

    def delete_invites_of(self, room_id: str, user_id: str) -> None:
        users, invites, invitations = schema.users.c, schema.invites, schema.invitations
        bots = sa.select(users.user_id).where(users.owner_id == user_id)
        for table, user in (
            (invites, invites.c.created_by),
            (invitations, invitations.c.invited_by),
            (invitations, invitations.c.user_id),
        ):
            theirs = sa.or_(user == user_id, user.in_(bots))
            self._conn.execute(sa.delete(table).where(table.c.room_id == room_id, theirs))

    def accept_room(self, room_id: str, user_id: str) -> bool:
        members = schema.members.c
        one = sa.and_(members.room_id == room_id, members.user_id == user_id, members.added_by != "")
        return self._conn.execute(sa.update(schema.members).where(one).values(added_by="")).rowcount > 0

    def put_invitation(self, invitation: InvitationRecord) -> None:
        table = schema.invitations
        insert = insert_into(table, self._conn.dialect.name)
        values = asdict(invitation)
        keys = [table.c.room_id, table.c.user_id]
        changed = {name: value for name, value in values.items() if name not in ("room_id", "user_id")}
        self._conn.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), values)

    def delete_invitation(self, room_id: str, user_id: str) -> bool:
        table = schema.invitations
        one = sa.and_(table.c.room_id == room_id, table.c.user_id == user_id)
        # Asked before: mostly there is none, and a statement that changes nothing takes a savepoint, too.
        if run(self._conn, _INVITED, {"room": room_id, "user": user_id}).first() is None:
            return False
        return self._conn.execute(sa.delete(table).where(one)).rowcount > 0

    def delete_invitations_of(self, user_id: str) -> None:
        table = schema.invitations
        self._conn.execute(sa.delete(table).where(table.c.user_id == user_id))

    def delete_offers(self, room_id: str, invited_by: str) -> None:
        table = schema.invitations
        offers = sa.and_(
            table.c.room_id == room_id, table.c.invited_by == invited_by, table.c.role == pb.ROLE_OWNER
        )
        if run(self._conn, _OFFERED, {"room": room_id, "user": invited_by}).first() is not None:
            self._conn.execute(sa.delete(table).where(offers))

    # Consumers

    def use_consumers(self, used: Iterable[tuple[str, str]]) -> None:
        names = schema.consumer_names
        touch = (
            sa.update(names)
            .where(names.c.user_id == sa.bindparam("user"), names.c.consumer == sa.bindparam("name"))
            .values(last_used_us=self.now_us)
        )
        if rows := [{"user": user_id, "name": consumer} for user_id, consumer in used]:
            self._conn.execute(touch, rows)

    def delete_consumer(self, user_id: str, consumer: str) -> bool:
        found = False
        for table in (schema.consumers, schema.consumer_names):
            one = sa.and_(table.c.user_id == user_id, table.c.consumer == consumer)
            found = self._conn.execute(sa.delete(table).where(one)).rowcount > 0 or found
        return found

    # Accounts

    def insert_account(self, account: Account) -> None:
        values = asdict(account)
        del values["owner_block_time_us"]
        self._insert(schema.users, **values)

    def set_profile(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        adding: int | None = None,
        direct_messages: int | None = None,
    ) -> None:
        values = {"display_name": display_name, "adding": adding, "direct_messages": direct_messages}
        if changed := {name: value for name, value in values.items() if value is not None}:
            self._change_account(user_id, **changed)

    def set_password_hash(self, user_id: str, password_hash: str) -> None:
        self._change_account(user_id, password_hash=password_hash)

    def set_admin(self, user_id: str, *, admin: bool) -> None:
        self._change_account(user_id, admin=int(admin))

    def block_account(self, user_id: str) -> None:
        self._change_account(user_id, block_time_us=self.now_us)

    def unblock_account(self, user_id: str) -> None:
        self._change_account(user_id, block_time_us=None)

    def offer_bot(self, user_id: str, to: str | None) -> None:
        self._change_account(user_id, offered_to=to)

    def give_bot(self, user_id: str, owner_id: str) -> None:
        self._change_account(user_id, owner_id=owner_id, offered_to=None)

    def _change_account(self, user_id: str, **values: Any) -> None:
        users = schema.users
        self._conn.execute(sa.update(users).where(users.c.user_id == user_id).values(values))

    def insert_identity(self, issuer: str, subject: str, user_id: str) -> None:
        self._insert(
            schema.identities, issuer=issuer, subject=subject, user_id=user_id, create_time_us=self.now_us
        )

    def delete_identity(self, issuer: str, subject: str) -> None:
        known = schema.identities
        one = sa.and_(known.c.issuer == issuer, known.c.subject == subject)
        self._conn.execute(sa.delete(known).where(one))

    def put_block(self, user_id: str, blocked_user_id: str) -> None:
        self._insert(
            schema.blocks, user_id=user_id, blocked_user_id=blocked_user_id, create_time_us=self.now_us
        )

    def hide_invitations(self, user_id: str, by: str) -> None:
        table = schema.invitations
        theirs = sa.and_(table.c.user_id.in_(with_bots(user_id)), table.c.invited_by.in_(with_bots(by)))
        self._conn.execute(sa.update(table).where(theirs).values(hidden=1))

    def delete_block(self, user_id: str, blocked_user_id: str) -> bool:
        blocks = schema.blocks
        one = sa.and_(blocks.c.user_id == user_id, blocks.c.blocked_user_id == blocked_user_id)
        return self._conn.execute(sa.delete(blocks).where(one)).rowcount > 0

    def insert_session(self, session: SessionRecord, token_hash: bytes) -> None:
        self._insert(schema.sessions, **asdict(session), token_hash=token_hash)

    def delete_least_used_session(self, user_id: str, kind: int) -> SessionRecord | None:
        sessions = schema.sessions
        query = (
            sa.select(sessions.c.session_id)
            .where(sessions.c.user_id == user_id, sessions.c.kind == kind)
            .order_by(sessions.c.last_used_us)
            .limit(1)
        )
        session_id = self._conn.scalar(query)
        if session_id is None:
            return None
        found = self.session_of(user_id, session_id)
        self._delete_sessions(sessions.c.session_id == session_id)
        return found

    def delete_sessions(
        self,
        user_id: str,
        *,
        session_ids: Iterable[str] | None = None,
        but: str = "",
        ending: Ending | None = None,
    ) -> list[str]:
        sessions = schema.sessions
        which = sa.and_(sessions.c.user_id == user_id, sessions.c.session_id != but)
        if session_ids is not None:
            which = sa.and_(which, sessions.c.session_id.in_(list(session_ids)))
        if ending is not None:
            tokens = sa.select(
                sessions.c.token_hash,
                sessions.c.user_id,
                sa.literal(int(ending)),
                sa.literal(self.now_us),
            ).where(which, sessions.c.kind == pb.SESSION_KIND_ACCESS_TOKEN)
            ended = schema.ended_tokens
            self._conn.execute(sa.insert(ended).from_select([c.name for c in ended.c], tokens))
        expired = schema.expired_sessions.c
        gone = sa.and_(expired.user_id == user_id, expired.session_id != but)
        if session_ids is not None:
            gone = sa.and_(gone, expired.session_id.in_(list(session_ids)))
        self._conn.execute(sa.delete(schema.expired_sessions).where(gone))
        return self._delete_sessions(which)

    def forget_ended_tokens(self, user_id: str) -> None:
        ended = schema.ended_tokens
        self._conn.execute(sa.delete(ended).where(ended.c.user_id == user_id))

    def save_known_addresses(self, hashes: Iterable[bytes], *, keep: int) -> None:
        known = schema.known_addresses
        rows = [{"pair_hash": pair_hash, "last_used_us": self.now_us} for pair_hash in hashes]
        if rows:
            insert = insert_into(known, self._conn.dialect.name)
            newer = insert.on_conflict_do_update(
                index_elements=[known.c.pair_hash], set_={"last_used_us": insert.excluded.last_used_us}
            )
            self._conn.execute(newer, rows)
        oldest = sa.select(known.c.last_used_us).order_by(known.c.last_used_us.desc()).offset(keep).limit(1)
        self._conn.execute(sa.delete(known).where(known.c.last_used_us <= oldest.scalar_subquery()))

    def touch_sessions(self, used: Mapping[str, int]) -> None:
        sessions = schema.sessions
        touch = (
            sa.update(sessions)
            .where(sessions.c.session_id == sa.bindparam("id"), sessions.c.last_used_us < sa.bindparam("at"))
            .values(last_used_us=sa.bindparam("at"))
        )
        if used:
            self._conn.execute(touch, [{"id": id_, "at": at} for id_, at in used.items()])

    def expire(self, *, now_us: int, unused_since_us: int, forget_us: int, keep: int = 200) -> list[str]:
        sessions, invites, expired = schema.sessions, schema.invites, schema.expired_sessions
        self._conn.execute(sa.delete(invites).where(invites.c.expire_time_us <= now_us))
        self._conn.execute(sa.delete(expired).where(expired.c.end_time_us <= forget_us))
        # A token for a program may lie unused for years; only logging in is something one does again.
        login = sessions.c.kind == pb.SESSION_KIND_LOGIN
        unused = sa.and_(login, sessions.c.last_used_us <= unused_since_us)
        which = sa.or_(sessions.c.expire_time_us <= now_us, unused)
        kept = sa.select(*sessions.c, sa.literal(now_us)).where(which)
        self._conn.execute(sa.insert(expired).from_select([*sessions.c.keys(), "end_time_us"], kept))
        # Tokens that live for a second are made as quickly as they end.
        place = sa.func.row_number().over(
            partition_by=expired.c.user_id,
            order_by=[expired.c.end_time_us.desc(), expired.c.create_time_us.desc()],
        )
        whose = sa.select(sessions.c.user_id).where(which)
        ordered = sa.select(expired.c.token_hash, place.label("place")).where(expired.c.user_id.in_(whose))
        placed = ordered.subquery()
        too_many = sa.select(placed.c.token_hash).where(placed.c.place > keep)
        self._conn.execute(sa.delete(expired).where(expired.c.token_hash.in_(too_many)))
        return self._delete_sessions(which)

    def revive_session(self, token_hash: bytes) -> None:
        sessions, expired = schema.sessions, schema.expired_sessions
        one = expired.c.token_hash == token_hash
        self.revived += self._conn.scalars(sa.select(expired.c.session_id).where(one))
        names = sessions.c.keys()
        kept = sa.select(*[expired.c[name] for name in names]).where(one)
        self._conn.execute(sa.insert(sessions).from_select(names, kept))
        self._conn.execute(sa.delete(expired).where(one))

    def _delete_sessions(self, which: sa.ColumnElement[bool]) -> list[str]:
        users, sessions = schema.users, schema.sessions
        ids = list(self._conn.scalars(sa.select(sessions.c.session_id).where(which)))
        if ids:
            # The last use of an account outlives its sessions.
            owners = sa.select(sessions.c.user_id).where(which)
            of_account = sa.select(sa.func.max(sessions.c.last_used_us)).where(
                sessions.c.user_id == users.c.user_id
            )
            newest = of_account.correlate(users).scalar_subquery()
            later = sa.func.coalesce(users.c.last_used_us, 0) < newest
            note = sa.update(users).where(users.c.user_id.in_(owners), later).values(last_used_us=newest)
            self._conn.execute(note)
        self._conn.execute(sa.delete(sessions).where(which))
        self.ended += ids
        return ids

    def _insert(self, table: sa.Table, **values: Any) -> None:
        self._conn.execute(sa.insert(table), values)
