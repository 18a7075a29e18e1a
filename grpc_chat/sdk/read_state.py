"""How far the caller has read, from the client's side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk.choices import NotificationLevel


@dataclass(frozen=True, slots=True)
class ReadMarker:
    """How far you have read a room, in whichever of your sessions.

    A message of yours that is in no thread and comes after ``last_seq`` is read as well: the marker moves to
    it without another one of these, and nothing is unread then.
    """

    room_id: str
    seq: int
    """The number of the last event that you have read."""
    unread: int
    """How many messages of others come after it, up to ``last_seq``."""
    last_seq: int
    """The number of the room's newest event when they were counted."""
    unread_mentions: int = 0
    """How many of the unread messages mention you."""


@dataclass(frozen=True, slots=True)
class Notifications:
    """What you want to be notified of in a room, in all of your sessions."""

    level: NotificationLevel = NotificationLevel.ALL
    """Which messages to notify of, while the room is not muted."""
    muted: bool = False
    mute_end_time: datetime | None = None
    """Until when it is muted; None if it is not, or if there is no end."""


@dataclass(frozen=True, slots=True)
class NotificationsChanged:
    """What you want to be notified of in a room has changed, by one of your sessions."""

    room_id: str
    notifications: Notifications


@dataclass(frozen=True, slots=True)
class MessagePreview:
    """The beginning of a room's newest message."""

    seq: int
    create_time: datetime
    sender_id: str
    text: str
    """The first 200 characters of its text, as it is now; empty once it is deleted."""
    truncated: bool = False
    """Whether the text goes on."""
    files: int = 0
    """How many files it carries."""
    deleted: bool = False
