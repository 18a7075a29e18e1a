"""Reads and collects, within a transaction, threads and who follows them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.marker_rows import MarkerRows
from grpc_chat.store.records import Marker
from grpc_chat.store.statements import run
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


class ThreadRows(MarkerRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self._threads: dict[tuple[str, int], ThreadRecord | None] = {}
        # By room and user, and then by root.
        self._followed: dict[tuple[str, str], dict[int, Following | None]] = {}
        self._followed_counts: dict[tuple[str, str], int] = {}

    @abstractmethod
    def delete(self, table: sa.Table, **key: object) -> None: ...

    def thread(self, room_id: str, root_seq: int) -> ThreadRecord | None:
        """A thread; None if no message is in it."""
        key = (room_id, root_seq)
        if key not in self._threads:
            row = run(self.conn, _THREAD, {"room": room_id, "root": root_seq}).first()
            self._set(self._threads, key, ThreadRecord._make(row) if row else None)
        return self._threads[key]

    def _put_thread(self, thread: ThreadRecord) -> None:
        self._set(self._threads, thread[:2], thread)
        self.put(schema.threads, **thread._asdict())

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
        (seq, messages, own), mute_until_us = following
        self.put(
            schema.thread_followers,
            room_id=room_id,
            user_id=user_id,
            root_seq=root_seq,
            mute_until_us=mute_until_us,
            read_seq=seq,
            read_count=messages,
            read_own=own,
        )

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
        key = {"room_id": room_id, "root_seq": root_seq, "seq": event.seq, "user_id": user_id}
        self._put_thread(
            ThreadRecord(room_id, root_seq, messages + 1, replies + (not deleted), event.seq, time_us)
        )
        self.put(schema.thread_messages, **key, number=messages + 1)
        if deleted:
            self.put(schema.deleted_replies, **key)
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
        self.put(
            schema.deleted_replies, room_id=room_id, root_seq=root_seq, seq=event.seq, user_id=event.user_id
        )
        if thread := self.thread(room_id, root_seq):
            self._put_thread(thread._replace(replies=thread.replies - 1))
