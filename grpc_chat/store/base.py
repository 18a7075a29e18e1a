"""The interface of a store, and what every store guarantees.

A store keeps rooms, their members, and each room's log of events. It has two sides.

**Writing** is :meth:`Store.commit`. One thread at a time passes it all waiting writes, which it carries out
in one transaction.

- *Durable.* When ``commit`` returns, the writes that it reports as done are on stable storage. They survive a
  crash of the process or the operating system, and a loss of power, if the disk honours fsync.
- *Dense.* New events in a room are numbered 1, 2, 3, … without a gap. The numbers are assigned inside the
  transaction, so a transaction that fails uses none.
- *Increasing in time.* Each event of a room was created at least a microsecond after the one before it,
  whatever the clock did. The creation time is therefore the event's *stamp*: it distinguishes the event from
  any other that ever had the same number, and a log can be searched by it.
- *Once.* If the sender has already used a draft's key (see :class:`grpc_chat.store.writes.Once`) in that
  room, the draft stores nothing and returns what was stored then, on any node and even years later. With
  another ``content_hash`` it is refused.
- *Atomic.* Each write is done completely or not at all. An error concerns that write alone and does not
  affect the others in the same transaction.
- *Checked inside.* Permission is checked within the transaction, so no change of membership can come between.
  (A repeated draft returns what was stored before even if its sender may no longer send.)
- *By live sessions.* A write by a session that an earlier write ended is refused with ``SessionEnded``, even
  within one transaction. With :attr:`Store.check_sessions`, this includes sessions that another node ended.
- *Users have logs, too.* Each user has a log, with numbers and stamps as in rooms.
- *Unknown stays unknown.* If the database does not report the outcome of a transaction, ``commit`` raises
  ``StoreUnavailable``. The writes may or may not be stored.

**Reading** is :meth:`Store.snapshot`. Everything read from one snapshot is from one moment, and only durable
data is visible. An event that does not match its checksum is left out and logged. Several threads may take
snapshots at once, and none of them waits for a writer.

All methods block, so they must not be called on the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from grpc_chat.errors import ChatError
from grpc_chat.store.files import FileWrites
from grpc_chat.store.personal import PersonalWrites
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import (
    Account,
    Attention,
    Ending,
    InvitationRecord,
    InviteRecord,
    Marker,
    ReceivedRange,
    SessionRecord,
    StatusRecord,
    StoredEvent,
)
from grpc_chat.store.reports import ReportWrites
from grpc_chat.store.threads import ThreadWrites
from grpc_chat.store.writes import Acknowledge, Append, Appended, Draft, Position
from grpc_chat.wire import chat_pb2 as pb


class Transaction(Snapshot, FileWrites, ReportWrites, PersonalWrites, ThreadWrites, Protocol):
    """Reads and writes in one transaction. Reads see the writes before them."""

    now_us: int
    """The time of everything that this transaction writes, in microseconds since 1970, UTC."""

    def after_commit(self, effect: object) -> None:
        """Add an effect, which the caller of ``commit`` applies once the transaction is durable.

        The store does not look at it; see :mod:`grpc_chat.core.effects`.
        """

    def append(self, event: pb.Event, session_id: str) -> int:
        """Add an event to the log of its room, or to a user's own log
        (:func:`grpc_chat.store.records.user_log`), which keeps the newest 1,000 entries.

        Args:
            event: Complete except for ``seq`` and ``create_time``.

        Returns:
            The event's number.
        """

    def refusal(self, draft: Draft) -> ChatError | None:
        """The error that forbids to store a message now, or None."""

    def send(self, draft: Draft) -> Position:
        """Store a message, as :class:`grpc_chat.store.writes.Append` does. Its sender has read no further by
        it: it was written earlier.

        Raises:
            ChatError: It may not be stored. Nothing was changed.
        """

    def rewrite(self, room_id: str, seq: int, event: pb.Event) -> bool:
        """Permanently replace the bytes of a stored event. Once this is durable, nobody is sent the old
        bytes. The event keeps its number, stamp and session.

        Args:
            event: Complete except for ``room_id``, ``seq`` and ``create_time``, which stay as they were.
                Neither it nor the old event may be of a kind that other rows are derived from.

        Returns:
            Whether the event exists and matches its checksum.
        """

    def insert_room(self, room: pb.Room, *, public_name: str | None, request_hash: bytes | None) -> None:
        """Create a room without members from the id, name, kind, topic, history and posting of ``room``."""

    def put_room(self, room_id: str, name: str, members: Mapping[str, pb.Role.ValueType]) -> None:
        """Create or rename a private room, and make ``members`` its only members. Missing accounts are
        created. For the server's own rooms: their logs get no events for these changes."""

    def set_public_name(self, room_id: str, public_name: str) -> None:
        """Change the name that a public room is found by. (Its displayed name, and everything else that may
        change, follows from its events.)"""

    def delete_room(self, room_id: str) -> None:
        """Remove a room and its members. Its id is never used again. :meth:`purge` removes its log."""

    def purge(self, limit: int, room_id: str = "") -> bool:
        """Remove about ``limit`` events from the log of a deleted room, or of any deleted room if ``room_id``
        is empty. Returns whether there may be more."""

    def note_received(self, ranges: Iterable[ReceivedRange]) -> None:
        """Record what members have received with clients that keep their own positions.

        Of each member one range is known: what continues it extends it, what is before its end changes
        nothing, and what comes after a gap replaces it. Those who are no longer members are left out.
        """

    def erase_traces(self) -> bool:
        """Rewrite some of the events that say something about a deleted message, such as reactions, so that
        they say nothing. The transaction that deletes a message does it for the first 256; this is for the
        others. Returns whether there may be more."""

    def move_marker(self, room_id: str, user_id: str, marker: Marker) -> None:
        """Have a member have read up to here."""

    def put_attention(self, room_id: str, user_id: str, attention: Attention) -> None:
        """Change what a member wants to be notified of. It ends with the membership."""

    def put_member(self, room_id: str, user_id: str, role: int, *, join_seq: int, added_by: str = "") -> None:
        """Add a member whom somebody else added, or whose membership no event records. (Other memberships,
        roles and bans follow from events.)

        Args:
            added_by: The user who added the member without their consent; empty if they joined themselves.
        """

    def insert_invite(self, invite: InviteRecord, code_hash: bytes) -> None:
        """Create an invite."""

    def use_invite(self, invite_id: str) -> None:
        """Count one use of an invite."""

    def delete_invite(self, room_id: str, invite_id: str) -> bool:
        """Remove an invite to this room, or to the server if ``room_id`` is empty. Returns whether it
        existed."""

    def trim_invites(self, room_id: str, *, keep: int) -> int:
        """Remove used-up and expired invites to a room, oldest first, until ``keep`` invites are left. An
        empty ``room_id`` means invites to the server. Returns how many are left, which may be more than
        ``keep``."""

    def delete_invites_of(self, room_id: str, user_id: str) -> None:
        """Remove the invites and invitations to a room that a user or one of their bots made, and invitations
        of the user and the bots to it."""

    def accept_room(self, room_id: str, user_id: str) -> bool:
        """Record that a member consents to their membership. Returns False if they already had."""

    def put_invitation(self, invitation: InvitationRecord) -> None:
        """Add or replace a user's invitation to a room."""

    def delete_invitation(self, room_id: str, user_id: str) -> bool:
        """Remove a user's invitation to a room. Returns whether there was one."""

    def delete_invitations_of(self, user_id: str) -> None:
        """Remove a user's invitations to all rooms."""

    def delete_offers(self, room_id: str, invited_by: str) -> None:
        """Remove the offers of ownership that a user made in a room."""

    def insert_account(self, account: Account) -> None:
        """Create an account."""

    def set_profile(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        adding: int | None = None,
        direct_messages: int | None = None,
    ) -> None:
        """Change an account's name, and who may reach it. None keeps a value."""

    def put_status(self, status: StatusRecord) -> None:
        """Change a user's status. An empty status is removed."""

    def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Change an account's password."""

    def set_admin(self, user_id: str, *, admin: bool) -> None:
        """Grant or revoke server administration."""

    def block_account(self, user_id: str) -> None:
        """Block an account."""

    def unblock_account(self, user_id: str) -> None:
        """Unblock an account."""

    def offer_bot(self, user_id: str, to: str | None) -> None:
        """Set who may become a bot's next owner; None for nobody."""

    def give_bot(self, user_id: str, owner_id: str) -> None:
        """Change a bot's owner, and withdraw any offer of the bot."""

    def insert_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Link an OpenID identity to an account."""

    def delete_identity(self, issuer: str, subject: str) -> None:
        """Remove an OpenID identity's link to its account."""

    def put_block(self, user_id: str, blocked_user_id: str) -> None:
        """Record that a user blocks another, whom they have not blocked yet."""

    def hide_invitations(self, user_id: str, by: str) -> None:
        """Hide the invitations that a user and their bots have from another user and that user's bots."""

    def delete_block(self, user_id: str, blocked_user_id: str) -> bool:
        """Remove a user's block of another. Returns whether there was one."""

    def insert_session(self, session: SessionRecord, token_hash: bytes) -> None:
        """Begin a session."""

    def delete_least_used_session(self, user_id: str, kind: int) -> SessionRecord | None:
        """End the user's least recently used session of this kind. Returns it, or None if there was none."""

    def delete_sessions(
        self,
        user_id: str,
        *,
        session_ids: Iterable[str] | None = None,
        but: str = "",
        ending: Ending | None = None,
    ) -> list[str]:
        """End some or all sessions of a user, except one. Returns the ids of the sessions that ended.

        Args:
            ending: What :meth:`ended_token` will say about the access tokens among them.
        """

    def forget_ended_tokens(self, user_id: str) -> None:
        """Forget which of a user's access tokens have ended."""

    def save_known_addresses(self, hashes: Iterable[bytes], *, keep: int) -> None:
        """Record addresses from which users have logged in to their accounts.

        Args:
            keep: How many to keep. The least recently used are removed.
        """

    def use_consumers(self, used: Iterable[tuple[str, str]]) -> None:
        """Record that consumers, given by user and name, were used. Consumers that do not exist are
        ignored."""

    def delete_consumer(self, user_id: str, consumer: str) -> bool:
        """Remove a consumer and its positions. Returns whether it existed."""

    def touch_sessions(self, used: Mapping[str, int]) -> None:
        """Record when sessions were last used, unless a later time is known. Ended sessions are ignored."""

    def expire(
        self, *, now_us: int, unused_since_us: int, forget_us: int, keep: int = 200
    ) -> list[tuple[str, str]]:
        """Put expired and unused sessions aside, and remove expired invites.

        Args:
            now_us: The current time, by the same clock that checks sessions.
            forget_us: Sessions that were put aside before this time are removed.
            keep: How many of a user's sessions that were put aside are kept, the newest.

        Returns:
            The users and ids of the sessions that were put aside.
        """

    def revive_session(self, token_hash: bytes) -> None:
        """Restore a session that was put aside. Does nothing if there is none."""


