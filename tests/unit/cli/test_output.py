from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from grpc_chat.cli import output
from grpc_chat.cli.output import Output, as_json, cut, padded, relative, wide
from grpc_chat.sdk.models import Cursor, Message

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal of 40 columns."""
    monkeypatch.setattr(output, "_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-10), "now"),
        (timedelta(seconds=10), "now"),
        (timedelta(seconds=-50), "1 min ago"),
        (timedelta(minutes=-3), "3 min ago"),
        (timedelta(minutes=-50), "1 h ago"),
        (timedelta(hours=5), "in 5 h"),
        (timedelta(hours=-23), "1 day ago"),
        (timedelta(days=7), "in 7 days"),
        (timedelta(days=-60), "2026-03-02"),
    ],
)
def test_times_are_told_as_people_tell_them(away: timedelta, words: str) -> None:
    """How long ago or until then; the date where that is far."""
    assert relative(NOW + away, NOW) == words


def test_widths_are_those_of_terminals() -> None:
    """Wide characters take two columns, marks none."""
    assert [wide(text) for text in ("abc", "你好", "e\u0301", "🍕", "")] == [3, 4, 1, 2, 0]
    assert padded("你", 4) + "|" == "你  |"
    assert [cut(text, 4) for text in ("abcd", "abcde", "你好吗", "")] == ["abcd", "abc…", "你…", ""]


def test_json_is_one_line_of_ascii() -> None:
    """Everything else is escaped, DEL included; times are RFC 3339 in UTC; what is private is left out."""
    hostile = "".join(map(chr, range(0x20))) + "\x7f\x9b\u2028\u202e\ud800🍕"
    message = Message("r", 1, "alice", hostile, NOW + timedelta(microseconds=5), "id")

    line = as_json(message, lifetime=timedelta(days=1))

    assert all(0x20 <= ord(character) < 0x7F for character in line)
    assert json.loads(line) == {
        "room_id": "r",
        "seq": 1,
        "sender_id": "alice",
        "text": hostile,
        "create_time": "2026-05-01T12:00:00.000005Z",
        "client_message_id": "id",
        "epoch": "",
        "files": [],
        "poll": None,
        "body": None,
        "cards": [],
        "edit_time": None,
        "edits": 0,
        "reply_to": 0,
        "thread_root": 0,
        "deleted": None,
        "mentions": [],
        "mentions_room": False,
        "lifetime": 86400.0,
    }


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as what is in them, those without anything are left out, what is hostile shows."""
    cursors = [Cursor("r1", 5), Cursor("你好", 12345), Cursor("\x1b[2J", 1)]
    columns = [("room", lambda c: c.room_id), ("epoch", lambda c: c.epoch), ("seq", lambda c: str(c.seq))]

    Output().table(cursors, columns, empty="nothing")

    assert capsys.readouterr().out.splitlines() == [
        "ROOM     SEQ",
        "r1       5",
        "你好     12345",
        r"\x1b[2J  1",
    ]


def test_an_empty_table_is_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, so that nothing takes it for an entry; with JSON nothing at all."""
    Output().table([], [("room", str)], empty="no rooms")
    Output(as_json=True).table([], [("room", str)], empty="no rooms")

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "no rooms\n")


@pytest.mark.usefixtures("terminal")
def test_a_table_fits_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The widest column gives way."""
    cursors = [Cursor("r1", 5, "long " * 20), Cursor("r2", 6, "short")]
    columns = [("room", lambda c: c.room_id), ("epoch", lambda c: c.epoch), ("seq", lambda c: str(c.seq))]

    Output().table(cursors, columns, empty="nothing")

    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "\x1b[2mROOM  EPOCH                          SEQ\x1b[0m"
    assert lines == [
        "r1    long long long long long lon…  5",
        "r2    short                          6",
    ]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_they_are_not_wanted(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See https://no-color.org; and everything that is not a terminal is none."""
    assert Output().style("x", bold=True) == "\x1b[1mx\x1b[0m"

    monkeypatch.setenv(variable, value)

    assert Output().style("x", bold=True) == "x"
    assert Output(as_json=True).style("x", bold=True) == "x"
