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
