"""client.py as its users meet it: a command with a standard input, an output, an exit code and a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from grpc_chat.cli import quickstart_client, quickstart_server
from grpc_chat.errors import InvalidRequest
from grpc_chat.testing import RunningNode, running_node
from tests.programs import PATIENCE, Program, free_port, python, start
from tests.support import until

Join = Callable[..., Awaitable[Program]]

# Programs take their time to start where many run at once.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    """A server that trusts the ids 1, 2 and 3."""
    async with running_node() as node:
        yield node


@pytest.fixture
async def programs() -> AsyncIterator[list[Program]]:
    """Whatever is added is gone after the test."""
    programs: list[Program] = []
    yield programs
    for program in programs:
        await program.kill()


@pytest.fixture
def join_at(programs: list[Program]) -> Join:
    """Start client.py at a port: ``await join_at(port, "1", "-message", "hello", stdin=…)``."""

    async def join(port: int, id_: str, *more: str, **options: Any) -> Program:
        command = python("client.py", "-client_id", id_, "-port", str(port), *more)
        programs.append(await start(*command, **options))
        return programs[-1]

    return join


@pytest.fixture
def join(node: RunningNode, join_at: Join) -> Join:
    """Start client.py at the test's server: ``await join("1", "-message", "hello")``."""
    return lambda id_, *more, **options: join_at(node.node.port, id_, *more, **options)


@pytest.fixture
def serve(programs: list[Program], tmp_path: Path) -> Callable[[int], Awaitable[Program]]:
    """Start server.py with the ids 1, 2 and 3 on a port, always on the same database."""

    async def serve(port: int) -> Program:
        command = python(
            "server.py", "-client_ids", "1,2,3", "-port", str(port), "-data", str(tmp_path / "data")
        )
        server = await start(*command, stdin=subprocess.DEVNULL)
        programs.append(server)
        await server.shows("listening on")
        return server

    return serve


async def texts(node: RunningNode) -> list[str]:
    """What the room holds."""
    return [message.text async for message in node.client("3").history("general")]


async def room_holds(node: RunningNode, expected: list[str]) -> None:
    """Wait until the room holds as many messages as that, and compare."""
    async with asyncio.timeout(PATIENCE):
        async with node.client("3").subscribe("general", include_own=True) as subscription:
            found: list[str] = []
            async for message in subscription:
                found.append(message.text)
                if len(found) >= len(expected):
                    break
    assert found == expected
    assert await texts(node) == expected


# Leaving


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_leaving_keeps_what_was_not_printed_for_the_next_time(
    number: signal.Signals, join: Join, node: RunningNode
) -> None:
    """Ctrl-C and SIGTERM end with 0 and no traceback; nothing is printed twice, nothing is lost."""
    alice = node.client("1")
    said = [f"message {n} {'x' * 500}" for n in range(2000)]
    await asyncio.gather(*(alice.send("general", text) for text in said))

    first = await join("2")
    await first.printed(1)
    code = await first.leave(number)
    await alice.send("general", "while away")
    second = await join("2")
    await second.shows("1: while away")

    assert code == 0
    assert first.errors == ["joined as 2"]
    assert first.lines + second.lines == [f"1: {text}" for text in [*said, "while away"]]


