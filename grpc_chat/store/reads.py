"""What can be read from a store. :mod:`grpc_chat.store.base` lists the guarantees."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from grpc_chat.store.files import FileReads
from grpc_chat.store.personal import PersonalReads
from grpc_chat.store.polls import PollReads
from grpc_chat.store.records import (
    Account,
    Attention,
    ConsumerPlace,
    ConsumerRecord,
    Contact,
    Ending,
    IdentityRecord,
    InboxRoom,
    InvitationRecord,
    InviteRecord,
    ListedRoom,
    Membership,
    MentionRecord,
    PinRecord,
    Place,
    ReaderPlace,
    Run,
    SessionRecord,
    StatusRecord,
    StoredEvent,
    Usage,
    Waiting,
)
from grpc_chat.store.reports import ReportReads
from grpc_chat.store.threads import ThreadReads
from grpc_chat.wire import chat_pb2 as pb


class Snapshot(FileReads, PersonalReads, PollReads, ThreadReads, ReportReads, Protocol):
    """The state of one moment. Usable only inside its ``with`` block, by one thread.

    Listings come in pages. ``after`` is the key of the last entry of the previous page.
    """

    # Rooms

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        """A room as one user sees it; None if there is no such room."""

    def memberships_in(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Membership]:
        """As :meth:`membership`, for many rooms. Rooms that do not exist are left out."""

    def memberships(self, user_id: str, *, after: str = "", limit: int = 2**31 - 1) -> list[Membership]:
        """The rooms that a user is in, ordered by id. By default, all of them."""

    def room(self, room_id: str) -> pb.Room | None:
        """A room, without the fields that depend on the caller (role, peer)."""

    def listed_rooms(self, user_id: str, *, after: str, limit: int) -> list[ListedRoom]:
        """The rooms that a user is in, as lists show them, ordered by id."""

    def listed_rooms_in(self, user_id: str, room_ids: Sequence[str]) -> dict[str, ListedRoom]:
        """As :meth:`listed_rooms`, for some of them. Rooms that the user is not in are left out."""

    def public_rooms(
        self, query: str, *, archived: bool, after: str, limit: int
    ) -> list[tuple[str, pb.Room]]:
        """Public rooms whose name or topic contains ``query``, each with the key that orders the listing: its
        name in the form that :func:`grpc_chat.core.names.public_name` returns. ``query`` has that form,
        too."""

    def public_room(self, public_name: str) -> str | None:
        """The id of the public room with this name."""

    def unpurged(self) -> bool:
        """Whether logs of deleted rooms are left; see :meth:`grpc_chat.store.base.Transaction.purge`."""

    def traces_left(self) -> bool:
        """Whether events still say something about deleted messages; see
        :meth:`grpc_chat.store.base.Transaction.erase_traces`."""

    def was_deleted(self, room_id: str) -> bool:
        """Whether there was a room with this id."""

    def request_hash(self, room_id: str) -> bytes | None:
        """The hash of the request that created a room; None if it was created without a request id."""

    def peer(self, room_id: str, user_id: str) -> pb.User | None:
        """The other member of a direct room."""

    def members(self, room_id: str, *, after: str, limit: int) -> list[pb.Member]:
        """A room's members, ordered by user id."""

    def member(self, room_id: str, user_id: str) -> pb.Member | None:
        """One member."""

    def rooms_of(self, user_id: str) -> int:
        """How many rooms a user has joined, or was added to and has accepted."""

    def added_rooms_of(self, user_id: str) -> int:
        """How many rooms others have added a user to, without direct rooms."""

    def members_of(self, room_id: str) -> int:
        """How many members a room has."""

    def owners(self, room_id: str, *, but: str = "") -> int:
        """How many owners a room has who are not blocked, not counting ``but``."""

    def owned_only_by(self, user_ids: Sequence[str], *, limit: int) -> tuple[list[pb.Room], int]:
        """The rooms that one of these users owns and that have no other owner who is not blocked. Returns the
        first ``limit`` of them, ordered by id, and how many there are."""

    def unowned_rooms(self, *, after: str, limit: int) -> list[pb.Room]:
        """The rooms whose owners are all blocked, ordered by id."""

    def share_a_room(self, user_id: str, other_id: str) -> bool:
        """Whether two users are in the same room."""

    def meets(self, user_id: str, other_id: str) -> bool:
        """Whether two users are in the same private room, to which the first of them consented."""

    def ban(self, room_id: str, user_id: str) -> pb.Ban | None:
        """A user's own ban from a room."""

    def keeping_out(self, room_id: str, user_id: str) -> pb.Ban | None:
        """The ban that keeps a user out of a room: their own or, for a bot, its owner's."""

    def bots_in(self, room_id: str, owner_id: str) -> list[pb.Member]:
        """A user's bots that are members of a room, ordered by id."""

    def rooms_that_ban(self, user_id: str, *, member: str) -> list[str]:
        """The ids of the rooms that ``user_id`` is banned from and ``member`` is in, in order."""

    def bans(self, room_id: str, *, after: str, limit: int) -> list[pb.Ban]:
        """A room's bans, ordered by user id."""

    def invite(self, code_hash: bytes) -> InviteRecord | None:
        """The invite with this code, usable or not."""

    def invites_of(self, room_id: str) -> int:
        """How many invites a room has, used up or not. An empty ``room_id`` means invites to the server."""

    def invites(self, room_id: str, *, after: tuple[int, str] | None, limit: int) -> list[InviteRecord]:
        """A room's invites that are not used up, newest first. An empty ``room_id`` means invites to the
        server. ``after`` is the creation time and id of the previous page's last invite."""

    def invitation(self, room_id: str, user_id: str) -> InvitationRecord | None:
        """A user's pending invitation to a room."""

    def invitation_told(self, room_id: str, user_id: str) -> pb.Invitation | None:
        """The same, as it is shown to the user who made it and to the invited user."""

    def invitations_of(
        self, user_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[pb.Invitation]:
        """A user's invitations that are not hidden, newest first. ``after`` is the creation time and room of
        the previous page's last invitation."""

    def invitations_to(self, room_id: str, *, after: str, limit: int) -> list[pb.Invitation]:
        """A room's invitations, including hidden ones, ordered by user id."""

    def waiting(self, user_id: str) -> list[Waiting]:
        """All of a user's invitations, including hidden ones, oldest first."""

    # Accounts

    def user(self, user_id: str) -> pb.User | None:
        """A user as others see them."""

    def statuses(self, user_ids: Sequence[str]) -> dict[str, StatusRecord]:
        """Users' statuses, including expired ones, by user. Users who do not exist are left out."""

    def expired_statuses(self, now_us: int, *, limit: int) -> list[str]:
        """Users whose status has expired and is still stored."""

    def refusing(self, user_ids: Sequence[str], user_id: str) -> set[str]:
        """Which of ``user_ids`` block a user. A block by or of a bot's owner counts as one by or of the
        bot."""

    def refused_by(self, user_id: str) -> set[str]:
        """All users whom a user, or the user's owner, has blocked, with their bots and owners."""

    def small_rooms(self, user_id: str, *, members: int, limit: int) -> list[str]:
        """The ids of a user's rooms that have at most ``members`` members, in order."""

    def account(self, user_id: str) -> Account | None:
        """An account."""

    def account_that_looks_like(self, look: str) -> str | None:
        """The id of the account whose :attr:`grpc_chat.store.records.Account.look` this is."""

    def accounts(self, query: str, *, after: str, limit: int) -> list[tuple[Account, Usage]]:
        """People and bots whose id or display name contains ``query``, ordered by id."""

    def any_account(self) -> bool:
        """Whether there is an account that is not a trusted id."""

    def admins(self) -> int:
        """How many accounts administer the server and are not blocked."""

    def bots_of(self, owner_id: str) -> int:
        """How many bots a user has."""

    def bot_tokens_of(self, owner_id: str) -> dict[str, int]:
        """How many access tokens a user's bots have, by bot. Bots without any are left out."""

    def bots(self, owner_id: str, *, after: str, limit: int) -> list[Account]:
        """A user's bots, ordered by id."""

    def identity(self, issuer: str, subject: str) -> str | None:
        """The id of the account that an OpenID identity is linked to."""

    def identities(self, user_id: str) -> list[IdentityRecord]:
        """The OpenID identities that are linked to an account, oldest first."""

    def ended_tokens_of(self, user_id: str) -> int:
        """How many of a bot's access tokens have ended for a reason in :class:`Ending` since the last one was
        created."""

    def ended_token(self, token_hash: bytes) -> Ending | None:
        """Why this access token ended; None if it has not, or if its holder does not need to be told."""

    def known_addresses(self, limit: int) -> list[bytes]:
        """The hashes of addresses from which users have logged in, least recently used first."""

    def sessions_of(self, user_id: str, kind: int) -> int:
        """How many sessions of a kind a user has."""

    def session(self, token_hash: bytes) -> tuple[SessionRecord, Account] | None:
        """The session with this token, and the account that it belongs to."""

    def expired_session(self, token_hash: bytes) -> SessionRecord | None:
        """The session that had this token and was put aside; see :meth:`Transaction.expire`."""

    def session_of(self, user_id: str, session_id: str) -> SessionRecord | None:
        """One session of a user."""

    def sessions(self, user_id: str, *, after: tuple[int, str] | None, limit: int) -> list[SessionRecord]:
        """A user's sessions, newest first. ``after`` is the creation time and id of the previous page's last
        session."""

    # Blocks

    def contact(self, user_id: str, other_id: str) -> Contact | None:
        """What decides whether a user may reach another; None if the other does not exist. One statement
        reads blocks in both directions, so that the time it takes does not reveal who has blocked whom."""

    def contact_in(self, room_id: str, user_id: str) -> Contact | None:
        """As :meth:`contact`, for the other member of a direct room."""

    def block(self, user_id: str, blocked_user_id: str) -> pb.Block | None:
        """A user's block of exactly this user; None if there is none."""

    def blocks(self, user_id: str, *, after: str, limit: int) -> list[pb.Block]:
        """A user's blocks, ordered by the blocked users' ids."""

    def is_asked_by(self, user_id: str, other_id: str) -> bool:
        """Whether a user has a pending invitation from another that is not hidden."""

    def rooms_added_to(self, user_id: str, by: str, *, after: str, limit: int) -> list[str]:
        """The rooms, without direct rooms, that another user or one of that user's bots added a user to,
        ordered by id."""

    def blocks_of(self, user_id: str) -> int:
        """How many users a user has blocked."""

    # How far members have read

    def messages_at(self, room_id: str, seq: int) -> int | None:
        """How many messages a room has up to an event, by its own count; None where that was not counted
        yet."""

    def own_after(self, room_id: str, user_id: str, seq: int) -> int:
        """How many messages of the user's come after an event, those in threads not counted. It takes longer,
        the more they have sent."""

    def deleted_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        """By room, how many deleted messages of others come after the user's marker; rooms without are left
        out."""

    # What waits

    def inbox(self, user_id: str, *, after: str, limit: int) -> list[InboxRoom]:
        """The rooms that a user is in, and how much waits for them there, ordered by id."""

    def attention(self, user_id: str, room_ids: Sequence[str]) -> dict[str, Attention]:
        """By room, what a member wants to be notified of; rooms with nothing special are left out."""

    # Receipts

    def readers(self, room_id: str, seq: int, *, sender: str, after: str, limit: int) -> list[ReaderPlace]:
        """How far the members are with a message who joined before it, without its sender, ordered by user
        id."""

    def consumers_in(self, room_id: str, user_id: str) -> list[ConsumerPlace]:
        """The positions of a user's consumers in a room, ordered by name."""

    # Mentions and pins

    def mentions_unread(self, user_id: str, room_ids: Sequence[str]) -> dict[str, int]:
        """By room, how many messages after the user's marker mention them, of others whom they have not
        blocked; rooms without are left out. Of each room, the first 1,000 mentions are looked at."""

    def mentions(
        self, user_id: str, *, room_id: str = "", unread: bool, before: tuple[int, str] | None, limit: int
    ) -> list[MentionRecord]:
        """The newest messages that mention a user, by name or as one of everyone: in one room, or in all.
        Those in rooms that the user has left, those by the user and by users whom they have blocked may be
        among them.

        Args:
            unread: Only those after the user's markers.
            before: The time and room of the previous page's last message.
        """

    def blocked_among(self, user_id: str, other_ids: Collection[str]) -> set[str]:
        """Those of the others whom a user has blocked, or whose owners."""

    def pin(self, room_id: str, seq: int) -> PinRecord | None:
        """The pin of a message; None if it is not pinned."""

    def pins(self, room_id: str, *, first_seq: int, before: int | None, limit: int) -> list[PinRecord]:
        """A room's pinned messages from the number ``first_seq`` on, those that were pinned last first.
        ``before`` is the previous page's last ``pin_seq``."""

    def pin_counts(self, first_seqs: Mapping[str, int]) -> dict[str, int]:
        """How many messages are pinned in rooms, of those from a number on; rooms without are left out."""

    # The log

    def heads(self, room_ids: Iterable[str]) -> dict[str, int]:
        """The newest event's number in each of these rooms and users' logs
        (:func:`grpc_chat.store.records.user_log`). Rooms that do not exist and users' logs without an entry
        are left out."""

    def heads_after(self, room_id: str, *, limit: int) -> list[tuple[str, int]]:
        """The rooms whose ids come after ``room_id``, ordered by id, each with its newest event's number."""

    def payloads_at(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """The encoded events at these places, by room and number. Missing and damaged ones are left out."""

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The first events after ``seq``, oldest first. There are at most ``limit``, and the last is the one
        with which their payloads reach ``max_bytes``."""

    def run_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> Run:
        """As :meth:`events_after`, by column."""

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        """The last events before ``seq``, oldest first, with the limits of :meth:`events_after`."""

    def sent(self, room_id: str, user_id: str, key: bytes) -> tuple[Place, bytes] | None:
        """Where the message is that a user sent with a key, and its content hash, which is empty if the
        content was forgotten; see :class:`grpc_chat.store.writes.Once`."""

    def stamps(self, places: Mapping[str, int]) -> dict[str, int]:
        """The stamps of the events with these numbers, by room. Events that are gone, damaged or not stored
        yet are left out."""

    def people(self, query: str, *, sharing_rooms_with: str | None, after: str, limit: int) -> list[pb.User]:
        """People who are not blocked, in the order of their ids.

        Args:
            query: How their id, or a word of their name, begins; empty for any.
            sharing_rooms_with: Only this user, and who shares a room with them.
        """

    def reaction_counts(self, room_id: str, seq: int, user_id: str) -> list[pb.ReactionCount]:
        """The emoji that a message has, those that came first first, and whether somebody is among those who
        chose each."""

    def reactions(self, room_id: str, seq: int, *, after: tuple[str, str], limit: int) -> list[pb.Reaction]:
        """The reactions to a message, in the order of their emoji and users."""

    def edits(self, room_id: str, seq: int, *, after: int | None, limit: int) -> list[pb.MessageVersion]:
        """Earlier versions of a message, as far as they were kept, newest first. ``after`` is the number of
        the previous page's last version."""

    def has_consumer(self, user_id: str, consumer: str) -> bool:
        """Whether a user's consumer has, or had, a position."""

    def consumers_of(self, user_id: str) -> int:
        """How many consumers a user has."""

    def consumers(self, user_id: str, *, after: str, limit: int) -> list[ConsumerRecord]:
        """A user's consumers, ordered by name."""

    def unused_consumers(self, before_us: int, *, limit: int) -> list[ConsumerRecord]:
        """Consumers of all users that were last used before this time, the longest unused first."""

    def consumer_positions(
        self, user_id: str, consumer: str, *, after: str, limit: int
    ) -> list[tuple[str, Place, int]]:
        """A consumer's positions in rooms that its user is in, ordered by room id: the room, the position,
        and the number of the room's newest event."""

    def positions(
        self, user_id: str, consumer: str, *, after: str = "", limit: int = 2**31 - 1
    ) -> dict[str, Place]:
        """A consumer's position in each room in which it acknowledged events, ordered by room id. By default,
        in all such rooms."""
