"""The values that the client returns to administrators of a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.choices import RoomKind


@dataclass(frozen=True, slots=True)
class UserRecord:
    """An account, as administrators see it."""

    user: User
    admin: bool
    block_time: datetime | None
    create_time: datetime
    last_used_time: datetime | None
    sessions: int
    ended_tokens: int = 0
    """For a bot: tokens that ended with a block or a change of owner, since it was given its last one."""
    blocked_itself: bool = False
    owner_blocked: bool = False
    """For a bot: whether its owner is blocked, and the bot therefore too."""


@dataclass(frozen=True, slots=True)
class UnownedRoom:
    """A room whose owners are all blocked, as administrators see it."""

    room_id: str
    name: str
    kind: RoomKind
    member_count: int


@dataclass(frozen=True, slots=True)
class StoppedBot:
    """A bot that stops because it or its owner is blocked."""

    user_id: str
    tokens: int
    """How many of its tokens ended, or would end."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The effects of blocking an account."""

    user: UserRecord
    unowned_rooms: tuple[UnownedRoom, ...]
    """The first 100 rooms that have no owner left who is not blocked."""
    unowned_room_count: int
    stopped_bots: tuple[StoppedBot, ...]
    """The first 100 bots that stop."""
    stopped_bot_count: int


@dataclass(frozen=True, slots=True)
class Unblocked:
    """The effects of unblocking an account."""

    user: UserRecord
    stopped_bots: tuple[StoppedBot, ...]
    """The first 100 of its bots that need a new token."""
    stopped_bot_count: int
    blocked_bots: tuple[str, ...] = ()
    """The ids of its bots that stay blocked because they were blocked themselves; the first 100."""
    blocked_bot_count: int = 0
    """How many such bots there are."""
