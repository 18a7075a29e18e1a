"""What the parts of a server take of its settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from grpc_chat.api.limits import Limits
from grpc_chat.config import Config
from grpc_chat.core.accounts import AccountLimits
from grpc_chat.core.attempts import AttemptLimits
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.identities import KnownIssuer, known_issuers
from grpc_chat.core.options import Batches, Hashing, Options, Paging
from grpc_chat.core.personal import PersonalLimits
from grpc_chat.core.privacy import Privacy
from grpc_chat.core.rooms import RoomLimits
from grpc_chat.core.sessions import Policy
from grpc_chat.core.uploads import FileLimits

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def options(config: Config) -> Options:
    """The options of the chat system, from the settings."""
    accounts, limits, commit = config.accounts, config.limits, config.commit
    return Options(
        trusting=bool(config.trusted_ids),
        registration=accounts.registration,
        certificate_login=config.tls.certificate_login,
        inviters=accounts.inviters,
        finding=accounts.finding,
        directory=accounts.directory,
        privacy=Privacy(accounts.adding, accounts.direct_messages),
        read_threads=config.readers,
        batches=Batches(commit.max_batch, commit.user_share, commit.max_waiting),
        paging=Paging(limits.page, limits.max_page, limits.page_bytes),
        streams=taken(Bounds, config.subscribe, but=["position_check"]),
        consumer_idle=config.subscribe.consumer_idle,
        sessions=Policy(idle=accounts.session_idle, most=accounts.session_lifetime),
        hashing=Hashing(
            threads=accounts.password_threads,
            max_waiting=accounts.password_waiting,
            memory_kib=accounts.password_memory_kib,
            passes=accounts.password_passes,
        ),
        attempts=AttemptLimits(
            per_account_and_address=accounts.attempts_per_account_and_address,
            per_address=accounts.attempts_per_address,
            per_account=accounts.attempts_per_account,
            window=accounts.attempts_window,
        ),
        accounts=taken(AccountLimits, accounts),
        rooms=taken(RoomLimits, limits),
        invitations_per_user=limits.invitations_per_user,
        invitations_of_one=limits.invitations_of_one,
        blocks_per_user=limits.blocks_per_user,
        personal=taken(PersonalLimits, limits),
        adds_per_second=limits.adds_per_second,
        adds_burst=limits.adds_burst,
        search_memory_bytes=config.search.memory_bytes,
        people_per_minute=limits.people_per_minute,
        reports_per_hour=limits.reports_per_hour,
        signals_per_second=limits.signals_per_second,
        signals_burst=limits.signals_burst,
        signal_room_members=limits.signal_room_members,
        files=_file_limits(config),
    )


def _file_limits(config: Config) -> FileLimits:
    # What comes with a part in its request is some hundred bytes at most.
    room = max(config.grpc.request_bytes - 1024, 1)
    limits = taken(FileLimits, config.files, but=["part_bytes"])
    return replace(limits, part_bytes=min(config.limits.part_bytes, room))


def request_limits(config: Config) -> Limits:
    """The limits of requests, from the settings."""
    return taken(Limits, config.limits)


def issuers(config: Config) -> dict[str, KnownIssuer]:
    """The issuers in the settings."""
    return known_issuers((issuer.name, issuer.issuer, issuer.label) for issuer in config.oidc)


def taken(cls: type[T], group: object, *, but: Collection[str] = ()) -> T:
    """The options of a part of the node, from the settings of the same names.

    Args:
        but: Options that are no settings, and keep their defaults.

    Raises:
        AttributeError: There is no setting for another one, which would keep its default whatever was set.
    """
    return cls(**{field.name: getattr(group, field.name) for field in fields(cls) if field.name not in but})
