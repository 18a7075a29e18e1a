"""Reads and collects, within a transaction, how far members have read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from grpc_chat.store.reaction_rows import ReactionRows
from grpc_chat.store.records import Marker
from grpc_chat.store.row_updates import SET_MARKER, update_rows

_Marker = tuple[int, int, int]
"""The fields of a :class:`Marker`. Each message makes one, and a tuple takes less time."""


class MarkerRows(ReactionRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self.journal: list[tuple[dict[Any, Any], Any, Any]] | None = None
        """The current command's changes of collections, each with the value before it; None if no command is
        running, or if its savepoint is set."""
        self.markers: dict[tuple[str, str], _Marker] = {}
        """By room and user, how far members have read who have read further in this batch."""
        # Those that are yet to be written.
        self._moved: dict[tuple[str, str], _Marker] = {}

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

    def _flush_markers(self) -> None:
        if self._moved:
            update_rows(self.conn, SET_MARKER, [(*key, *self._moved[key]) for key in sorted(self._moved)])
            self._moved.clear()
