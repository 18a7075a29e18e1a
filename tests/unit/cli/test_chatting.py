"""What `chat` sends, and what it says of what it could not send; with a fake server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grpc_chat.cli import chatting
from grpc_chat.cli.chatting import Chat
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import UNKNOWN
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
from grpc_chat.errors import ChatError, MessageNotFound, PermissionDenied, RateLimited, SessionEnded
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.choices import PresenceState, Role, RoomKind
from grpc_chat.sdk.inbox import Inbox
from grpc_chat.sdk.message_events import Deletion
from grpc_chat.sdk.models import Member, Message, Room, Update
from grpc_chat.sdk.pins import Pin
from grpc_chat.sdk.search import SearchHit
from grpc_chat.sdk.signals import Presence, Status, Typing

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
PLANS = Room("id", "it's", "e", 1, 0, NOW, topic="food\x1b[2J", member_count=2, kind=RoomKind.PRIVATE)


class Server:
    """A client of a server that answers as it is told.

    Attributes:
        sent: The texts, by the ids they were sent with.
    """

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.answers: dict[str, ChatError | None] = {}
        self.over = asyncio.Event()
        self.typed: list[bool] = []
        self.pinned: list[int] = []
        self.searched: list[tuple[str, ...]] = []
        self.reported: list[tuple[int, str]] = []

    async def send(self, room_id: str, text: str, *, client_message_id: str, timeout: None) -> None:
        self.sent[client_message_id] = text
        if text == "last":
            self.over.set()
        if text not in self.answers:
            await asyncio.Event().wait()
        if error := self.answers[text]:
            raise error

    async def members(self, room_id: str) -> AsyncIterator[Member]:
        yield Member(User("bob", "Robert\x1b[2J"), Role.OWNER, NOW)
        for number in range(100):
            yield Member(User(f"u{number}", ""), Role.MEMBER, NOW)

    async def typing(self, room_id: str, *, stopped: bool) -> None:
        self.typed.append(stopped)
        raise RateLimited("too often")

    async def presences(self, room_id: str) -> AsyncIterator[Presence]:
        yield Presence("zoe", PresenceState.OFFLINE)
        yield Presence("bob", PresenceState.ONLINE, None, Status("busy\x1b[2J"))

    async def room(self, room_id: str) -> Room:
        return PLANS

    async def inbox(self, *, limit: int) -> Inbox:
        other = replace(PLANS, room_id="other", name="lunch\x1b[2J", unread=2)
        return Inbox((PLANS, other), 2, 3, 1)

    async def history(self, room_id: str, *, before: int, limit: int) -> AsyncIterator[Message]:
        yield Message(room_id, 4, "bob", "", NOW, "id", deleted=Deletion("bob", NOW, ""))
        yield Message(room_id, 3, "bob", "hello", NOW, "id")

    async def pin(self, room_id: str, seq: int) -> None:
        self.pinned.append(seq)

    async def unpin(self, room_id: str, seq: int) -> None:
        self.pinned.remove(seq)

    async def pins(self, room_id: str) -> AsyncIterator[Pin]:
        for seq in self.pinned:
            yield Pin(Message(room_id, seq, "bob", f"\x1b[2J{'x' * 300}", NOW, "id"), "al", NOW)

    async def search(self, *terms: str, room: str, limit: int) -> AsyncIterator[SearchHit]:
        self.searched.append(terms)
        for seq in (9, 8) if "lunch" in terms else ():
            yield SearchHit(Message(room, seq, "bob", f"lunch\n{seq}", NOW, "id"), ())

    async def people(self, query: str) -> AsyncIterator[User]:
        for number in range(0 if query == "x" else 1 if query else 101):
            yield User(f"{query}u{number}", "" if number else "Robert\x1b[2J")

    async def report(self, room_id: str, seq: int, reason: str) -> None:
        self.reported.append((seq, reason))
        if seq == 13:
            raise MessageNotFound("there is no such message")

    def subscribe(self, *cursors: object, **how: object) -> Server:
        return self

    async def updates(self) -> AsyncIterator[Update]:
        await self.over.wait()
        for update in cast("list[Update]", []):
            yield update


async def talk(server: Server, *lines: str, typed: bool = False) -> int:
    """Have these lines sent, until the server is told the last one; the exit code."""
    cli = Cli(cast("Any", server), Target("host:1"), cast("Any", None), Output())
    chat = Chat(cli, PLANS, 0)
    if typed:
        chat._prompt = cast("Any", SimpleNamespace(draw=lambda: None))
    waiting = list(lines)

    async def next_line() -> str:
        if waiting:
            await asyncio.sleep(0)
            return waiting.pop(0)
        return await asyncio.Event().wait() and ""

    return await chat._talk(next_line)


async def test_what_could_not_be_sent_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that sends it, once however often; what was sent or refused is not."""
    monkeypatch.setattr(chatting, "_LAST_SENDS", 0.01)
    evil = "two\nlines\x1b[2J"
    server = Server()
    server.answers = {
        "fine": None,
        "no": PermissionDenied("you may not write here"),
        "gone": SessionEnded("x"),
    }

    code = await talk(server, "fine", "no", "gone", evil, "-x", "last")

    ids = {text: message_id for message_id, text in server.sent.items()}
    begin = "  grpc-chat send --id"
    assert code == UNKNOWN
    assert capsys.readouterr().err.splitlines() == [
        "error: not sent: you may not write here",
        "error: 4 messages may not have been sent; to send:",
        f'{begin} {ids["gone"]} -- "it\'s" gone',
        rf"""{begin} {ids[evil]} -- "it's" $'two\nlines\033[2J'""",
        f'{begin} {ids["-x"]} -- "it\'s" -x',
        f'{begin} {ids["last"]} -- "it\'s" last',
    ]


