"""grpc-chat as its users meet it: a server, people on several machines, and what they see."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.programs import PATIENCE, Program, commands_of_readme, free_port, start

# Programs take their time to start where many run at once.
pytestmark = pytest.mark.timeout(300)

GRPC_CHAT = [sys.executable, "-m", "grpc_chat"]
CHEAP = {
    "GRPC_CHAT_ACCOUNTS__PASSWORD_MEMORY_KIB": "8192",
    "GRPC_CHAT_ACCOUNTS__PASSWORD_PASSES": "1",
}


@pytest.fixture
async def programs() -> AsyncIterator[list[Program]]:
    """Whatever is added is gone after the test."""
    programs: list[Program] = []
    yield programs
    for program in programs:
        await program.kill()


class Server:
    """A server with accounts, always on the same database and port."""

    def __init__(self, programs: list[Program], data: Path) -> None:
        self._programs = programs
        self.data = data
        self.port = free_port()
        self.address = f"localhost:{self.port}"
        self.program: Program | None = None

    async def start(self) -> Program:
        command = [*GRPC_CHAT, "serve", "--port", str(self.port), "--data", str(self.data)]
        self.program = await start(*command, stdin=subprocess.DEVNULL, env=CHEAP)
        self._programs.append(self.program)
        await self.program.shows("listening on")
        return self.program

    async def first_invite(self) -> str:
        assert self.program
        line = await self.program.shows("next: grpc-chat register")
        return shlex.split(line)[-1]

    async def stop(self) -> None:
        assert self.program
        assert await self.program.leave() == 0


class Person:
    """Somebody at a machine of their own."""

    def __init__(self, programs: list[Program], home: Path, name: str) -> None:
        self._programs = programs
        self._environment: dict[str, str | None] = {
            **CHEAP,
            "XDG_CONFIG_HOME": str(home),
            "CHAT_PASSWORD": f"the password of {name}",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "CHAT_SERVER": None,
            "CHAT_TOKEN": None,
            "COLUMNS": "100",
        }
        self.home = home
        self.name = name

    async def begins(self, *arguments: str, env: dict[str, str | None] | None = None, **how: Any) -> Program:
        """A command that goes on."""
        program = await start(*GRPC_CHAT, *arguments, env=self._environment | (env or {}), **how)
        self._programs.append(program)
        return program

    async def runs(self, *arguments: str, code: int = 0, stdin: str | bytes = "", **how: Any) -> Program:
        """A command to its end."""
        program = await self.begins(*arguments, **how)
        if program.process.stdin:
            program.type(stdin)
            program.end_of_input()
        assert await program.ended() == code, program
        return program

    async def __call__(self, *arguments: str, **how: Any) -> list[str]:
        """What a command prints that ends well."""
        return (await self.runs(*arguments, **how)).lines

    async def fails(self, code: int, *arguments: str, **how: Any) -> str:
        """The one line of a command that does not."""
        program = await self.runs(*arguments, code=code, **how)
        assert program.lines == []
        [line] = program.errors
        return line


@pytest.fixture
async def server(programs: list[Program], tmp_path: Path) -> Server:
    """One that runs."""
    server = Server(programs, tmp_path / "data")
    await server.start()
    return server


@pytest.fixture
def person(programs: list[Program], tmp_path: Path) -> Callable[[str], Person]:
    """Somebody who has not registered yet."""
    return lambda name: Person(programs, tmp_path / "homes" / name, name)


@pytest.fixture
async def alice(server: Server, person: Callable[[str], Person]) -> Person:
    """The first on the server, and its administrator."""
    alice = person("alice")
    await alice("register", "alice", "--invite", await server.first_invite())
    return alice


@pytest.fixture
def joins(alice: Person, person: Callable[[str], Person]) -> Callable[..., Awaitable[Person]]:
    """Somebody who registers with an invite of alice's: ``await joins("bob", "plans")``."""

    async def joins(name: str, room: str) -> Person:
        [link] = await alice("room", "invite", "create", room, "--register")
        newcomer = person(name)
        await newcomer("register", name, "--invite", link)
        return newcomer

    return joins


def without_times(lines: list[str]) -> list[str]:
    """Lines of a history; each begins with a local time."""
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d  ", line) for line in lines), lines
    return [line[18:] for line in lines]


