"""The options of a chat system: limits and policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from grpc_chat.core.accounts import AccountLimits
from grpc_chat.core.attempts import AttemptLimits
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.invites import Inviters
from grpc_chat.core.logins import Registration
from grpc_chat.core.personal import PersonalLimits
from grpc_chat.core.privacy import Audience, Privacy
from grpc_chat.core.rooms import RoomLimits
from grpc_chat.core.sessions import Policy
from grpc_chat.core.uploads import FileLimits
from grpc_chat.core.users import Finding


@dataclass(frozen=True, slots=True)
class Batches:
    """How much is committed at once; see :class:`grpc_chat.core.commit.Committer`."""

    max_batch: int = 4096
    user_share: int = 512
    max_waiting: int = 50_000


@dataclass(frozen=True, slots=True)
class Hashing:
    """What hashing a password may cost; see :class:`grpc_chat.core.passwords.Passwords`."""

    threads: int = 1
    max_waiting: int = 200
    memory_kib: int = 19_456
    passes: int = 2


@dataclass(frozen=True, slots=True)
class Paging:
    """The length of pages.

    Attributes:
        page: Entries in a page, unless the request says how many.
        max_page: The most entries in a page.
        page_bytes: The approximate size of the largest page of history.
    """

    page: int = 50
    max_page: int = 500
    page_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a chat system.

    Attributes:
        trusting: Whether ids are trusted: then there are no passwords, and nobody registers.
        registration: Who may make an account.
        certificate_login: Whether a verified certificate with the user id in it replaces the password.
        inviters: Who may make room invites that allow registration.
        finding: Who may find whom.
        directory: Whom users find in the directory of people.
        privacy: Who may reach users who have chosen nothing.
        read_threads: How many reads run at once.
        consumer_idle: After how long without use a consumer is deleted.
        invitations_per_user: How many a user may have.
        invitations_of_one: How many of them from one other user.
        blocks_per_user: How many others a user may block.
        personal: How much a user may keep for themselves.
        adds_per_second: How many people a user may reach unasked, as a sustained rate.
        adds_burst: How many at once.
        people_per_minute: How many pages of the directory a user may ask for; 0 for any number.
        reports_per_hour: How many messages a user may report; 0 for any number.
        signals_per_second: How many signals a user may send, as a sustained rate; 0 for any number.
        signals_burst: How many at once.
        signal_room_members: In rooms with more members than that, nobody is signalled what others do.
        files: How much there may be of files.
        search_memory_bytes: How much text of the newest messages search keeps in memory.
    """

    trusting: bool = False
    registration: Registration = "invite"
    certificate_login: bool = False
    inviters: Inviters = "admins"
    finding: Finding = "user_id"
    directory: Audience = "shared_room"
    privacy: Privacy = field(default_factory=Privacy)
    read_threads: int = 1
    batches: Batches = field(default_factory=Batches)
    paging: Paging = field(default_factory=Paging)
    streams: Bounds = field(default_factory=Bounds)
    consumer_idle: timedelta = timedelta(days=365)
    sessions: Policy = field(default_factory=Policy)
    hashing: Hashing = field(default_factory=Hashing)
    attempts: AttemptLimits = field(default_factory=AttemptLimits)
    accounts: AccountLimits = field(default_factory=AccountLimits)
    rooms: RoomLimits = field(default_factory=RoomLimits)
    invitations_per_user: int = 200
    invitations_of_one: int = 10
    blocks_per_user: int = 1000
    personal: PersonalLimits = field(default_factory=PersonalLimits)
    adds_per_second: float = 0.2
    adds_burst: float = 200
    people_per_minute: float = 60
    reports_per_hour: float = 20
    signals_per_second: float = 2
    signals_burst: float = 20
    signal_room_members: int = 200
    files: FileLimits = field(default_factory=FileLimits)
    search_memory_bytes: int = 32 * 1024 * 1024
