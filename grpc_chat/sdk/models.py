"""The values that the client returns: plain ones, no protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from grpc_chat.errors import ChatError
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.bodies import Body, LinkCard
from grpc_chat.sdk.choices import Change, History, Posting, Receipts, Role, RoomKind
from grpc_chat.sdk.file_records import File
from grpc_chat.sdk.message_events import (
    Deletion,
    MessageDeleted,
    MessageEdited,
    PinChanged,
    ReactionChanged,
    ReactionCount,
)
from grpc_chat.sdk.personal_changes import PersonalChange
from grpc_chat.sdk.poll_records import Poll, PollClosed, PollVoted
from grpc_chat.sdk.read_state import MessagePreview, Notifications, NotificationsChanged, ReadMarker
from grpc_chat.sdk.signals import Signal
from grpc_chat.sdk.thread_records import Thread


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a room's log: everything up to and including ``seq`` has been seen.

    Keep all four values. By the stamp, the server notices that its log is no longer the one that the position
    is from, for example because a backup was restored.
    """

    room_id: str
    seq: int = 0
    epoch: str = ""
    stamp: int = 0
    """The stamp of the event ``seq``: when it was stored, in microseconds since 1970; 0 for none."""

    def __setstate__(self, state: list[object]) -> None:
        # Cursors that were pickled before there were stamps have one value less.
        for name, value in zip(("room_id", "seq", "epoch", "stamp"), [*state, 0], strict=False):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a sent message is stored."""

    room_id: str
    seq: int
    epoch: str
    client_message_id: str
    create_time: datetime

    @property
    def cursor(self) -> Cursor:
        """The position at which this message is the last one seen."""
        return Cursor(self.room_id, self.seq, self.epoch, stamp_of(self.create_time))


class Replies(Protocol):
    """What replies to messages, and changes them: a client."""

    async def send(
        self,
        room: str,
        text: str,
        *,
        reply_to: int = 0,
        thread_root: int = 0,
        client_message_id: str | None = None,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> Sent:
        """Send a message; see :meth:`grpc_chat.Client.send`."""
        ...

    async def edit(self, room: str, seq: int, text: str) -> Message:
        """Change a message; see :meth:`grpc_chat.Client.edit`."""
        ...

    async def delete(self, room: str, *seqs: int, reason: str = "") -> list[Message]:
        """Delete messages; see :meth:`grpc_chat.Client.delete`."""
        ...

    async def react(self, room: str, seq: int, emoji: str) -> list[ReactionCount]:
        """React to a message; see :meth:`grpc_chat.Client.react`."""
        ...

    async def unreact(self, room: str, seq: int, emoji: str) -> list[ReactionCount]:
        """Take a reaction back; see :meth:`grpc_chat.Client.unreact`."""
        ...

    async def pin(self, room: str, seq: int) -> object:
        """Pin a message; see :meth:`grpc_chat.Client.pin`."""
        ...

    async def unpin(self, room: str, seq: int) -> None:
        """Take a pin away; see :meth:`grpc_chat.Client.unpin`."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message."""

    room_id: str
    seq: int
    sender_id: str
    text: str
    create_time: datetime
    client_message_id: str
    epoch: str = ""
    files: tuple[File, ...] = ()
    """The files that it carries."""
    poll: Poll | None = None
    """The poll that it is, if it is one."""
    body: Body | None = None
    """What it has for programs, if anything."""
    cards: tuple[LinkCard, ...] = ()
    """What its sender says of links in the text."""
    edit_time: datetime | None = None
    """When it was last edited; None if it never was."""
    edits: int = 0
    """How many times it was edited."""
    deleted: Deletion | None = None
    """Who deleted it, if anybody did: it has no text then."""
    reply_to: int = 0
    """The number of the message that it replies to; 0 for none. You may not be able to read that one."""
    thread_root: int = 0
    """The number of the message whose thread it is in; 0 for none."""
    mentions: tuple[str, ...] = ()
    """The user ids of the members whom it mentions by name."""
    mentions_room: bool = False
    """Whether it mentions everyone in the room."""
    _client: Replies | None = field(default=None, repr=False, compare=False)

    @property
    def cursor(self) -> Cursor:
        """The position at which this message is the last one seen."""
        return Cursor(self.room_id, self.seq, self.epoch, stamp_of(self.create_time))

    def mentioning(self, user_id: str) -> bool:
        """Whether it mentions this user, by name or as one of everyone in the room."""
        return user_id in self.mentions or (self.mentions_room and self.sender_id != user_id)

    async def reply(self, text: str) -> Sent:
        """Send a message that replies to this one, in the same thread if this one is in a thread."""
        return await self._receiver().send(
            self.room_id, text, reply_to=self.seq, thread_root=self.thread_root
        )

    async def reply_in_thread(self, text: str) -> Sent:
        """Send a message to the thread that this one is in or, if it is in none, begins."""
        return await self._receiver().send(
            self.room_id, text, reply_to=self.seq, thread_root=self.thread_root or self.seq
        )

    async def edit(self, text: str) -> Message:
        """Change its text, if you sent it, and return the message as it is then; see :meth:`Client.edit`. It
        has no body and no cards then."""
        return await self._receiver().edit(self.room_id, self.seq, text)

    async def delete(self, *, reason: str = "") -> Message:
        """Delete it for everyone, and return what is left of it; see :meth:`Client.delete`."""
        [message] = await self._receiver().delete(self.room_id, self.seq, reason=reason)
        return message

    async def react(self, emoji: str) -> list[ReactionCount]:
        """React to it with an emoji, and return what it has then; see :meth:`Client.react`."""
        return await self._receiver().react(self.room_id, self.seq, emoji)

    async def unreact(self, emoji: str) -> list[ReactionCount]:
        """Take a reaction of yours back; see :meth:`Client.unreact`."""
        return await self._receiver().unreact(self.room_id, self.seq, emoji)

    async def pin(self) -> None:
        """Pin it in its room; see :meth:`Client.pin`."""
        await self._receiver().pin(self.room_id, self.seq)

    async def unpin(self) -> None:
        """Take its pin away; see :meth:`Client.unpin`."""
        await self._receiver().unpin(self.room_id, self.seq)

    def _receiver(self) -> Replies:
        if self._client is None:
            raise RuntimeError("this message was not received by a client")
        return self._client


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a room's log that is gone; ``to_seq`` is the last number missing."""

    room_id: str
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True)
class HistoryChanged:
    """The room's log is not the one that was followed so far: a backup of the server was restored. Updates
    after ``last_seq`` are no longer in the log. Updates from now on are new, with numbers that may have been
    seen before.
    """

    room_id: str
    last_seq: int
    """The last number that still stands for the same event; 0 if there is none, or it can't be found."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Every update from before the stream was opened has been returned."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream is open."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream was lost, and will be reopened after ``retry_in``."""

    error: ChatError | None
    """Why; None when the server said that it is about to stop."""
    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A membership began, ended or changed."""

    room_id: str
    seq: int
    actor_id: str
    """Who did it."""
    user_id: str
    """The user whose membership changed."""
    change: Change
    role: Role | Literal[""]
    """Their role, or the one that they are invited to have; empty if they are not in the room."""
    reason: str
    create_time: datetime
    epoch: str = ""
    banned_owner_id: str = ""
    """For a bot that was removed because its owner is banned from the room: the owner."""
    invited_by: str = ""
    """The user whose invitation they accepted, if any."""


@dataclass(frozen=True, slots=True)
class RoomChange:
    """A room was made, or its name or settings changed."""

    room_id: str
    seq: int
    actor_id: str
    """Who did it."""
    created: bool
    """Whether the room was made."""
    changes: Mapping[str, str | bool | timedelta]
    """What changed, of ``name``, ``topic``, ``history`` (a :class:`History`), ``posting`` (a
    :class:`Posting`), ``archived``, ``edit_window`` (0 for any time), ``slow_mode`` (0 for no time),
    ``keep_edits``, and ``kind`` (a :class:`RoomKind`) of a new room."""
    create_time: datetime
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """A room can no longer be followed, because you may no longer read it."""

    room_id: str
    change: Change | Literal[""]
    """How it ended; empty if that is not known."""
    actor_id: str
    """Who did it; empty if that is not known."""
    reason: str
    banned_owner_id: str = ""
    """If the client is a bot that was removed because its owner is banned from the room: the owner."""


@dataclass(frozen=True, slots=True)
class Room:
    """A place where members talk."""

    room_id: str
    name: str
    epoch: str
    first_seq: int
    last_seq: int
    create_time: datetime
    kind: RoomKind = RoomKind.PRIVATE
    topic: str = ""
    history: History = History.ALL
    posting: Posting = Posting.MEMBERS
    archive_time: datetime | None = None
    member_count: int = 0
    role: Role | Literal[""] = ""
    """The caller's role in it; empty if the caller is not a member."""
    peer: User | None = None
    """In a direct room: the other member."""
    last_event_time: datetime | None = None
    """When the newest event was stored, for members."""
    slow_mode: timedelta | None = None
    """How long members have to wait between messages; None for no time."""
    edit_window: timedelta | None = None
    """How long messages may be edited and deleted by their senders; None for any time."""
    keep_edits: bool = False
    """Whether what messages said before is kept, for members to read."""
    receipts: Receipts = Receipts.OFF
    """Who sees how far members have read."""
    read_seq: int = 0
    """The number of the last event that you have read, in any of your sessions."""
    unread: int = 0
    """How many messages of others come after it."""
    notifications: Notifications = field(default_factory=Notifications)
    """What you want to be notified of in it."""
    last_message: MessagePreview | None = None
    """The newest message; None if there is none that you may read, or only far back."""
    unread_mentions: int = 0
    """How many of them mention you."""
    pins: int = 0
    """How many messages are pinned, of those that you may read."""

    @property
    def latest(self) -> Cursor:
        """The position after the newest event."""
        stamp = stamp_of(self.last_event_time) if self.last_event_time else 0
        return Cursor(self.room_id, self.last_seq, self.epoch, stamp)

    @property
    def title(self) -> str:
        """The title to show people: its name, or the other member's."""
        return self.name or (self.peer.user_id if self.peer else self.room_id)


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a room."""

    user: User
    role: Role
    join_time: datetime
    join_seq: int = 0
    blocked: bool = False
    """Whether the server's administrators have blocked the account, or a bot's owner, so that it can't be
    used."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A user who may not join a room."""

    user: User
    banned_by: str
    reason: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to become a member of a room, or an owner of a room that they are in."""

    room_id: str
    room_name: str
    room_kind: RoomKind
    room_topic: str
    room_member_count: int
    user: User
    """The user who is invited."""
    role: Role
    """The role that they would have: ``owner`` if they are a member already."""
    invited_by: User
    create_time: datetime
    reason: str

    @property
    def room_title(self) -> str:
        """The title of the room to show people."""
        return self.room_name or self.room_id


@dataclass(frozen=True, slots=True)
class Invite:
    """A way to join a room or to register, for anyone who has its code."""

    invite_id: str
    room_id: str
    """Empty for an invite to the server alone."""
    role: Role | Literal[""]
    """The role in the room of users who join with it; empty without a room."""
    created_by: str
    create_time: datetime
    expire_time: datetime | None
    max_uses: int
    """0 for any number."""
    uses: int
    allows_registration: bool
    makes_admin: bool
    code: str = field(default="", repr=False)
    """The code; only known when the invite is made."""


Event = (
    Message
    | MembershipChange
    | RoomChange
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | PinChanged
    | PollVoted
    | PollClosed
)
Update = (
    Event
    | Gap
    | RoomLeft
    | HistoryChanged
    | CaughtUp
    | Connected
    | Disconnected
    | Invitation
    | Signal
    | ReadMarker
    | NotificationsChanged
    | PersonalChange
    | Thread
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stamp_of(create_time: datetime) -> int:
    """The stamp of an event that was stored at that time."""
    return (create_time - _EPOCH) // _MICROSECOND


def to_datetime(seconds: int, nanos: int) -> datetime:
    """A protobuf timestamp's two parts as an aware time."""
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