async def test_messages_that_were_deleted_or_edited_meanwhile(join: Join, node: RunningNode) -> None:
    """A deleted one prints nothing, an edited one prints as it is now, and each other one once."""
    alice = node.client("1")
    one, two = [await alice.send("general", text) for text in ("one", "two")]
    await alice.delete("general", one.seq)
    await alice.edit("general", two.seq, "2")
    await alice.send("general", "three")

    client = await join("2")
    await client.shows("1: three")

    assert await client.leave() == 0
    assert client.lines == ["1: 2", "1: three"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to see how far a start is")
async def test_leaving_before_it_has_begun_shows_no_traceback(join: Join) -> None:
    """Ctrl-C while the program is still being loaded ends it without a word."""
    client = await join("2", cold=True)
    loaded = Path(f"/proc/{client.process.pid}/maps")
    await until(lambda: "cygrpc" in loaded.read_text())

    code = await client.leave(signal.SIGINT)

    # On a fast machine it may have begun by now.
    assert (code, client.errors) in ((-signal.SIGINT, []), (0, []), (0, ["joined as 2"]))


async def test_timeout_leaves(join: Join, node: RunningNode) -> None:
    """With -timeout the client leaves by itself, with 0 and after its messages are stored."""
    client = await join("1", "-message", "hello", "-timeout", "0")

    assert await client.ended() == 0
    assert await texts(node) == ["hello"]


async def test_a_killed_client_loses_nothing(join: Join, node: RunningNode) -> None:
    """After kill -9 the next client prints everything that the first did not."""
    alice = node.client("1")
    said = [f"1: message {n} {'x' * 500}" for n in range(2000)]
    await asyncio.gather(*(alice.send("general", text.removeprefix("1: ")) for text in said))

    first = await join("2")
    await first.printed(1)
    await first.leave(signal.SIGKILL)
    second = await join("2")
    await second.until(lambda: said[-1] in second.lines)

    assert first.lines == said[: len(first.lines)]
    # What was printed but not acknowledged yet comes again: better twice than never.
    assert second.lines == said[len(said) - len(second.lines) :]
    assert len(first.lines) + len(second.lines) >= len(said)


async def test_a_reader_that_has_enough_ends_the_client(join: Join, node: RunningNode) -> None:
    """`client.py | head -1` ends without a word; what head did not take comes the next time."""
    alice = node.client("1")
    for text in ("one", "two", "three"):
        await alice.send("general", text)
    reading, writing = os.pipe()

    client = await join("2", stdout=writing)
    os.close(writing)
    with os.fdopen(reading) as lines:
        first = await asyncio.to_thread(lines.readline)
    # The pipe is closed. Its writer notices when it writes again.
    await alice.send("general", "four")
    code = await client.ended()
    again = await join("2")
    await again.shows("1: four")

    assert first == "1: one\n"
    assert (code, client.errors) == (0, ["joined as 2"])
    assert again.lines[-1:] == ["1: four"]


async def test_a_full_disk_ends_the_client_with_an_error(join: Join, node: RunningNode) -> None:
    """Where the output can't be written, the client says so and ends with 1; the message comes again."""
    await node.client("1").send("general", "hello")

    full = os.open("/dev/full", os.O_WRONLY)
    client = await join("2", stdout=full)
    os.close(full)
    code = await client.ended()
    again = await join("2")

    assert code == 1
    assert client.errors[-1].startswith("error: can't write to standard output")
    assert not any("Traceback" in line or "ignored" in line for line in client.errors)
    assert await again.printed(1) == ["1: hello"]


async def test_a_reader_that_stopped_reading_does_not_keep_the_client(join: Join, node: RunningNode) -> None:
    """SIGTERM ends a client whose output nobody takes; what it did not print comes again."""
    alice = node.client("1")
    reading, writing = os.pipe()
    client = await join("2", stdout=writing)
    os.close(writing)
    await client.said("joined as 2")
    texts = [f"{number} ".ljust(10_000, "x") for number in range(30)]
    for text in texts:
        await alice.send("general", text)
    # The pipe holds 64 KiB: the client stands still in the middle of a line.
    await until(lambda: _unread(reading) > 50_000)

    code = await client.leave()
    again = await join("2")
    await again.printed(1)
    await again.shows(f"1: {texts[-1]}")
    os.close(reading)

    assert code == 1
    assert again.lines == [f"1: {text}" for text in texts[-len(again.lines) :]]


def _unread(descriptor: int) -> int:
    """How many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4), sys.byteorder)


@pytest.mark.parametrize(
    ("closing", "errors"), [(">&-", ["joined as 2"]), ("2>&-", []), ("<&-", ["joined as 2"])]
)
async def test_standard_streams_may_be_closed(
    closing: str, errors: list[str], node: RunningNode, programs: list[Program]
) -> None:
    """A shell can start the client without an input or an output; the others still work."""
    await node.client("1").send("general", "hello")
    client = python("client.py", "-client_id", "2", "-port", str(node.node.port), "-message", "hi")

    shell = await start("sh", "-c", f'exec "$@" {closing}', "sh", *client)
    programs.append(shell)
    await room_holds(node, ["hello", "hi"])
    if errors:
        await shell.said(errors[-1])
    if closing != ">&-":
        await shell.printed(1)
    code = await shell.leave()

    assert code == 0
    assert shell.errors == errors
    assert shell.lines == ([] if closing == ">&-" else ["1: hello"])


# The server is away


async def test_client_waits_for_a_server(join_at: Join) -> None:
    """Without a server there is one line about it, and the client joins as soon as there is one."""
    port = free_port()

    client = await join_at(port, "1", "-message", "early")
    await client.said("trying again")
    # A few attempts more, each of which must not say it again.
    await asyncio.sleep(1)
    before = client.errors
    async with running_node(port=port):
        await client.said("joined as 1")
        reader = await join_at(port, "2")
        lines = await reader.printed(1)
        codes = [await program.leave() for program in (client, reader)]

    assert lines == ["1: early"]
    assert len(before) == 1
    assert before[0].startswith(f"no connection to localhost:{port}")
    assert client.errors == [*before, "joined as 1"]
    assert codes == [0, 0]


async def test_a_server_that_comes_back_has_lost_and_doubled_nothing(
    join_at: Join, serve: Callable[[int], Awaitable[Program]]
) -> None:
    """Clients that talk while the server is killed, and stopped, find it again; every line arrives once."""
    port = free_port()
    server = await serve(port)
    reader, writer = await join_at(port, "2"), await join_at(port, "1")
    await reader.said("joined as 2")
    # What it types is sent before it has joined; who has not joined cannot join *again*.
    await writer.said("joined as 1")
    said: list[str] = []
    codes = []

    for away, number in enumerate((signal.SIGKILL, signal.SIGTERM), 1):
        said += [f"1: before {away}.{n}" for n in range(50)]
        writer.type("".join(line.removeprefix("1: ") + "\n" for line in said[-50:]))
        # Some are on their way now, some on the disk, some not even read.
        await reader.printed(len(said) - 49)
        codes.append(await server.leave(number))
        said.append(f"1: while away {away}")
        writer.type(f"while away {away}\n")
        # Each says so once it has lasted a moment.
        await reader.said("trying again", times=away)
        await writer.said("trying again", times=away)
        server = await serve(port)
        await reader.said("joined again as 2", times=away)
        await writer.said("joined again as 1", times=away)
    writer.type("end\n")
    await reader.shows("1: end")

    assert codes == [-signal.SIGKILL, 0]
    assert reader.lines == [*said, "1: end"]
    assert writer.lines == []
    assert await reader.leave() == await writer.leave() == 0
    # One line when the connection is lost, one when it is back.
    assert [line.split(" to ")[0] for line in reader.errors] == [
        "joined as 2",
        *(["no connection", "joined again as 2"] * 2),
    ]


async def test_leaving_tells_of_messages_that_may_not_have_been_sent(join_at: Join) -> None:
    """A message without an answer is waited for a moment when the client leaves; then it says so, with 1."""
    client = await join_at(free_port(), "1", "-message", "anybody?", "-timeout", "0.2")

    assert await client.ended() == 1
    assert client.errors[-1] == "error: 1 message may not have been sent"


async def test_ctrl_c_twice_leaves_at_once(join_at: Join) -> None:
    """Who does not want to wait for that moment presses Ctrl-C again."""
    client = await join_at(free_port(), "1", "-message", "anybody?")
    await client.said("trying again")

    client.signal(signal.SIGINT)
    while client.process.returncode is None:
        # Pressed in the same moment they would count as one.
        await asyncio.sleep(0.05)
        client.signal(signal.SIGINT)

    assert await client.ended() == 130
    assert not any("Traceback" in line for line in client.errors)


# Input


async def test_each_piped_line_is_a_message(join: Join, node: RunningNode) -> None:
    """Lines go in order, after the messages of the command line; empty ones do not; CRLF ends one too."""
    client = await join("1", "-message", "first", "-message", "second", "-message", "third")
    client.type("one\n\ntwo\r\n\r\n  \nthree")
    client.end_of_input()

    await room_holds(node, ["first", "second", "third", "one", "two", "  ", "three"])
    # It stays when its input is at the end.
    await node.client("2").send("general", "still there?")
    assert await client.printed(1) == ["2: still there?"]
    assert await client.leave() == 0


async def test_a_file_is_an_input(join: Join, node: RunningNode, tmp_path: Path) -> None:
    """`client.py < file` sends the file's lines, however many they are, and stays."""
    said = [f"line {n}" for n in range(3000)]
    (tmp_path / "lines").write_text("\n".join(said))

    with (tmp_path / "lines").open() as file:
        client = await join("1", stdin=file.fileno())
    await room_holds(node, said)

    assert await client.leave() == 0


async def test_client_without_input_stays(join: Join, node: RunningNode) -> None:
    """With /dev/null for an input, as a service has, the client goes on receiving."""
    client = await join("1", stdin=subprocess.DEVNULL)
    await client.said("joined as 1")

    await node.client("2").send("general", "hello")

    assert await client.printed(1) == ["2: hello"]
    assert await client.leave() == 0


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"\xff\xfe", "error: line 2 of the input is not UTF-8; not sent"),
        (
            b"x" * 65_537,
            "error: not sent: messages[0].text must be at most 65536 bytes of UTF-8, and has 65537",
        ),
        (b"x" * 3_000_000, "error: line 2 of the input is longer than 190000 bytes; not sent"),
        (b"a\0b", "error: not sent: messages[0].text must not have the character U+0000"),
    ],
    ids=["not UTF-8", "longer than the server allows", "longer than anybody would read", "NUL"],
)
async def test_a_line_that_cannot_be_sent_does_not_hold_up_the_others(
    line: bytes, error: str, join: Join, node: RunningNode
) -> None:
    """It is named on standard error, the others are sent, and the exit code is 1 in the end."""
    client = await join("1")
    client.type(b"before\n" + line + b"\nafter\nend\n")
    client.end_of_input()

    await room_holds(node, ["before", "after", "end"])
    await client.said("not sent")
    await client.said("joined as 1")

    assert await client.leave() == 1
    assert sorted(client.errors) == sorted(["joined as 1", error])


