"""Hours of coming and going: python -m tests.soak [--minutes 30] [--connects 10000] [--engine asyncio]

Members stay and read, somebody writes, and others connect, follow the room, say something and go, properly or
by just being gone. Watched from inside the server, which has a process of its own: memory, asyncio tasks,
streams and descriptors. In the end all clients leave. Exit code 0 if nothing of them is left then, and memory
did not go on growing in the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import h2
from grpc_chat import new_message_id
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.engine import ENGINE

ROOT = Path(__file__).resolve().parent.parent
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
CAUGHT_UP = b"\x2a\x00"
USERS = [f"u{at}" for at in range(40)]
STAYING = 20
PATIENCE = 30.0
"""Seconds until something that should happen counts as not happening."""


@dataclass(frozen=True, slots=True)
class State:
    """What the server holds."""

    seconds: float
    memory_mb: float
    tasks: int
    descriptors: int
    streams: int
    connections: int = 0
    """By its metric, which the engine grpcio has no figure for."""

    def back_to(self, start: State) -> bool:
        """Whether nothing is left that was not there at the start."""
        now, then = (
            (state.tasks, state.descriptors, state.streams, state.connections) for state in (self, start)
        )
        return all(each <= before for each, before in zip(now, then, strict=True))


@dataclass(slots=True)
class Report:
    """What came of it."""

    seconds: float = 0
    connects: int = 0
    messages: int = 0
    states: list[State] = field(default_factory=list)
    """The first before any client came, the last after all had left."""

    @property
    def clean(self) -> bool:
        """Whether nothing of the clients is left."""
        return self.states[-1].back_to(self.states[0])

    @property
    def slope_mb_per_hour(self) -> float:
        """How fast memory grew in the second half, while clients were there."""
        late = self.states[len(self.states) // 2 : -1]
        if len(late) < 2:
            return 0.0
        line = statistics.linear_regression([s.seconds for s in late], [s.memory_mb for s in late])
        return line.slope * 3600

    def __str__(self) -> str:
        first, last = self.states[0], self.states[-1]
        middle = self.states[len(self.states) // 2]
        return (
            f"{self.seconds:.0f} s, {self.connects:,} connects and disconnects, {self.messages:,} messages: "
            f"memory {first.memory_mb:.0f} MB before, {middle.memory_mb:.0f} half way, "
            f"{last.memory_mb:.0f} after ({self.slope_mb_per_hour:+.1f} MB/h in the second half); "
            f"tasks {first.tasks} to {last.tasks}, descriptors {first.descriptors} to {last.descriptors}, "
            f"streams {first.streams} to {last.streams}"
        )


async def serve(engine: str, members: int) -> None:
    """The server: prints its port, and its state for each line on standard input.

    Args:
        members: How many it has beside :data:`USERS`: m0, m1 and so on.
    """
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    started = time.monotonic()
    ids = [*USERS, *(f"m{at}" for at in range(members))]
    async with running_node(*ids, limits={"calls_per_second": 0}, grpc={"engine": engine}) as node:
        # SQLite keeps the descriptor of a connection that is closed beside others, for the next one. The
        # first is closed when something that was deleted is overwritten in the write-ahead log.
        await asyncio.to_thread(node.node.committer._store.forget_deleted)
        print(node.address.rpartition(":")[2], flush=True)
        while await lines.readline():
            gc.collect()
            metrics = node.node.metrics.registry
            state = {
                "seconds": time.monotonic() - started,
                "memory_mb": _memory_mb(),
                "tasks": len(asyncio.all_tasks()),
                "descriptors": len(os.listdir("/proc/self/fd")),
                "streams": int(metrics.get_sample_value("grpc_chat_streams") or 0),
                "connections": int(metrics.get_sample_value("grpc_chat_connections") or 0),
            }
            print(json.dumps(state), flush=True)


def _memory_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Server:
    """The server's process, seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process
        self._asking = asyncio.Lock()

    async def state(self) -> State:
        """What it holds now."""
        assert self._process.stdin
        assert self._process.stdout
        async with self._asking:
            self._process.stdin.write(b"\n")
            return State(**json.loads(await self._process.stdout.readline()))


