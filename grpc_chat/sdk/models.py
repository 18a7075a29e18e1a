"""What the client hands out: plain values, no protobuf."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grpc_chat.errors import ChatError

if TYPE_CHECKING:
    from grpc_chat.sdk.client import Client


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a room's log: everything up to and including ``seq`` has been seen."""

    room_id: str
    seq: int = 0
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a message of one's own is."""

    room_id: str
    seq: int
    epoch: str
    client_message_id: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """Something that somebody said."""

    room_id: str
    seq: int
    sender_id: str
    text: str
    create_time: datetime
    client_message_id: str
    epoch: str = ""
    _client: Client | None = field(default=None, repr=False, compare=False)

    @property
    def cursor(self) -> Cursor:
        """The position at which this message is the last one seen."""
        return Cursor(self.room_id, self.seq, self.epoch)

    async def reply(self, text: str) -> Sent:
        """Send a message to the same room."""
        if self._client is None:
            raise RuntimeError("this message was not received by a client")
        return await self._client.send(self.room_id, text)


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a room's log that can't be had any more; ``to_seq`` is the last number missing."""

    room_id: str
    from_seq: int
    to_seq: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything that was there when the stream was opened has been handed out."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream is open."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream was lost, and will be opened again after ``retry_in``."""

    error: ChatError | None
    """Why; None when the server said that it is about to stop."""
    retry_in: timedelta


Update = Message | Gap | CaughtUp | Connected | Disconnected


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    user_id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Room:
    """A place where members talk."""

    room_id: str
    name: str
    epoch: str
    first_seq: int
    last_seq: int
    create_time: datetime

    @property
    def latest(self) -> Cursor:
        """The position after the newest event."""
        return Cursor(self.room_id, self.last_seq, self.epoch)


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a room."""

    user: User
    role: str
    """``reader``, ``member``, ``admin`` or ``owner``."""
    join_time: datetime


def to_datetime(seconds: int, nanos: int) -> datetime:
    """A protobuf timestamp's two halves as an aware time."""
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