async def test_a_message_argument_that_is_not_text_is_refused(join: Join, node: RunningNode) -> None:
    """Bytes of the command line that are no text are named, and the other messages are sent."""
    client = await join("1", "-message", "caf\udce9", "-message", "café", "-message", "", "-timeout", "0")

    assert await client.ended() == 1
    assert sorted(line for line in client.errors if line != "joined as 1") == [
        "error: not sent: messages[0].text must not be empty where the message carries no files",
        "error: not sent: the message is not UTF-8",
    ]
    assert await texts(node) == ["café"]


# A terminal


async def test_lines_typed_at_a_terminal_are_sent(join: Join, node: RunningNode) -> None:
    """A person types lines and sees those of the others; Ctrl-D ends nothing, Ctrl-C ends with 0."""
    client = await join("1", terminal=True)
    await client.said("joined as 1")

    client.type("hello\n")
    await room_holds(node, ["hello"])
    client.type("\x04")
    await node.client("2").send("general", "hi")
    await client.until(lambda: b"2: hi\r\n" in client.screen)
    client.type("\x03")

    assert await client.ended() == 0
    assert bytes(client.screen).removesuffix(b"^C") == b"2: hi\r\n"
    assert client.errors == ["joined as 1"]


async def test_a_client_in_the_background_of_a_terminal_goes_on(
    node: RunningNode, programs: list[Program]
) -> None:
    """`client.py &` is not stopped for reading the terminal, and takes what is typed after `fg`."""
    script = 'set -m; "$@" & read go; fg >/dev/null'
    # In the background it is in a group of its own, which does not end with the shell.
    client = python("client.py", "-client_id", "1", "-port", str(node.node.port), "-timeout", "120")
    shell = await start("sh", "-c", script, "sh", *client, terminal=True)
    programs.append(shell)
    await shell.said("joined as 1")

    await node.client("2").send("general", "are you there?")
    await shell.until(lambda: b"2: are you there?\r\n" in shell.screen)
    shell.type("go\n")
    # The shell reads this line or that one, and whatever comes while the client is in front is the client's.
    async with asyncio.timeout(PATIENCE):
        while not await texts(node) or (await texts(node))[-1:] == ["are you there?"]:
            shell.type("yes\n")
            await asyncio.sleep(0.1)
    shell.type("\x03")

    assert await shell.ended() == 0
    assert set(await texts(node)) == {"are you there?", "yes"}


