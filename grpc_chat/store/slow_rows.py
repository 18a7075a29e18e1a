"""Reads and collects, within a transaction, when members of rooms with a slow mode last sent a message."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa

from grpc_chat.errors import SlowMode
from grpc_chat.store import schema
from grpc_chat.store.records import Membership
from grpc_chat.store.rewriting import Rewriting
from grpc_chat.store.statements import run
from grpc_chat.wire import chat_pb2 as pb

_s = schema.slow_senders.c
_SENT = sa.select(_s.sent_us).where(_s.room_id == sa.bindparam("room"), _s.user_id == sa.bindparam("user"))


class SlowRows(Rewriting):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # By room and user; 0 for those who have not sent any.
        self._slowly_sent: dict[tuple[str, str], int] = {}

    @abstractmethod
    def put(self, table: sa.Table, **row: object) -> None: ...

    def too_soon(
        self, room: Membership, user_id: str, sending: Collection[tuple[str, str]]
    ) -> SlowMode | None:
        """The error for a member who has to wait before they send another message, or None.

        Args:
            sending: By room and user, who sends one in the same write already.
        """
        if room.role >= pb.ROLE_ADMIN:
            return None
        key, wait_us = (room.room_id, user_id), room.slow_mode_us
        if key not in sending:
            if not (sent_us := self._sent_us(key)):
                return None
            wait_us = sent_us + room.slow_mode_us - self.now_us
        if wait_us <= 0:
            return None
        slow = timedelta(microseconds=room.slow_mode_us)
        return SlowMode(
            f"in this room you must wait {slow} after each message before you send another one",
            # If the clock was set back, no longer than the room says.
            retry_after=timedelta(microseconds=min(wait_us, room.slow_mode_us)),
            metadata={"roomId": room.room_id},
        )

    def _sent_us(self, key: tuple[str, str]) -> int:
        if key not in self._slowly_sent:
            # What was collected was read before, so the database has what is asked for.
            row = run(self.conn, _SENT, {"room": key[0], "user": key[1]}).first()
            self._slowly_sent[key] = row[0] if row else 0
        return self._slowly_sent[key]

    def sent_slowly(self, room_id: str, user_id: str, time_us: int) -> None:
        """Remember when a member has sent a message."""
        self._set(self._slowly_sent, (room_id, user_id), time_us)
        self.put(schema.slow_senders, room_id=room_id, user_id=user_id, sent_us=time_us)

    def forget_slow_senders(self, room_id: str) -> None:
        """Let all members of a room send at once."""
        self.before(changes=True)
        self._slowly_sent.clear()
        self.conn.execute(sa.delete(schema.slow_senders).where(_s.room_id == room_id))
