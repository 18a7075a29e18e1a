"""How messages look on a terminal: rows below each other, folded, beside names that show whose they are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grpc_chat.cli import output
from grpc_chat.cli.command import Cli
from grpc_chat.cli.events import FEW, EventLines, sentence
from grpc_chat.cli.following import Follow
from grpc_chat.cli.output import Output, wide, wrapped
from grpc_chat.cli.target import Target
from grpc_chat.errors import RoomNotFound
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.choices import Change, Role, RoomKind
from grpc_chat.sdk.message_events import Deletion, MessageDeleted, MessageEdited, PinChanged, ReactionChanged
from grpc_chat.sdk.models import CaughtUp, Connected, Event, Member, MembershipChange, Message, Room, Update
from grpc_chat.sdk.poll_records import PollClosed, PollVoted

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
PLANS = Room("r1", "my plans", "e", 1, 9, NOW, member_count=2, kind=RoomKind.PRIVATE)
OTHER = Room("r2", "other", "e", 1, 9, NOW, member_count=2, kind=RoomKind.PRIVATE)


def said(text: str, *, sender: str = "bob", room: str = "r1", seq: int = 7, minutes: int = 0) -> Message:
    return Message(room, seq, sender, text, NOW + timedelta(minutes=minutes), "id")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Output:
    """A terminal of 40 columns, without colours."""
    monkeypatch.setattr(output, "_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    return Output()


def bodies(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed, without days and times."""
    lines = capsys.readouterr().out.splitlines()
    return [f"     {line[5:]}" for line in lines if not line.startswith("──")]


MARKUP = (
    "**bold** _it_ `code` ~~no~~ # not a heading",
    "<b>bold</b> <script>alert(1)</script> &amp; &#x1b;[2J",
    "[text](https://example.org) ![picture](https://example.org/x.png) <https://example.org>",
    "$HOME %s {0} \\x1b[2J \\n :smile:",
)


@pytest.mark.parametrize("text", MARKUP)
def test_text_is_shown_as_it_was_sent(
    terminal: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """No view takes it for Markdown, HTML, a format or an escape, with or without colours."""
    monkeypatch.setenv("COLUMNS", "200")
    EventLines(terminal, [PLANS], with_rooms=False).show(said(text))
    assert bodies(capsys)[-1].endswith(f"bob  {text}")
    terminal.colours = True
    EventLines(terminal, [PLANS], with_rooms=False, me="al").show(said(text))
    assert capsys.readouterr().out.endswith(f"  {text}\n")
    EventLines(terminal, [PLANS], with_rooms=False).show(MessageEdited("r1", 9, 7, "bob", text, NOW))
    assert f"bob edited message 7: {text}" in capsys.readouterr().out
    monkeypatch.setattr(output, "_is_terminal", lambda: False)
    EventLines(Output(), [PLANS], with_rooms=False).show(said(text))
    assert capsys.readouterr().out.endswith(f"  bob  {text}\n")


def test_what_calls_the_reader_stands_out(terminal: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """In colour alone, and only where the server says that it calls them."""
    called = replace(said("@Al, @al.bot @room"), mentions=("al",))
    not_called = said("`@al`")
    for look, expected in (
        (True, "\x1b[33m\x1b[1m@Al\x1b[0m, @al.bot \x1b[33m\x1b[1m@room\x1b[0m"),
        (False, "@Al, @al.bot @room"),
    ):
        terminal.colours = look
        lines = EventLines(terminal, [PLANS], with_rooms=False, me="al")
        lines.show(called)
        assert capsys.readouterr().out.endswith(f"  {expected}\n")
        lines.show(not_called)
        assert capsys.readouterr().out.endswith("  `@al`\n")
    EventLines(terminal, [PLANS], with_rooms=False).show(called)
    assert "@Al, @al.bot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (PinChanged("r1", 9, 7, "al", True, NOW), "*    al pinned message 7"),
        (PinChanged("r1", 9, 7, "al", False, NOW), "*    al unpinned message 7"),
        (replace(said("hi"), edits=1, edit_time=NOW), "bob  hi (edited)"),
        (replace(said(""), deleted=Deletion("bob", NOW, "")), "bob  message deleted"),
        (replace(said(""), deleted=Deletion("al", NOW, "spam")), "bob  message deleted by al: spam"),
        (replace(said("hi"), reply_to=5), "bob  [reply to #5] hi"),
        (replace(said("hi"), thread_root=5, reply_to=5), "bob  [thread #5] hi"),
        (replace(said("hi"), thread_root=5, reply_to=6), "bob  [thread #5, reply to #6] hi"),
        (
            replace(said(""), thread_root=5, deleted=Deletion("bob", NOW, "")),
            "bob  [thread #5] message deleted",
        ),
        (MessageEdited("r1", 9, 7, "bob", "a\nb", NOW), r"*    bob edited message 7: a\nb"),
        (MessageEdited("r1", 9, 7, "bob", "", NOW), "*    bob edited message 7"),
        (MessageDeleted("r1", 9, 7, "al", "spam", NOW), "*    al deleted message 7: spam"),
        (MessageDeleted("r1", 9, 7, "al", "", NOW), "*    al deleted message 7"),
    ],
)
def test_what_became_of_a_message_is_one_line(
    terminal: Output, capsys: pytest.CaptureFixture[str], event: Event, text: str
) -> None:
    """What others wrote is shown on it, whatever it is."""
    lines = EventLines(terminal, [PLANS], with_rooms=False)
    lines.make_room_for(["bob"])

    lines.show(event)

    assert bodies(capsys) == [f"       {text}"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("one two three", ["one two", "three"]),
        ("one two  three", ["one two", "three"]),
        ("12345678 9", ["12345678", "9"]),
        ("1234567890", ["12345678", "90"]),
        ("ab 1234567890", ["ab", "12345678", "90"]),
        ("   indented far", ["   inden", "ted far"]),
        ("漢字漢字漢字 a", ["漢字漢字", "漢字 a"]),
        ("12345678 ", ["12345678"]),
    ],
)
def test_words_stay_whole(text: str, rows: list[str]) -> None:
    """Rows end between words; a word that is wider than a row is broken."""
    assert wrapped(text, 8) == rows
    assert all(wide(row) <= 8 for row in rows)