# Text

SCRIPTS = {
    "Arabic": "مرحبًا بالعالم",
    "Hebrew": "שָׁלוֹם עוֹלָם",
    "Devanagari with joiners": "नमस्ते क्‍ष र्‌य",
    "Thai": "สวัสดีชาวโลก",
    "Chinese": "你好，世界 𠮷",  # noqa: RUF001
    "Japanese": "こんにちは世界",
    "Korean": "안녕하세요 세계",
    "family": "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪",
    "combining": "e\u0301 and é, Z\u0351\u036b\u0343a\u0329lgo",
    "Vietnamese": "Xin chào thế giới",
    "Greek": "Γειά σου Κόσμε",  # noqa: RUF001
    "Persian with a non-joiner": "می‌خواهم",
    "no-break": "100\u00a0km\u3000wide",
    "backslash": r"C:\new\x1b",
}


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C.UTF-8", "LC_ALL": None},
        {"LANG": "C", "LC_ALL": None, "LC_CTYPE": None},
        {"LC_ALL": "C"},
    ],
    ids=lambda env: " ".join(f"{k}={v}" for k, v in env.items()),
)
async def test_every_script_comes_out_as_it_went_in(
    env: dict[str, str | None], join: Join, node: RunningNode
) -> None:
    """Text of all the world arrives byte for byte, typed or on the command line, whatever the locale."""
    said = list(SCRIPTS.values())
    arguments = [part for text in said for part in ("-message", text)]

    client = await join("1", *arguments, env=env)
    client.type("".join(text + "\n" for text in said))
    reader = await join("2", env=env)
    await reader.printed(2 * len(said))

    assert reader.lines == [f"1: {text}" for text in said + said]
    assert await texts(node) == said + said


