"""What happens while streams are being opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from grpc_chat.errors import ChatError


class Meanwhile:
    """Notes what happens between the reading of the store for a new stream and its following of feeds.

    What was read may be from before it. Nothing is noted while no stream is being opened.
    """

    def __init__(self) -> None:
        self._opening = 0
        self._heads: dict[str, int] = {}
        self._changes: dict[str, int] = {}
        # Only those who were in them read theirs again: anyone could keep all others from following theirs.
        self._deleted: set[str] = set()
        self._ended: dict[str, ChatError] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have what happens noted."""
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1
            if not self._opening:
                self._heads.clear()
                self._changes.clear()
                self._deleted.clear()
                self._ended.clear()

    def note_heads(self, heads: Mapping[str, int]) -> None:
        """Rooms' logs reach as far as this."""
        if self._opening:
            for room_id, head in heads.items():
                self._heads[room_id] = max(self._heads.get(room_id, 0), head)

    def note_change(self, user_id: str) -> None:
        """A user's rooms, or what they are invited to, have changed."""
        if self._opening:
            self._changes[user_id] = self.changes(user_id) + 1

    def note_deleted(self, room_id: str) -> None:
        """A room was deleted."""
        if self._opening:
            self._deleted.add(room_id)

    def note_ended(self, session_id: str, why: ChatError) -> None:
        """A session has ended."""
        if self._opening:
            self._ended[session_id] = why

    def head(self, room_id: str) -> int:
        """How far a room's log reaches, as far as that was noted."""
        return self._heads.get(room_id, 0)

    def changes(self, user_id: str) -> int:
        """How often a user's rooms have changed."""
        return self._changes.get(user_id, 0)

    def was_deleted(self, room_id: str) -> bool:
        """Whether a room was deleted."""
        return room_id in self._deleted

    def ended(self, session_id: str) -> ChatError | None:
        """Why a session has ended, if it has."""
        return self._ended.get(session_id)