async def test_commands_are_not_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each does what it says, and one that there is not says so; // sends what begins with /."""
    monkeypatch.setenv("COLUMNS", "80")
    server = Server()
    server.answers = {"/x": None, "last": None}

    assert (
        await talk(server, "/help", "/members", "/topic", "/nope a", "/quit now", "//x", "last", typed=True)
        == 0
    )

    assert list(server.sent.values()) == ["/x", "last"]
    lines = capsys.readouterr().out.splitlines()
    commands = [
        "/members",
        "/who",
        "/inbox",
        "/topic",
        "/upload",
        "/download",
        "/edit",
        "/delete",
        "/reply",
        "/thread",
        "/react",
        "/poll",
        "/vote",
        "/save",
        "/schedule",
        "/pin",
        "/unpin",
        "/pins",
        "/search",
        "/people",
        "/report",
        "/accept",
        "/decline",
    ]
    commands += ["/help", "/quit", "//TEXT"]
    assert [line.split()[0] for line in lines if line.startswith("/")][: len(commands)] == commands
    for line in (
        "101 members:",
        "  u98",
        """  and 1 more: grpc-chat room members "it's\"""",
        r"  bob (Robert\x1b[2J), owner",
        r"this room is about: food\x1b[2J",
        "there is no command /nope a; /help lists them. As a message: //nope a",
        "/quit takes nothing after it; nothing is sent. As a message: //quit now",
    ):
        assert line in lines
    assert "  u99" not in lines

    # Narrow terminals break no words of it.
    monkeypatch.setenv("COLUMNS", "30")
    await talk(server, "/nope", "last", typed=True)
    assert capsys.readouterr().out.splitlines() == [
        "there is no command /nope;",
        "/help lists them. As a",
        "message: //nope",
    ]

    server.over.clear()
    assert await talk(server, "/quit", "last", typed=True) == 0
    assert not server.over.is_set()


