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
- *Once.* A draft whose key (see :class:`Once`) its sender used in that room before stores nothing and
  returns what was stored then, in this process or any other, now or years later; with another
  ``content_hash`` it is refused.
- *Whole.* Each write is done completely or not at all, and an error concerns that write alone: the others
  in the same transaction are not spoiled by it.
- *Checked inside.* Whether the caller may do this is asked within the transaction, so no change of
  membership can come between. (What was stored before is returned also to who may do it no longer.)
- *By sessions that are there.* What a session asks for that an earlier write ended is refused with
  ``SessionEnded``, also within one transaction.
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
from typing import Any, NamedTuple, Protocol

from grpc_chat.errors import BadCursor, ChatError, LimitExceeded
from grpc_chat.store.records import (
    Account,
    ConsumerRecord,
    Contact,
    Ending,
    IdentityRecord,
    InvitationRecord,
    InviteRecord,
    SessionRecord,
    Standing,
    Usage,
    Waiting,
)
from grpc_chat.wire import chat_pb2 as pb

Authorize = Callable[[str, Standing | None], ChatError | None]
"""Given a room's id and what it is for the caller (None: there is no such room): what forbids the write, or
None. It MUST be quick and have no effect: it is called on the writer's thread, and perhaps twice."""


AuthorizeDirect = Callable[["Snapshot", str, str], ChatError | None]
"""Given the state of things, a direct room's id and who wants to write there: what forbids it, or None."""


class Target(NamedTuple):
    """An event that another one concerns, as it is stored now."""

    seq: int
    user_id: str
    """Who caused it."""
    session_id: str
    kind: str
    """Which ``kind`` of ``chat.v1.Event`` it is; empty for one that this version does not know."""


AuthorizeOn = Callable[[str, Standing | None, Target | None], ChatError | None]
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


@dataclass(frozen=True, slots=True)
class Append:
    """Store drafts, all or none. Result: :class:`Appended`."""

    drafts: Sequence[Draft]


class Place(NamedTuple):
    """A position in a log: everything up to ``seq`` has been seen."""

    seq: int
    stamp: int = 0
    """The stamp of the event ``seq``: when it was stored, in microseconds since 1970. 0 for none."""


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


@dataclass(frozen=True, slots=True)
class Transact:
    """Carry out a function on the database. Result: :class:`Done`.

    The function is called on the writer's thread, and once more where the transaction has to be done again:
    it MUST have no effect but through what it is given. What it did is undone where it raises a ChatError,
    which is then the result.
    """

    do: Callable[[Transaction], Any]
    session_id: str = ""
    """The session that asks for it; refused with ``SessionEnded`` where an earlier write ended it."""
    about: Sequence[tuple[str, str]] = ()
    """Rooms, and users in them, whose standing the function will ask for: a hint, by which those of a whole
    transaction are read together."""


Write = Append | Acknowledge | Transact


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
    """By room, the numbers of the events that say something else now: whoever has old bytes of them in memory
    must forget them, before anybody is told of ``new``."""


Result = Appended | Done | ChatError | list[str] | None


def ahead_of_log(at: int, room_id: str, seq: int, last_seq: int) -> BadCursor:
    """What to answer to the cursor number ``at`` of a request that points to where the log has never been."""
    return BadCursor(
        f"cursors[{at}].seq is {seq}, after the room's newest event {last_seq}",
        field=f"cursors[{at}].seq",
        metadata={"roomId": room_id, "lastSeq": str(last_seq)},
    )


def too_many_consumers(most: int) -> LimitExceeded:
    """What to answer to who has as many consumers as they may, and uses a new name."""
    return LimitExceeded(
        f"you have {most} consumers, which is the most; forget one that you no longer use",
        field="consumer",
        metadata={"limit": str(most)},
    )


