"""Writes to a store that no command makes."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from grpc_chat.errors import RoomNotFound
from grpc_chat.store import schema
from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.wire import chat_pb2 as pb


def put_room(room_id: str, name: str, members: Mapping[str, pb.Role.ValueType]) -> Transact:
    """Make a room with just these members, or have one be so."""
    return Transact(lambda transaction: transaction.put_room(room_id, name, members))


def change_membership(
    transaction: Transaction,
    change: pb.MembershipChange.ValueType,
    room_id: str,
    user_id: str,
    *,
    role: int = 0,
    by: str = "alice",
    reason: str = "",
) -> int:
    """Append what changes a membership, and so have it changed; the event's number."""
    changed = pb.MembershipChanged(
        user_id=user_id, change=change, role=pb.Role.ValueType(role), reason=reason
    )
    return transaction.append(pb.Event(room_id=room_id, user_id=by, membership_changed=changed), "")


def set_role(transaction: Transaction, room_id: str, user_id: str, role: int) -> int:
    """Have a member be something else."""
    return change_membership(transaction, pb.MEMBERSHIP_CHANGE_ROLE, room_id, user_id, role=role)


def remove(transaction: Transaction, room_id: str, user_id: str) -> int:
    """Have somebody be no longer a member."""
    return change_membership(transaction, pb.MEMBERSHIP_CHANGE_REMOVED, room_id, user_id)


def ban(transaction: Transaction, room_id: str, user_id: str, *, by: str = "alice", reason: str = "") -> int:
    """Have somebody kept out."""
    change = pb.MEMBERSHIP_CHANGE_BANNED
    return change_membership(transaction, change, room_id, user_id, by=by, reason=reason)


def unban(transaction: Transaction, room_id: str, user_id: str) -> int:
    """Have somebody be let in again."""
    return change_membership(transaction, pb.MEMBERSHIP_CHANGE_UNBANNED, room_id, user_id)


def truncate(room_id: str, first_seq: int) -> Transact:
    """Remove a room's events before a number for good, as retention will."""

    def in_transaction(transaction: Transaction) -> None:
        assert isinstance(transaction, SqlTransaction)
        rooms, conn = schema.rooms, transaction._conn
        row = conn.execute(sa.select(rooms).where(rooms.c.room_id == room_id)).first()
        if row is None:
            raise RoomNotFound("there is no such room", metadata={"roomId": room_id})
        first = min(first_seq, row.last_seq + 1)
        if first <= row.first_seq:
            return
        for table in (schema.events, schema.sends):
            conn.execute(sa.delete(table).where(table.c.room_id == room_id, table.c.seq < first))
        conn.execute(sa.update(rooms).where(rooms.c.room_id == room_id).values(first_seq=first))
        # What this batch met before may be among it; whatever is not is found in the database.
        transaction._batch._sent.clear()

    return Transact(in_transaction)


def spoil(room_id: str, seq: int) -> Transact:
    """Have one of a room's events be gone, as after the disk has damaged it."""

    def in_transaction(transaction: Transaction) -> None:
        assert isinstance(transaction, SqlTransaction)
        table = schema.events
        transaction._conn.execute(sa.delete(table).where(table.c.room_id == room_id, table.c.seq == seq))

    return Transact(in_transaction)
