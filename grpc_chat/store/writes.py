"""The writes that append events and acknowledge positions, and their results.

:mod:`grpc_chat.store.base` lists the guarantees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from grpc_chat.errors import BadCursor, ChatError, LimitExceeded
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place, StoredEvent
from grpc_chat.store.threads import ThreadRecord
from grpc_chat.wire import chat_pb2 as pb

Authorize = Callable[[str, Membership | None], ChatError | None]
"""Takes a room's id and the caller's membership (None if there is no such room). Returns the error that
forbids the write, or None. It MUST be quick and have no effect: it is called on the writer's thread, perhaps
twice."""


AuthorizeDirect = Callable[[Snapshot, str, str], ChatError | None]
"""Takes a snapshot, a direct room's id and the sender. Returns the error that forbids the write, or None."""


CheckState = Callable[[Snapshot], ChatError | None]
"""Takes a snapshot, and returns the error that forbids the write, or None. Otherwise as :data:`Authorize`."""


class ReactionsSeen(NamedTuple):
    """The reactions to a message, as one user sees them. They MUST NOT be changed.

    A check takes no more than this, and it is made on the writer's thread. What is told is made of it by
    :meth:`counts`, where nobody else waits for that.
    """

    tally: Mapping[str, tuple[int, int]]
    """For each emoji, how many users chose it, and when the first of them did."""
    own: Mapping[str, int]
    """The emoji that the user chose, and when."""

    def counts(self) -> list[pb.ReactionCount]:
        """As :meth:`grpc_chat.store.reads.Snapshot.reaction_counts`."""
        own = self.own
        return [
            pb.ReactionCount(emoji=emoji, count=count, mine=emoji in own)
            for emoji, (count, _) in sorted(self.tally.items(), key=_by_time)
        ]


def _by_time(item: tuple[str, tuple[int, int]]) -> tuple[int, str]:
    emoji, (_, first_us) = item
    return first_us, emoji


class Target(NamedTuple):
    """An event that another event is about, as of now: earlier writes in the same batch count."""

    event: pb.Event
    """It MUST NOT be changed."""
    age_us: int
    """How long ago it was stored, in microseconds."""
    role: int = 0
    """If ``with_role`` asks for it: the present role of the user who caused the event, as ``chat.v1.Role``; 0
    if that user is not a member."""
    reactions: ReactionsSeen | None = None
    """If ``with_reactions`` asks for it: the reactions to the event's message, as the draft's user sees
    them."""
    vote: int = 0
    """If ``with_vote`` asks for it: which options of the poll the draft's user chose, a bit for each."""

    @property
    def message(self) -> pb.Message | None:
        """The event's message; None for another kind of event, and for a deleted message."""
        event = self.event
        return event.message if event.HasField("message") and not event.message.HasField("deleted") else None


class Answer(Enum):
    """The result of a check that is not an error."""

    ALREADY_SO = "already so"
    """The event would change nothing. It is neither stored nor refused."""


AuthorizeOn = Callable[[str, Membership | None, Target | None], ChatError | Answer | None]
"""As :data:`Authorize`, for an event about another one, which is None if it is gone or never existed."""


class Once(NamedTuple):
    """Identifies a repeated send."""

    key: bytes
    """16 bytes, the UUID that the client made: unique for its user in its room."""
    content_hash: bytes
    """A hash of what the event says. It distinguishes a repeated send from a reused id."""


class Concerns(NamedTuple):
    """The event of the same room that a draft is about, and the check of whether it may be."""

    seq: int
    check: AuthorizeOn
    with_role: bool = False
    """Whether the check needs the role of the user who caused that event."""
    with_reactions: bool = False
    """Whether the check, or the answer, needs the reactions to that event."""
    with_vote: bool = False
    """Whether the check needs the vote of the draft's user."""


AuthorizeAnswer = Callable[
    [str, Membership | None, Target | None, Target | None, ThreadRecord | None], ChatError | None
]
"""As :data:`Authorize`, for a message that answers others: the message that it replies to, the root of its
thread, and the thread. Each is None if there is none; the root also if the thread has messages."""


