"""Real server processes, and everything that can be done to one from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests import warm
from tests.engine import ENGINE
from tests.store_writes import put_room

ROOT = Path(__file__).resolve().parents[2]

START_SECONDS = 45.0
"""How long a start may take before it counts as hung; how long it takes is reported."""

SETTINGS = {
    # The only setting that is taken over from the environment of the run, which says what it was.
    "GRPC_CHAT_GRPC__ENGINE": ENGINE,
    # One process plays many clients, and what is tested is what happens to their messages.
    "GRPC_CHAT_LIMITS__CALLS_PER_SECOND": "0",
    "GRPC_CHAT_SUBSCRIBE__HEARTBEAT": "PT0.5S",
    # Small, so that readers fall behind it and are read to from the store, again and again.
    "GRPC_CHAT_SUBSCRIBE__TAIL_BYTES": "16384",
    "GRPC_CHAT_LOG_FORMAT": "json",
    # The disks of some faults are small, and uploads whose beginning was answered to nobody stay for days.
    "GRPC_CHAT_FILES__FREE_BYTES": "0",
    "GRPC_CHAT_FILES__UPLOADS_PER_USER": "100000",
}


class DidNotStart(Exception):
    """The server refused to start; the text is what it said."""


def free_port() -> int:
    """A port below those that connections are given, or a client could take it while the server is down."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def make_rooms(
    data: Path, rooms: list[str], users: list[str], *, admin: str, open_to: Mapping[str, str]
) -> None:
    """Make the database, with rooms that all users are members of.

    Args:
        admin: The user who is an admin of all of them.
        open_to: Rooms whose history begins at joining, each with a user who is no member yet and may join.
    """
    store = open_store(data)
    try:
        members: dict[str, pb.Role.ValueType] = dict.fromkeys(users, pb.ROLE_MEMBER)
        members[admin] = pb.ROLE_ADMIN
        store.commit(
            [
                put_room(
                    room, room, {user: role for user, role in members.items() if user != open_to.get(room)}
                )
                for room in rooms
            ]
        )
    finally:
        store.close()
    with contextlib.closing(sqlite3.connect(data / "chat.db")) as connection, connection:
        connection.executemany(
            "UPDATE rooms SET kind = ?, history = ? WHERE room_id = ?",
            [(pb.ROOM_KIND_PUBLIC, pb.HISTORY_SINCE_JOIN, room) for room in open_to],
        )


class Server:
    """``grpc-chat serve`` on a folder, again and again on the same port.

    Args:
        package: The checkout that is run.
        settings: More of the environment.
        log: What it says is added to this file.
        forks: Whether the process is forked from one that has made its imports, where that can be.
    """

    def __init__(
        self,
        data: Path,
        users: list[str],
        log: Path,
        *,
        package: Path = ROOT,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        forks: bool = False,
    ) -> None:
        self.data = data
        self.users = users
        self.log = log
        self.package = package
        self.port = port or free_port()
        self.metrics_port = free_port()
        self.web_port = free_port()
        self.settings = dict(settings or {})
        self._forks = forks
        self.process: asyncio.subprocess.Process | warm.Process | None = None
        self.start_seconds: list[float] = []
        self.started = 0.0
        """When it was started last."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def web_address(self) -> str:
        """For browsers."""
        return f"127.0.0.1:{self.web_port}"

    @property
    def pid(self) -> int:
        assert self.process, "the server was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self, extra: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it listens.

        Raises:
            DidNotStart: It ended instead.
        """
        environment = {name: value for name, value in os.environ.items() if "GRPC_CHAT" not in name}
        environment |= SETTINGS | self.settings | dict(extra or {})
        if self.package != ROOT:
            environment["PYTHONPATH"] = str(self.package)
        flags = ["--data", str(self.data), "--port", str(self.port), "--trusted-ids", ",".join(self.users)]
        flags += ["--metrics-port", str(self.metrics_port), "--web-port", str(self.web_port)]
        began = time.monotonic()
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = await self._run(["-m", "grpc_chat", "serve", *flags], environment, log.fileno())
        assert self.process.stdout
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            await self.kill()
            raise DidNotStart(f"nothing for {START_SECONDS} s") from None
        if b"listening" not in line:
            await self.exited()
            raise DidNotStart(self.log.read_bytes()[before:].decode(errors="replace").strip())
        self.started = time.monotonic()
        self.start_seconds.append(self.started - began)

    async def _run(
        self, arguments: list[str], environment: dict[str, str], log: int
    ) -> asyncio.subprocess.Process | warm.Process:
        command = [sys.executable, *arguments]
        nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        program = warm.program_of(command, environment) if self._forks and self.package == ROOT else None
        if program:
            return await warm.start(
                program, stdin=nothing, stdout=pipe, stderr=log, env=environment, cwd=ROOT
            )
        return await asyncio.create_subprocess_exec(
            *command, stdin=nothing, stdout=pipe, stderr=log, env=environment, cwd=self.package
        )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def exited(self, seconds: float = 30.0) -> int:
        """Wait until it has ended; its exit code."""
        assert self.process
        return await asyncio.wait_for(self.process.wait(), seconds)

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.running:
            self.signal(signal.SIGKILL)
            await self.exited()

    async def stop(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.signal(signal.SIGTERM)
        return await self.exited()

    async def freeze(self) -> None:
        """SIGSTOP, and wait until every thread stands still."""
        self.signal(signal.SIGSTOP)
        await asyncio.to_thread(_wait_until_stopped, self.pid)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def rss_mb(self) -> float:
        """Its memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    async def metric(self, name: str) -> float:
        """One number of its metrics."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"

        def get() -> str:
            with urllib.request.urlopen(url, timeout=5) as response:
                text: bytes = response.read()
                return text.decode()

        found = re.search(rf"^{name}(?:_total)? (\S+)", await asyncio.to_thread(get), re.MULTILINE)
        if not found:
            raise LookupError(name)
        return float(found[1])


def _wait_until_stopped(pid: int) -> None:
    tasks = Path(f"/proc/{pid}/task")
    while {(task / "stat").read_text().rpartition(") ")[2][0] for task in tasks.iterdir()} != {"T"}:
        time.sleep(0.002)
