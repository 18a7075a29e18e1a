"""The interface of a store, and what every store guarantees.

A store keeps rooms, their members, and each room's log of events. It has two sides.

**Writing** is :meth:`Store.commit`: one thread at a time gives it everything that waits, and it makes one
transaction of it.

- *Durable.* When ``commit`` returns, what it reports as done is on stable storage: it survives the death of
  the process, of the operating system and the loss of power, as long as the disk honours fsync.
- *Dense.* In each room the new events continue 1, 2, 3, … without a gap. The numbers are given inside the
  transaction: one that fails uses none up.
- *Later and later.* In each room an event's creation time is later than the one before it, by a microsecond
  at least, whatever the clock did. So it is the event's *stamp*: it tells the event from any other that
  ever had the same number, and a log can be searched by it.
- *Once.* A draft whose key (see :class:`grpc_chat.store.writes.Once`) its sender used in that room before
  stores nothing and returns what was stored then, in this process or any other, now or years later; with
  another ``content_hash`` it is refused.
- *Whole.* Each write is done completely or not at all, and an error concerns that write alone: the others
  in the same transaction are not spoiled by it.
- *Checked inside.* Whether the caller may do this is asked within the transaction, so no change of
  membership can come between. (What was stored before is returned also to who may do it no longer.)
- *By sessions that are there.* What a session asks for that an earlier write ended is refused with
  ``SessionEnded``, also within one transaction; with :attr:`Store.check_sessions`, also where another node
  ended it.
- *Users have logs, too.* Each has one of their own, with numbers and stamps as in rooms.
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
from typing import Any, Protocol

from grpc_chat.errors import ChatError
from grpc_chat.store.files import FileWrites
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import (
    Account,
    Ending,
    InvitationRecord,
    InviteRecord,
    SessionRecord,
    StatusRecord,
    StoredEvent,
)
from grpc_chat.store.writes import Acknowledge, Append, Appended
from grpc_chat.wire import chat_pb2 as pb


class Transaction(Snapshot, FileWrites, Protocol):
    """Reads, and writes, in one transaction. What was written is seen by what is read after it."""

    now_us: int
    """The time of all that is written, in microseconds since 1970, UTC."""

    def after_commit(self, effect: object) -> None:
        """Leave an effect for the code that commits this, which applies it when it is durable.

        To the store it is any value; see :mod:`grpc_chat.core.effects`.
        """

    def append(self, event: pb.Event, session_id: str) -> int:
        """Add an event, complete but for ``seq`` and ``create_time``, to its room's log, or to a user's own
        (:func:`grpc_chat.store.records.user_log`), of which the newest 1,000 are kept.

        Returns:
            Its number.
        """

    def rewrite(self, room_id: str, seq: int, event: pb.Event) -> bool:
        """Have an event that is stored say something else for good: its bytes are everywhere replaced, and
        nobody is sent the old ones once this is durable. Its number, its stamp and its session stay.

        Args:
            event: Complete but for ``room_id``, ``seq`` and ``create_time``, which are those of the old one.
                Neither it nor the old one may be of a kind that other rows follow from.

        Returns:
            Whether there is such an event, and it is as it was stored.
        """

    def insert_room(self, room: pb.Room, *, public_name: str | None, request_hash: bytes | None) -> None:
        """Make an empty room of the room's id, name, kind, topic, history and posting."""

    def put_room(self, room_id: str, name: str, members: Mapping[str, pb.Role.ValueType]) -> None:
        """Make a private room, or rename it, and set who is in it: exactly these. Accounts are made where
        needed. For the server's own rooms: none of it is an event of the log."""

    def set_public_name(self, room_id: str, public_name: str) -> None:
        """Have a public room be found under another name. (What it is called, and all else of it that may
        change, follows from its events.)"""

    def delete_room(self, room_id: str) -> None:
        """Remove a room, and who is in it. Its id is never used again; its log is left to :meth:`purge`."""

    def purge(self, limit: int, room_id: str = "") -> bool:
        """Remove some of the log of a deleted room, about ``limit`` events; of any, for an empty id. Returns
        whether there may be more."""

    def put_member(self, room_id: str, user_id: str, role: int, *, join_seq: int, added_by: str = "") -> None:
        """Have a member be one by an act of somebody else, or where no event says so. (Who is a member, what
        they are there and who is banned otherwise follows from events.)

        Args:
            added_by: Who did it without their consent; empty for an act of their own.
        """

    def insert_invite(self, invite: InviteRecord, code_hash: bytes) -> None:
        """Make an invite."""

    def use_invite(self, invite_id: str) -> None:
        """Count one use."""

    def delete_invite(self, room_id: str, invite_id: str) -> bool:
        """Remove an invite of this room (of the server for an empty id); whether there was one."""

    def trim_invites(self, room_id: str, *, keep: int) -> int:
        """Remove invites of a room (of the server for an empty id) that are used up or over until so many are
        left, the oldest first; how many are left, which may be more."""

    def delete_invites_of(self, room_id: str, user_id: str) -> None:
        """Remove a room's invites and invitations that somebody, or one of their bots, made, and the
        invitations that wait for one of them."""

    def accept_room(self, room_id: str, user_id: str) -> bool:
        """Have somebody be a member by an act of their own from now on; False where they were so before."""

    def put_invitation(self, invitation: InvitationRecord) -> None:
        """Ask somebody, or ask them otherwise."""

    def delete_invitation(self, room_id: str, user_id: str) -> bool:
        """Have somebody be asked no longer; whether they were."""

    def delete_invitations_of(self, user_id: str) -> None:
        """Have somebody be asked nothing any longer, by no room."""

    def delete_offers(self, room_id: str, invited_by: str) -> None:
        """Remove the offers of ownership that somebody made in a room."""

    def insert_account(self, account: Account) -> None:
        """Make an account."""

    def set_profile(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        adding: int | None = None,
        direct_messages: int | None = None,
    ) -> None:
        """Change what an account is called, and whom it is reached by; what is None stays."""

    def put_status(self, status: StatusRecord) -> None:
        """Change what a user shows others; one that says nothing is not kept."""

    def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Have an account be entered by another password."""

    def set_admin(self, user_id: str, *, admin: bool) -> None:
        """Have an account administer the server, or no longer."""

    def block_account(self, user_id: str) -> None:
        """Keep an account out, from now on."""

    def unblock_account(self, user_id: str) -> None:
        """Let an account in again."""

    def offer_bot(self, user_id: str, to: str | None) -> None:
        """Say who may become a bot's next owner; None for nobody."""

    def give_bot(self, user_id: str, owner_id: str) -> None:
        """Have a bot belong to somebody else. It is offered to nobody then."""

    def insert_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Remember which account an OpenID identity is."""

    def delete_identity(self, issuer: str, subject: str) -> None:
        """Forget which account an OpenID identity is."""

    def put_block(self, user_id: str, blocked_user_id: str) -> None:
        """Note that a user wants nothing from another, who is not blocked by them yet."""

    def hide_invitations(self, user_id: str, by: str) -> None:
        """Hide from a user and their bots what another user, and that user's bots, have invited
        them to."""

    def delete_block(self, user_id: str, blocked_user_id: str) -> bool:
        """Forget that; whether it was so."""

    def insert_session(self, session: SessionRecord, token_hash: bytes) -> None:
        """Begin a session."""

    def delete_least_used_session(self, user_id: str, kind: int) -> SessionRecord | None:
        """End the session of this kind that was not used for longest, and return it, if there was one."""

    def delete_sessions(
        self,
        user_id: str,
        *,
        session_ids: Iterable[str] | None = None,
        but: str = "",
        ending: Ending | None = None,
    ) -> list[str]:
        """End sessions of a user: these, or all, but one; returns the ids of those that there were.

        Args:
            ending: What :meth:`ended_token` is to say of the access tokens among them.
        """

    def forget_ended_tokens(self, user_id: str) -> None:
        """Forget which of a user's access tokens have ended."""

    def save_known_addresses(self, hashes: Iterable[bytes], *, keep: int) -> None:
        """Note that accounts were entered from somewhere.

        Args:
            keep: How many to keep; those that were used longest ago are forgotten.
        """

    def use_consumers(self, used: Iterable[tuple[str, str]]) -> None:
        """Note that consumers, by user and name, were used; those that there are not are passed over."""

    def delete_consumer(self, user_id: str, consumer: str) -> bool:
        """Remove a consumer with its positions; whether there was one."""

    def touch_sessions(self, used: Mapping[str, int]) -> None:
        """Set when sessions were used last, if that is later; those that have ended are passed over."""

    def expire(
        self, *, now_us: int, unused_since_us: int, forget_us: int, keep: int = 200
    ) -> list[tuple[str, str]]:
        """Put sessions aside that have expired or were not used since, and remove invites that have.

        Args:
            now_us: What counts as now; those who ask for a session again go by the same clock.
            forget_us: Sessions that were put aside before are removed.
            keep: So many that were put aside are kept of a user, the newest.

        Returns:
            The users and ids of the sessions that were put aside.
        """

    def revive_session(self, token_hash: bytes) -> None:
        """Put a session back that was put aside; none if it was not."""


