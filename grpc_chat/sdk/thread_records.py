"""Threads, as the client returns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk.read_state import MessagePreview


@dataclass(frozen=True, slots=True)
class Thread:
    """A message, the root, with the messages of the same room that belong to it."""

    room_id: str
    root_seq: int
    """The number of the root, which may be deleted, or hidden from you."""
    replies: int
    """How many messages you may read in it, without the root and without those that are deleted."""
    last_seq: int
    """The number of its newest message, which may be deleted; 0 if it has none yet."""
    last_time: datetime | None
    """When that was stored."""
    following: bool
    """Whether you follow it."""
    muted: bool
    """Whether you have muted it."""
    mute_end_time: datetime | None
    """Until when; None if it is not muted, or if there is no end."""
    read_seq: int
    """The number of the last event that you have read, if you follow it."""
    unread: int
    """How many messages of others come after it, if you follow it."""
    root: MessagePreview | None = None
    """The beginning of the root; None if it is hidden from you, and among the updates of a subscription."""
    counted_to: int = 0
    """The number of the room's newest event when ``unread`` was counted, if you follow it."""
