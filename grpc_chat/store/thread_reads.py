"""Threads, as a snapshot reads them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import Marker, StoredEvent
from grpc_chat.store.statements import run
from grpc_chat.store.threads import FollowedThread, Following, ThreadRecord

_t, _f, _m = schema.threads.c, schema.thread_followers.c, schema.thread_messages.c
_d, _e = schema.deleted_replies.c, schema.events.c
_ROOM: sa.BindParameter[str] = sa.bindparam("room")
_ROOT: sa.BindParameter[int] = sa.bindparam("root")
_USER: sa.BindParameter[str] = sa.bindparam("user")
_AT: sa.BindParameter[int] = sa.bindparam("at")
_END: sa.BindParameter[int] = sa.bindparam("end")
_MOST: sa.BindParameter[int] = sa.bindparam("most")
_NOW: sa.BindParameter[int] = sa.bindparam("now")

_THREAD = sa.select(*_t).where(_t.room_id == _ROOM, _t.root_seq == _ROOT)
_DELETED_UNREAD = (
    sa.select(sa.func.count())
    .select_from(schema.deleted_replies)
    .where(_d.room_id == _t.room_id, _d.root_seq == _t.root_seq, _d.seq > _f.read_seq, _d.user_id != _USER)
    .scalar_subquery()
)
_COLUMNS = (*_t, _f.read_seq, _f.read_count, _f.read_own, _f.mute_until_us, _DELETED_UNREAD)
_SAME = sa.and_(_f.room_id == _t.room_id, _f.root_seq == _t.root_seq, _f.user_id == _USER)
_AS_SEEN = sa.select(*_COLUMNS).select_from(schema.threads).outerjoin(schema.thread_followers, _SAME)
# Threads whose messages are all deleted are listed no more.
_ALIVE = _t.replies > sa.literal_column("0")
_IN_ROOM = (
    _AS_SEEN.where(_t.room_id == _ROOM, _t.last_seq < _AT, _ALIVE).order_by(_t.last_seq.desc()).limit(_MOST)
)
_FOLLOWED = (
    sa.select(*_COLUMNS)
    .select_from(schema.members)
    .join(
        schema.thread_followers,
        sa.and_(_f.room_id == schema.members.c.room_id, _f.user_id == schema.members.c.user_id),
    )
    .join(schema.threads, sa.and_(_t.room_id == _f.room_id, _t.root_seq == _f.root_seq))
    .where(schema.members.c.user_id == _USER, _ALIVE)
    .order_by(_t.last_us.desc(), _t.room_id.desc(), _t.root_seq.desc())
    .limit(_MOST)
)
_WAITING = _t.messages - _f.read_count - _f.read_own - _DELETED_UNREAD > 0
_MUTED = sa.and_(_f.mute_until_us.is_not(None), sa.or_(_f.mute_until_us == 0, _f.mute_until_us > _NOW))
_ONE = sa.select(
    _f.read_seq,
    _f.read_count,
    _f.read_own,
    _f.mute_until_us,
    sa.select(sa.func.count())
    .select_from(schema.deleted_replies)
    .where(
        _d.room_id == _f.room_id, _d.root_seq == _f.root_seq, _d.seq > _f.read_seq, _d.user_id != _f.user_id
    )
    .scalar_subquery(),
).where(_f.room_id == _ROOM, _f.user_id == _USER, _f.root_seq == _ROOT)

_OF_THREAD = sa.and_(_m.room_id == _ROOM, _m.root_seq == _ROOT)
_NUMBER = sa.select(_m.number).where(_OF_THREAD, _m.seq <= _AT).order_by(_m.seq.desc()).limit(1)
_OWN = (
    sa.select(sa.func.count())
    .select_from(schema.thread_messages)
    .where(_OF_THREAD, _m.user_id == _USER, _m.seq > _AT)
)
_DELETED = (
    sa.select(sa.func.count())
    .select_from(schema.deleted_replies)
    .where(_d.room_id == _ROOM, _d.root_seq == _ROOT, _d.seq > _AT, _d.seq < _END)
)
_EVENTS = (
    sa.select(_e.seq, _e.session_id, _e.payload, _e.checksum)
    .select_from(schema.thread_messages)
    .join(schema.events, sa.and_(_e.room_id == _m.room_id, _e.seq == _m.seq))
    .where(_OF_THREAD)
)
_EVENTS_AFTER = _EVENTS.where(_m.seq > _AT).order_by(_m.seq).limit(_MOST)
_EVENTS_BEFORE = _EVENTS.where(_m.seq < _AT).order_by(_m.seq.desc()).limit(_MOST)


class SqlThreadReads:
    """See :class:`grpc_chat.store.threads.ThreadReads`."""

    _conn: sa.Connection

    @abstractmethod
    def _events(
        self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int
    ) -> list[StoredEvent]: ...

    def thread(self, room_id: str, root_seq: int) -> ThreadRecord | None:
        row = run(self._conn, _THREAD, {"room": room_id, "root": root_seq}).first()
        return ThreadRecord._make(row) if row else None

    def followed_thread(self, room_id: str, user_id: str, root_seq: int) -> FollowedThread:
        thread = self.thread(room_id, root_seq) or ThreadRecord(room_id, root_seq, 0, 0, 0, 0)
        row: Any = run(self._conn, _ONE, {"room": room_id, "user": user_id, "root": root_seq}).first()
        if row is None:
            return FollowedThread(thread, None, 0)
        return FollowedThread(thread, Following(Marker(*row[:3]), row[3]), row[4])

    def threads(self, room_id: str, user_id: str, *, before: int, limit: int) -> list[FollowedThread]:
        values = {"room": room_id, "user": user_id, "at": before, "most": limit}
        return list(_as_seen(self._conn.execute(_IN_ROOM, values)))

    def threads_followed(
        self,
        user_id: str,
        *,
        room_id: str = "",
        unread_at_us: int | None = None,
        before: tuple[int, str, int] | None,
        limit: int,
    ) -> list[FollowedThread]:
        query, values = _FOLLOWED, {"user": user_id, "most": limit, "now": unread_at_us}
        if room_id:
            query = query.where(_f.room_id == room_id)
        if unread_at_us is not None:
            query = query.where(_WAITING, sa.not_(_MUTED))
        if before is not None:
            query = query.where(sa.tuple_(_t.last_us, _t.room_id, _t.root_seq) < sa.tuple_(*before))
        return list(_as_seen(self._conn.execute(query, values)))

    def messages_in_thread(self, room_id: str, root_seq: int, seq: int) -> int:
        values = {"room": room_id, "root": root_seq, "at": seq}
        return int(run(self._conn, _NUMBER, values).scalar() or 0)

    def own_in_thread_after(self, room_id: str, root_seq: int, user_id: str, seq: int) -> int:
        values = {"room": room_id, "root": root_seq, "user": user_id, "at": seq}
        return int(run(self._conn, _OWN, values).scalar() or 0)

    def deleted_in_thread(self, room_id: str, root_seq: int, *, after: int, before: int) -> int:
        values = {"room": room_id, "root": root_seq, "at": after, "end": before}
        return int(run(self._conn, _DELETED, values).scalar() or 0)

    def thread_events(
        self, room_id: str, root_seq: int, *, after: int, limit: int, max_bytes: int
    ) -> list[StoredEvent]:
        values = {"room": room_id, "root": root_seq, "at": after, "most": limit}
        return self._events(_EVENTS_AFTER, values, max_bytes)

    def thread_events_before(
        self, room_id: str, root_seq: int, *, before: int, limit: int, max_bytes: int
    ) -> list[StoredEvent]:
        values = {"room": room_id, "root": root_seq, "at": before, "most": limit}
        found = self._events(_EVENTS_BEFORE, values, max_bytes)
        found.reverse()
        return found


def _as_seen(rows: Iterable[Any]) -> Iterator[FollowedThread]:
    thread_columns = len(ThreadRecord._fields)
    for row in rows:
        seq, messages, own, mute_until_us, deleted = row[thread_columns:]
        following = None if seq is None else Following(Marker(seq, messages, own), mute_until_us)
        yield FollowedThread(ThreadRecord(*row[:thread_columns]), following, deleted)
