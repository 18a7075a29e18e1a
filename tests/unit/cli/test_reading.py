"""Where what is new begins in `chat`, and what counts as read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grpc_chat.cli import reading
from grpc_chat.cli.reading import MOST_MISSED, Reading, behind
from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.sdk.models import Gap, Message, Room
from tests.support import until

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
ROOM = Room("id", "plans", "e", 1, 20, NOW, read_seq=15, unread=3)


class Server:
    """Notes how far the room was marked, and fails as it is told."""

    def __init__(self) -> None:
        self.marked: list[int] = []
        self.error: ChatError | None = None

    async def mark_read(self, room: str, seq: int, *, back: bool = False) -> int:
        assert (room, back) == ("id", False)
        if self.error:
            raise self.error
        self.marked.append(seq)
        return 0


def message(seq: int, sender: str = "bob", *, days: int = 0) -> Message:
    time = NOW - timedelta(days=days, minutes=30 - seq)
    return Message("id", seq, sender, "text", time, "")


def test_what_was_missed_is_shown_from_the_last_event_that_was_read() -> None:
    """With at least as many events as were asked for, and not more than are worth it."""
    assert behind(replace(ROOM, unread=0), 4) == 4
    assert behind(ROOM, 4) == 6
    assert behind(ROOM, 20) == 20
    assert behind(replace(ROOM, last_seq=9_999), 20) == MOST_MISSED
    assert behind(replace(ROOM, last_seq=9_999), 5_000) == 5_000


def test_the_line_stands_before_the_first_message_that_is_new() -> None:
    """Once, and not before the person's own; it says since when, where that was shown."""
    marks = Reading(Server(), ROOM, "alice")
    own, other = message(16, "alice"), message(17)
    assert [marks.line_before(event, NOW) for event in (message(14), message(15), own)] == ["", "", ""]
    line = marks.line_before(other, NOW)
    assert line == f"── 3 new messages since {message(15).create_time.astimezone():%H:%M} ──"
    assert marks.line_before(message(18), NOW) == ""

    marks = Reading(Server(), replace(ROOM, unread=1), "alice")
    marks.line_before(message(15, days=3), NOW)
    before = message(15, days=3).create_time.astimezone()
    assert marks.line_before(other, NOW) == f"── 1 new message since {before:%A, %-d %B, %H:%M} ──"
    marks = Reading(Server(), ROOM, "alice")
    assert marks.line_before(Gap("id", 16, 16), NOW) == ""
    assert marks.line_before(other, NOW) == "── 3 new messages ──"
    assert Reading(Server(), replace(ROOM, unread=0), "alice").line_before(other, NOW) == ""


async def test_what_is_shown_is_marked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only messages of others that are new; what an error left is marked with the next."""
    monkeypatch.setattr(reading, "_PAUSE", 0)
    server = Server()
    marks = Reading(server, ROOM, "alice")
    for event in (message(14), message(16, "alice"), Gap("id", 1, 2)):
        marks.shown(event)
    await asyncio.sleep(0)
    assert marks._task is None
    for seq in (17, 18, 19):
        marks.shown(message(seq))
    await until(lambda: server.marked == [19])
    server.error = Unavailable("away")
    marks.shown(message(20))
    await until(lambda: marks._task is None)
    server.error = None
    marks.shown(message(21))
    await until(lambda: server.marked == [19, 21])
    await marks.finish()
    assert server.marked == [19, 21]


async def test_leaving_marks_what_was_shown_last() -> None:
    """Without waiting for the pause, and without an error."""
    server = Server()
    marks = Reading(server, ROOM, "alice")
    marks.shown(message(17))
    await marks.finish()
    assert server.marked == [17]
    server.error = Unavailable("away")
    marks.shown(message(18))
    await marks.finish()
