"""Commands, run and watched as their users would."""

from __future__ import annotations

import asyncio
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests import warm

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds until something that should happen counts as not happening."""


class Program:
    """A command that runs, and what it has printed so far.

    Attributes:
        out, err: Standard output and standard error, where they are pipes.
        screen: What arrived at the terminal, where it has one.
    """

    def __init__(self, process: asyncio.subprocess.Process | warm.Process, terminal: int | None) -> None:
        self.process = process
        self.terminal = terminal
        self.out = bytearray()
        self.err = bytearray()
        self.screen = bytearray()
        self._news = asyncio.Event()
        self._reading = [
            asyncio.create_task(self._read(stream, into))
            for stream, into in ((process.stdout, self.out), (process.stderr, self.err))
            if stream
        ]
        if terminal is not None:
            os.set_blocking(terminal, False)
            asyncio.get_running_loop().add_reader(terminal, self._read_terminal, terminal)

    def __repr__(self) -> str:
        parts = {"stdout": self.out, "stderr": self.err, "terminal": self.screen}
        said = "\n".join(
            f"{name}:\n{bytes(data).decode(errors='backslashreplace')}" for name, data in parts.items()
        )
        return f"<Program, exit code {self.process.returncode}>\n{said}"

    async def _read(self, stream: asyncio.StreamReader, into: bytearray) -> None:
        while data := await stream.read(65_536):
            into += data
            self._news.set()
        self._news.set()

    def _read_terminal(self, terminal: int) -> None:
        try:
            data = os.read(terminal, 65_536)
        except OSError:
            # Nobody has the other side open now.
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(terminal)
        self.screen += data
        self._news.set()

    @property
    def lines(self) -> list[str]:
        """The complete lines of standard output."""
        return self.out[: self.out.rfind(b"\n") + 1].decode().split("\n")[:-1]

    @property
    def errors(self) -> list[str]:
        """The complete lines of standard error."""
        return self.err[: self.err.rfind(b"\n") + 1].decode().split("\n")[:-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds of what was printed; the test fails if it never does."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    if all(task.done() for task in self._reading) and self.terminal is None:
                        pytest.fail(f"it ended before that: {self!r}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"it did not happen: {self!r}")

    async def said(self, words: str, *, times: int = 1) -> None:
        """Wait until that many lines of standard error hold these words."""
        await self.until(lambda: sum(words in line for line in self.errors) >= times)

    async def shows(self, words: str) -> str:
        """Wait until a line of standard output holds these words, and return the line."""
        await self.until(lambda: any(words in line for line in self.lines))
        return next(line for line in self.lines if words in line)

    async def printed(self, count: int) -> list[str]:
        """Wait for that many lines of standard output, and return them all."""
        await self.until(lambda: len(self.lines) >= count)
        return self.lines

    def type(self, text: str | bytes) -> None:
        """Type into the terminal, or write to standard input."""
        data = text if isinstance(text, bytes) else text.encode()
        if self.terminal is not None:
            os.write(self.terminal, data)
        else:
            assert self.process.stdin
            self.process.stdin.write(data)

    def end_of_input(self) -> None:
        """Close standard input."""
        assert self.process.stdin
        self.process.stdin.close()

    async def ended(self) -> int:
        """Wait until it has ended and everything it printed is here; its exit code."""
        try:
            async with asyncio.timeout(PATIENCE):
                code = await self.process.wait()
                await asyncio.gather(*self._reading)
        except TimeoutError:
            pytest.fail(f"it did not end: {self!r}")
        return code

    async def leave(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; its exit code."""
        self.signal(number)
        return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is there to get one.

        Not by asyncio's own method, which looks whether the process has ended, and so takes its exit code
        away from the code that waits for it: then that is 255.
        """
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """Take it out of the world, and whatever it started with it."""
        # It may have ended without asyncio knowing yet.
        with suppress(ProcessLookupError):
            if self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        # What it started may still hold the pipes for a moment.
        await asyncio.gather(*self._reading)
        if self.terminal is not None:
            asyncio.get_running_loop().remove_reader(self.terminal)
            os.close(self.terminal)
            self.terminal = None


# The session that start_new_session made has no terminal yet; standard input becomes it. Done by a program of
# its own: a preexec_fn has Python fork for real, and a process that has loaded grpc may crash after that.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


async def start(
    *command: str | Path,
    terminal: bool = False,
    stdin: int | None = subprocess.PIPE,
    stdout: int | None = subprocess.PIPE,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    cold: bool = False,
) -> Program:
    """Start a command in a session of its own; our own programs by a fork of one that has made their imports.

    Args:
        terminal: Whether it has a terminal: its standard input and output, without echo.
        env: Changes of the environment; None for what is to be missing.
        cold: Start Python itself, as users do, where how a program is loaded matters.
    """
    changed: dict[str, str | None] = {
        name: value
        for name, value in os.environ.items()
        # The engine is what `make test-all` runs the tests for.
        if name == "GRPC_CHAT_GRPC__ENGINE" or not name.startswith(("GRPC_CHAT_", "PYTEST_"))
    }
    changed |= env or {}
    environment = {name: value for name, value in changed.items() if value is not None}
    program = None if cold else warm.program_of(command, environment)
    master = slave = None
    if terminal:
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        stdin = stdout = slave
    if terminal and not program:
        command = (sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *command)
    process: asyncio.subprocess.Process | warm.Process
    try:
        if program:
            process = await warm.start(
                program, terminal=terminal, stdin=stdin, stdout=stdout, env=environment, cwd=cwd or ROOT
            )
        else:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=cwd or ROOT,
                start_new_session=True,
            )
    finally:
        if slave is not None:
            os.close(slave)
    return Program(process, master)


def python(script: str, *arguments: str) -> list[str | Path]:
    """One of the root scripts as a command."""
    return [sys.executable, ROOT / script, *arguments]


def free_port() -> int:
    """A port that is free, and that stays free while nobody listens on it.

    The system gives port 0 and outgoing connections numbers from 32768 up, so a port from there may be gone
    when a server comes back to it.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def copy_checkout(folder: Path) -> Path:
    """Copy what a user of a clone runs, as it is now."""
    folder.mkdir()
    for pattern in ("*.py", "*.lock", "chat.proto", "pyproject.toml", "Makefile"):
        for path in ROOT.glob(pattern):
            # A user's own stubs are not in git.
            if not path.name.startswith("chat_pb2"):
                shutil.copy2(path, folder)
    # With what was compiled already, as each copy would take seconds for it.
    shutil.copytree(ROOT / "grpc_chat", folder / "grpc_chat")
    return folder


def commands_of_readme(title: str) -> list[str]:
    """The commands under a heading of README.md: the lines of blocks without a language, or in `sh`."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    [section] = [part for part in re.split("^## ", readme, flags=re.M) if part.startswith(f"{title}\n")]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.M | re.S)
    text = "".join(block for language, block in blocks if language in ("", "sh"))
    lines = text.replace("\\\n", " ").split("\n")
    return [line for line in lines if line.strip() and not line.startswith("#")]
