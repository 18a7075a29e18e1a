"""What happens now and is not kept, from the client's side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from grpc_chat.sdk.choices import PresenceState


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is typing, or has stopped without sending a message."""

    room_id: str
    user_id: str
    lifetime: timedelta
    """How long to show it, unless they send a message or another :class:`Typing` comes first; 0 if they have
    stopped."""
    thread_root: int = 0
    """The number of the message that begins the thread that they write in; 0 for none."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a user says about themselves for now."""

    text: str
    emoji: str = ""
    expire_time: datetime | None = None
    """When it goes by itself; None for never."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a user is there, as far as the caller may know."""

    user_id: str
    state: PresenceState
    last_seen_time: datetime | None = None
    """Unless they are online: when they last did something, give or take a minute. None if that is not
    known, or they hide it."""
    status: Status | None = None


Signal = Typing | Presence
