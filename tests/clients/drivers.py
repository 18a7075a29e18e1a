"""Clients of other libraries, each a program that makes the calls it is told to, of bytes.

A program reads lines of words from its input; what is binary is in base64, nothing at all is ``-``::

    open CHANNEL ADDRESS AUTHORITY KEEPALIVE_MS ENCODING
    call ID CHANNEL KIND PATH TIMEOUT_MS METADATA REQUEST
    cancel ID
    read ID
    close CHANNEL

KIND is ``unary``, ``stream`` or ``stalled``: a stream of which nothing is read before ``read``. AUTHORITY is
that of TLS, or ``-`` for plain text. METADATA is ``name:value,name:value``. What the program prints::

    message ID RESPONSE
    end ID CODE TEXT METADATA

with the trailers as METADATA. Everything that a line does not say is as the library has it by default.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import grpc

from grpc_chat.wire import chat_pb2 as pb
from tests.node_packages import NODE_PROJECT, installed
from tests.programs import ROOT
from tests.raw import Answer, refusal
from tests.support import until
from tools.node import NODE

HERE = Path(__file__).parent
BUILT = ROOT / "build" / "clients"
_LARGEST_LINE = 16 * 1024 * 1024
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Metadata = Sequence[tuple[str, str | bytes]]


class End(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    text: str
    trailers: list[tuple[str, bytes]]

    @property
    def answer(self) -> Answer:
        """With the details of an error."""
        [*details] = [value for name, value in self.trailers if name == "grpc-status-details-bin"]
        return refusal(self.code, self.text, details[0] if details else b"")


class ForeignCall:
    """A call of the other library's.

    Attributes:
        id: Its number.
        messages: The responses so far.
        end: How it ended; None as long as it has not.
    """

    def __init__(self, driver: Driver, id_: int) -> None:
        self._driver = driver
        self.id = id_
        self.messages: list[bytes] = []
        self.end: End | None = None

    def cancel(self) -> None:
        self._driver.say("cancel", str(self.id))

    def read(self) -> None:
        """Begin to read a stream that stood still."""
        self._driver.say("read", str(self.id))

    async def ended(self) -> End:
        await self._driver.until(lambda: self.end is not None)
        assert self.end
        return self.end

    async def messages_came(self, count: int = 1) -> None:
        """Wait for responses; the call must not end before."""
        await self._driver.until(lambda: len(self.messages) >= count or self.end is not None)
        assert len(self.messages) >= count, self.end

    def events(self) -> list[pb.Event]:
        """What a subscription has brought so far."""
        responses = map(pb.SubscribeResponse.FromString, self.messages)
        return [event for response in responses for event in response.events]

    def texts(self) -> list[str]:
        """The messages of rooms among them."""
        return [event.message.text for event in self.events() if event.HasField("message")]


class Driver:
    """A program that runs."""

    def __init__(self, library: Library, process: asyncio.subprocess.Process) -> None:
        self.library = library
        self.process = process
        self._calls: dict[int, ForeignCall] = {}
        self._number = 0

    def say(self, *words: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join(words).encode() + b"\n")

    def open(
        self, address: str, *, authority: bytes = b"", keepalive_ms: int = 0, encoding: str = "-"
    ) -> ForeignChannel:
        """A channel of its own."""
        self._number += 1
        name = f"c{self._number}"
        self.say("open", name, address, _encoded(authority), str(keepalive_ms), encoding)
        return ForeignChannel(self, name)

    def call(self, *words: str) -> ForeignCall:
        self._number += 1
        call = self._calls[self._number] = ForeignCall(self, self._number)
        self.say("call", str(call.id), *words)
        return call

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(lambda: condition() or self.process.returncode is not None, timeout=40)
        assert self.process.returncode is None, "the client ended"

    async def listen(self) -> None:
        """Take what it prints."""
        assert self.process.stdout
        async for line in self.process.stdout:
            word, id_, *rest = line.decode().split()
            call = self._calls[int(id_)]
            if word == "message":
                call.messages.append(_decoded(rest[0]))
            else:
                code, text, metadata = rest
                fields = [field.split(":") for field in metadata.split(",") if field.strip("-")]
                trailers = [(name, _decoded(value)) for name, value in fields]
                call.end = End(_CODES[int(code)], _decoded(text).decode(), trailers)


class ForeignChannel:
    """A channel of the other library's."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self._name = name

    def unary(
        self, path: str, request: bytes, *, timeout_ms: int = 0, metadata: Metadata = ()
    ) -> ForeignCall:
        return self._call("unary", path, request, timeout_ms, metadata)

    def stream(
        self,
        path: str,
        request: bytes,
        *,
        timeout_ms: int = 0,
        metadata: Metadata = (),
        stalled: bool = False,
    ) -> ForeignCall:
        return self._call("stalled" if stalled else "stream", path, request, timeout_ms, metadata)

    def close(self) -> None:
        self._driver.say("close", self._name)

    def _call(self, kind: str, path: str, request: bytes, timeout_ms: int, metadata: Metadata) -> ForeignCall:
        fields = ",".join(
            f"{name}:{_encoded(value.encode() if isinstance(value, str) else value)}"
            for name, value in metadata
        )
        return self._driver.call(self._name, kind, path, str(timeout_ms), fields or "-", _encoded(request))