async def test_a_room_from_its_making_to_the_end_of_a_membership(
    server: Server, person: Callable[[str], Person]
) -> None:
    """The owner registers with the printed invite and lets somebody in; they talk; one is removed, and their
    open `watch` ends at once with one clear line; after a restart everything is as it was."""
    alice, bob = person("alice"), person("bob")
    welcome = await alice("register", "alice", "--invite", await server.first_invite())
    assert welcome == [f"welcome, alice: you are logged in to {server.address}"]

    await alice("room", "create", "plans", "--topic", "Where to eat")
    invited = await alice.runs("room", "invite", "create", "plans", "--register")
    [link] = invited.lines
    assert [line for line in invited.errors if "localhost" in line and "--address" in line]
    welcome = await bob("register", "bob", "--invite", f"<{link}>.")
    assert welcome == [f"welcome, bob: you are logged in to {server.address}; you are in plans"]

    watching = await bob.begins("watch", "plans", "--last", "1")
    await watching.shows("bob joined")
    await alice("send", "plans", "Lunch", "at", "noon?")
    await watching.shows("alice  Lunch at noon?")
    await bob("send", "plans", "Yes!")
    await watching.shows("bob  Yes!")

    await alice("room", "remove", "plans", "bob", "--reason", "Moved\x1b[2J to another team")
    async with asyncio.timeout(30):
        code = await watching.ended()
    assert code == 4
    assert watching.errors == [r"alice removed you from plans: Moved\x1b[2J to another team"]
    assert without_times(watching.lines) == ["*  bob joined", "alice  Lunch at noon?", "bob  Yes!"]
    assert "you are in no room called 'plans'" in await bob.fails(4, "read", "plans")
    assert "you are in no room called 'plans'" in await bob.fails(4, "send", "plans", "still here?")

    await server.stop()
    await server.start()
    assert without_times(await alice("read", "plans")) == [
        "*  alice made the room plans, about: Where to eat",
        "*  bob joined",
        "alice  Lunch at noon?",
        "bob  Yes!",
        r"*  alice removed bob: Moved\x1b[2J to another team",
    ]
    assert await bob("rooms") == []
    assert await bob("whoami") == [f"bob at {server.address}"]


async def test_the_commands_of_the_readme_work(server: Server, person: Callable[[str], Person]) -> None:
    """Each does what it is there for, in the order of the page; the links are those that were printed."""
    link, who, seen = await server.first_invite(), person("alice"), []
    for line in commands_of_readme("Start"):
        command, *arguments = shlex.split(line.replace("localhost:50051", server.address), comments=True)
        seen.append(" ".join([command, *arguments[:1]]))
        if command != "grpc-chat" or arguments == ["serve"]:
            # How the machine is set up, the server of this test, and `make test` from within.
            continue
        if arguments[0] == "register":
            who = person(arguments[1])
            arguments[-1] = link
        if arguments[0] in ("chat", "watch"):
            # What was said before it was there is not shown, so say it until it is.
            program = await who.begins(*arguments)
            while not program.lines:
                await person("alice")("send", "plans", "Hello?")
            await program.leave()
            continue
        printed = await who(*arguments)
        if "invite" in arguments:
            [link] = printed

    assert {"make .venv", "grpc-chat serve", "grpc-chat register", "grpc-chat chat", "grpc-chat send"} <= set(
        seen
    )
    assert without_times(await who("read", "@alice"))[-1] == "bob  Do you have a minute?"


async def test_watch_reconnects_and_says_so_once(server: Server, alice: Person) -> None:
    """A server that comes back is found; nothing is missed or shown twice; Ctrl-C ends with 0."""
    await alice("room", "create", "plans")
    watching = await alice.begins("watch", "--json")
    await _follows(watching, alice)

    await server.stop()
    await watching.said("no connection to")
    await server.start()
    await watching.said("again")
    await alice("send", "plans", "after")
    line = json.loads(await watching.shows('"after"'))
    code = await watching.leave(signal.SIGINT)

    assert (line["type"], line["room"], line["sender_id"]) == ("message", "plans", "alice")
    assert code == 0
    lost, back = watching.errors
    # With the reason, where another attempt has found one by then.
    assert lost.startswith(f"no connection to {server.address}")
    assert lost.endswith("; trying again")
    assert back == f"connected to {server.address} again"
    assert sum('"after"' in line for line in watching.lines) == 1


