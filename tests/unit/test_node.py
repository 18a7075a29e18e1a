from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from grpc_chat import config
from grpc_chat.api.limits import Limits
from grpc_chat.core.accounts import AccountLimits
from grpc_chat.core.attempts import AttemptLimits
from grpc_chat.core.blocks import Blocks
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.commit import Committer
from grpc_chat.core.contacts import Contacts
from grpc_chat.core.invitations import Invitations
from grpc_chat.core.invites import Invites
from grpc_chat.core.logins import Logins
from grpc_chat.core.options import Options
from grpc_chat.core.passwords import Passwords
from grpc_chat.core.personal import PersonalLimits
from grpc_chat.core.privacy import Privacy
from grpc_chat.core.rates import Adds
from grpc_chat.core.rooms import RoomLimits
from grpc_chat.core.sessions import Policy
from grpc_chat.core.users import Users
from grpc_chat.grpc_settings import Grpc
from grpc_chat.node import Node
from grpc_chat.node_options import options, taken
from grpc_chat.transport.grpc_server import GrpcOptions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RATES = {
    "adds_per_second",
    "adds_burst",
    "calls_per_second",
    "calls_burst",
    "guest_calls_per_second",
    "guest_calls_burst",
    "people_per_minute",
    "reports_per_hour",
    "signals_per_second",
    "signals_burst",
    "signal_room_members",
    "work_burst",
    "work_per_second",
}
PERSONAL = {"drafts_per_user", "saved_per_user", "scheduled_per_user"}
ROOMS = {"rooms_per_user", "added_rooms_per_user", "members_per_room", "invites_per_room"}
INVITATIONS = {"invitations_per_user", "invitations_of_one"}
GROUPS: list[tuple[type[BaseModel], type[DataclassInstance], set[str]]] = [
    # The group of settings, what the part of the node is told, and the settings that others are told.
    (config.Limits, Limits, RATES | ROOMS | INVITATIONS | PERSONAL | {"blocks_per_user"}),
    (
        config.Limits,
        RoomLimits,
        config.Limits.model_fields.keys() - ROOMS,
    ),
    (config.Limits, PersonalLimits, config.Limits.model_fields.keys() - PERSONAL),
    (
        config.Accounts,
        AccountLimits,
        config.Accounts.model_fields.keys() - {"sessions", "access_tokens", "bots"},
    ),
    (config.Subscribe, Bounds, {"consumer_idle"}),
    (Grpc, GrpcOptions, {"engine", "reflection", "trusted_proxies"}),
]


def another(value: object) -> object:
    """A value of the same kind that is not the default."""
    match value:
        case timedelta():
            return value + timedelta(seconds=1)
        case int() | float():
            return value + 1
        case _:
            raise AssertionError(f"a kind of setting that this test does not know: {value!r}")


@pytest.mark.parametrize(("group", "told", "others"), GROUPS)
def test_every_setting_reaches_the_part_of_its_name(
    group: type[BaseModel], told: type[DataclassInstance], others: set[str]
) -> None:
    """Under the same name, so that none is silently ignored."""
    defaults = group()
    names = group.model_fields.keys() - others
    given = group(
        **{name: another(getattr(defaults, name)) if name not in BOUNDED else BOUNDED[name] for name in names}
    )

    found: Any = taken(told, given, but=["position_check"])

    assert {name: getattr(found, name) for name in names} == {name: getattr(given, name) for name in names}
    assert all(getattr(found, name) != getattr(defaults, name) for name in names)
    assert names <= {field.name for field in fields(told)}


def test_option_that_no_setting_has_is_an_error() -> None:
    """Misspelt in one of the two places, it would silently stay as it is."""

    @dataclass
    class Misspelt:
        max_bach: int = 1

    with pytest.raises(AttributeError, match="max_bach"):
        taken(Misspelt, config.Commit())

    assert taken(Misspelt, config.Commit(), but=["max_bach"]) == Misspelt()


# One more than their default would be too much.
BOUNDED = {"page_bytes": 1000, "response_bytes": 1000}


@pytest.mark.parametrize(("group", "told", "others"), GROUPS)
def test_defaults_are_the_same_in_both_places(
    group: type[BaseModel], told: type[DataclassInstance], others: set[str]
) -> None:
    """The part by itself, as in tests and benchmarks, behaves like the server."""
    found: Any = told()

    for name in group.model_fields.keys() - others:
        assert getattr(group(), name) == getattr(found, name), name


def test_a_chat_system_is_by_default_what_the_settings_say() -> None:
    """One that a test or a benchmark makes by itself behaves like that of a server."""
    assert options(config.Config()) == Options()


def test_who_may_reach_whom_is_told_as_it_is_set() -> None:
    """To those who are asked about it, not only to what decides it."""
    settings = config.Accounts(adding="nobody", direct_messages="shared_room")

    assert options(config.Config(accounts=settings)).privacy == Privacy("nobody", "shared_room")


def test_queue_before_the_disk_is_told_its_settings() -> None:
    """By name, with the same defaults."""
    parameters = inspect.signature(Committer).parameters

    assert {name: parameters[name].default for name in config.Commit.model_fields} == dict(config.Commit())


def test_accounts_are_treated_by_default_as_the_settings_say() -> None:
    """Those that are told under other names: the same defaults in both places."""
    settings = config.Accounts()

    def default(cls: type, name: str) -> object:
        return inspect.signature(cls).parameters[name].default

    assert default(Logins, "registration") == settings.registration
    assert default(Invites, "inviters") == settings.inviters
    assert default(Users, "finding") == settings.finding
    assert default(Contacts, "adding") == settings.adding
    limits = config.Limits()
    assert default(Invitations, "most") == limits.invitations_per_user
    assert default(Invitations, "most_of_one") == limits.invitations_of_one
    assert Privacy() == Privacy(settings.adding, settings.direct_messages)
    assert default(Adds, "per_second") == limits.adds_per_second
    assert default(Adds, "burst") == limits.adds_burst
    assert default(Blocks, "most") == limits.blocks_per_user
    assert (Policy().idle, Policy().most) == (settings.session_idle, settings.session_lifetime)
    assert AttemptLimits() == AttemptLimits(
        per_account_and_address=settings.attempts_per_account_and_address,
        per_address=settings.attempts_per_address,
        per_account=settings.attempts_per_account,
        window=settings.attempts_window,
    )
    passwords = {"threads", "max_waiting", "memory_kib", "passes"}
    assert {name: default(Passwords, name) for name in passwords} == {
        "threads": settings.password_threads,
        "max_waiting": settings.password_waiting,
        "memory_kib": settings.password_memory_kib,
        "passes": settings.password_passes,
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ""),
        ({"host": "::1"}, ""),
        ({"host": "0.0.0.0"}, ""),
        ({"host": "192.0.2.7"}, "192.0.2.7:50051"),
        ({"host": "2001:db8::1"}, "[2001:db8::1]:50051"),
        ({"host": "0.0.0.0", "public_address": "chat.example.org"}, "chat.example.org:50051"),
        ({"public_address": "chat.example.org:443"}, "chat.example.org:443"),
        ({"public_address": "[2001:db8::1]"}, "[2001:db8::1]:50051"),
    ],
    ids=str,
)
def test_others_reach_the_server_by_the_address_that_is_known(settings: dict[str, Any], told: str) -> None:
    """The one that was set, else the one listened on, unless that leads nowhere from elsewhere."""
    node = Node(config.Config(**settings))
    node.port = 50051

    assert node.public_address == told
