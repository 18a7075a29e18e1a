"""A command's reads and changes in one transaction, with SQL."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.account_writes import AccountWrites
from grpc_chat.store.consumer_writes import ConsumerWrites
from grpc_chat.store.file_writes import SqlFileWrites, drop_files
from grpc_chat.store.invitation_writes import InvitationWrites
from grpc_chat.store.mention_rows import drop_mentions, put_mentions
from grpc_chat.store.personal_writes import PersonalWrites
from grpc_chat.store.projections import PROJECTIONS
from grpc_chat.store.receipt_writes import SqlReceiptWrites
from grpc_chat.store.records import Membership, StoredEvent
from grpc_chat.store.report_writes import SqlReportWrites
from grpc_chat.store.room_writes import RoomWrites
from grpc_chat.store.rows import Rows
from grpc_chat.store.send_writes import SendWrites
from grpc_chat.store.session_writes import SessionWrites
from grpc_chat.store.snapshot import SqlSnapshot
from grpc_chat.store.traces import SqlTraceWrites
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.store.batch import Batch


T = TypeVar("T")

_CACHED = {schema.rooms, schema.members, schema.events, schema.consumer_names}
"""The tables whose rows :class:`Rows` remembers."""


@functools.lru_cache(maxsize=512)
def _names_in(sql: str) -> frozenset[str]:
    """The words of a statement, among them the tables and columns that it names."""
    return frozenset(re.findall(r"\w+", sql))


class Statements:
    """Runs the statements of a transaction's methods, as if no rows were waiting to be written.

    Before a statement that changes something, it sets the savepoint that can undo the change.
    """

    def __init__(self, conn: sa.Connection, rows: Rows) -> None:
        self._conn = conn
        self._rows = rows
        self.dialect = conn.dialect

    def for_reading(self, sql: str) -> sa.Connection:
        """The database, prepared for a statement that reads, which is given to the driver."""
        self._rows.before_reading(_names_in(sql))
        return self._conn

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
        if changes:
            self._rows.forget_absent()
        if changes and getattr(statement, "table", None) in _CACHED:
            self._rows.forget()


class SqlTransaction(
    RoomWrites,
    InvitationWrites,
    AccountWrites,
    SessionWrites,
    ConsumerWrites,
    SqlFileWrites,
    PersonalWrites,
    SendWrites,
    SqlReportWrites,
    SqlTraceWrites,
    SqlReceiptWrites,
    SqlSnapshot,
):
    """See :class:`grpc_chat.store.base.Transaction`.

    Args:
        batch: The batch that the transaction belongs to.
    """

    def __init__(self, batch: Batch, epoch: str, tell_of_damage: Callable[[str, int], None]) -> None:
        statements = cast(sa.Connection, Statements(batch.conn, batch.rows))
        super().__init__(statements, epoch, tell_of_damage)
        self._batch = batch
        self._rows = batch.rows
        self.now_us = batch.now_us
        self.new: dict[str, list[StoredEvent]] = {}
        """By room, the events that this transaction appended."""
        self.effects: list[object] = []
        self.ended: list[str] = []
        """Sessions that this transaction ended."""
        self.revived: list[str] = []
        """Sessions that this transaction restored."""

    def after_commit(self, effect: object) -> None:
        self.effects.append(effect)

    def append(self, event: pb.Event, session_id: str) -> int:
        return self._batch.number(event.room_id, event, session_id, self.new)

    def rewrite(self, room_id: str, seq: int, event: pb.Event) -> bool:
        one = sa.and_(schema.events.c.room_id == room_id, schema.events.c.seq == seq)
        columns = (schema.events.c.payload, schema.events.c.checksum)
        row = self._conn.execute(sa.select(*columns).where(one)).first()
        if row is None or (row.checksum is not None and crc32(row.payload) != row.checksum):
            return False
        old = pb.Event.FromString(row.payload)
        for of in (old, event):
            if (kind := of.WhichOneof("kind")) in PROJECTIONS:
                raise ValueError(f"other rows follow from {kind}: it stays as it is")
        if old.message.files:
            kept = [file.file_id for file in event.message.files]
            drop_files(self._conn, room_id, seq, self.now_us, keep=kept)
        event.room_id, event.seq = room_id, seq
        event.create_time.CopyFrom(old.create_time)
        drop_mentions(self._rows, old)
        put_mentions(self._rows, event)
        self._rows.rewrite(event)
        return True

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        return self._rows.exact(room_id, user_id)

    def messages_at(self, room_id: str, seq: int) -> int | None:
        return self._rows.messages_at(room_id, seq)

    def deleted_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        return self._rows.deleted_unread(user_id, room_ids)

    def member(self, room_id: str, user_id: str) -> pb.Member | None:
        return self._read(
            super().member, room_id, user_id, apart=self._rows.member_is_written(room_id, user_id)
        )

    def mentions_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        # Mostly nobody is mentioned after their marker, and nothing has to be written to know that.
        some = [room_id for room_id in room_ids if self._rows.may_be_mentioned(room_id, user_id)]
        return super().mentions_unread(user_id, some) if some else {}

    def room(self, room_id: str) -> pb.Room | None:
        rows = self._rows
        if rows.room_is_changed(room_id):
            return super().room(room_id)
        if room_id not in rows.rooms:
            rows.rooms[room_id] = read = self._read(super().room, room_id, apart=True)
            if read is not None:
                # Not with a statement of its own: a hidden room must cost what a missing one costs.
                rows.know_members(room_id, read.member_count)
        if (known := rows.rooms[room_id]) is None:
            return None
        room = pb.Room()
        room.CopyFrom(known)
        room.member_count = rows.members_of(room_id)
        if room_id in rows.heads:
            room.last_seq = rows.heads[room_id]
            if time_us := rows.times[room_id]:
                room.last_event_time.FromMicroseconds(time_us)
        return room

    def keeping_out(self, room_id: str, user_id: str) -> pb.Ban | None:
        return super().keeping_out(room_id, user_id) if self._rows.has_any(schema.bans, room_id) else None

    def delete_invitation(self, room_id: str, user_id: str) -> bool:
        return self._rows.has_any(schema.invitations, room_id) and super().delete_invitation(room_id, user_id)

    def delete_offers(self, room_id: str, invited_by: str) -> None:
        if self._rows.has_any(schema.invitations, room_id):
            super().delete_offers(room_id, invited_by)

    def rooms_of(self, user_id: str) -> int:
        return self._read(super().rooms_of, user_id, apart=self._rows.rooms_are_written(user_id))

    def added_rooms_of(self, user_id: str) -> int:
        return self._read(super().added_rooms_of, user_id, apart=self._rows.rooms_are_written(user_id))

    def _read(self, read: Callable[..., T], *args: str, apart: bool) -> T:
        """Read something. If it is ``apart`` from the rows that are yet to be written, these stay
        unwritten."""
        statements = self._conn
        if apart:
            self._conn = self._batch.conn
        try:
            return read(*args)
        finally:
            self._conn = statements

    def members_of(self, room_id: str) -> int:
        return self._rows.members_of(room_id)
