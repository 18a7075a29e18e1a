"""What is read from a store; :mod:`grpc_chat.store.base` says what it guarantees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from grpc_chat.store.files import FileReads
from grpc_chat.store.records import (
    Account,
    ConsumerRecord,
    Contact,
    Ending,
    IdentityRecord,
    InvitationRecord,
    InviteRecord,
    Membership,
    Place,
    SessionRecord,
    StatusRecord,
    StoredEvent,
    Usage,
    Waiting,
)
from grpc_chat.wire import chat_pb2 as pb


class Snapshot(FileReads, Protocol):
    """The state of one moment. Usable only inside its ``with`` block, by one thread.

    Listings are pages: ``after`` is the key of the last entry before the page, in the order that is named.
    """

    # Rooms

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        """What a room is for a user; None when there is no such room."""

    def memberships_in(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Membership]:
        """As :meth:`membership`, for many rooms; those that there are not are left out."""

    def memberships(self, user_id: str, *, after: str = "", limit: int = 2**31 - 1) -> list[Membership]:
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
        """Whether there are logs of deleted rooms; see :meth:`grpc_chat.store.base.Transaction.purge`."""

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

    def statuses(self, user_ids: Sequence[str]) -> dict[str, StatusRecord]:
        """What users show of themselves, by user; those who do not exist are left out. Expired statuses are
        among it."""

    def expired_statuses(self, now_us: int, *, limit: int) -> list[str]:
        """Users whose status has expired and is still stored."""

    def refusing(self, user_ids: Sequence[str], user_id: str) -> set[str]:
        """Those of some users who have blocked a user: they, or their owner, the user or the user's owner."""

    def refused_by(self, user_id: str) -> set[str]:
        """All users whom a user, or the user's owner, has blocked, with their bots and owners."""

    def small_rooms(self, user_id: str, *, members: int, limit: int) -> list[str]:
        """The ids of a user's rooms of at most so many members, in order."""

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
        asked in one statement, so that it takes as long in either direction."""

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
        """The newest number of each of these rooms that exist, and of each of these users' logs
        (:func:`grpc_chat.store.records.user_log`) that has an entry."""

    def heads_after(self, room_id: str, *, limit: int) -> list[tuple[str, int]]:
        """All rooms after this one, in the order of their ids, with the newest number of each."""

    def payloads_at(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """By room and number, the encoded events at these places that are as they were stored."""

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The first events after ``seq``, oldest first: at most ``limit``, and no further one after
        ``max_bytes`` of payload are reached."""

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The last events before ``seq``, oldest first, bounded likewise."""

    def stamps(self, places: Mapping[str, int]) -> dict[str, int]:
        """By room, the stamp of the event with this number. Those that are gone, damaged or not there yet are
        left out."""

    def edits(self, room_id: str, seq: int, *, after: int | None, limit: int) -> list[pb.MessageVersion]:
        """What a message said before, as far as that was kept, newest first; ``after`` is the version of the
        last one before."""

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
