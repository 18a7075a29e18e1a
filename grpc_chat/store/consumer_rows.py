"""Reads and collects, within a transaction, consumers and their positions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import sqlalchemy as sa

from grpc_chat.store import row_statements, schema
from grpc_chat.store.poll_rows import PollRows
from grpc_chat.store.records import Place
from grpc_chat.store.statements import count, insert_rows, known_consumers


class ConsumerRows(PollRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # Whether a consumer exists, by user and name, and how many consumers a user has.
        self._consumers: dict[tuple[str, str], bool] = {}
        self._consumer_counts: dict[str, int] = {}
        # Yet to be written.
        self._new_consumers: list[tuple[object, ...]] = []
        # By user, consumer and room: the position, and whether it may move back.
        self._positions: dict[tuple[str, str, str], tuple[Place, bool]] = {}
        # By room and user, whether the user's consumers forget the room.
        self._forgotten: dict[tuple[str, str], bool] = {}
        # Whether anything other than messages was collected.
        self._others = False

    @abstractmethod
    def flush(self) -> None: ...

    def flush_others(self) -> None:
        """Write what was collected, unless it is messages alone."""
        if self._others:
            self.flush()

    def prefetch_consumers(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read which of these consumers, given by user and name, exist, with one statement."""
        if len(names := list(dict.fromkeys(wanted))) > 1:
            found = known_consumers(self.conn, names)
            self._consumers.update((name, name in found) for name in names)

    def has_consumer(self, user_id: str, consumer: str) -> bool:
        """Whether a user has a consumer of this name."""
        key = (user_id, consumer)
        if key not in self._consumers:
            self._consumers[key] = bool(known_consumers(self.conn, [key]))
        return self._consumers[key]

    def consumers_of(self, user_id: str) -> int:
        """How many consumers a user has."""
        if user_id not in self._consumer_counts:
            self.flush()
            self._consumer_counts[user_id] = count(self.conn, schema.consumer_names.c.user_id == user_id)
        return self._consumer_counts[user_id]

    def add_consumer(self, user_id: str, consumer: str, time_us: int) -> None:
        """Add a consumer's name. Commands do not do this, so it is never undone."""
        self._others = True
        self._new_consumers.append((user_id, consumer, time_us, time_us))
        self._consumers[user_id, consumer] = True
        if user_id in self._consumer_counts:
            self._consumer_counts[user_id] += 1

    def move_position(self, user_id: str, consumer: str, room_id: str, place: Place, *, back: bool) -> None:
        """Move a consumer's position; only forward, unless ``back``. Never undone."""
        if (room_id, user_id) in self._forgotten:
            self.flush()
        key = (user_id, consumer, room_id)
        before, whatever = self._positions.get(key, (None, False))
        if before is None or back or place.seq > before.seq:
            self._others = True
            self._positions[key] = place, back or whatever

    def _flush_consumers(self) -> None:
        conn, dialect = self.conn, self.conn.dialect.name
        insert_rows(conn, row_statements.INSERT_CONSUMERS, self._new_consumers)
        for back in (False, True):
            moves = [
                (*key, *place, self.now_us)
                for key, (place, at_all) in self._positions.items()
                if at_all is back
            ]
            insert_rows(conn, row_statements.move_position(dialect, back=back), moves)
        self._new_consumers.clear()
        self._positions.clear()
