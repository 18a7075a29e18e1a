"""Changes of rooms while the store is read for streams that are about to follow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Meanwhile:
    """Notes changes of rooms between a read of the store and the following of feeds, because the read may be
    older than these. Nothing is noted while nobody reads. Changes for the user whose rooms are read are known
    from their log: see :mod:`grpc_chat.core.user_logs`.
    """

    def __init__(self) -> None:
        self._reading = 0
        self._heads: dict[str, int] = {}
        self._deleted: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note changes meanwhile."""
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1
            if not self._reading:
                self._heads.clear()
                self._deleted.clear()

    def note_heads(self, heads: Mapping[str, int]) -> None:
        """Rooms' logs have reached these numbers."""
        if self._reading:
            for room_id, head in heads.items():
                self._heads[room_id] = max(self._heads.get(room_id, 0), head)

    def note_deleted(self, room_id: str) -> None:
        """A room was deleted."""
        if self._reading:
            self._deleted.add(room_id)

    def head(self, room_id: str) -> int:
        """How far a room's log reaches, if that was noted."""
        return self._heads.get(room_id, 0)

    def was_deleted(self, room_id: str) -> bool:
        """Whether a room was deleted."""
        return room_id in self._deleted
