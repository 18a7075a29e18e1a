"""TLS handshakes: what one costs the server, and what 50 a second do to somebody else.

python -m benchmarks handshakes

A process of its own connects at a fixed pace, makes a whole handshake (none goes on with an older session)
and closes the connection. Somebody else, with TLS too, sends messages meanwhile, which another user reads.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from benchmarks import h2, servers
from benchmarks.floods import good, share, within_time

_PATIENCE = 30.0


def handshake(port: int, tls: ssl.SSLContext) -> None:
    """One, on a connection that is closed then."""
    with (
        socket.create_connection(("127.0.0.1", port), _PATIENCE) as raw,
        tls.wrap_socket(raw) as connection,
    ):
        if connection.selected_alpn_protocol() != "h2":
            raise RuntimeError("the server does not speak HTTP/2")


def cpu_us(server: servers.Server, count: int) -> float:
    """What each of ``count`` handshakes, one after the other, costs a server that has nothing else to do."""
    tls = h2.any_certificate()
    before = server.cpu_seconds
    for _ in range(count):
        handshake(server.port, tls)
    return 1e6 * (server.cpu_seconds - before) / count


def keep_shaking_hands(port: int, per_second: int, seconds: float, ready: Any, told: Any) -> None:
    """A process of its own; tells how many handshakes there were each second."""
    tls = h2.any_certificate()
    ready.set()
    begun, count = time.monotonic(), 0
    while (due := begun + count / per_second) < begun + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        handshake(port, tls)
        count += 1
    told.put(count / (time.monotonic() - begun))


@contextmanager
def _beside(port: int, per_second: int, seconds: float) -> Iterator[Any]:
    """Handshakes; yields the queue that tells what came of them."""
    context = multiprocessing.get_context("spawn")
    ready, told = context.Event(), context.Queue()
    process = context.Process(
        target=keep_shaking_hands, args=(port, per_second, seconds, ready, told), daemon=True
    )
    process.start()
    try:
        if not ready.wait(_PATIENCE):
            raise RuntimeError("the client that makes handshakes did not begin")
        yield told
    finally:
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()


class Run(NamedTuple):
    """What came of some seconds."""

    latencies: list[float]
    per_second: float = 0


def row(engine: str, quiet: list[Run], busy: list[Run], costs: list[float]) -> str:
    """The medians of runs with handshakes and without, which took turns."""

    def middle(runs: list[Run], of: float) -> float:
        return statistics.median(share(run.latencies, of) for run in runs)

    calm = middle(quiet, 0.99)
    beside = middle(busy, 0.99)
    return (
        f"| {engine} | {statistics.median(costs):.0f} | {middle(quiet, 0.5):.1f} / {calm:.1f} "
        f"| {middle(busy, 0.5):.1f} / {beside:.1f} ({beside / calm:.1f} x) "
        f"| {statistics.median(run.per_second for run in busy):.0f} |"
    )


def rows(*, per_second: int, seconds: float, runs: int, count: int) -> list[str]:
    """A row for each engine; the engines, quiet and not, take turns.

    Args:
        per_second: Handshakes beside the good client.
        seconds: For each run of that client.
        count: Handshakes alone, by which the cost of one is measured.
    """
    tls = h2.any_certificate()

    def beside(server: servers.Server) -> Run:
        with _beside(server.port, per_second, seconds) as told:
            return Run(within_time(good(server.port, seconds, tls)), told.get(timeout=_PATIENCE))

    quiet: dict[str, list[Run]] = {engine: [] for engine in servers.ENGINES}
    busy: dict[str, list[Run]] = {engine: [] for engine in servers.ENGINES}
    costs: dict[str, list[float]] = {engine: [] for engine in servers.ENGINES}
    with ExitStack() as stack:
        up = {
            engine: stack.enter_context(
                servers.chat(
                    ["m0", "s0"], GRPC_CHAT_GRPC__ENGINE=engine, GRPC_CHAT_TLS__DEV_CERTIFICATE="true"
                )
            )
            for engine in servers.ENGINES
        }
        for server in up.values():
            within_time(good(server.port, 0.5, tls))
            cpu_us(server, 20)
        for _ in range(runs):
            for engine, server in up.items():
                quiet[engine].append(Run(within_time(good(server.port, seconds, tls))))
                busy[engine].append(beside(server))
                costs[engine].append(cpu_us(server, count))
    return [row(engine, quiet[engine], busy[engine], costs[engine]) for engine in up]
