"""The signals that a stream has not sent yet: the newest of each kind. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

Key = tuple[str, str, str]
"""What a newer signal replaces: room, user, kind."""


class Frame(NamedTuple):
    """A signal, encoded once for all receivers.

    Attributes:
        data: An entry of ``SubscribeResponse.signals``.
        expires: When it becomes meaningless, by the clock of the code that takes it.
    """

    key: Key
    data: bytes
    expires: float


class Latest:
    """A bounded map in which the latest wins. If it is full, the oldest are dropped.

    Args:
        entries: The most signals that it holds.
        size: How many bytes.
    """

    __slots__ = ("_bytes", "_entries", "_frames", "_size", "dropped")

    def __init__(self, *, entries: int = 256, size: int = 16 * 1024) -> None:
        self._entries = entries
        self._size = size
        self._frames: dict[Key, Frame] = {}
        self._bytes = 0
        self.dropped = 0
        """How many were dropped because there were too many."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self._bytes

    def put(self, frame: Frame) -> None:
        """Take a signal, instead of an older one of the same key."""
        if older := self._frames.pop(frame.key, None):
            self._bytes -= len(older.data)
        self._frames[frame.key] = frame
        self._bytes += len(frame.data)
        while self._bytes > self._size or len(self._frames) > self._entries:
            self._bytes -= len(self._frames.pop(next(iter(self._frames))).data)
            self.dropped += 1

    def take(self, now: float) -> list[bytes]:
        """Return and remove all signals, without expired ones."""
        frames = [frame.data for frame in self._frames.values() if frame.expires > now]
        self._frames.clear()
        self._bytes = 0
        return frames

    def drop(self, key: Key) -> None:
        """Remove the signal of this key."""
        if frame := self._frames.pop(key, None):
            self._bytes -= len(frame.data)

    def forget(self, room_id: str) -> None:
        """Remove the signals of a room."""
        for key in [key for key in self._frames if key[0] == room_id]:
            self._bytes -= len(self._frames.pop(key).data)
