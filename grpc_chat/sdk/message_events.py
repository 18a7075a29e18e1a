"""What became of messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk.bodies import Body, LinkCard


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is known of a message that was deleted."""

    user_id: str
    """Who deleted it."""
    delete_time: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MessageVersion:
    """What a message said before."""

    version: int
    """0 for the text that was sent, 1 for that of the first edit, and so on."""
    text: str
    time: datetime
    """Since when the message said that."""


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message was edited by its sender."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    sender_id: str
    text: str
    """The new text. Empty if the message was edited again or deleted since, which a later event says; and if
    ``emptied``."""
    create_time: datetime
    epoch: str = ""
    mentions: tuple[str, ...] = ()
    """The user ids of the members whom the new text mentions by name."""
    mentions_room: bool = False
    """Whether it mentions everyone in the room."""
    body: Body | None = None
    """The new body, if it has one."""
    cards: tuple[LinkCard, ...] = ()
    """The new cards."""
    emptied: bool = False
    """Whether the new text is empty: the message only has its files."""


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message was deleted."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    actor_id: str
    """Who did it: the message's sender, or an admin or owner of the room."""
    reason: str
    create_time: datetime
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class ReactionChanged:
    """Somebody reacted to a message, or took that back."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    actor_id: str
    """Who did it."""
    emoji: str
    """Empty once the message is deleted."""
    removed: bool
    create_time: datetime
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class PinChanged:
    """A message was pinned, or is no longer."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    actor_id: str
    """Who did it."""
    pinned: bool
    create_time: datetime
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class ReactionCount:
    """How often an emoji was chosen for a message."""

    emoji: str
    count: int
    mine: bool
    """Whether you chose it."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction of one user to a message."""

    emoji: str
    user_id: str
    create_time: datetime
