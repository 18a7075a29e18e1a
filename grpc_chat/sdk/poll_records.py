"""Polls: what clients send and are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PollResult:
    """How a poll ended."""

    counts: tuple[int, ...]
    """How many users chose each option, in the order of the options."""
    voters: int
    close_time: datetime
    closed_by: str = ""
    """Empty if the poll's closing time had come."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll. Its question is the text of the message."""

    options: tuple[str, ...]
    multiple: bool = False
    """Whether a user may choose several options."""
    anonymous: bool = False
    """Whether nobody is told who voted for what, and until it is closed, nobody how it stands."""
    close_time: datetime | None = None
    """When it closes by itself; None for a poll that stays open until somebody closes it."""
    result: PollResult | None = None
    """How it ended, once it is closed. Set by the server."""


@dataclass(frozen=True, slots=True)
class PollState:
    """How a poll stands."""

    message_seq: int
    """The number of its message."""
    counts: tuple[int, ...]
    """How many users chose each option; empty for an anonymous poll that is not closed."""
    voters: int
    choices: tuple[int, ...]
    """The indexes of the options that you chose; empty once an anonymous poll is closed."""
    closed: bool


@dataclass(frozen=True, slots=True)
class PollVote:
    """What one user voted for."""

    user_id: str
    choices: tuple[int, ...]
    """The indexes of the options."""
    vote_time: datetime


@dataclass(frozen=True, slots=True)
class PollVoted:
    """Somebody voted in a poll, changed their vote, or took it back."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    actor_id: str
    """Who did it; empty in an anonymous poll."""
    choices: tuple[int, ...]
    """The indexes of the options that they choose now; empty if they took their vote back, in an anonymous
    poll, and once the poll is deleted."""
    counts: tuple[int, ...]
    """How many users choose each option now; empty in an anonymous poll, and once the poll is deleted."""
    voters: int
    """How many users have voted now; 0 once the poll is deleted."""
    create_time: datetime
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class PollClosed:
    """A poll was closed."""

    room_id: str
    seq: int
    """The number of this event."""
    message_seq: int
    """The number of the message."""
    actor_id: str
    """Who did it; empty if the poll's closing time had come."""
    counts: tuple[int, ...]
    """How many users chose each option; empty once the poll is deleted."""
    voters: int
    create_time: datetime
    epoch: str = ""
