"""The records of a store for which chat.proto has no message."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from grpc_chat.wire import chat_pb2 as pb

USER_LOG = "user:"
"""The prefix of users' logs' ids. No room's id has it."""


def user_log(user_id: str) -> str:
    """The id of a user's own log. It takes the place of a room's id."""
    return USER_LOG + user_id


class Marker(NamedTuple):
    """How far a member has read."""

    seq: int
    """Everything up to here."""
    messages: int
    """How many messages the room has up to there, by its own count."""
    own: int = 0
    """How many of the member's own messages come after it."""


class Membership(NamedTuple):
    """A room as one user sees it: the room's settings, and the user's place in it."""

    room_id: str
    role: int
    """``chat.v1.Role``; 0 if the user is not a member."""
    first_seq: int
    """The oldest event that is kept. ``core/access.py`` decides which events the user may read."""
    last_seq: int
    """The newest event; 0 if there was none yet."""
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
    """When the newest event was stored, which is its stamp; 0 if unknown."""
    edit_window_us: int = 0
    """For how long messages may be edited and deleted by their senders, in microseconds; 0 for any time."""
    keep_edits: bool = False
    """Whether earlier versions of messages are kept."""
    slow_mode_us: int = 0
    """How long members wait between messages, in microseconds; 0 for no time."""
    message_count: int = 0
    """How many messages it has, deleted ones included, by its own count: only differences mean something."""
    read_seq: int = 0
    """The event up to which the user has read, and what else is of a :class:`Marker`."""
    read_count: int = 0
    read_own: int = 0

    @property
    def marker(self) -> Marker:
        """How far the user has read."""
        return Marker(self.read_seq, self.read_count, self.read_own)

    def now(
        self, last_seq: int, last_event_us: int, message_count: int, marker: tuple[int, int, int]
    ) -> Membership:
        """As ``_replace`` with the end of the room's log, its messages and how far the user has read; it
        takes a quarter of the time."""
        before, between, settings = self[:3], self[4:9], self[10:13]
        values = (*before, last_seq, *between, last_event_us, *settings, message_count, *marker)
        return tuple.__new__(Membership, values)


class MentionRecord(NamedTuple):
    """A message that mentions somebody."""

    create_time_us: int
    """When it was sent, which is its event's stamp."""
    room_id: str
    seq: int
    sender_id: str


class PinRecord(NamedTuple):
    """A pinned message."""

    seq: int
    pin_seq: int
    """The number of the event that pinned it."""
    user_id: str
    """Who pinned it."""
    create_time_us: int
    """When it was pinned."""


class StoredEvent(NamedTuple):
    """One entry of a log, as it is stored."""

    seq: int
    session_id: str
    payload: bytes
    """The encoded ``Event``."""
    about: int | None = None
    """The number of the message that the event is about; 0 for none. None if
    :func:`grpc_chat.wire.frames.about` has yet to find it."""


class Run(NamedTuple):
    """Entries of one log, oldest first, by column: a :class:`StoredEvent` for each would take a seventh of
    the time of catching up."""

    seqs: Sequence[int]
    sessions: Sequence[str]
    payloads: Sequence[bytes]

    def events(self) -> Iterator[StoredEvent]:
        """Each entry by itself."""
        return map(_STORED_EVENT, zip(self.seqs, self.sessions, self.payloads, _UNKNOWN, strict=False))

    @classmethod
    def of(cls, events: Iterable[StoredEvent]) -> Run:
        """The same entries by column."""
        columns = list(zip(*events, strict=True))
        return cls(*columns[:3]) if columns else NO_EVENTS


NO_EVENTS = Run((), (), ())

_STORED_EVENT: Callable[[tuple[int, str, bytes, None]], StoredEvent] = functools.partial(
    tuple.__new__, StoredEvent
)
"""``StoredEvent._make`` without a Python function for each entry."""

_UNKNOWN = itertools.repeat(None)
"""The ``about`` of each entry: not known yet."""


class Place(NamedTuple):
    """A position in a log: everything up to ``seq`` has been seen."""

    seq: int
    stamp: int = 0
    """The stamp of the event ``seq``: when it was stored, in microseconds since 1970. 0 for none."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user, including the fields that only the server sees."""

    user_id: str
    display_name: str
    kind: int
    """``chat.v1.UserKind``; 0 for a trusted id."""
    create_time_us: int
    owner_id: str | None = None
    """A bot's owner; None for others."""
    admin: bool = False
    block_time_us: int | None = None
    """When the account itself was blocked; None if it is not."""
    password_hash: str | None = None
    """Argon2id, in the PHC string format."""
    look: str | None = None
    """The id with each character replaced by one that stands for all that look like it. Unique."""
    offered_to: str | None = None
    """Who may become the bot's next owner."""
    last_used_us: int | None = None
    """When a session that has ended was last used. Sessions that have not ended record this themselves."""
    adding: int = 0
    """Who may add the user to rooms without asking: ``chat.v1.Audience``; 0 for the server's default."""
    direct_messages: int = 0
    """Who may write to the user directly, likewise."""

    owner_block_time_us: int | None = None
    """When a bot's owner was blocked. Read from the owner's account, never written."""

    @property
    def blocked(self) -> bool:
        """Whether the account or its owner is blocked, so that nobody can use the account."""
        return self.block_time_us is not None or self.owner_block_time_us is not None

    def __repr__(self) -> str:
        # Records end up in logs and tracebacks; the hash of a password must not.
        return f"Account({self.user_id!r})"