async def test_messages_are_pinned_and_found_while_one_talks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest or by number; each on a line with its number, and a long one cut."""
    monkeypatch.setenv("COLUMNS", "400")
    server = Server()
    server.answers = {"last": None}
    lines = ["/pins", "/pin", "/pin #12", "/unpin #3", "/pins", "/unpin", "/pin it", "/search"]
    lines += ["/search 'at noon' lunch", "/search it's", "/search nothing"]
    assert await talk(server, *lines, "last", typed=True) == 0

    assert (server.pinned, list(server.sent.values())) == ([12], ["last"])
    assert server.searched == [("at noon", "lunch"), ("it's",), ("nothing",)]
    day = f"{NOW.astimezone():%Y-%m-%d %H:%M}"
    shown = capsys.readouterr().out.splitlines()
    assert shown.pop(shown.index("no message is pinned here"))
    pinned = next(line for line in shown if "#12" in line)
    assert pinned.startswith(f"{day}  #12  bob: \\x1b[2Jxxx")
    assert len(pinned) < 250
    for line in (
        f"{day}  #8  bob: lunch\\n8",
        f"{day}  #9  bob: lunch\\n9",
        "nothing found for it's",
        "nothing found for nothing",
        "/unpin takes #N after it, the number of a message; nothing is sent. As a message: //unpin",
        "/pin takes #N after it, the number of a message; nothing is sent. As a message: //pin it",
        "/search needs a word after it; nothing is sent. As a message: //search",
    ):
        assert line in shown, line


async def test_people_are_listed_and_messages_reported_while_one_talks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Everyone or those who are looked for; a message by its number alone, so that none is reported by
    mistake."""
    server = Server()
    server.answers = {"last": None}
    lines = ["/people", "/people ro", "/people x", "/report #12", "/report #13  it's  spam"]
    assert await talk(server, *lines, "/report", "/report spam", "/report 12", "last", typed=True) == 0

    assert (server.reported, list(server.sent.values())) == ([(12, ""), (13, "it's  spam")], ["last"])
    out, err = capsys.readouterr()
    shown = out.splitlines()
    assert [r"  u0 (Robert\x1b[2J)", *(f"  u{at}" for at in range(1, 100))] == shown[:100]
    wanted = [
        "  and more: grpc-chat people",
        r"  rou0 (Robert\x1b[2J)",
        "nobody whom you may see is called x",
    ]
    wanted += ["message 12 is reported"]
    assert [line for line in wanted if line not in shown] == []
    assert sum("/report needs #N after it" in line for line in shown) == 3
    assert "there is no such message" in err


async def test_a_pipe_has_no_commands() -> None:
    """What a program prints is sent as it is."""
    server = Server()
    server.answers = {"/quit": None, "//x": None, "last": None}

    assert await talk(server, "/quit", "//x", "last") == 0

    assert list(server.sent.values()) == ["/quit", "//x", "last"]


async def test_what_waits_in_other_rooms_is_told_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Without this one; invitations too."""
    server = Server()
    server.answers = {"last": None}
    await talk(server, "/inbox", "last", typed=True)

    assert capsys.readouterr().out.splitlines()[:2] == [
        r"  lunch\x1b[2J: 2 new messages",
        "  1 invitation to answer: grpc-chat invitations list",
    ]


async def test_who_is_there_is_told_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Those who are there first, and nothing that they say drives the terminal."""
    server = Server()
    server.answers = {"last": None}
    await talk(server, "/who", "last", typed=True)

    assert capsys.readouterr().out.splitlines()[:2] == [r"  bob: online, busy\x1b[2J", "  zoe: offline"]


async def test_typing_stands_before_the_text_and_is_told_now_and_then() -> None:
    """No line is printed for it, and what the server says of the signal matters to nobody."""
    server = Server()
    chat = Chat(Cli(cast("Any", server), Target("host:1"), cast("Any", None), Output()), PLANS, 0)
    drawn: list[str] = []
    chat._prompt = cast("Any", SimpleNamespace(draw=lambda: drawn.append(chat._mark())))
    chat._typing(Typing("id", "bob", timedelta(seconds=6)))
    chat._typing(Typing("id", "bob", timedelta(0)))
    assert drawn == ["it's (bob is typing …)> ", "it's> "]

    for text in ("h", "he", "", "/w"):
        chat._typed(text)
    await asyncio.gather(*chat._asks)
    assert server.typed == [False, True]