class Answers(NamedTuple):
    """The messages of the same room that a message answers, and the check of whether it may."""

    reply_to: int
    """The message that it replies to; 0 for none."""
    thread_root: int
    """The root of the thread that it is in; 0 for none."""
    check: AuthorizeAnswer


class Names(NamedTuple):
    """The names that a text mentions. The store makes mentions of those of the room's members."""

    candidates: Sequence[Sequence[str]]
    """For each name, the user ids that it may stand for, the likeliest first."""
    may_mention_room: Authorize | None
    """If the text mentions everyone: the check of whether its author may. If not, that is text."""


class Draft(NamedTuple):
    """An event of any kind that has no number yet."""

    event: pb.Event
    """Complete except for ``seq`` and ``create_time``, which the store fills in."""
    session_id: str
    """The session that causes the event. It is stored beside the event, never in it."""
    check: Authorize
    """Checks the membership of the event's user."""
    once: Once | None = None
    """For events that are stored only once, however often they are sent."""
    concerns: Concerns | None = None
    """For events that are about another event."""
    check_direct: AuthorizeDirect | None = None
    """A further check for direct rooms, where the answer also depends on the other member."""
    check_state: CheckState | None = None
    """A further check for drafts whose permission depends on more than the room."""
    answers: Answers | None = None
    """For messages that reply to another one, or are in a thread."""
    names: Names | None = None
    """For messages and edits whose text mentions somebody: who it may be. Others leave it out, and cost
    nothing."""
    plain: bool = False
    """Whether it is a message that has a text, mentions nobody, and has nothing else, as nearly all. Then
    nothing else is looked for: of the fields from ``concerns`` on, only ``check_direct`` may be set.
    """


class Append(NamedTuple):
    """Store all of these drafts, or none. Result: :class:`Appended`."""

    drafts: Sequence[Draft]


class Position(NamedTuple):
    """The place of a stored draft in the log."""

    room_id: str
    seq: int
    create_time_us: int
    """Microseconds since 1970, UTC."""


@dataclass(slots=True)
class Appended:
    """The result of an :class:`Append`."""

    placed: list[Position]
    """One for each draft, in order. The number is 0 if the draft would have changed nothing, and was not
    stored.
    """
    new: dict[str, list[StoredEvent]] = field(default_factory=dict)
    """By room, the events that this write stored. A repeated send adds nothing."""
    rewritten: Mapping[str, Sequence[int]] | None = None
    """As in :class:`grpc_chat.store.base.Done`; None if there are none, as is nearly always the case."""
    concerned: Sequence[Target | None] = ()
    """If any draft is about another event: for each draft, in order, that event as it is now."""


class Acknowledge(NamedTuple):
    """Move a consumer's positions forward. Older positions are ignored.

    A position after the newest event is refused with ``BadCursor``. A position whose stamp differs from its
    event's is not stored, but the others are. Result: the rooms with such positions, or None if there are
    none.
    """

    user_id: str
    consumer: str
    positions: Mapping[str, Place]
    authorize: Authorize
    """MUST NOT refuse members: of many acknowledgements at once, it is not asked about them."""
    back: bool = False
    """Whether positions may also move back. They must if they are from another history of the log."""
    skip_lost: bool = False
    """Whether rooms that the user may not read are skipped, and returned like those with other stamps."""
    max_consumers: int = 0
    """How many consumers the user may have; 0 for any number. A further one is refused with
    ``LimitExceeded``.
    """


def ahead_of_log(at: int, room_id: str, seq: int, last_seq: int) -> BadCursor:
    """The error for a request whose cursor number ``at`` is after the end of the log."""
    return BadCursor(
        f"cursors[{at}].seq must be at most {last_seq}, the room's newest event, and is {seq}",
        field=f"cursors[{at}].seq",
        metadata={"roomId": room_id, "lastSeq": str(last_seq)},
    )


def too_many_consumers(most: int) -> LimitExceeded:
    """The error for a user who has all the consumers they may have, and uses a new name."""
    return LimitExceeded(
        f"you have {most} consumers, which is the maximum; delete one that you no longer use",
        field="consumer",
        metadata={"limit": str(most)},
    )
