"""Reads and collects, within a transaction, how far members have read."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.marker_reads import MESSAGES_AT
from grpc_chat.store.reaction_rows import ReactionRows
from grpc_chat.store.records import Marker
from grpc_chat.store.row_updates import SET_MARKER, update_rows
from grpc_chat.store.statements import at_once, execute, filled, marks, run

_DELETED_AFTER = (
    sa.select(sa.func.count())
    .select_from(schema.deleted_messages)
    .where(
        schema.deleted_messages.c.room_id == sa.bindparam("room"),
        schema.deleted_messages.c.seq > sa.bindparam("at"),
        schema.deleted_messages.c.user_id != sa.bindparam("user"),
    )
)
_MESSAGES = """
WITH wanted (room_id, seq) AS (VALUES {wanted})
SELECT events.room_id, events.seq, events.messages
FROM wanted CROSS JOIN events
WHERE events.room_id = wanted.room_id AND events.seq = wanted.seq
"""
_LAST_DELETED = """
WITH wanted (room_id) AS (VALUES {wanted})
SELECT wanted.room_id,
(SELECT MAX(seq) FROM deleted_messages WHERE deleted_messages.room_id = wanted.room_id)
FROM wanted
"""
_Marker = tuple[int, int, int]
"""The fields of a :class:`Marker`. Each message makes one, and a tuple takes less time."""


class MarkerRows(ReactionRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self.journal: list[tuple[dict[Any, Any], Any, Any]] | None = None
        """The current command's changes of collections, each with the value before it; None if no command is
        running, or if its savepoint is set."""
        self.events: list[tuple[object, ...]] = []
        """Rows to be written, with their values in the order of the columns."""
        self.markers: dict[tuple[str, str], _Marker] = {}
        """By room and user, how far members have read who have read further in this batch."""
        # How many messages rooms have up to an event, and rooms' last deleted messages; 0 for none.
        self._messages_at: dict[tuple[str, int], int | None] = {}
        self._last_deleted: dict[str, int] = {}
        # Markers that are yet to be written.
        self._moved: dict[tuple[str, str], _Marker] = {}

    @abstractmethod
    def put(self, table: sa.Table, **row: object) -> None: ...

    def marker(self, room_id: str, user_id: str) -> Marker:
        """How far a member has read."""
        if known := self.markers.get((room_id, user_id)):
            return Marker(*known)
        room = self.membership(room_id, user_id)
        return room.marker if room else Marker(0, 0)

    def move_marker(self, room_id: str, user_id: str, marker: _Marker) -> None:
        """Have a member have read up to here."""
        key = (room_id, user_id)
        if self.journal is None:
            # As for every message.
            self.markers[key] = self._moved[key] = marker
        else:
            self._set(self.markers, key, marker)
            self._change(self._moved, key, marker)

    def prefetch_marked(self, places: Iterable[tuple[str, int]]) -> None:
        """Read what :meth:`messages_at` and :meth:`deleted_unread` say of these places, given by room and
        number, with two statements."""
        wanted = list(dict.fromkeys(places))
        if len(wanted) < 2:
            # A single one is read when it is needed.
            return
        for some in at_once(wanted):
            values = filled(some)
            for room_id, seq, messages in execute(
                self.conn, _messages_sql(self.conn.dialect.paramstyle, len(values) // 2), values
            ).fetchall():
                self._messages_at[room_id, seq] = messages
        self._read_last_deleted([*dict.fromkeys(room_id for room_id, _ in wanted)])

    def messages_at(self, room_id: str, seq: int) -> int | None:
        """See :meth:`grpc_chat.store.reads.Snapshot.messages_at`."""
        if (room_id, seq) not in self._messages_at:
            if self.events:
                self.before(changes=False)
            found = run(self.conn, MESSAGES_AT, {"room": room_id, "at": seq}).scalar()
            self._set(self._messages_at, (room_id, seq), found)
        return self._messages_at[room_id, seq]

    def deleted_unread(self, user_id: str, room_ids: Iterable[str]) -> dict[str, int]:
        """See :meth:`grpc_chat.store.reads.Snapshot.deleted_unread`."""
        found: dict[str, int] = {}
        for room_id in room_ids:
            room = self.membership(room_id, user_id)
            if room is None or not room.role:
                continue
            if room_id not in self._last_deleted:
                self._read_last_deleted([room_id])
            seq = self.marker(room_id, user_id).seq
            if self._last_deleted[room_id] <= seq:
                continue
            if self._put.get(schema.deleted_messages):
                self.before(changes=False)
            values = {"room": room_id, "user": user_id, "at": seq}
            if count := run(self.conn, _DELETED_AFTER, values).scalar():
                found[room_id] = count
        return found

    def count_as_deleted(self, room_id: str, seq: int, user_id: str) -> None:
        """Have a message not be counted as unread. ``user_id`` is its sender."""
        self.put(schema.deleted_messages, room_id=room_id, seq=seq, user_id=user_id)
        if (last := self._last_deleted.get(room_id)) is not None:
            self._set(self._last_deleted, room_id, max(last, seq))

    def _read_last_deleted(self, room_ids: list[str]) -> None:
        if self._put.get(schema.deleted_messages):
            self.before(changes=False)
        for some in at_once([(room_id,) for room_id in room_ids]):
            values = filled(some)
            sql = _last_deleted_sql(self.conn.dialect.paramstyle, len(values))
            for room_id, last in execute(self.conn, sql, values).fetchall():
                # During a command, this may include the command's own changes.
                self._set(self._last_deleted, room_id, last or 0)

    def _forget_markers(self) -> None:
        self.markers.clear()
        self._messages_at.clear()
        self._last_deleted.clear()

    def _flush_markers(self) -> None:
        if self._moved:
            update_rows(self.conn, SET_MARKER, [(*key, *self._moved[key]) for key in sorted(self._moved)])
            self._moved.clear()


@functools.cache
def _messages_sql(paramstyle: str, wanted: int) -> str:
    return _MESSAGES.format(wanted=marks(paramstyle, "TEXT", "BIGINT", rows=wanted))


@functools.cache
def _last_deleted_sql(paramstyle: str, wanted: int) -> str:
    return _LAST_DELETED.format(wanted=marks(paramstyle, "TEXT", rows=wanted))
