"""Reads and collects, within a transaction, threads and who follows them."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.marker_rows import MarkerRows
from grpc_chat.store.records import Marker
from grpc_chat.store.statements import at_once, execute, filled, marks, run
from grpc_chat.store.threads import MOST_FOLLOWED, Following, ThreadRecord
from grpc_chat.wire import chat_pb2 as pb

_t, _f = schema.threads.c, schema.thread_followers.c
_THREAD = sa.select(*_t).where(_t.room_id == sa.bindparam("room"), _t.root_seq == sa.bindparam("root"))
_OF_USER = sa.and_(_f.room_id == sa.bindparam("room"), _f.user_id == sa.bindparam("user"))
_FOLLOWER = sa.select(_f.read_seq, _f.read_count, _f.read_own, _f.mute_until_us).where(
    _OF_USER, _f.root_seq == sa.bindparam("root")
)
_FOLLOWED = sa.select(sa.func.count()).select_from(schema.thread_followers).where(_OF_USER)
_QUIETEST = (
    sa.select(_f.root_seq)
    .select_from(schema.thread_followers)
    .join(schema.threads, sa.and_(_t.room_id == _f.room_id, _t.root_seq == _f.root_seq), isouter=True)
    .where(_OF_USER)
    .order_by(sa.func.coalesce(_t.last_seq, 0), _f.root_seq)
    .limit(1)
)
_SEEN = """
WITH wanted (room_id, user_id, root_seq) AS (VALUES {wanted})
SELECT wanted.room_id, wanted.user_id, wanted.root_seq,
threads.messages, threads.replies, threads.last_seq, threads.last_us,
mine.read_seq, mine.read_count, mine.read_own, mine.mute_until_us,
CASE WHEN mine.read_seq IS NULL THEN
(SELECT COUNT(*) FROM thread_followers WHERE thread_followers.room_id = wanted.room_id
AND thread_followers.user_id = wanted.user_id) END
FROM wanted
LEFT OUTER JOIN threads ON threads.room_id = wanted.room_id AND threads.root_seq = wanted.root_seq
LEFT OUTER JOIN thread_followers AS mine
ON mine.room_id = wanted.room_id AND mine.user_id = wanted.user_id AND mine.root_seq = wanted.root_seq
"""
Seen = tuple[str, str, int]
"""A room, a user, and the root of a thread."""


class ThreadRows(MarkerRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self._threads: dict[tuple[str, int], ThreadRecord | None] = {}
        # By room and user, and then by root.
        self._followed: dict[tuple[str, str], dict[int, Following | None]] = {}
        self._followed_counts: dict[tuple[str, str], int] = {}

    @abstractmethod
    def prefetch(self, wanted: Iterable[tuple[str, str]]) -> None: ...

    @abstractmethod
    def delete(self, table: sa.Table, **key: object) -> None: ...

    def prefetch_threads(self, wanted: Iterable[Seen]) -> None:
        """Read threads, how these users follow them and, of those who do not, how many they follow, with one
        statement."""
        unknown = [
            key
            for key in dict.fromkeys(wanted)
            if key[::2] not in self._threads or key[2] not in self._followed.get(key[:2], ())
        ]
        for some in at_once(unknown):
            values = filled(some)
            sql = _seen_sql(self.conn.dialect.paramstyle, len(values) // 3)
            for row in execute(self.conn, sql, values).fetchall():
                room_id, user_id, root_seq, messages, replies, last_seq, last_us, *mine, count = row
                if (thread := (room_id, root_seq)) not in self._threads:
                    found = ThreadRecord(*thread, messages, replies, last_seq, last_us) if messages else None
                    self._threads[thread] = found
                followed = self._followed.setdefault((room_id, user_id), {})
                if root_seq not in followed:
                    followed[root_seq] = Following(Marker(*mine[:3]), mine[3]) if count is None else None
                    if count is not None:
                        self._followed_counts.setdefault((room_id, user_id), count)

    def roots_of_new(self, wanted: Iterable[Seen]) -> list[tuple[str, int]]:
        """The roots, by room and number, of those of these threads that are yet to begin."""
        places = dict.fromkeys((room_id, root_seq) for room_id, _, root_seq in wanted)
        return [place for place in places if self._threads.get(place) is None]

    def prefetch_senders(self, roots: Iterable[tuple[str, int]]) -> None:
        """Read how the senders of these messages, which are known, follow the threads that begin with
        them."""
        senders = [
            (room_id, root.event.user_id, root_seq)
            for room_id, root_seq in roots
            if (root := self._targets.get((room_id, root_seq)))
        ]
        if len(senders) > 1:
            self.prefetch([key[:2] for key in senders])
            self.prefetch_threads(senders)

    def thread(self, room_id: str, root_seq: int) -> ThreadRecord | None:
        """A thread; None if no message is in it."""
        key = (room_id, root_seq)
        if key not in self._threads:
            row = run(self.conn, _THREAD, {"room": room_id, "root": root_seq}).first()
            self._set(self._threads, key, ThreadRecord._make(row) if row else None)
        return self._threads[key]

    def _put_thread(self, thread: ThreadRecord) -> None:
        self._set(self._threads, thread[:2], thread)
        self._put_row(schema.threads, thread[:2], thread)

    def _put_row(self, table: sa.Table, key: tuple[object, ...], row: tuple[object, ...]) -> None:
        """As :meth:`put`, with the values in the order of the columns: each message of a thread does it three
        times."""
        self._change(self._put.setdefault(table, {}), key, row)

    def follower(self, room_id: str, user_id: str, root_seq: int) -> Following | None:
        """How a user follows a thread; None if they do not."""
        key = (room_id, user_id)
        if (known := self._followed.get(key)) is None:
            known = {}
            self._set(self._followed, key, known)
        if root_seq not in known:
            found: Following | None = None
            # What is to be deleted with the membership is as good as gone.
            if key not in self._forgotten:
                values = {"room": room_id, "user": user_id, "root": root_seq}
                row: Any = run(self.conn, _FOLLOWER, values).first()
                found = row and Following(Marker(*row[:3]), row[3])
            self._set(known, root_seq, found)
        return known[root_seq]

    def follow(self, room_id: str, user_id: str, root_seq: int, following: Following) -> None:
        """Have a user follow a thread, or change how they do."""
        before, key = self.follower(room_id, user_id, root_seq), (room_id, user_id)
        if before is None:
            count = self._count_followed(key)
            if count >= MOST_FOLLOWED:
                self.before(changes=False)
                [quietest] = run(self.conn, _QUIETEST, {"room": room_id, "user": user_id}).one()
                self.unfollow(room_id, user_id, quietest)
                count -= 1
            self._set(self._followed_counts, key, count + 1)
        self._set(self._followed[key], root_seq, following)
        place = (room_id, user_id, root_seq)
        self._put_row(schema.thread_followers, place, (*place, following.mute_until_us, *following.marker))

    def unfollow(self, room_id: str, user_id: str, root_seq: int) -> None:
        """Have a user no longer follow a thread."""
        if self.follower(room_id, user_id, root_seq) is None:
            return
        key = (room_id, user_id)
        self._set(self._followed_counts, key, self._count_followed(key) - 1)
        self._set(self._followed[key], root_seq, None)
        self.delete(schema.thread_followers, room_id=room_id, user_id=user_id, root_seq=root_seq)

    def _count_followed(self, key: tuple[str, str]) -> int:
        if key not in self._followed_counts:
            # Whatever is collected of this user's came through here, and was counted.
            count = 0
            if key not in self._forgotten:
                count = run(self.conn, _FOLLOWED, {"room": key[0], "user": key[1]}).scalar() or 0
            self._set(self._followed_counts, key, count)
        return self._followed_counts[key]

    def _unfollow_all(self, key: tuple[str, str]) -> None:
        """A member goes, and what they follow with them."""
        self._set(self._followed, key, {})
        self._set(self._followed_counts, key, 0)

    def _forget_threads(self) -> None:
        rows: tuple[dict[Any, Any], ...] = (self._threads, self._followed, self._followed_counts)
        for each in rows:
            each.clear()

    def reply(self, event: pb.Event, time_us: int) -> None:
        """Take a message that has its number into its thread. Its sender follows the thread from then on and,
        if it is the first one, so does the sender of the root."""
        room_id, root_seq, user_id = event.room_id, event.message.thread_root, event.user_id
        before = self.thread(room_id, root_seq)
        messages, replies = (before.messages, before.replies) if before else (0, 0)
        # In a log that is read again, it may be deleted already.
        deleted = event.message.HasField("deleted")
        place = (room_id, root_seq, event.seq)
        self._put_thread(
            ThreadRecord(room_id, root_seq, messages + 1, replies + (not deleted), event.seq, time_us)
        )
        self._put_row(schema.thread_messages, place, (*place, user_id, messages + 1))
        if deleted:
            self._put_row(schema.deleted_replies, place, (*place, user_id))
        if before is None and (root := self.target(room_id, root_seq)) and root.event.HasField("message"):
            self._have_follow(room_id, root.event.user_id, root_seq, Marker(root_seq, 0))
        self._have_follow(room_id, user_id, root_seq, Marker(event.seq, messages + 1))

    def _have_follow(self, room_id: str, user_id: str, root_seq: int, marker: Marker) -> None:
        membership = self.membership(room_id, user_id)
        if membership and membership.role:
            before = self.follower(room_id, user_id, root_seq)
            self.follow(room_id, user_id, root_seq, Following(marker, before and before.mute_until_us))

    def delete_reply(self, event: pb.Event) -> None:
        """Count a message of a thread, which is deleted, no longer among its replies."""
        room_id, root_seq = event.room_id, event.message.thread_root
        place = (room_id, root_seq, event.seq)
        self._put_row(schema.deleted_replies, place, (*place, event.user_id))
        if thread := self.thread(room_id, root_seq):
            self._put_thread(thread._replace(replies=thread.replies - 1))


@functools.cache
def _seen_sql(paramstyle: str, wanted: int) -> str:
    return _SEEN.format(wanted=marks(paramstyle, "TEXT", "TEXT", "BIGINT", rows=wanted))
