"""docs/reference/features.md names all that the API, the Python client and the commands have, and no more."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import get_args

import click

import grpc_chat as chat
from grpc_chat.cli import chatting, main
from grpc_chat.sdk.models import Update
from grpc_chat.sdk.signals import Signal
from grpc_chat.wire import chat_pb2 as pb
from tests.test_docs import ROOT, commands

OF_THE_CLIENT_ITSELF = {"aclose", "address", "over", "token"}
OF_THE_STREAM_ITSELF = {"events", "started", "passed", "heartbeat"}
"""Fields of a response that carry events, or positions."""
USER_LOG = 40
"""From this number on kinds of events are of users' own logs."""


def named(column: int, heading: str = "Feature") -> Counter[str]:
    """What stands in backticks in a column of the tables that begin with a heading."""
    found: Counter[str] = Counter()
    for table in re.findall(rf"^\| {heading} \|.*\n((?:\|.*\n)+)", page(), re.M):
        for row in table.splitlines()[1:]:
            found.update(re.findall(r"`([^`]+)`", row.split(" | ")[column].replace("\\|", "|")))
    return found


def page() -> str:
    return (ROOT / "docs" / "reference" / "features.md").read_text()


def differences(named: Counter[str], there: set[str], *, once: bool) -> dict[str, list[str]]:
    """What the page has to gain or lose."""
    wrong = {
        "must be added to docs/reference/features.md": sorted(there - named.keys()),
        "are no longer there": sorted(named.keys() - there),
        "stand there twice": sorted(name for name, count in named.items() if once and count > 1),
    }
    return {what: names for what, names in wrong.items() if names}


def test_every_method_is_a_feature() -> None:
    """Each method of chat.proto stands in one row."""
    methods = {
        method.name for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods
    }

    assert differences(named(1), methods, once=True) == {}


def test_everything_that_the_client_can_do_is_there() -> None:
    """Each public method of the Python client."""
    public = {name for name, _ in inspect.getmembers(chat.Client) if not name.startswith("_")}

    assert differences(named(2), public - OF_THE_CLIENT_ITSELF, once=False) == {}


def test_every_command_is_there() -> None:
    """Each command of `grpc-chat`, and each that is typed in `chat`."""
    known = {
        name.removeprefix("grpc-chat ")
        for name, command in commands("grpc-chat", main.main)
        if not isinstance(command, click.Group)
    }
    elsewhere = {"/help", "/quit"}

    assert differences(named(3), known, once=False) == {}
    assert differences(named(4), chatting._HELP.keys() - elsewhere, once=True) == {}
    assert all(f"`{command}`" in page() for command in elsewhere)


def test_what_clients_show_is_there_for_everything_that_happens() -> None:
    """Each kind of event of a room's log, what else a stream tells, and what the client makes of it."""
    kinds = {
        field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields if field.number < USER_LOG
    }
    told = {field.name for field in pb.SubscribeResponse.DESCRIPTOR.fields} - OF_THE_STREAM_ITSELF
    updates = {kind.__name__ for kind in get_args(Update)} | {kind.__name__ for kind in get_args(Signal)}

    assert differences(named(1, "What happened"), kinds | told, once=False) == {}
    assert differences(named(2, "What happened"), updates, once=True) == {}


def test_a_missing_method_is_found() -> None:
    """The comparison says what is missing, what is gone, and what stands there twice."""
    there, table = {"SendMessages", "Subscribe"}, Counter({"SendMessages": 2, "SendMail": 1})

    assert differences(table, there, once=True) == {
        "must be added to docs/reference/features.md": ["Subscribe"],
        "are no longer there": ["SendMail"],
        "stand there twice": ["SendMessages"],
    }
