"""How far the caller has read, from the client's side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadMarker:
    """How far you have read a room, in whichever of your sessions.

    A message of yours that comes after ``last_seq`` is read as well: the marker moves to it without another
    one of these, and nothing is unread then.
    """

    room_id: str
    seq: int
    """The number of the last event that you have read."""
    unread: int
    """How many messages of others come after it, up to ``last_seq``."""
    last_seq: int
    """The number of the room's newest event when they were counted."""