def _encoded(data: bytes) -> str:
    return b64encode(data).decode() or "-"


def _decoded(text: str) -> bytes:
    return b"" if text == "-" else b64decode(text)


@dataclass(frozen=True)
class Library:
    """A library that others made.

    Attributes:
        name: As people call it.
        needs: The programs that it is built and run with.
        build: Builds the driver, if it is not built; its command.
        shortest_keepalive_ms: How often it pings at most, whatever it is told.
    """

    name: str
    needs: Sequence[str]
    build: Callable[[], list[str]]
    shortest_keepalive_ms: int = 1_000

    def missing(self) -> str:
        """Why it can't be tried; empty if it can."""
        absent = [program for program in self.needs if not shutil.which(program)]
        return f"{self.name} needs {' and '.join(absent)}, not installed here" if absent else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Driver]:
        """Its driver, built if it has to be."""
        BUILT.mkdir(parents=True, exist_ok=True)
        with (BUILT / "lock").open("w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            command = await asyncio.to_thread(self.build)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, limit=_LARGEST_LINE
        )
        driver = Driver(self, process)
        listening = asyncio.create_task(driver.listen())
        try:
            yield driver
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), timeout=10)
            except TimeoutError:
                process.kill()
                await process.wait()
            await listening


def _python() -> list[str]:
    return [sys.executable, "-m", "tests.clients.grpcio_driver"]


def _node() -> list[str]:
    installed()
    return [str(NODE), str(NODE_PROJECT / "driver.mjs")]


def _go() -> list[str]:
    program = BUILT / "go-driver"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "go", env=environment, check=True)
    return [str(program)]


def _rust() -> list[str]:
    folder = BUILT / "rust-driver"
    shutil.copytree(HERE / "rust", folder, dirs_exist_ok=True)
    lock = folder / "Cargo.lock"
    if not lock.exists():
        # A lock of Cargo names the registry's host in each of its entries, and no file here does. Cargo knows
        # it: here it resolves what nothing has pinned.
        subprocess.run(["cargo", "generate-lockfile", "-q"], cwd=folder, check=True)
        found = re.search(r'^source = "registry\+.*"$', lock.read_text(), re.M)
        assert found
        (folder / "source").write_text(found[0])
    source = (folder / "source").read_text()
    pinned = (HERE / "rust" / "packages.lock").read_text()
    lock.write_text(re.sub("^checksum", f"{source}\nchecksum", pinned, flags=re.M))
    subprocess.run(["cargo", "build", "-q", "--locked"], cwd=folder, check=True)
    return [str(folder / "target" / "debug" / "driver")]


def _java(kind: str) -> Callable[[], list[str]]:
    def build() -> list[str]:
        folder = BUILT / "java-driver"
        shutil.copytree(HERE / "java", folder, dirs_exist_ok=True)
        maven = ["mvn", "-q", "-B", "process-classes"]
        subprocess.run(maven, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        target = folder / "target"
        return ["java", "-cp", f"{target / 'classes'}:{target / 'lib'}/*", "driver.Driver", kind]

    return build


GRPCIO = Library("grpcio", [], _python)
GRPC_JS = Library("grpc-js", [], _node)
GRPC_GO = Library("grpc-go", ["go"], _go, shortest_keepalive_ms=10_000)
NETTY = Library("grpc-java-netty", ["java", "mvn"], _java("netty"), shortest_keepalive_ms=10_000)
OKHTTP = Library("grpc-java-okhttp", ["java", "mvn"], _java("okhttp"), shortest_keepalive_ms=10_000)
TONIC = Library("tonic", ["cargo"], _rust)
ALL = (GRPCIO, GRPC_JS, GRPC_GO, NETTY, OKHTTP, TONIC)