async def _follows(watching: Program, alice: Person) -> None:
    """Wait until it shows what happens."""
    async with asyncio.timeout(PATIENCE):
        while not watching.lines:
            await alice("send", "plans", "are you there?")


async def test_watch_ends_with_its_session(alice: Person, joins: Callable[..., Awaitable[Person]]) -> None:
    """Within a moment, with the command that would help, and exit code 3; so do other commands."""
    await alice("room", "create", "plans")
    bob = await joins("bob", "plans")
    watching = await bob.begins("watch", "plans", "--last", "1")
    await watching.shows("bob joined")
    [session] = [json.loads(line) for line in await alice("admin", "sessions", "bob", "--json")]

    await alice("admin", "sessions", "bob", "--revoke", session["session_id"])

    assert await watching.ended() == 3
    why = "this session was ended by an administrator; log in again: grpc-chat login bob -s localhost"
    assert watching.errors == [f"error: {why}"]
    assert (await bob.fails(3, "rooms")).endswith("log in again: grpc-chat login bob -s localhost")
    await bob("login", "bob")
    assert len(await bob("rooms")) == 2


async def test_chat_on_a_terminal(
    alice: Person, joins: Callable[..., Awaitable[Person]], server: Server
) -> None:
    """What is typed is sent, and edited before; what others say does not tear it; Ctrl-D leaves."""
    await alice("room", "create", "plans")
    bob = await joins("bob", "plans")
    chat = await alice.begins("chat", "plans", terminal=True, env={"TERM": "xterm", "NO_COLOR": "1"})
    await chat.until(lambda: b"bob joined" in chat.screen)

    chat.type("Helo\x1b[Dl\x1b[F W\xc3\xb6rld\r".encode("latin-1"))
    await chat.until(lambda: "  alice  Hello Wörld\r\n".encode() in chat.screen)
    chat.type("half a li")
    await chat.until(lambda: b"plans> half a li" in chat.screen)
    await bob("send", "plans", "\x1b[2Jfrom bob")
    await chat.until(lambda: b"from bob\r\n\r\x1b[Jplans> half a li" in chat.screen)
    chat.type("ne\r")
    await chat.until(lambda: b"  alice  half a line\r\n" in chat.screen)
    chat.signal(signal.SIGTSTP)
    # No shell has it as a job, so it goes on at once; meanwhile the terminal is as it was.
    await chat.until(lambda: chat.screen.count(b"\x1b[?2004h") == 2)
    assert chat.screen.count(b"\x1b[?2004l") == 1
    chat.type("\x1b[200~two\nlines\x04\x1b[201~\r/etc/passwd\r//etc\r@b\t/members\x01\x0b/quit\r")

    assert await chat.ended() == 0
    assert chat.screen.count(b"\x1b[?2004l") == 2
    assert b"there is no command /etc/passwd; /help lists them. As a message: //etc/passwd" in chat.screen
    assert rb"bob    \x1b[2Jfrom bob" in chat.screen
    assert chat.errors == []
    assert without_times(await bob("read", "plans", "--limit", "5")) == [
        "alice  Hello Wörld",
        r"bob  \x1b[2Jfrom bob",
        "alice  half a line",
        r"alice  two\nlines\x04",
        "alice  /etc",
    ]


async def test_passwords_are_asked_for_without_showing_them(
    server: Server, person: Callable[[str], Person]
) -> None:
    """Twice for a new account, and again for what can't be one; Ctrl-C ends the command, and nothing has
    happened."""
    alice = person("alice")
    how: dict[str, Any] = {"terminal": True, "env": {"CHAT_PASSWORD": None}}
    register = ("register", "alice", "--invite", await server.first_invite())

    leaving = await alice.begins(*register, **how)
    await leaving.until(lambda: b"Password: " in leaving.screen)
    leaving.type("\x03")
    assert await leaving.ended() == 130

    asked = await alice.begins("register", "Alice", *register[2:], **how)
    await asked.until(lambda: asked.errors != [])
    assert asked.errors[0].endswith("; alice would do")
    asked.type("alice\n")
    await asked.until(lambda: b"Password: " in asked.screen)
    asked.type("secret\n")
    await asked.until(lambda: asked.screen.count(b"Password: ") == 2)
    await asked.until(lambda: asked.errors[-1].endswith("the password must be at least 8 bytes"))
    asked.type("quite secret\n")
    await asked.until(lambda: b"The same again: " in asked.screen)
    asked.type("quite secret\n")
    assert await asked.ended() == 0
    assert b"secret" not in asked.screen
    assert b"welcome, alice" in asked.screen
    await alice("login", "alice", env={"CHAT_PASSWORD": "quite secret"})


