"""What a store is given to append and to acknowledge, and what becomes of it.

:mod:`grpc_chat.store.base` says what is guaranteed of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from grpc_chat.errors import BadCursor, ChatError, LimitExceeded
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place, StoredEvent
from grpc_chat.wire import chat_pb2 as pb

Authorize = Callable[[str, Membership | None], ChatError | None]
"""Given a room's id and what it is for the caller (None: there is no such room): what forbids the write, or
None. It MUST be quick and have no effect: it is called on the writer's thread, and perhaps twice."""


AuthorizeDirect = Callable[[Snapshot, str, str], ChatError | None]
"""Given the state of things, a direct room's id and who wants to write there: what forbids it, or None."""


CheckState = Callable[[Snapshot], ChatError | None]
"""Given the state of things: what forbids the write, or None. As :data:`Authorize` otherwise."""


class Target(NamedTuple):
    """An event that another one concerns, as it is stored now, by what came before in the same batch too."""

    event: pb.Event
    """It MUST NOT be changed."""
    age_us: int
    """How long ago it was stored, in microseconds."""
    role: int = 0
    """Where that is asked for: what the one who caused it is in the room now, as ``chat.v1.Role``; 0 for
    somebody who is not a member."""

    @property
    def message(self) -> pb.Message | None:
        """The message that it is; None for another kind of event, and for a message that was deleted."""
        event = self.event
        return event.message if event.HasField("message") and not event.message.HasField("deleted") else None


class Answer(Enum):
    """What a check answers, if it is not an error."""

    ALREADY_SO = "already so"
    """What the event would say is so already: it is not stored, and not refused."""


AuthorizeOn = Callable[[str, Membership | None, Target | None], ChatError | Answer | None]
"""As :data:`Authorize`, of an event that concerns another one; None for one that is gone, or never was."""


class Once(NamedTuple):
    """What makes an event that is sent again known as the same one."""

    key: bytes
    """16 bytes, the UUID that the client made: unique for its user in its room."""
    content_hash: bytes
    """What the event says, in a few bytes: tells a repeated send from a reused id."""


class Concerns(NamedTuple):
    """Which event of the same room a draft is about, and whether it may be."""

    seq: int
    check: AuthorizeOn
    with_role: bool = False
    """Whether the check asks what the one who caused that event is in the room."""


class Draft(NamedTuple):
    """An event without its number yet, of any kind."""

    event: pb.Event
    """Complete but for ``seq`` and ``create_time``, which the store fills in."""
    session_id: str
    """Which session caused it; kept beside the event, never in it."""
    check: Authorize
    """What the room must be for the event's user."""
    once: Once | None = None
    """For kinds that are stored once, however often they are sent."""
    concerns: Concerns | None = None
    """For kinds that are about another event."""
    check_direct: AuthorizeDirect | None = None
    """Asked besides in direct rooms, where it depends on the other member, too."""
    check_state: CheckState | None = None
    """Asked besides, where it depends on more than the room."""


@dataclass(frozen=True, slots=True)
class Append:
    """Store drafts, all or none. Result: :class:`Appended`."""

    drafts: Sequence[Draft]


class Position(NamedTuple):
    """Where one draft is in the log."""

    room_id: str
    seq: int
    create_time_us: int
    """Microseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the drafts of one :class:`Append`."""

    placed: list[Position]
    """One for each draft, in order. The number is 0 where nothing was stored, as things were so already."""
    new: dict[str, list[StoredEvent]] = field(default_factory=dict)
    """By room, what was stored just now. A repeated send adds nothing here."""
    rewritten: Mapping[str, Sequence[int]] | None = None
    """As that of :class:`grpc_chat.store.base.Done`; None for none, as of nearly all."""
    concerned: Sequence[pb.Event | None] = ()
    """Where any of the drafts concerns another event: for each, in order, what that one says now."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Move a consumer's positions forward; older positions are ignored.

    A position after the newest event is refused with ``BadCursor``. One with a stamp that is not its event's
    moves nothing, and the others still count. Result: the rooms of which that is true; None where it is true
    of none.
    """

    user_id: str
    consumer: str
    positions: Mapping[str, Place]
    authorize: Authorize
    back: bool = False
    """Whether positions may also move back, as they must where the log is not the one they are from."""
    skip_lost: bool = False
    """Whether rooms that the user may not read are left out, and told of like those of another history."""
    max_consumers: int = 0
    """How many consumers the user may have; a further one is refused with ``LimitExceeded``. 0 for any
    number."""


def ahead_of_log(at: int, room_id: str, seq: int, last_seq: int) -> BadCursor:
    """What to answer to the cursor number ``at`` of a request that points to where the log has never been."""
    return BadCursor(
        f"cursors[{at}].seq must be at most {last_seq}, the room's newest event, and is {seq}",
        field=f"cursors[{at}].seq",
        metadata={"roomId": room_id, "lastSeq": str(last_seq)},
    )


def too_many_consumers(most: int) -> LimitExceeded:
    """What to answer to who has as many consumers as they may, and uses a new name."""
    return LimitExceeded(
        f"you have {most} consumers, which is the maximum; delete one that you no longer use",
        field="consumer",
        metadata={"limit": str(most)},
    )