def test_lines_stand_below_each_other(terminal: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the text's column, so that no line looks like a message of somebody else; nothing drives it."""
    EventLines(terminal, [PLANS], with_rooms=False).show(
        said("one\r\n12:30  alice  I did it\n\x1b[2J and a line that is longer than there is room for")
    )
    assert bodies(capsys) == [
        "       bob  one",
        "            12:30  alice  I did it",
        r"            \x1b[2J and a line that is",
        "            longer than there is room",
        "            for",
    ]


def test_tabs_are_places(
    terminal: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that was pasted looks like it on a terminal; elsewhere a message stays one field of its line."""
    EventLines(terminal, [PLANS], with_rooms=False).show(said("if x:\n\ty = 1\na\tb\x08"))
    assert bodies(capsys) == [
        "       bob  if x:",
        "                y = 1",
        r"            a   b\x08",
    ]

    monkeypatch.setattr(output, "_is_terminal", lambda: False)
    EventLines(Output(), [PLANS], with_rooms=False).show(said("a\tb"))
    assert capsys.readouterr().out.endswith("  bob  a\\tb\n")


def test_long_messages_are_folded(
    terminal: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 15 rows, with the command that shows all; not with --full, for one row more, or in a pipe."""
    lines = "\n".join(map(str, range(1, 41)))
    EventLines(terminal, [PLANS], with_rooms=False).show(said(lines))
    shown = bodies(capsys)
    assert len(shown) == 16
    assert shown[-1].split(maxsplit=1)[1] == (
        "25 more lines: grpc-chat read 'my plans' --full --before 8 --limit 1"
    )

    EventLines(terminal, [PLANS], with_rooms=False, full=True).show(said(lines))
    assert len(bodies(capsys)) == 40
    EventLines(terminal, [PLANS], with_rooms=False).show(said("\n".join("x" * 16)))
    assert len(bodies(capsys)) == 16
    EventLines(terminal, [PLANS], with_rooms=False).show(said("x" * 60_000))
    assert len(bodies(capsys)) == 16

    monkeypatch.setattr(output, "_is_terminal", lambda: False)
    EventLines(Output(), [PLANS], with_rooms=False).show(said(lines))
    assert len(bodies(capsys)) == 1


def test_numbers_stand_before_messages(
    terminal: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a column of their own, which is as wide as the widest; other events have none."""
    joined = MembershipChange("r1", 10, "al", "al", Change.JOINED, Role.MEMBER, "", NOW)
    events: list[Event] = [said("a"), joined, said("b\nc", seq=12)]
    EventLines(terminal, [PLANS], with_rooms=False, numbers=True).show_all(events)
    assert bodies(capsys) == [
        "       #7   bob  a",
        "            *    al joined",
        "       #12  bob  b",
        "                 c",
    ]

    monkeypatch.setattr(output, "_is_terminal", lambda: False)
    EventLines(Output(), [PLANS], with_rooms=True, numbers=True).show_all(events)
    assert [line.split("  ")[1:] for line in capsys.readouterr().out.splitlines()] == [
        ["my plans", "#7", "bob", "a"],
        ["my plans", "-", "*", "al joined"],
        ["my plans", "#12", "bob", r"b\nc"],
    ]


def test_names_do_not_hide_ids(terminal: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """What people call themselves follows the id, and is what is cut: nobody passes for another."""
    lines = EventLines(terminal, [PLANS], with_rooms=False)
    people = {"bob": "Robert", "eve": "alice", "al": "Al", "mallory": "alice) the administrator \x1b[2J"}
    lines.meet(Member(User(user_id, name), Role.MEMBER, NOW) for user_id, name in people.items())
    for user_id in people:
        lines.show(said("hi", sender=user_id))
    assert [line.split() for line in bodies(capsys)] == [
        ["bob", "(Robert)", "hi"],
        ["eve", "(alice)", "hi"],
        ["al", "hi"],
        ["mallory", "(alice)", "the", "adm…", "hi"],
    ]


async def test_who_is_there_is_asked_when_it_matters(
    terminal: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for each small room in which something happens, and again once somebody has joined."""
    asked: list[str] = []

    class Server:
        def subscribe(self, *cursors: object, **how: object) -> Server:
            return self

        async def updates(self) -> AsyncIterator[Update]:
            yield MembershipChange("r1", 1, "bob", "bob", Change.JOINED, Role.MEMBER, "", NOW)
            yield said("one")
            yield CaughtUp()
            yield said("two")
            yield MembershipChange("r1", 8, "eve", "eve", Change.JOINED, Role.MEMBER, "", NOW)
            yield said("three", sender="eve", room="r1")
            yield said("four", sender="eve", room="big")
            yield said("five", sender="gone", room="r2")

        async def members(self, room_id: str) -> AsyncIterator[Member]:
            asked.append(room_id)
            if room_id == "r2":
                raise RoomNotFound("it is gone")
            yield Member(User("bob", "Robert"), Role.MEMBER, NOW)
            if len(asked) > 1:
                yield Member(User("eve", "Eva"), Role.MEMBER, NOW)

    big = Room("big", "big", "e", 1, 9, NOW, member_count=FEW + 1, kind=RoomKind.PUBLIC)
    cli = Cli(cast("Any", Server()), Target("host:1"), cast("Any", SimpleNamespace()), terminal)
    follow = Follow(cli, [PLANS, OTHER, big], [], all_rooms=True, with_rooms=False)
    assert await follow.run() == 0

    assert asked == ["r1", "r1", "r2"]
    assert [" ".join(line.split()) for line in bodies(capsys)] == [
        "* bob joined",
        "#7 bob (Robert) one",
        "#7 bob (Robert) two",
        "* eve joined",
        "#7 eve (Eva) three",
        "#7 eve (Eva) four",
        "#7 gone five",
    ]


async def test_the_newest_of_several_rooms_are_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    """By time; where a clock went back, in the order of the room. What is new follows as it comes."""

    class Server:
        def subscribe(self, *cursors: object, **how: object) -> Server:
            return self

        async def updates(self) -> AsyncIterator[Update]:
            yield Connected()
            for minute, text in ((0, "too old"), (3, "b"), (2, "c"), (9, "e")):
                yield said(text, minutes=minute)
            for minute, text in ((1, "a"), (5, "d")):
                yield said(text, room="r2", minutes=minute)
            yield CaughtUp()
            yield said("f", minutes=1)

    cli = Cli(cast("Any", Server()), Target("host:1"), cast("Any", SimpleNamespace()), Output())
    follow = Follow(cli, [PLANS, OTHER], [], all_rooms=False, with_rooms=True, newest=5)
    assert await follow.run() == 0

    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == list("abcdef")


@dataclass(frozen=True, slots=True)
class Waved:
    """A kind of event that was added, and has no sentence yet."""

    room_id: str
    seq: int
    actor_id: str
    create_time: datetime
    epoch: str = ""


def test_a_kind_without_a_sentence_is_shown_by_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """To people and to programs."""
    waved = cast(Event, Waved("r1", 3, "bob", NOW))

    for as_json in (False, True):
        EventLines(Output(as_json=as_json), [PLANS], with_rooms=False).show(waved)

    line, as_object = capsys.readouterr().out.splitlines()
    assert line.endswith("  *  waved: actor_id bob")
    assert json.loads(as_object)["type"] == "waved"


def test_what_was_said_about_a_deleted_message_has_sentences_without_it() -> None:
    """Nobody can tell with what somebody reacted, or for what they voted."""

    def reacted(emoji: str, *, removed: bool) -> ReactionChanged:
        return ReactionChanged("r1", 8, 5, "bob", emoji, removed, NOW)

    def voted(counts: tuple[int, ...], voters: int, *, user: str = "bob") -> PollVoted:
        return PollVoted("r1", 8, 5, user, (), counts, voters, NOW)

    def closed(counts: tuple[int, ...], *, user: str = "bob") -> PollClosed:
        return PollClosed("r1", 8, 5, user, counts, sum(counts), NOW)

    assert sentence(reacted("👍", removed=False)) == "bob reacted 👍 to message 5"
    assert sentence(reacted("👍", removed=True)) == "bob took back 👍 from message 5"
    assert sentence(reacted("", removed=False)) == "bob reacted to message 5"
    assert sentence(reacted("", removed=True)) == "bob took back a reaction to message 5"
    assert sentence(voted((0, 1), 1)) == "bob took back their vote in poll 5: option 1 0 · option 2 1"
    assert sentence(voted((), 0)) == "bob voted in poll 5"
    assert sentence(voted((), 0, user="")) == "0 votes in poll 5"
    assert sentence(closed((2,))) == "bob closed poll 5: option 1 2"
    assert sentence(closed(())) == "bob closed poll 5"
    assert sentence(closed((), user="")) == "poll 5 is closed"
