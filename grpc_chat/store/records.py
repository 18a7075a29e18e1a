"""What a store keeps, apart from what chat.proto has a message for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

USER_LOG = "user:"
"""What the ids of users' logs begin with; no room's does."""


def user_log(user_id: str) -> str:
    """The id of a user's own log, where those of rooms stand."""
    return USER_LOG + user_id


class Membership(NamedTuple):
    """A room as it is for one user: what the room is, and what the user is in it."""

    room_id: str
    role: int
    """``chat.v1.Role``; 0 for who is not a member."""
    first_seq: int
    """The oldest event kept. Which of them the user may read is decided in ``core/access.py``."""
    last_seq: int
    """The newest event, 0 when there was none yet."""
    join_seq: int = 0
    """The event by which the user joined; 0 if there is none."""
    kind: int = 1
    """``chat.v1.RoomKind``."""
    history: int = 1
    """``chat.v1.History``."""
    posting: int = 1
    """``chat.v1.Posting``."""
    archived: bool = False
    last_event_us: int = 0
    """When the newest event was stored, which is its stamp; 0 where it is not known."""
    edit_window_us: int = 0
    """For how long messages may be edited and deleted by their senders, in microseconds; 0 for any time."""
    keep_edits: bool = False
    """Whether what messages said before is kept."""


class StoredEvent(NamedTuple):
    """One entry of a log as it is kept."""

    seq: int
    session_id: str
    payload: bytes
    """The encoded ``Event``."""
    about: int | None = None
    """The number of the message that it is about, 0 for none; None where that is yet to be found out, which
    :func:`grpc_chat.wire.frames.about` does."""


class Place(NamedTuple):
    """A position in a log: everything up to ``seq`` has been seen."""

    seq: int
    stamp: int = 0
    """The stamp of the event ``seq``: when it was stored, in microseconds since 1970. 0 for none."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with what only the server knows."""

    user_id: str
    display_name: str
    kind: int
    """``chat.v1.UserKind``; 0 for a trusted id."""
    create_time_us: int
    owner_id: str | None = None
    """Of a bot."""
    admin: bool = False
    block_time_us: int | None = None
    """Since when it is blocked itself."""
    password_hash: str | None = None
    """Argon2id, in the PHC string format."""
    look: str | None = None
    """The id with characters that look alike made one; unique."""
    offered_to: str | None = None
    """Who may become the bot's next owner."""
    last_used_us: int | None = None
    """When a session of it that has ended since was used last; the others know for themselves."""
    adding: int = 0
    """Who may add it to rooms without asking: ``chat.v1.Audience``; 0 for whom the server says."""
    direct_messages: int = 0
    """Who may write to it directly, likewise."""

    owner_block_time_us: int | None = None
    """Of a bot: since when its owner is blocked. Read, never written: it is the owner's."""

    @property
    def blocked(self) -> bool:
        """Whether nobody gets in: it is blocked itself, or its owner is."""
        return self.block_time_us is not None or self.owner_block_time_us is not None

    def __repr__(self) -> str:
        # Records end up in logs and tracebacks; the hash of a password must not.
        return f"Account({self.user_id!r})"


class Contact(NamedTuple):
    """How two users stand to each other, of whom one wants to reach the other."""

    user_id: str
    """Who is to be reached."""
    direct_messages: int
    """Who may write to them directly, as :class:`Account` has it."""
    refuses: bool
    """Whether they, or their owner, have blocked who wants to reach them, or that one's owner."""
    refused: bool
    """Whether it is so the other way round."""
    of_one: bool
    """Whether one of the two owns the other, or one person owns both."""


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """What a user shows others of themselves."""

    user_id: str
    text: str = ""
    emoji: str = ""
    expire_time_us: int | None = None
    """When text and emoji go; None for never."""
    appear_offline: bool = False
    """Whether others see them offline."""
    hide_last_seen: bool = False
    """Whether others do not see when they were last seen."""
    last_used_us: int = 0
    """When a session of theirs was used last, give or take a minute; 0 if that is not known. Read, never
    written."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session, or an access token, without its secret."""

    session_id: str
    user_id: str
    kind: int
    """``chat.v1.SessionKind``."""
    device_name: str
    scopes: int
    """Bit ``1 << s`` for each ``chat.v1.Scope`` s."""
    create_time_us: int
    last_used_us: int
    expire_time_us: int | None
    """When it ends at the latest, whether it is used or not."""


class Ending(IntEnum):
    """Why a bot's access token ended without its user's doing."""

    BLOCKED = 1
    OWNER_BLOCKED = 2
    OTHER_OWNER = 3
    OWNER_PASSWORD = 4


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """An issuer's identity, with which somebody logs in."""

    issuer: str
    subject: str
    create_time_us: int


@dataclass(frozen=True, slots=True)
class InviteRecord:
    """A way in, without its code."""

    invite_id: str
    room_id: str
    """Empty for an invite to the server alone."""
    role: int
    created_by: str
    create_time_us: int
    expire_time_us: int | None
    max_uses: int
    """0 for any number."""
    uses: int
    registers: bool
    makes_admin: bool

    def usable(self, now_us: int) -> bool:
        """Whether it still lets somebody in."""
        in_time = self.expire_time_us is None or now_us < self.expire_time_us
        return in_time and (not self.max_uses or self.uses < self.max_uses)


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """Somebody is asked to be a member of a room, or, being one, an owner."""

    room_id: str
    user_id: str
    role: int
    invited_by: str
    create_time_us: int
    hidden: bool = False
    """Whether the one who is asked never hears of it."""
    reason: str = ""


class Waiting(NamedTuple):
    """An invitation that waits for an answer, and who is behind it."""

    room_id: str
    person: str
    """Who made it; of a bot, its owner."""


class ConsumerRecord(NamedTuple):
    """A consumer, without its positions."""

    user_id: str
    consumer: str
    create_time_us: int
    last_used_us: int
    """Give or take some minutes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How an account is used."""

    sessions: int
    last_used_us: int | None
    ended_tokens: int = 0
    """Of a bot: access tokens that have ended, as :class:`Ending` says, since the last one was made."""