class Contact(NamedTuple):
    """Decides whether one user may reach another."""

    user_id: str
    """The user to be reached."""
    direct_messages: int
    """Who may write to them directly, as in :class:`Account`."""
    refuses: bool
    """Whether they or their owner have blocked the user who wants to reach them, or that user's owner."""
    refused: bool
    """Whether there is a block in the other direction."""
    of_one: bool
    """Whether one of the two users owns the other, or the same person owns both."""


class Attention(NamedTuple):
    """What a member wants to be notified of in a room."""

    level: int = 0
    """``chat.v1.NotificationLevel``; 0 for everything."""
    muted_until_us: int = 0
    """Until when they have muted it; 0 if they have not, :data:`FOREVER` if there is no end."""

    def muted(self, now_us: int) -> bool:
        """Whether it is muted."""
        return now_us < self.muted_until_us


FOREVER = 2**63 - 1


class InboxRoom(NamedTuple):
    """A room that a user is in, and how much waits for them there."""

    room_id: str
    last_event_us: int
    """When the newest event was stored; 0 if unknown."""
    unread: int
    """How many messages of others come after the user's marker."""
    mentions: int
    """How many messages after it mention the user, in threads too."""
    attention: Attention


class ListedRoom(NamedTuple):
    """A room that a user is in, and what lists show of it."""

    membership: Membership
    room: pb.Room
    """As :meth:`grpc_chat.store.reads.Snapshot.room` returns it."""
    unread: int
    mentions: int
    attention: Attention
    pinned: Sequence[int]
    """The numbers of the pinned messages, in no order."""
    newest: int
    """The number of the newest message, deleted or not; 0 if it is not found near the end of the log. The
    event with that number may be something else."""
    payload: bytes | None
    """The encoded event with that number; None if it is long, gone or damaged."""
    is_long: bool
    """Whether the event is too long to come with its room."""
    peer: pb.User | None
    """The other member of a direct room."""


class ReaderPlace(NamedTuple):
    """How far a member is with a message."""

    user_id: str
    read_seq: int
    """The event up to which they have read."""
    received_us: int | None
    """By when a client of theirs had acknowledged the message, 0 if that is unknown; None if none has."""
    hides_reads: bool
    """Whether others do not see what they have read."""
    hides_times: bool
    """Whether others do not see when they were there."""
    appears_offline: bool
    """Whether others do not see that they were there at all."""


class ConsumerPlace(NamedTuple):
    """A consumer's position in a room."""

    consumer: str
    """Its name; empty for what the user has received with clients that keep their own positions."""
    seq: int
    time_us: int
    """When it was acknowledged; 0 if that is unknown."""
    after_seq: int = 0
    """From which number on, not included, the events are known to have been received."""


class ReceivedRange(NamedTuple):
    """What a member has received: every event after one number, up to another."""

    room_id: str
    user_id: str
    after_seq: int
    seq: int


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """A user's status, and what others may see of the user's presence."""

    user_id: str
    text: str = ""
    emoji: str = ""
    expire_time_us: int | None = None
    """When text and emoji expire; None for never."""
    appear_offline: bool = False
    """Whether the user always appears offline to others."""
    hide_last_seen: bool = False
    """Whether others do not see when the user was last seen."""
    hide_receipts: bool = False
    """Whether others do not see what the user has read."""
    last_used_us: int = 0
    """When a session of the user was last used, to about a minute; 0 if unknown. Read, never written."""


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
    """When the session ends, even if it is in use; None for never."""


class Ending(IntEnum):
    """Why a bot's access token ended, if its user did not end it."""

    BLOCKED = 1
    OWNER_BLOCKED = 2
    OTHER_OWNER = 3
    OWNER_PASSWORD = 4


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """An OpenID issuer's identity that an account logs in with."""

    issuer: str
    subject: str
    create_time_us: int


@dataclass(frozen=True, slots=True)
class InviteRecord:
    """An invite, without its code."""

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
        """Whether the invite can still be used."""
        in_time = self.expire_time_us is None or now_us < self.expire_time_us
        return in_time and (not self.max_uses or self.uses < self.max_uses)


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """A user is invited to join a room or, as a member of it, to become an owner."""

    room_id: str
    user_id: str
    role: int
    invited_by: str
    create_time_us: int
    hidden: bool = False
    """Whether the invitation is hidden from the invited user."""
    reason: str = ""


class Waiting(NamedTuple):
    """A pending invitation, and the person responsible for it."""

    room_id: str
    person: str
    """The person who made the invitation or, if a bot made it, the bot's owner."""


class ConsumerRecord(NamedTuple):
    """A consumer, without its positions."""

    user_id: str
    consumer: str
    create_time_us: int
    last_used_us: int
    """When the consumer was last used, to a few minutes."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How an account is used."""

    sessions: int
    last_used_us: int | None
    ended_tokens: int = 0
    """How many of a bot's access tokens have ended for a reason in :class:`Ending` since the last one was
    made.
    """