class Transact(NamedTuple):
    """Carry out a function on the database. Result: :class:`Done`.

    The function is called on the writer's thread, and again if the transaction has to be repeated, so it MUST
    NOT have effects except through its argument. If it raises a ChatError, its writes are undone and the
    error is the result.
    """

    in_transaction: Callable[[Transaction], Any]
    session_id: str = ""
    """The caller's session. If an earlier write ended it, this one is refused with ``SessionEnded``."""
    about: Sequence[tuple[str, str]] = ()
    """Pairs of a room and a user whose membership the function will read, or to whose own log it will add
    (for the log alone, the room is empty). A hint: it lets the rows for a whole transaction be read
    together."""
    marked: Sequence[tuple[str, int]] = ()
    """Rooms and numbers of which the function will ask how many messages there are up to them, and whether
    any after them were deleted. A hint as well."""
    tells: bool = True
    """Whether it may add to the logs of the users that ``about`` names. A hint as well."""
    cost: int = 0
    """How long it may take, in short messages; 0 if unknown. See :mod:`grpc_chat.core.commit`."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a :class:`Transact`."""

    value: Any
    """What the function returned."""
    new: dict[str, list[StoredEvent]]
    """By room, the events that the function stored."""
    effects: Sequence[object]
    """What the function passed to ``after_commit``, in order."""
    rewritten: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By room, the numbers of rewritten events. Old bytes of these events must be removed from memory before
    ``new`` is published."""


Write = Append | Acknowledge | Transact

Result = Appended | Done | ChatError | list[str] | None


class Store(Protocol):
    """The durable state of a server. The module's docstring lists the guarantees."""

    epoch: str
    """Identifies this life of the logs. Restoring a backup begins a new epoch."""
    secret: bytes
    """32 random bytes, created with the database, for keyed hashes that must stay valid after a restart."""
    check_sessions: bool
    """Whether each write's session must be in the database. Set it if other nodes write to the same database,
    unless callers are trusted by their ids. False by default."""

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        """Carry out writes, in this order, in one transaction, and make them durable.

        Returns:
            One result for each write, in order: what its class promises, or the error that concerns it alone.

        Raises:
            StoreFull: The disk is full. No write was carried out, and a later call may succeed.
            StoreUnavailable: The outcome is unknown. If ``failed`` is set afterwards, the store refuses
                further
                writes: only a restart shows what is on the disk.
        """

    def begin_epoch(self) -> None:
        """Begin a new epoch. Positions of the old one are refused from now on.

        For a store whose contents went back in time, for example to a backup. Call it before any other use.
        """

    @property
    def failed(self) -> bool:
        """Whether an I/O error made further writes unsafe."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of what is durable now.

        Raises:
            StoreUnavailable: The database can't be read.
        """

    def forget_deleted(self) -> bool:
        """Remove old bytes of deleted and rewritten events from the write-ahead log. Only rewriting the whole
        database removes what is left in the database itself.

        May be called on another thread than the one that commits. Commits wait for it, for about 50 ms at
        most.

        Returns:
            Whether it was possible. It is not while a snapshot from before the deletion is open.
        """

    def close(self) -> None:
        """Close the database. No other method may be running, or be called afterwards."""
