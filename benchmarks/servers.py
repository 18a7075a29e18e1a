"""The servers under measurement, as processes of their own, and what they cost, from /proc."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[str]
    port: int

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        return self._status("VmRSS") / 1024

    @property
    def peak_mb(self) -> float:
        """The most resident memory since the start, or since :meth:`forget_peak`."""
        return self._status("VmHWM") / 1024

    def forget_peak(self) -> None:
        """Have :attr:`peak_mb` begin anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise RuntimeError(f"no {name}")


ENGINES = ("asyncio", "grpcio")
"""Of ``grpc.engine``."""


def raise_descriptor_limit() -> None:
    """As far as it goes, for this process and the servers that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _running(name: str, command: list[str], environment: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
    )
    try:
        assert process.stdout
        for line in process.stdout:
            if "listening on" in line:
                yield Server(name, process, int(line.rpartition(":")[2]))
                return
        raise RuntimeError(f"{name} did not start")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


@contextmanager
def chat(ids: list[str], *, data: Path | None = None, **settings: str) -> Iterator[Server]:
    """Our server, on the disk of the checkout (a temporary folder may be in memory, where fsync is free)."""
    folder = data or Path(tempfile.mkdtemp(prefix=".bench-", dir=ROOT))
    environment = {
        "GRPC_CHAT_TRUSTED_IDS": ",".join(ids),
        "GRPC_CHAT_DATA": str(folder),
        "GRPC_CHAT_PORT": "0",
        "GRPC_CHAT_LOG_LEVEL": "error",
        "GRPC_CHAT_LIMITS__CALLS_PER_SECOND": "0",
        "GRPC_CHAT_LIMITS__WORK_PER_SECOND": "0",
    } | settings
    try:
        with _running("grpc-chat", ["-m", "grpc_chat", "serve"], environment) as server:
            yield server
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def catchup_floor(folder: Path) -> Iterator[Server]:
    """What reads a database and writes its events to sockets, and does nothing else."""
    with _running("floor", ["-m", "benchmarks.catchup_floor", str(folder)], {}) as server:
        yield server


@contextmanager
def bare_writes(members: int, per_second: int, size: int) -> Iterator[Server]:
    """What writes so many bytes to so many sockets, so often, and does nothing else; until it is ended."""
    command = ["-m", "benchmarks.bare_writes", str(members), str(per_second), str(size)]
    with _running("bare writes", command, {}) as server:
        yield server


@contextmanager
def floor(event_bytes: int) -> Iterator[Server]:
    """The bare grpc.aio server that writes as many bytes."""
    with _running("floor", ["-m", "benchmarks.floor", str(event_bytes)], {}) as server:
        yield server