async def test_chat_from_a_pipe_sends_its_lines_and_ends_with_the_membership(
    alice: Person, joins: Callable[..., Awaitable[Person]]
) -> None:
    """As `watch` does; what is said goes on being printed after the end of the input."""
    await alice("room", "create", "plans")
    bob = await joins("bob", "plans")
    chat = await bob.begins("chat", "plans", "--last", "0")
    chat.type("one\n\ntwo\n")
    chat.end_of_input()
    await chat.shows("bob  two")

    await alice("room", "ban", "plans", "bob")

    assert await chat.ended() == 4
    assert without_times(chat.lines) == ["bob  one", "bob  two"]
    assert chat.errors == ["alice banned you from plans"]


async def test_sending_from_scripts(alice: Person, tmp_path: Path) -> None:
    """Words, lines of a pipe, a file; the answer has the number; the same id is the same message."""
    await alice("room", "create", "plans")
    file = tmp_path / "notes.txt"
    file.write_text("two\nlines\n")
    id_ = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"

    assert await alice("send", "plans", "no", "words", "needed") == []
    [first] = await alice("send", "plans", "once", "--id", id_, "--json")
    [again] = await alice("send", "plans", "once", "--id", id_, "--json")
    assert "client_message_id" in await alice.fails(1, "send", "plans", "other", "--id", id_)
    sent = await alice("send", "plans", "--json", stdin="a\n\nb\r\nc")
    await alice("send", "plans", "--file", str(file))
    await alice("send", "plans", "--file", "-", stdin="from\nstdin")
    assert "the message must be at most 65536 bytes" in await alice.fails(
        1, "send", "plans", "-", stdin="x" * 70_000
    )
    assert "line 2 of the input is not UTF-8" in (
        await alice.fails(1, "send", "plans", stdin=b"fine\n\xff\nnever")
    )

    assert json.loads(first) == json.loads(again)
    assert [json.loads(line)["seq"] for line in sent] == [4, 5, 6]
    said = [json.loads(line) for line in await alice("read", "plans", "--after", "1", "--json")]
    assert [entry["text"] for entry in said] == [
        "no words needed",
        "once",
        "a",
        "b",
        "c",
        "two\nlines",
        "from\nstdin",
        "fine",
    ]


async def test_a_send_whose_outcome_is_not_known_says_how_to_repeat_it(server: Server, alice: Person) -> None:
    """Exit code 6 and the id, with which it is stored once, whatever had happened."""
    await alice("room", "create", "plans")
    await alice("send", "plans", "before")
    pipe = await alice.begins("send", "plans", "--timeout", "1")
    pipe.type("first\n")
    watching = await alice.begins("watch", "plans", "--last", "1")
    await watching.shows("first")

    await server.stop()
    pipe.type("second\n")

    assert await pipe.ended() == 6
    [error] = pipe.errors
    assert error.startswith("error: line 2 is not sent: it is not known whether the message was stored")
    id_ = error.rpartition(" ")[2]
    await server.start()
    await alice("send", "plans", "second", "--id", id_)
    assert without_times(await alice("read", "plans", "--limit", "2")) == ["alice  first", "alice  second"]


