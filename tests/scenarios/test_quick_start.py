"""The quick start, as somebody follows it who has nothing but a checkout, python3 and make."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grpc_chat.testing import running_node
from tests.programs import Program, commands_of_readme, copy_checkout, free_port, start

# Programs take their time to start where many run at once.
pytestmark = pytest.mark.timeout(240)

PROTOC = ["-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", "chat.proto"]

# What a user's own program looks like, made of nothing but chat.proto.
USER = """
import uuid

import chat_pb2
import chat_pb2_grpc
import grpc

with grpc.insecure_channel(ADDRESS) as channel:
    metadata = [("authorization", "Bearer 1")]
    id_ = str(uuid.uuid4())
    outgoing = chat_pb2.OutgoingMessage(room_id="general", client_message_id=id_, text="by hand")
    messages = chat_pb2_grpc.MessageServiceStub(channel)
    messages.SendMessages(chat_pb2.SendMessagesRequest(messages=[outgoing]), metadata=metadata)
    subscribe = chat_pb2_grpc.SubscribeServiceStub(channel).Subscribe
    request = chat_pb2.SubscribeRequest(cursors=[chat_pb2.Cursor(room_id="general")], include_own=True)
    for response in subscribe(request, metadata=metadata):
        for event in response.events:
            print(event.seq, event.user_id, event.message.text)
        if response.HasField("caught_up"):
            break
"""

# The client of this package, in the same process.
OURS = """
import asyncio

from grpc_chat import Client

async def main():
    async with Client(ADDRESS, token="2") as client:
        await client.send("general", "by the package")
        print([message.text async for message in client.history("general")])

asyncio.run(main())
"""


@pytest.fixture
async def programs() -> AsyncIterator[list[Program]]:
    """Whatever is added is gone after the test."""
    programs: list[Program] = []
    yield programs
    for program in programs:
        await program.kill()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout in which nothing is installed."""
    return copy_checkout(tmp_path / "checkout")


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without our dependencies."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python3"


