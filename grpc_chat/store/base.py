"""The interface of a store, and what every store guarantees.

A store keeps rooms, their members, and each room's log of events. It has two sides.

**Writing** is :meth:`Store.commit`: one thread at a time gives it everything that waits, and it makes one
transaction of it.

- *Durable.* When ``commit`` returns, what it reports as done is on stable storage: it survives the death of
  the process, of the operating system and the loss of power, as long as the disk honours fsync.
- *Dense.* In each room the new events continue 1, 2, 3, … without a gap. The numbers are given inside the
  transaction: one that fails uses none up.
- *Once.* An append whose ``client_message_id`` its sender used in that room before stores nothing and
  returns what was stored then, in this process or any other, now or years later; with another
  ``content_hash`` it is refused.
- *Whole.* Each write is done completely or not at all, and an error concerns that write alone: the others
  in the same transaction are not spoiled by it.
- *Checked inside.* Whether the caller may do this is asked within the transaction, so no change of
  membership can come between.
- *Unknown stays unknown.* Where the database did not say what became of a transaction, ``commit`` raises
  ``StoreUnavailable``; nothing is claimed either way.

**Reading** is :meth:`Store.snapshot`: everything read from one snapshot is from one moment, and shows only
what is durable. An event that is not as it was stored, by its checksum, is left out and logged. Snapshots may
be taken by several threads at once, and never wait for a writer.

All methods block; call them from a thread that may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from grpc_chat.errors import BadCursor, ChatError
from grpc_chat.wire import chat_pb2 as pb

Authorize = Callable[[str, int | None], ChatError | None]
"""Given a room's id and the caller's role in it (None: no such room, or not a member): what forbids the
write, or None."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event without its number yet."""

    event: pb.Event
    """Complete but for ``seq`` and ``create_time``, which the store fills in."""
    session_id: str
    """Which session caused it; kept beside the event, never in it."""
    client_message_id: bytes
    """16 bytes, the UUID that the client made."""
    content_hash: bytes
    """What the event says, in a few bytes: tells a repeated send from a reused id."""


@dataclass(frozen=True, slots=True)
class Append:
    """Store drafts, all or none. Result: :class:`Appended`."""

    drafts: Sequence[Draft]
    authorize: Authorize


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Move a consumer's positions forward; older positions are ignored. Result: None.

    A position after the newest event is refused with ``BadCursor``.
    """

    user_id: str
    consumer: str
    positions: Mapping[str, int]
    authorize: Authorize


@dataclass(frozen=True, slots=True)
class PutRoom:
    """Make a room, or rename it, and set who is in it: exactly these. Accounts are made where needed.

    Result: None.
    """

    room_id: str
    name: str
    members: Mapping[str, pb.Role.ValueType]


@dataclass(frozen=True, slots=True)
class Truncate:
    """Remove a room's events before ``first_seq`` for good; their numbers are never used again.

    Result: None.
    """

    room_id: str
    first_seq: int


Write = Append | Acknowledge | PutRoom | Truncate


class Placed(NamedTuple):
    """Where one draft is in the log."""

    room_id: str
    seq: int
    create_time_us: int
    """Microseconds since 1970, UTC."""


class StoredEvent(NamedTuple):
    """One entry of a log as it is kept."""

    seq: int
    session_id: str
    payload: bytes
    """The encoded ``Event``."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the drafts of one :class:`Append`."""

    placed: list[Placed]
    """One for each draft, in order."""
    new: dict[str, list[StoredEvent]] = field(default_factory=dict)
    """By room, what was stored just now. A repeated send adds nothing here."""


Result = Appended | ChatError | None


def ahead_of_log(at: int, room_id: str, seq: int, last_seq: int) -> BadCursor:
    """What to answer to the cursor number ``at`` of a request that points to where the log has never been."""
    return BadCursor(
        f"cursors[{at}].seq is {seq}, after the room's newest event {last_seq}",
        field=f"cursors[{at}].seq",
        metadata={"roomId": room_id, "lastSeq": str(last_seq)},
    )


class Membership(NamedTuple):
    """A room that a user is in."""

    room_id: str
    role: int
    first_seq: int
    last_seq: int


class Snapshot(Protocol):
    """The state of one moment. Usable only inside its ``with`` block, by one thread."""

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        """The user's place in the room; None when there is no such room or membership."""

    def user(self, user_id: str) -> pb.User | None:
        """An account."""

    def room(self, room_id: str) -> pb.Room | None:
        """A room."""

    def rooms(self, user_id: str, *, after: str, limit: int) -> list[pb.Room]:
        """The rooms a user is in whose ids come after ``after``, in the order of their ids."""

    def members(self, room_id: str, *, after: str, limit: int) -> list[pb.Member]:
        """A room's members whose user ids come after ``after``, in the order of their ids."""

    def memberships(self, user_id: str) -> list[Membership]:
        """All rooms a user is in."""

    def heads(self, room_ids: Iterable[str]) -> dict[str, int]:
        """The newest number of each of these rooms that exist."""

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The first events after ``seq``, oldest first: ``limit`` at the most, and no further one after
        ``max_bytes`` of payload are reached."""

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The last events before ``seq``, oldest first, bounded likewise."""

    def positions(self, user_id: str, consumer: str) -> dict[str, int]:
        """Where a consumer stands in each room it was acknowledged in."""


class Store(Protocol):
    """What must survive; see the module's text for the guarantees."""

    epoch: str
    """Which life of the logs this is. A restored backup begins a new one."""
    secret: bytes
    """32 random bytes, as old as the database; for keyed hashes that must outlive a restart."""

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        """Carry out writes, in this order, in one transaction, and make them durable.

        Returns:
            One result for each write, in order: what its class says, or the error that concerns it alone.

        Raises:
            StoreFull: The disk is full; none was carried out, and a later call may succeed.
            StoreUnavailable: The outcome is unknown. When ``failed`` is set afterwards, the store takes no
                more writes: what the disk holds is only certain again after a restart.
        """

    def begin_epoch(self) -> None:
        """Begin a new life of all logs: positions in the old one are refused from now on.

        For a store that is not what it was, as after a backup was restored. Before anything else uses it.
        """

    @property
    def failed(self) -> bool:
        """Whether an I/O error made further writes unsafe."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """What is durable now.

        Raises:
            StoreUnavailable: The database can't be read.
        """

    def close(self) -> None:
        """Let go of the database; no other method may be running or be called after."""