@asynccontextmanager
async def server(engine: str, *, members: int = 0) -> AsyncIterator[Server]:
    """Start one, and stop it in the end.

    Args:
        members: How many it has beside :data:`USERS`: m0, m1 and so on.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.soak",
        "--serve",
        "--engine",
        engine,
        "--members",
        str(members),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Server(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Soak:
    """Clients that come and go.

    Args:
        seconds: How long, at least.
        connects: How often a client connects and leaves in this time.
    """

    def __init__(self, target: Server, *, seconds: float, connects: int, seed: int = 0) -> None:
        self._server = target
        self._seconds = seconds
        self._connects = connects
        self._chance = random.Random(seed)
        self._cursor = pb.Cursor(room_id="general")
        self.report = Report()

    async def run(self) -> Report:
        """Let them."""
        writer = await self._connect("u0")
        await self._say(writer)
        # Whatever is made when it is first needed is there: once each way, before anything is counted.
        await asyncio.gather(*[self._visit() for _ in range(32)])
        writer.close()
        await self._settle(None)
        self.report.states.append(await self._server.state())
        self.report.connects = self.report.messages = 0
        begun = time.monotonic()
        writer = await self._connect("u0")
        staying = [await self._follow(f"u{at % len(USERS)}") for at in range(STAYING)]
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(self._write(writer)), group.create_task(self._watch())]
            await self._come_and_go(begun)
            for task in others:
                task.cancel()
        for connection in [writer, *staying]:
            connection.close()
        await self._settle(self.report.states[0])
        self.report.seconds = time.monotonic() - begun
        return self.report

    async def _come_and_go(self, begun: float) -> None:
        pace = self._seconds / self._connects

        async def visits(first: int, step: int) -> None:
            for number in range(first, self._connects, step):
                await asyncio.sleep(max(0.0, begun + number * pace - time.monotonic()))
                await self._visit()

        async with asyncio.TaskGroup() as group:
            for first in range(16):
                group.create_task(visits(first, 16))

    async def _visit(self) -> None:
        connection = await self._follow(self._chance.choice(USERS))
        if self._chance.random() < 0.2:
            await self._say(connection)
        if self._chance.random() < 0.5:
            connection.close()
        else:
            connection.abort()
        await connection.closed
        self.report.connects += 1

    async def _write(self, connection: h2.Connection) -> None:
        while True:
            await self._say(connection)
            await asyncio.sleep(0.02)

    async def _watch(self) -> None:
        pause = max(0.2, self._seconds / 200)
        while True:
            self.report.states.append(await self._server.state())
            await asyncio.sleep(pause)

    async def _settle(self, start: State | None) -> None:
        """Until the server has noticed that all are gone; the state that it is in then is the last one."""
        state = await self._server.state()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and (state.streams or (start and not state.back_to(start))):
            await asyncio.sleep(0.1)
            state = await self._server.state()
        if start:
            self.report.states.append(state)

    async def _connect(self, user: str) -> h2.Connection:
        return await h2.Connection.open("127.0.0.1", self._server.port, user)

    async def _follow(self, user: str) -> h2.Connection:
        """A client that has caught up."""
        connection = await self._connect(user)
        caught_up = asyncio.Event()

        def read(data: memoryview) -> None:
            if not caught_up.is_set() and CAUGHT_UP in bytes(data):
                caught_up.set()

        request = pb.SubscribeRequest(cursors=[self._cursor], include_own=True)
        connection.stream(SUBSCRIBE, request.SerializeToString(), read)
        async with asyncio.timeout(PATIENCE):
            await caught_up.wait()
        return connection

    async def _say(self, connection: h2.Connection) -> None:
        message = pb.OutgoingMessage(
            room_id="general", client_message_id=new_message_id(), text="a message of usual length"
        )
        request = pb.SendMessagesRequest(messages=[message])
        async with asyncio.timeout(PATIENCE):
            data = await connection.call(SEND, request.SerializeToString())
        sent = pb.SendMessagesResponse.FromString(data).messages[0]
        if sent.seq > self._cursor.seq:
            self._cursor = pb.Cursor(room_id="general", seq=sent.seq, epoch=sent.epoch)
        self.report.messages += 1


async def soak(*, seconds: float, connects: int, engine: str = ENGINE) -> Report:
    """Run it against a server of its own."""
    async with server(engine) as target:
        return await Soak(target, seconds=seconds, connects=connects).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--connects", type=int, default=10_000)
    parser.add_argument("--most-mb-per-hour", type=float, default=50, help="by which memory may grow")
    parser.add_argument("--engine", default=ENGINE, choices=("asyncio", "grpcio"), help="see grpc.engine")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--members", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        asyncio.run(serve(given.engine, given.members))
        return 0
    report = asyncio.run(soak(seconds=given.minutes * 60, connects=given.connects, engine=given.engine))
    print(f"{given.engine}: {report}")
    return 0 if report.clean and report.slope_mb_per_hour <= given.most_mb_per_hour else 1


if __name__ == "__main__":
    sys.exit(main())