class Snapshot(Protocol):
    """The state of one moment. Usable only inside its ``with`` block, by one thread.

    Listings are pages: ``after`` is the key of the last entry before the page, in the order that is named.
    """

    # Rooms

    def standing(self, room_id: str, user_id: str) -> Standing | None:
        """What a room is for a user; None when there is no such room."""

    def standings(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Standing]:
        """As :meth:`standing`, for many rooms; those that there are not are left out."""

    def memberships(self, user_id: str, *, after: str = "", limit: int = 2**31 - 1) -> list[Standing]:
        """The rooms a user is in, in the order of their ids; all of them, if nothing else is said."""

    def room(self, room_id: str) -> pb.Room | None:
        """A room, without what depends on who looks at it (role, peer)."""

    def rooms(self, user_id: str, *, after: str, limit: int) -> list[pb.Room]:
        """The rooms a user is in, as :meth:`room`, in the order of their ids."""

    def public_rooms(
        self, query: str, *, archived: bool, after: str, limit: int
    ) -> list[tuple[str, pb.Room]]:
        """Public rooms whose name or topic holds ``query``, each with what orders the listing: the name
        as :func:`grpc_chat.core.names.public_name` makes it, in which form ``query`` is given too."""

    def public_room(self, public_name: str) -> str | None:
        """The id of the public room with this name."""

    def unpurged(self) -> bool:
        """Whether there are logs of deleted rooms; see :meth:`Transaction.purge`."""

    def was_deleted(self, room_id: str) -> bool:
        """Whether there was a room with this id."""

    def request_hash(self, room_id: str) -> bytes | None:
        """What a room was made with; None where it was made without a request id."""

    def peer(self, room_id: str, user_id: str) -> pb.User | None:
        """The other member of a direct room."""

    def members(self, room_id: str, *, after: str, limit: int) -> list[pb.Member]:
        """A room's members, in the order of their user ids."""

    def member(self, room_id: str, user_id: str) -> pb.Member | None:
        """One member."""

    def rooms_of(self, user_id: str) -> int:
        """How many rooms a user is in by an act of their own."""

    def added_rooms_of(self, user_id: str) -> int:
        """How many rooms a user is in by what others did, without direct ones."""

    def members_of(self, room_id: str) -> int:
        """How many members a room has."""

    def owners(self, room_id: str, *, but: str = "") -> int:
        """How many owners a room has who are not blocked, apart from one."""

    def owned_only_by(self, user_ids: Sequence[str], *, limit: int) -> tuple[list[pb.Room], int]:
        """The rooms that one of these owns and nobody else does who is not blocked: the first of them, in the
        order of their ids, and how many there are."""

    def unowned_rooms(self, *, after: str, limit: int) -> list[pb.Room]:
        """The rooms whose owners are all blocked, in the order of their ids."""

    def share_a_room(self, user_id: str, other_id: str) -> bool:
        """Whether there is a room that both are in."""

    def meets(self, user_id: str, other_id: str) -> bool:
        """Whether both are in a private room into which the first of them came by an act of their own."""

    def ban(self, room_id: str, user_id: str) -> pb.Ban | None:
        """Somebody's own ban."""

    def keeping_out(self, room_id: str, user_id: str) -> pb.Ban | None:
        """The ban that keeps somebody out: their own or, where they are a bot, that of its owner."""

    def bots_in(self, room_id: str, owner_id: str) -> list[pb.Member]:
        """Somebody's bots that are members of a room, in the order of their ids."""

    def rooms_that_ban(self, user_id: str, *, member: str) -> list[str]:
        """The ids of the rooms that somebody is banned from and another one is a member of, in order."""

    def bans(self, room_id: str, *, after: str, limit: int) -> list[pb.Ban]:
        """Who is banned, in the order of their user ids."""

    def invite(self, code_hash: bytes) -> InviteRecord | None:
        """The invite with this code, usable or not."""

    def invites_of(self, room_id: str) -> int:
        """How many invites a room has, used up or not, or the server for an empty id."""

    def invites(self, room_id: str, *, after: tuple[int, str] | None, limit: int) -> list[InviteRecord]:
        """A room's invites that are not used up, or the server's for an empty id, newest first; ``after`` is
        the time of making and the id of the last one before."""

    def invitation(self, room_id: str, user_id: str) -> InvitationRecord | None:
        """An invitation that waits for an answer."""

    def invitation_told(self, room_id: str, user_id: str) -> pb.Invitation | None:
        """The same, as its maker and its person are told of it."""

    def invitations_of(
        self, user_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[pb.Invitation]:
        """A user's invitations that are not hidden, newest first; ``after`` is the time of making and the
        room of the last one before."""

    def invitations_to(self, room_id: str, *, after: str, limit: int) -> list[pb.Invitation]:
        """A room's invitations, hidden ones too, in the order of the user ids."""

    def waiting(self, user_id: str) -> list[Waiting]:
        """All of a user's invitations, hidden ones too, oldest first."""

    # Accounts

    def user(self, user_id: str) -> pb.User | None:
        """A user as others see them."""

    def account(self, user_id: str) -> Account | None:
        """An account."""

    def account_that_looks_like(self, look: str) -> str | None:
        """The id of the account with this look."""

    def accounts(self, query: str, *, after: str, limit: int) -> list[tuple[Account, Usage]]:
        """People and bots whose id or display name holds ``query``, in the order of their ids."""

    def any_account(self) -> bool:
        """Whether there is an account that is not a trusted id."""

    def admins(self) -> int:
        """How many accounts administer the server and are not blocked."""

    def bots_of(self, owner_id: str) -> int:
        """How many bots somebody has."""

    def bot_tokens_of(self, owner_id: str) -> dict[str, int]:
        """How many access tokens somebody's bots have, by bot; those that have none are left out."""

    def bots(self, owner_id: str, *, after: str, limit: int) -> list[Account]:
        """Somebody's bots, in the order of their ids."""

    def identity(self, issuer: str, subject: str) -> str | None:
        """The id of the account that an OpenID identity is."""

    def identities(self, user_id: str) -> list[IdentityRecord]:
        """The OpenID identities that an account is, oldest first."""

    def ended_tokens_of(self, user_id: str) -> int:
        """How many of a bot's access tokens have ended, as :class:`Ending` says, since the last was made."""

    def ended_token(self, token_hash: bytes) -> Ending | None:
        """Why this access token ended; None where it did not, or nobody has to be told."""

    def known_addresses(self, limit: int) -> list[bytes]:
        """The hashes of where accounts were entered from, those that were used last at the end."""

    def sessions_of(self, user_id: str, kind: int) -> int:
        """How many sessions of a kind a user has."""

    def session(self, token_hash: bytes) -> tuple[SessionRecord, Account] | None:
        """The session with this token, and whose it is."""

    def expired_session(self, token_hash: bytes) -> SessionRecord | None:
        """The session with this token that was put aside; see :meth:`Transaction.expire`."""

    def session_of(self, user_id: str, session_id: str) -> SessionRecord | None:
        """One session of a user."""

    def sessions(self, user_id: str, *, after: tuple[int, str] | None, limit: int) -> list[SessionRecord]:
        """A user's sessions, newest first; ``after`` is the time of making and the id of the last before."""

    # Blocks

    def contact(self, user_id: str, other_id: str) -> Contact | None:
        """How one user stands to another whom they want to reach; None where there is no such other. It is
        asked in one statement, so that it takes as long whoever has blocked whom."""

    def contact_in(self, room_id: str, user_id: str) -> Contact | None:
        """As :meth:`contact`, with the other member of a direct room."""

    def block(self, user_id: str, blocked_user_id: str) -> pb.Block | None:
        """Whether a user has blocked just this one."""

    def blocks(self, user_id: str, *, after: str, limit: int) -> list[pb.Block]:
        """Whom a user has blocked, in the order of their ids."""

    def is_asked_by(self, user_id: str, other_id: str) -> bool:
        """Whether an invitation of another waits for a user's answer, and is not hidden from them."""

    def rooms_added_to(self, user_id: str, by: str, *, after: str, limit: int) -> list[str]:
        """The rooms, direct ones apart, that a user is in because another, or a bot of theirs, put them
        there; in the order of their ids."""

    def blocks_of(self, user_id: str) -> int:
        """How many a user has blocked."""

    # The log

    def heads(self, room_ids: Iterable[str]) -> dict[str, int]:
        """The newest number of each of these rooms that exist."""

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The first events after ``seq``, oldest first: ``limit`` at the most, and no further one after
        ``max_bytes`` of payload are reached."""

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The last events before ``seq``, oldest first, bounded likewise."""

    def stamps(self, places: Mapping[str, int]) -> dict[str, int]:
        """By room, the stamp of the event with this number. Those that are gone, damaged or not there yet are
        left out."""

    def has_consumer(self, user_id: str, consumer: str) -> bool:
        """Whether a user's consumer has a position, or had one."""

    def consumers_of(self, user_id: str) -> int:
        """How many consumers a user has."""

    def consumers(self, user_id: str, *, after: str, limit: int) -> list[ConsumerRecord]:
        """A user's consumers, in the order of their names."""

    def unused_consumers(self, before_us: int, *, limit: int) -> list[ConsumerRecord]:
        """Consumers of all users that were not used since, the longest unused first."""

    def consumer_positions(
        self, user_id: str, consumer: str, *, after: str, limit: int
    ) -> list[tuple[str, Place, int]]:
        """A consumer's positions in rooms that its user is in, in the order of the rooms' ids: the room, the
        position, and the room's newest number."""

    def positions(
        self, user_id: str, consumer: str, *, after: str = "", limit: int = 2**31 - 1
    ) -> dict[str, Place]:
        """Where a consumer stands in each room it was acknowledged in, in the order of the rooms' ids; in all
        of them, if nothing else is said."""


class Transaction(Snapshot, Protocol):
    """Reads, and writes, in one transaction. What was written is seen by what is read after it."""

    now_us: int
    """The time of all that is written, in microseconds since 1970, UTC."""

    def after_commit(self, effect: object) -> None:
        """Leave word of what this means for others, for whoever commits it: they get it when it is durable.

        To the store it is any value; see :mod:`grpc_chat.core.effects`.
        """

    def append(self, event: pb.Event, session_id: str) -> int:
        """Add an event, complete but for ``seq`` and ``create_time``, to its room's log.

        Returns:
            Its number.
        """

    def rewrite(self, room_id: str, seq: int, event: pb.Event) -> bool:
        """Have an event that is stored say something else for good: its bytes are everywhere replaced, and
        nobody is sent the old ones any more when this is durable. Its number, its stamp and its session stay.

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
        """Make somebody a member.

        Args:
            added_by: Who did it without their consent; empty for an act of their own.
        """

    def set_role(self, room_id: str, user_id: str, role: int) -> None:
        """Change a member's role."""

    def delete_member(self, room_id: str, user_id: str) -> None:
        """Make somebody no longer a member; their consumers forget the room."""

    def put_ban(self, room_id: str, user_id: str, *, banned_by: str, reason: str) -> None:
        """Keep somebody out."""

    def delete_ban(self, room_id: str, user_id: str) -> None:
        """Let somebody in again."""

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
        """Have a user and their bots not hear any more of what another, and that one's bots, have invited
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

    def expire(self, *, now_us: int, unused_since_us: int, forget_us: int, keep: int = 200) -> list[str]:
        """Put sessions aside that have expired or were not used since, and remove invites that have.

        Args:
            now_us: What counts as now; those who ask for a session again go by the same clock.
            forget_us: Sessions that were put aside before are removed.
            keep: So many that were put aside are kept of a user, the newest.

        Returns:
            The ids of the sessions that were put aside.
        """

    def revive_session(self, token_hash: bytes) -> None:
        """Put a session back that was put aside; none if it was not."""


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
