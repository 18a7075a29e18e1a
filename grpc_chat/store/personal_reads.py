"""What users keep for themselves, as a snapshot reads it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.personal import DraftKey, SavedRecord, ScheduledRecord
from grpc_chat.store.statements import run
from grpc_chat.wire import chat_pb2 as pb

_drafts, _saved, _scheduled = schema.message_drafts, schema.saved_messages, schema.scheduled_messages
_USER: sa.BindParameter[str] = sa.bindparam("user")
_ROOM: sa.BindParameter[str] = sa.bindparam("room")
_DRAFT_COLUMNS = (
    _drafts.c.room_id,
    _drafts.c.thread_root,
    _drafts.c.text,
    _drafts.c.reply_to,
    _drafts.c.update_time_us,
)
_ONE_DRAFT = sa.select(*_DRAFT_COLUMNS).where(
    _drafts.c.room_id == _ROOM, _drafts.c.user_id == _USER, _drafts.c.thread_root == sa.bindparam("root")
)
_SAVED_COLUMNS = (_saved.c.room_id, _saved.c.seq, _saved.c.save_time_us)
_ONE_SAVED = sa.select(*_SAVED_COLUMNS).where(
    _saved.c.room_id == _ROOM, _saved.c.user_id == _USER, _saved.c.seq == sa.bindparam("number")
)
_SCHEDULED = sa.select(*[_scheduled.c[name] for name in ScheduledRecord._fields])
_NEXT_DUE = sa.select(sa.func.min(_scheduled.c.due_us))
_DRAFTS_OF, _SAVED_OF, _SCHEDULED_OF = (
    sa.select(sa.func.count()).select_from(table).where(table.c.user_id == _USER)
    for table in (_drafts, _saved, _scheduled)
)


def _of_member(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether the row's user is a member of its room. The rows end with the membership, but the rooms of
    trusted ids get their members from the settings."""
    members = schema.members.c
    return sa.exists().where(members.room_id == table.c.room_id, members.user_id == table.c.user_id)


class SqlPersonalReads:
    """See :class:`grpc_chat.store.personal.PersonalReads`."""

    _conn: sa.Connection

    def message_draft(self, room_id: str, user_id: str, thread_root: int) -> pb.MessageDraft | None:
        values = {"room": room_id, "user": user_id, "root": thread_root}
        row = run(self._conn, _ONE_DRAFT, values).first()
        return _draft(row) if row else None

    def message_drafts(
        self, user_id: str, *, room_id: str, after: DraftKey | None, limit: int
    ) -> list[pb.MessageDraft]:
        key = (_drafts.c.update_time_us, _drafts.c.room_id, _drafts.c.thread_root)
        query = _page(_DRAFT_COLUMNS, _drafts, key, user_id, room_id, after, limit)
        return [_draft(row) for row in self._conn.execute(query)]

    def message_drafts_of(self, user_id: str) -> int:
        return int(run(self._conn, _DRAFTS_OF, {"user": user_id}).scalar() or 0)

    def saved_message(self, room_id: str, user_id: str, seq: int) -> SavedRecord | None:
        row = run(self._conn, _ONE_SAVED, {"room": room_id, "user": user_id, "number": seq}).first()
        return SavedRecord._make(row) if row else None

    def saved_messages(
        self, user_id: str, *, room_id: str, after: SavedRecord | None, limit: int
    ) -> list[SavedRecord]:
        key = (_saved.c.save_time_us, _saved.c.room_id, _saved.c.seq)
        place = after and (after.save_time_us, after.room_id, after.seq)
        query = _page(_SAVED_COLUMNS, _saved, key, user_id, room_id, place, limit)
        return [SavedRecord._make(row) for row in self._conn.execute(query)]

    def saved_messages_of(self, user_id: str) -> int:
        return int(run(self._conn, _SAVED_OF, {"user": user_id}).scalar() or 0)

    def scheduled_message(self, user_id: str, scheduled_id: str) -> ScheduledRecord | None:
        one = _SCHEDULED.where(_scheduled.c.user_id == user_id, _scheduled.c.scheduled_id == scheduled_id)
        row = self._conn.execute(one).first()
        return ScheduledRecord._make(row) if row else None

    def scheduled_messages(
        self, user_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[ScheduledRecord]:
        key = (_scheduled.c.send_us, _scheduled.c.scheduled_id)
        query = _SCHEDULED.where(_scheduled.c.user_id == user_id).order_by(*key).limit(limit)
        if after:
            query = query.where(sa.tuple_(*key) > after)
        return [ScheduledRecord._make(row) for row in self._conn.execute(query)]

    def scheduled_messages_of(self, user_id: str) -> int:
        return int(run(self._conn, _SCHEDULED_OF, {"user": user_id}).scalar() or 0)

    def due_messages(self, now_us: int, *, limit: int) -> list[ScheduledRecord]:
        order = (
            _scheduled.c.due_us,
            _scheduled.c.create_us,
            _scheduled.c.user_id,
            _scheduled.c.scheduled_id,
        )
        query = _SCHEDULED.where(_scheduled.c.due_us <= now_us).order_by(*order).limit(limit)
        return [ScheduledRecord._make(row) for row in self._conn.execute(query)]

    def next_due(self) -> int | None:
        found: int | None = run(self._conn, _NEXT_DUE, {}).scalar()
        return found


def _page(
    columns: tuple[sa.Column[Any], ...],
    table: sa.Table,
    key: tuple[sa.Column[Any], ...],
    user_id: str,
    room_id: str,
    after: tuple[int, str, int] | None,
    limit: int,
) -> sa.Select[Any]:
    """A page of a user's rows, the newest first."""
    query = sa.select(*columns).where(table.c.user_id == user_id, _of_member(table)).limit(limit)
    if room_id:
        query = query.where(table.c.room_id == room_id)
    if after:
        query = query.where(sa.tuple_(*key) < after)
    return query.order_by(*(column.desc() for column in key))


def _draft(row: sa.Row[Any, *tuple[Any, ...]]) -> pb.MessageDraft:
    room_id, thread_root, text, reply_to, update_time_us = row
    draft = pb.MessageDraft(room_id=room_id, thread_root=thread_root, text=text, reply_to=reply_to)
    draft.update_time.FromMicroseconds(update_time_us)
    return draft