def install(checkout: Path) -> None:
    """Have the checkout's .venv, as `make` leaves it: this one, under another name."""
    (checkout / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".installed":
            (checkout / ".venv" / path.name).symlink_to(path)
    # Newer than everything it depends on, so make has nothing to do and changes nothing behind the links.
    (checkout / ".venv" / ".installed").touch()


# run_test_1.py


def verdicts(program: Program) -> dict[str, str]:
    """What run_test_1.py looked at, and whether it was ``ok`` or ``FAIL``."""
    return {what: verdict for verdict, what in re.findall(r"^  (ok|FAIL) +(.*)$", program.out.decode(), re.M)}


def tells_three_stories(program: Program) -> None:
    """It says for each what it expected and saw, and all hold."""
    stories = [line[:8] for line in program.lines if line.startswith("Story")]
    assert stories == ["Story 1:", "Story 2:", "Story 3:"]
    assert program.lines[-1] == "All stories hold."
    assert set(verdicts(program).values()) == {"ok"}
    looked_at = len(verdicts(program))
    assert looked_at >= 9
    assert sum(line.strip().startswith("expected: ") for line in program.lines) == looked_at
    assert sum(line.strip().startswith("saw: ") for line in program.lines) == looked_at
    assert program.errors == []


LIAR = """
import sys

from grpc_chat.api.subscribe import SubscribeService
from grpc_chat.cli.quickstart import server_main
from grpc_chat.wire.chat_pb2 import START_LATEST

honest = SubscribeService.subscribe
streams = []

def lie(self, caller, request, write):
    request.include_own = True
    # Of the first story; what happens later, everybody gets, Doug included.
    streams.append(request)
    if len(streams) <= 3:
        request.start = START_LATEST
    return honest(self, caller, request, write)

SubscribeService.subscribe = lie
sys.argv[1:] = [argument.replace("1,2,3", "1,2,3,4") for argument in sys.argv[1:]]
raise SystemExit(server_main())
"""


# What it does not wait for, as it never comes or does not end.
IMPATIENCE = {
    "monotonic() + PATIENCE": 'monotonic() + (0.5 if "Hello" in pattern else PATIENCE)',
    'doug.wait_for(doug.err, "not authorised")': 'doug.wait_for(doug.out, "Is Doug here")',
    "return self.process.wait(PATIENCE)": "return self.process.wait(0.1)",
}


async def test_run_test_1_finds_a_server_that_lies(checkout: Path, programs: list[Program]) -> None:
    """Stories that do not hold are named, and no others; the exit code is 1."""
    (checkout / "server.py").write_text(LIAR)
    script = (checkout / "run_test_1.py").read_text()
    for line, impatient in IMPATIENCE.items():
        assert script.count(line) == 1
        script = script.replace(line, impatient)
    (checkout / "run_test_1.py").write_text(script)

    program = await start(sys.executable, "run_test_1.py", cwd=checkout)
    programs.append(program)

    assert await program.ended() == 1
    assert program.lines[-1] == "Not all stories hold."
    failed = {what for what, verdict in verdicts(program).items() if verdict == "FAIL"}
    assert failed >= {
        # It forgets the past,
        "Bob comes online and gets it",
        "Chad comes online and gets it",
        # sends back one's own,
        "Bob gets nothing back",
        # and lets everybody in.
        "Doug gets nothing",
        "Doug is told why",
        "Doug's client ends with an error",
    }, program
    assert program.errors == []


async def test_run_test_1_finds_a_server_that_does_not_start(checkout: Path, programs: list[Program]) -> None:
    """It repeats what the server said, and ends with 1."""
    (checkout / "server.py").write_text("raise SystemExit('no disk')")

    program = await start(sys.executable, "run_test_1.py", cwd=checkout)
    programs.append(program)

    assert await program.ended() == 1
    assert program.lines == ["The server did not start:", "  no disk"]


# Stubs of one's own


@pytest.fixture
async def stubs(tmp_path: Path, programs: list[Program]) -> Path:
    """A folder with what protoc makes of chat.proto, and nothing else."""
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "chat.proto").write_bytes((Path(__file__).parents[2] / "chat.proto").read_bytes())
    protoc = await start(sys.executable, *PROTOC, cwd=folder)
    programs.append(protoc)
    assert await protoc.ended() == 0, protoc
    assert sorted(path.name for path in folder.iterdir()) == ["chat.proto", "chat_pb2.py", "chat_pb2_grpc.py"]
    return folder


@pytest.mark.parametrize(
    "source",
    [
        "import chat_pb2\n" + OURS + USER,
        "import grpc_chat.wire.chat_pb2_grpc\n" + USER + OURS,
    ],
    ids=["the user's first", "ours first"],
)
async def test_a_users_own_stubs_live_beside_ours(source: str, stubs: Path, programs: list[Program]) -> None:
    """In one process, whichever is imported first, both talk to the server."""
    async with running_node() as node:
        script = f"ADDRESS = {node.address!r}\n{source}"
        program = await start(sys.executable, "-c", script, cwd=stubs)
        programs.append(program)

        assert await program.ended() == 0, program
        assert sorted([message.text async for message in node.client("3").history("general")]) == [
            "by hand",
            "by the package",
        ]
    assert re.search("^[12] 1 by hand$", program.out.decode(), re.M)
    assert program.errors == []


async def test_a_users_own_stubs_need_nothing_of_ours(stubs: Path, programs: list[Program]) -> None:
    """Anyone who has chat.proto and grpcio has a client."""
    async with running_node() as node:
        script = f"ADDRESS = {node.address!r}\n{USER}import sys\nassert 'grpc_chat' not in sys.modules"
        program = await start(sys.executable, "-c", script, cwd=stubs)
        programs.append(program)

        assert await program.ended() == 0, program
    assert program.lines == ["1 1 by hand"]


# Nothing installed

SCRIPTS = (["server.py", "-client_ids", "1,2,3", "-port", "0"], ["client.py", "-client_id", "1"])