async def test_a_terminal_that_knows_less_gets_escapes(join: Join, node: RunningNode) -> None:
    """Where the output has another encoding than UTF-8, what it can't hold is an escape, not an error."""
    await node.client("1").send("general", "grüß 你")

    reader = await join("2", env={"PYTHONIOENCODING": "latin-1"})
    await reader.until(lambda: b"\n" in reader.out)

    assert bytes(reader.out) == "1: grüß \\u4f60\n".encode("latin-1")


HOSTILE = {
    "colour": ("\x1b[31mred", r"\x1b[31mred"),
    "title": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "clipboard": ("\x1b]52;c;AAAA\x1b\\", "\\x1b]52;c;AAAA\\x1b\\"),
    "link": ("\x1b]8;;http://example.org\x1b\\", "\\x1b]8;;http://example.org\\x1b\\"),
    "C1": ("\x9b31m \x85 \x90", r"\x9b31m \x85 \x90"),
    "lines": ("one\ntwo\r\nthree\rfour", r"one\ntwo\r\nthree\rfour"),
    "tab and backspace": ("a\tb\bc\x7f", r"a\tb\x08c\x7f"),
    "separators": ("a\u2028b\u2029c\vd\fe", r"a\u2028b\u2029c\x0bd\x0ce"),
    "bidi": ("\u202etxt.exe\u2066", r"\u202etxt.exe\u2066"),
    "invisible": ("\ufeff\u2060\U000e0041", r"\ufeff\u2060\U000e0041"),
    "all of C0 and C1": (
        "".join(map(chr, [*range(1, 32), *range(127, 160)])),
        None,
    ),
}


