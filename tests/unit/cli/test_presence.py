"""Times that a status may end at, and what is shown of those who are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from grpc_chat.cli.main import main
from grpc_chat.cli.output import Output
from grpc_chat.cli.presence import Until, line, rank
from grpc_chat.sdk.choices import PresenceState
from grpc_chat.sdk.signals import Presence, Status


def until(text: str) -> timedelta:
    return Until().convert(text, None, None)


def test_an_end_is_a_time_or_a_duration() -> None:
    """A time of day is the next one."""
    assert [until(text) for text in ("30m", "2h", "3d", "2w")] == [
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(days=3),
        timedelta(weeks=2),
    ]
    now = datetime.now().astimezone()
    for hour in (0, 12, 23):
        left = until(f"{hour:02}:30")
        # It was measured from a moment later than now.
        end = now + left + timedelta(seconds=30)
        assert (end.hour, end.minute) == (hour, 30)
        assert timedelta(0) < left <= timedelta(days=1)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert abs(until(tomorrow.isoformat()) - timedelta(days=1)) < timedelta(seconds=10)


def test_what_is_no_end_is_refused() -> None:
    """It is quoted, and the sentence says what it must be."""
    wrong = ["", "h", "2x", "0h", "-2h", "400d", "99999w", "25:00", "2020-01-01T00:00", "٣h"]
    for text in wrong:
        with pytest.raises(click.BadParameter, match="must be"):
            until(text)


def test_statuses_and_clearing_them_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any server is asked."""
    monkeypatch.setenv("CHAT_SERVER", "localhost:1")
    monkeypatch.setenv("CHAT_TOKEN", "gc_x")
    for arguments in (["x", "--clear"], ["--clear", "--until", "2h"], ["--until", "2h"]):
        assert CliRunner().invoke(main, ["status", *arguments]).exit_code == 2


def test_those_who_are_there_come_first() -> None:
    """In the order of their names otherwise; a state that is new here comes last."""
    names = ["offline", "away", "later", "online"]
    found = [Presence(name, PresenceState.told(name)) for name in names]
    assert [each.user_id for each in sorted(found, key=rank)] == ["online", "away", "offline", "later"]
    busy = Presence("ann", PresenceState.AWAY, None, Status("busy", "🐝"))
    assert line(busy, Output()) == "ann: away, 🐝 busy"