@pytest.mark.parametrize("arguments", SCRIPTS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize("half_installed", [False, True], ids=["no .venv", ".venv without the dependencies"])
async def test_without_the_dependencies_one_line_says_what_to_do(
    arguments: list[str], half_installed: bool, checkout: Path, bare_python: Path, programs: list[Program]
) -> None:
    """A Python that lacks them gets a sentence and exit code 1, no traceback, whatever .venv is like."""
    if half_installed:
        (checkout / ".venv").symlink_to(bare_python.parent.parent)

    program = await start(bare_python, *arguments, cwd=checkout)
    programs.append(program)

    assert await program.ended() == 1
    assert program.errors == [
        "grpc-chat's dependencies are not installed: run `make .venv` in the checkout once, "
        "or `pip install --require-hashes -r requirements.lock` into this Python"
    ]
    assert program.lines == []
    assert not (checkout / "data").exists()


async def test_the_scripts_go_on_in_the_checkouts_environment(
    checkout: Path, bare_python: Path, programs: list[Program], tmp_path: Path
) -> None:
    """Where .venv is installed, any python3 will do, from any folder, and all arguments arrive."""
    install(checkout)
    server = await start(bare_python, checkout / "server.py", *SCRIPTS[0][1:], cwd=tmp_path)
    programs.append(server)
    port = (await server.shows("listening on")).rpartition(":")[2]

    said = ["two  words", '"quoted" $HOME', "é"]
    messages = [argument for text in said for argument in ("-message", text)]
    client: list[str | Path] = [checkout / "client.py", "-port", port, "-client_id"]
    programs.append(await start(bare_python, *client, "1", *messages, cwd=tmp_path))
    reader = await start(bare_python, *client, "2", cwd=tmp_path)
    programs.append(reader)

    assert await reader.printed(3) == [f"1: {text}" for text in said]
    assert await server.leave() == 0


# README.md


async def test_the_commands_of_the_readme_for_trying_it_work(
    checkout: Path, bare_python: Path, programs: list[Program]
) -> None:
    """Each command does what it is there for, in the order of the page, on a port of this test."""
    install(checkout)
    (checkout / "bin").mkdir()
    for name in ("python", "python3"):
        # Not a link: through one it would not find its environment, and so be another Python.
        (checkout / "bin" / name).write_text(f'#!/bin/sh\nexec "{bare_python}" "$@"\n')
        (checkout / "bin" / name).chmod(0o755)
    port = str(free_port())
    env = {"PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}", "GRPC_CHAT_PORT": port}
    running: list[tuple[str, Program]] = []
    commands = commands_of_readme("Try it without accounts")

    async def run(command: str) -> Program:
        """Start a command, with the port of this test."""
        program = await start("sh", "-c", f"exec {command.replace('50051', port)}", cwd=checkout, env=env)
        programs.append(program)
        return program

    async def leave_all() -> None:
        """Ctrl-C, in the newest terminal first."""
        while running:
            command, program = running.pop()
            os.killpg(program.process.pid, signal.SIGINT)
            # Whatever its commands say, make ends with the signal of Ctrl-C.
            allowed = {0, -signal.SIGINT} if command.startswith("make") else {0}
            assert await program.ended() in allowed, program

    for command in commands:
        if re.search("make run|server.py|grpc-chat serve", command):
            # One server at a time; the one before has other clients, too.
            await leave_all()
            server = await run(command)
            running.append((command, server))
            await server.shows("listening on")
        elif client := re.search('client.py -client_id (\\S+) (.*)-message "(.*)"', command):
            writer = await run(command)
            reader = await run(f"python3 client.py -client_id 2 {client[2]}")
            running += [(command, writer), (command, reader)]
            await writer.said(f"joined as {client[1]}")
            await reader.shows(f"{client[1]}: {client[3]}")
        else:
            program = await run(command)
            assert await program.ended() == 0, program
            if "run_test_1.py" in command:
                tells_three_stories(program)
    await leave_all()

    assert {"server.py", "client.py", "run_test_1.py", "grpc_tools.protoc"} <= {
        word for command in commands for word in command.split()
    }
    assert (checkout / "chat_pb2_grpc.py").exists()
