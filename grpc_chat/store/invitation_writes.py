"""Invites and invitations, as a transaction changes them."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.invitation_reads import with_bots
from grpc_chat.store.records import InvitationRecord, InviteRecord
from grpc_chat.store.room_reads import RoomReads
from grpc_chat.store.statements import insert_into, insert_row, run
from grpc_chat.wire import chat_pb2 as pb

_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_INVITED = sa.select(_ONE).where(
    schema.invitations.c.room_id == sa.bindparam("room"), schema.invitations.c.user_id == sa.bindparam("user")
)
_OFFERED = sa.select(_ONE).where(
    schema.invitations.c.room_id == sa.bindparam("room"),
    schema.invitations.c.invited_by == sa.bindparam("user"),
)


class InvitationWrites(RoomReads):
    """See :class:`grpc_chat.store.base.Transaction`."""

    now_us: int

    def insert_invite(self, invite: InviteRecord, code_hash: bytes) -> None:
        insert_row(self._conn, schema.invites, **asdict(invite), code_hash=code_hash)

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
        # Checked first: mostly there is none, and even a statement that changes nothing needs a savepoint.
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

    def hide_invitations(self, user_id: str, by: str) -> None:
        table = schema.invitations
        theirs = sa.and_(table.c.user_id.in_(with_bots(user_id)), table.c.invited_by.in_(with_bots(by)))
        self._conn.execute(sa.update(table).where(theirs).values(hidden=1))