@dataclass(frozen=True, slots=True)
class Transact:
    """Carry out a function on the database. Result: :class:`Done`.

    The function is called on the writer's thread, and once more where the transaction has to be done again:
    it MUST have no effect but through what it is given. What it did is undone where it raises a ChatError,
    which is then the result.
    """

    in_transaction: Callable[[Transaction], Any]
    session_id: str = ""
    """The session that asks for it; refused with ``SessionEnded`` where an earlier write ended it."""
    about: Sequence[tuple[str, str]] = ()
    """Rooms, and users in them, whose membership the function will ask for, or to whose own log it will add;
    an empty room for the latter alone. A hint, by which those of a whole transaction are read together."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a :class:`Transact`."""

    value: Any
    """What the function returned."""
    new: dict[str, list[StoredEvent]]
    """By room, the events that it stored."""
    effects: Sequence[object]
    """What the function left by ``after_commit``, in order."""
    rewritten: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By room, the numbers of rewritten events: anything that has old bytes of them in memory must forget
    them, before anybody is told of ``new``."""


Write = Append | Acknowledge | Transact

Result = Appended | Done | ChatError | list[str] | None


class Store(Protocol):
    """What must survive; see the module's text for the guarantees."""

    epoch: str
    """Which life of the logs this is. A restored backup begins a new one."""
    secret: bytes
    """32 random bytes, as old as the database; for keyed hashes that must outlive a restart."""
    check_sessions: bool
    """Whether the session of each write must be among those that are stored: to be set where other nodes
    write to the same database, and callers are not trusted by their ids. False to begin with."""

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

    def forget_deleted(self) -> bool:
        """Have no old bytes of what was deleted or rewritten be left where the newest changes are written;
        what is left in the database itself, only writing it anew removes.

        May be called by another thread than the one that commits, which waits for it: some 50 ms at most.

        Returns:
            Whether that was possible; not while somebody reads what was before.
        """

    def close(self) -> None:
        """Let go of the database; no other method may be running or be called after."""