async def test_nothing_that_is_said_drives_the_terminal(join: Join, node: RunningNode) -> None:
    """However hostile a text, the raw bytes at the terminal hold no control but the end of each line."""
    reader = await join("2", terminal=True)
    alice = node.client("1")
    for text, _ in HOSTILE.values():
        await alice.send("general", text)
    await alice.send("general", "end")

    await reader.until(lambda: b"1: end\r\n" in reader.screen)

    lines = bytes(reader.screen).decode().split("\r\n")
    assert [line for line in lines if re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)] == []
    assert len(lines) == len(HOSTILE) + 2
    for line, (_, visible) in zip(lines, HOSTILE.values(), strict=False):
        if visible is not None:
            assert line == f"1: {visible}"


async def test_errors_do_not_drive_the_terminal(join: Join) -> None:
    """What the command line holds is repeated on standard error without its controls."""
    client = await join("\x1b[31mnobody\x9b", "-server_ip", "\x1b[2Jhost\n", "-timeout", "0.5")

    await client.ended()

    assert client.errors
    assert re.findall(rb"[\x00-\x09\x0b-\x1f\x7f]", bytes(client.err)) == []
    assert "\x9b" not in client.err.decode()


# Ids


async def test_ids_may_be_unusual(join_at: Join) -> None:
    """Ids with colons, spaces, percent signs and letters of any script join and are shown as they are."""
    ids = ["a:b", "ü 你好", "Ann Lee", "100%25", '"e\u0301"']
    async with running_node(*ids) as node:
        reader = await join_at(node.node.port, ids[0])
        await reader.said(f"joined as {ids[0]}")
        for id_ in ids[1:]:
            client = await join_at(node.node.port, id_, "-message", f"I am {id_}", "-timeout", "0")
            assert await client.ended() == 0

        assert await reader.printed(len(ids) - 1) == [f"{id_}: I am {id_}" for id_ in ids[1:]]


@pytest.mark.parametrize(
    ("id_", "error"),
    [
        ("a\nb", r"the trusted id 'a\nb' must not have the character U+000A"),
        ("a\u202eb", r"the trusted id 'a\u202eb' must not have the character U+202E"),
        ("a\udcffb", r"the trusted id 'a\udcffb' must not have the character U+DCFF"),
        ("ü" * 33, f"the trusted id '{'ü' * 33}' must be at most 64 bytes of UTF-8, and has 66"),
        ("", "the trusted id '' must not be empty"),
    ],
    ids=["newline", "bidi", "not UTF-8", "too long", "empty"],
)
async def test_a_server_refuses_ids_that_cannot_be_shown(id_: str, error: str) -> None:
    """The error names the id and what is wrong with it."""
    with pytest.raises(InvalidRequest) as refused:
        async with running_node("1", id_):
            pass

    assert str(refused.value) == error


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ("1,a\x1b[31mb", r"error: the trusted id 'a\x1b[31mb' must not have the character U+001B"),
        ("1,a\udcffb", r"error: the trusted id 'a\udcffb' must not have the character U+DCFF"),
    ],
    ids=["escape", "not UTF-8"],
)
async def test_server_py_says_what_is_wrong_with_an_id(
    ids: str, error: str, programs: list[Program], tmp_path: Path
) -> None:
    """It ends with one sentence, safe for a terminal, and exit code 1, and makes nothing."""
    command = python("server.py", "-client_ids", ids, "-port", "0", "-data", str(tmp_path / "data"))
    server = await start(*command)
    programs.append(server)

    assert await server.ended() == 1
    assert server.errors == [error]
    assert server.lines == []
    assert not (tmp_path / "data").exists()


async def test_an_id_that_is_not_authorised_gets_nothing(join: Join, node: RunningNode) -> None:
    """One clear line on standard error, exit code 1, nothing received, nothing sent."""
    await node.client("1").send("general", "secret")

    client = await join("4", "-message", "let me in", "-message", "please")

    assert await client.ended() == 1
    assert client.errors == ["error: this id is not authorised on this server"]
    assert client.lines == []
    assert await texts(node) == ["secret"]


