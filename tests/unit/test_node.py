from __future__ import annotations

import inspect
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from grpc_chat import config
from grpc_chat.api.limits import Limits
from grpc_chat.core.commit import Committer
from grpc_chat.core.hub import Bounds
from grpc_chat.node import _taken
from grpc_chat.transport.grpc_server import Transport

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GROUPS: list[tuple[type[BaseModel], type[DataclassInstance], set[str]]] = [
    # The group of settings, what the part of the node is told, and the settings that others are told.
    (config.Limits, Limits, {"calls_per_second", "calls_burst"}),
    (config.Subscribe, Bounds, set()),
    (config.Grpc, Transport, {"reflection"}),
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

    taken: Any = _taken(told, given)

    assert {name: getattr(taken, name) for name in names} == {name: getattr(given, name) for name in names}
    assert all(getattr(taken, name) != getattr(defaults, name) for name in names)
    assert names <= {field.name for field in fields(told)}


# One more than their default would be too much.
BOUNDED = {"page_bytes": 1000, "response_bytes": 1000}


@pytest.mark.parametrize(("group", "told", "others"), GROUPS)
def test_defaults_are_the_same_in_both_places(
    group: type[BaseModel], told: type[DataclassInstance], others: set[str]
) -> None:
    """The part by itself, as in tests and benchmarks, behaves like the server."""
    taken: Any = told()

    for name in group.model_fields.keys() - others:
        assert getattr(group(), name) == getattr(taken, name), name


def test_queue_before_the_disk_is_told_its_settings() -> None:
    """By name, with the same defaults."""
    parameters = inspect.signature(Committer).parameters

    assert {name: parameters[name].default for name in config.Commit.model_fields} == dict(config.Commit())
