"""Where what is new begins in `chat`, and what counts as read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grpc_chat.cli.reading import MOST_MISSED, Reading, behind
from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.sdk import marks
from grpc_chat.sdk.models import Gap, Message, Room
from tests.support import until

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
ROOM = Room("id", "plans", "e", 1, 20, NOW, read_seq=15, unread=3)


class Server:
    """Notes how far the room was marked, and fails as it is told."""

    def __init__(self) -> None:
        self.marked: list[int] = []
        self.error: ChatError | None = None

    async def mark_read(self, room: str, seq: int, *, thread_root: int = 0, back: bool = False) -> int:
        assert (room, thread_root, back) == ("id", 0, False)
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
    shown = Reading(Server(), ROOM, "alice")
    own, other = message(16, "alice"), message(17)
    assert [shown.line_before(event, NOW) for event in (message(14), message(15), own)] == ["", "", ""]
    line = shown.line_before(other, NOW)
    assert line == f"── 3 new messages since {message(15).create_time.astimezone():%H:%M} ──"
    assert shown.line_before(message(18), NOW) == ""

    shown = Reading(Server(), replace(ROOM, unread=1), "alice")
    shown.line_before(message(15, days=3), NOW)
    before = message(15, days=3).create_time.astimezone()
    assert shown.line_before(other, NOW) == f"── 1 new message since {before:%A, %-d %B, %H:%M} ──"
    shown = Reading(Server(), ROOM, "alice")
    assert shown.line_before(Gap("id", 16, 16), NOW) == ""
    assert shown.line_before(other, NOW) == "── 3 new messages ──"
    assert Reading(Server(), replace(ROOM, unread=0), "alice").line_before(other, NOW) == ""


async def test_what_is_shown_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only messages of others that are new and in no thread; leaving does not wait, and raises no error."""
    server = Server()
    shown = Reading(server, ROOM, "alice")
    threaded = replace(message(20), thread_root=3)
    for event in (message(14), message(16, "alice"), Gap("id", 1, 2), threaded):
        shown.shown(event)
    await shown.finish()
    assert server.marked == []
    for seq in (17, 18, 19):
        shown.shown(message(seq))
    await shown.finish()
    assert server.marked == [19]
    monkeypatch.setattr(marks, "QUIET", 0)
    quick = Reading(server, ROOM, "alice")
    quick.shown(message(21))
    await until(lambda: server.marked == [19, 21])
    server.error = Unavailable("away")
    shown.shown(message(22))
    await shown.finish()
    assert server.marked == [19, 21]