async def test_administering_a_server_that_is_stopped(
    server: Server, alice: Person, person: Callable[[str], Person]
) -> None:
    """With --data, by anyone who has the folder; what is done so is so when the server is back."""
    await alice("admin", "create", "carol", "--admin", "--display-name", "Carol 你")
    data = ("--data", str(server.data))
    keeper = person("keeper")

    in_use = await keeper.fails(1, "admin", "users", *data)
    online = await alice("admin", "users")
    await server.stop()
    offline = await keeper("admin", "users", *data)
    await keeper("admin", "reset-password", "alice", "--password-stdin", *data, stdin="quite another one\n")
    [code] = await keeper("invite", "create", *data)
    nowhere = await keeper.fails(4, "admin", "users", "--data", str(server.data / "nowhere"))
    await server.start()

    assert in_use == f"error: a server is using {server.data}: leave out --data to ask it, or stop it first"
    assert "there is no database in" in nowhere
    assert not (server.data / "nowhere").exists()
    # But for when each was used last, which the server may save when it stops.
    assert [line.split()[:4] for line in offline] == [line.split()[:4] for line in online]
    assert [re.split(r"  +", line)[:4] for line in online] == [
        ["USER", "NAME", "SESSIONS", "USED"],
        ["alice", "administrator", "1", online[1].split("  ")[-2].strip()],
        ["carol", "Carol 你", "administrator", "0"],
    ]
    assert (await alice.fails(3, "whoami")).endswith("log in again: grpc-chat login alice -s localhost")
    await alice("login", "alice", "--password-stdin", stdin="quite another one\n")
    await keeper("register", "erin", "--invite", code, "-s", server.address)


async def test_several_servers_and_accounts(
    server: Server,
    alice: Person,
    joins: Callable[..., Awaitable[Person]],
    programs: list[Program],
    tmp_path: Path,
) -> None:
    """Each has a name; the last one logged in to is meant, or the one that is chosen, or named."""
    await alice("room", "create", "plans")
    await joins("bob", "plans")
    other = Server(programs, tmp_path / "other")
    await other.start()
    await alice("register", "ann", "--invite", await other.first_invite(), "--profile", "work")
    await alice("login", "bob", "-s", server.address, "--password-stdin", stdin="the password of bob\n")

    assert await alice("whoami") == [f"bob at {server.address}"]
    assert await alice("whoami", "-s", "work") == [f"ann at {other.address}"]
    await alice("server", "use", "localhost")
    assert await alice("whoami") == [f"alice at {server.address}"]
    assert await alice("whoami", "-s", server.address) == [f"alice at {server.address}"]
    await alice("server", "rename", "work", "there")
    assert [re.split(r"  +", line.strip("* ")) for line in await alice("server", "list")] == [
        ["NAME", "ADDRESS", "USER"],
        ["bob@localhost", server.address, "bob"],
        ["localhost", server.address, "alice"],
        ["there", other.address, "ann"],
    ]
    shown = await alice("server", "show", "there")
    assert f"token     in {alice.home}/grpc-chat/tokens.json" in shown
    tokens = alice.home / "grpc-chat" / "tokens.json"
    assert len(json.loads(tokens.read_text())) == 3

    await alice("logout", "-s", "there")
    assert await alice("server", "forget", "bob@localhost") == [
        "bob@localhost is forgotten, and the login has ended"
    ]
    assert list(json.loads(tokens.read_text())) == [f"alice@{server.address}"]
    assert "grpc-chat login ann -s there" in await alice.fails(3, "rooms", "-s", "there")