async def test_the_second_client_of_an_id_takes_the_first_one_s_place(join: Join, node: RunningNode) -> None:
    """The older one leaves with one line and exit code 1; the newer stays and gets everything once."""
    alice = node.client("1")
    older = await join("2")
    await older.said("joined as 2")
    await alice.send("general", "one")
    await older.printed(1)

    newer = await join("2")
    code = await older.ended()
    await alice.send("general", "two")
    await newer.printed(1)

    assert code == 1
    assert older.errors == ["joined as 2", "error: 2 has joined from somewhere else; leaving"]
    assert older.lines + newer.lines == ["1: one", "1: two"]
    assert newer.errors == ["joined as 2"]


# The command line

CLIENT = quickstart_client.command
SERVER = quickstart_server.command


@pytest.mark.parametrize(("script", "flag"), [("client.py", "-h"), ("server.py", "--help")])
async def test_help_shows_examples(script: str, flag: str, programs: list[Program]) -> None:
    """Anyone who asks for help gets commands to copy."""
    program = await start(*python(script, flag), env={"COLUMNS": "120"})
    programs.append(program)

    assert await program.ended() == 0
    assert any(line.strip().startswith(f"python3 {script} -client_id") for line in program.lines)
    assert program.errors == []


@pytest.mark.parametrize("flag", ["-h", "-help", "--help"])
@pytest.mark.parametrize("command", [CLIENT, SERVER], ids=["client.py", "server.py"])
def test_help_has_every_spelling(command: click.Command, flag: str) -> None:
    """The flags of these commands have one dash, and so may the one for help."""
    result = CliRunner().invoke(command, [flag])

    assert result.exit_code == 0
    assert "Examples:" in result.output


async def test_a_wrong_command_line_ends_with_2(programs: list[Program]) -> None:
    """The usage and what is wrong stand on standard error."""
    program = await start(*python("client.py", "-client_id", "1", "-nonsense"))
    programs.append(program)

    assert await program.ended() == 2
    assert program.errors[0].startswith("Usage: ")
    assert program.errors[-1].startswith("Error: ")
    assert program.lines == []


@pytest.mark.parametrize(
    ("command", "arguments", "named"),
    [
        (CLIENT, [], "-client_id"),
        (CLIENT, ["-client_id", "1", "-port", "none"], "-port"),
        (CLIENT, ["-client_id", "1", "-port", "65536"], "-port"),
        (CLIENT, ["-client_id", "1", "-timeout", "-1"], "-timeout"),
        (CLIENT, ["-client_id", "1", "stray"], "stray"),
        (SERVER, [], "-client_ids"),
        (SERVER, ["-client_ids", "1", "-port", "-1"], "-port"),
    ],
)
def test_a_wrong_command_line_is_told_what_is_wrong(
    command: click.Command, arguments: list[str], named: str
) -> None:
    """The error names the flag or the word that is wrong."""
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == 2
    assert named in result.stderr.splitlines()[-1]


async def test_server_that_is_restored_from_a_copy_is_said_once(
    join: Join, node: RunningNode, tmp_path: Path
) -> None:
    """What came after the copy was made is gone, and what comes instead is printed, once."""
    alice, copy = node.client("1"), tmp_path / "copy"
    client = await join("2")
    await alice.send("general", "kept")
    await client.shows("1: kept")
    await node.stop()
    shutil.copytree(node.config.data, copy)
    await node.start()
    for n in range(3):
        await alice.send("general", f"lost {n}")
    await client.shows("1: lost 2")
    await node.stop()
    shutil.rmtree(node.config.data)
    shutil.copytree(copy, node.config.data)
    await node.start()
    for n in range(5):
        await alice.send("general", f"new {n}")
    await client.shows("1: new 4")

    assert await client.leave() == 0
    lines = ["kept", *(f"lost {n}" for n in range(3)), *(f"new {n}" for n in range(5))]
    assert client.lines == [f"1: {line}" for line in lines]
    said = "the server was restored from a backup: messages after 1 may be new"
    assert client.errors.count(said) == 1
    # The next one begins after what was printed.
    again = await join("2")
    await alice.send("general", "later")
    await again.shows("1: later")
    assert again.lines == ["1: later"]