async def test_people_are_invited_and_answer(alice: Person, joins: Callable[..., Awaitable[Person]]) -> None:
    """What those who ask and those who are asked see, from the asking to the way out of ownership."""
    await alice("room", "create", "hall", "--public")
    bob = await joins("bob", "hall")
    await alice("room", "create", "plans", "--topic", "food")
    watching = await bob.begins("watch", "--last", "1")
    talking = await bob.begins("chat", "hall")
    # A line from each shows that it follows.
    await alice("send", "hall", "hello")
    for program in (watching, talking):
        await program.shows("hello")
    added = await alice("room", "add", "plans", "bob", "--reason", "join us")
    assert added == ["bob is invited to plans, as member, and must accept"]
    accept = "grpc-chat invitations accept plans or grpc-chat invitations decline plans"
    await watching.said(f'alice invites you to "plans": {accept}')
    await talking.said('alice invites you to "plans": /accept plans or /decline plans')
    members = await alice.runs("room", "members", "plans")
    assert members.errors == ["invited, and not in it yet: bob"]
    assert "invited  bob" in await alice("room", "show", "plans")
    rooms = await bob.runs("rooms")
    assert rooms.errors == ["1 invitation to answer: grpc-chat invitations list"]
    [listed] = map(json.loads, await bob("invitations", "list", "--json"))
    assert (listed["room_name"], listed["role"], listed["reason"]) == ("plans", "member", "join us")
    assert "no invitation to a room 'planz'" in await bob.fails(4, "invitations", "accept", "planz")

    await bob("invitations", "decline", "plans")
    await alice("room", "add", "plans", "bob")
    await alice("room", "withdraw", "plans", "bob")
    await alice("room", "add", "plans", "bob")
    assert len(await alice("room", "invitations", "plans")) == 2
    accepted = await bob("invitations", "accept", "plans")
    assert accepted == ["you are in plans; talk: grpc-chat chat plans"]
    assert (await bob("read", "plans"))[-1].endswith("bob joined, invited by alice")

    why = await alice.fails(1, "room", "leave", "plans")
    assert "offer it to a member: grpc-chat room leave plans --new-owner USER" in why
    why = await alice.fails(1, "room", "leave", "plans", "--new-owner", "bob")
    assert why.startswith(
        "error: you are still in plans: bob is asked to be an owner, and must accept; then leave: "
    )
    assert await bob("invitations", "accept", "plans") == ["you are an owner of plans"]
    assert await alice("room", "leave", "plans") == ["you have left plans"]
    why = await bob.fails(2, "room", "leave", "plans")
    assert why.endswith("will be permanently deleted; give --yes to confirm")
    assert await bob("room", "leave", "plans", "--yes") == ["plans is deleted"]


async def test_tokens_and_bots_act_for_programs(
    server: Server, alice: Person, person: Callable[[str], Person]
) -> None:
    """With CHAT_SERVER and CHAT_TOKEN and nothing saved, until they are revoked."""
    await alice("room", "create", "builds")
    await alice("bot", "create", "ci")
    # Good for nothing but what it is for: it can't read.
    [token] = await alice("bot", "token", "ci", "--lifetime", "1h", "--scope", "write")
    await alice("room", "add", "builds", "ci", "--role", "member")
    machine = person("machine")
    env: dict[str, str | None] = {"CHAT_SERVER": server.address, "CHAT_TOKEN": token}

    await machine("send", "builds", "all green", env=env)
    assert await machine("whoami", env=env) == [f"ci at {server.address}"]
    await machine.fails(1, "sessions", "list", env=env)
    await machine.fails(1, "read", "builds", env=env)
    listed = [json.loads(line) for line in await alice("token", "list", "--bot", "ci", "--json")]
    await alice("token", "revoke", listed[0]["session_id"], "--bot", "ci")
    refused = await machine.fails(3, "send", "builds", "again", env=env)

    assert refused.startswith(f"error: {server.address} refuses the token in CHAT_TOKEN: ")
    assert without_times(await alice("read", "builds"))[-1] == "ci  all green"
    assert not (machine.home / "grpc-chat").exists()


async def test_what_goes_wrong_is_one_line_and_a_code(
    server: Server, alice: Person, person: Callable[[str], Person]
) -> None:
    """Each with what to do about it."""
    await alice("room", "create", "plans")
    await alice("room", "create", "plans")
    stranger = person("stranger")

    assert "grpc-chat login YOU" in await stranger.fails(3, "rooms")
    assert "did you mean plans?" in await alice.fails(4, "read", "plan")
    assert "2 rooms are called 'plans'; give the id of one" in await alice.fails(1, "read", "plans")
    assert "needs an invite" in await stranger.fails(1, "register", "stranger", "-s", server.address)
    wrong = await stranger.fails(
        4, "register", "stranger", "-s", server.address, "--invite", "gci_" + "a" * 25
    )
    assert "ask for another one" in wrong
    assert "wrong" in await stranger.fails(3, "login", "alice", "-s", server.address)
    no_terminal = await stranger.fails(2, "login", "alice", "-s", server.address, env={"CHAT_PASSWORD": None})
    assert "--password-stdin, or set CHAT_PASSWORD" in no_terminal
    nobody = await stranger.fails(5, "login", "alice", "-s", f"localhost:{free_port()}")
    assert "Connection refused" in nobody
    nowhere = await stranger.fails(5, "login", "alice", "-s", "nowhere.invalid")
    assert nowhere == "error: can't reach a server at nowhere.invalid:50051: there is no host nowhere.invalid"
    assert os.listdir(stranger.home.parent) == ["alice"]
