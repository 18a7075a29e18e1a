"""Abuse of HTTP/2: who does not take part in it is served, and the server lives and forgets.

``python -m benchmarks.attacks`` measures the same for longer; its table is in docs/security.md.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.attacks import Flood
from benchmarks.floods import ATTACKS
from grpc_chat import Client
from grpc_chat.testing import running_node
from tests import raw
from tests.support import until

TIMEOUT = timedelta(seconds=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """One server for all attacks, as in life."""
    folder = tmp_path_factory.mktemp("attacks") / "data"
    quick = {"GRPC_CHAT_GRPC__HANDSHAKE": "PT0.5S"}
    with servers.chat(["attacker", "good"], data=folder, **quick) as server:
        yield server


def sockets(server: servers.Server) -> int:
    """How many sockets the server has open."""
    count = 0
    for path in Path(f"/proc/{server.process.pid}/fd").iterdir():
        # It may be gone by the time it is looked at.
        with suppress(FileNotFoundError):
            count += os.readlink(path).startswith("socket:")
    return count


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_good_client_is_served_during_an_attack(attack: str, server: servers.Server) -> None:
    """Sends go through while eight connections attack, memory is bounded, and the connections are let go."""
    async with Client(f"127.0.0.1:{server.port}", token="good") as good:
        first = await good.send("general", "before")
        open_before, memory_before = sockets(server), server.memory_mb
        sent = 0

        with Flood(attack, server.port, 8, seconds=0.5) as flood:
            while flood.running:
                await good.send("general", "during", timeout=TIMEOUT)
                sent += 1

        assert flood.connections >= 8
        assert sent > 0
        assert server.memory_mb - memory_before < 500
        assert (await good.send("general", "after", timeout=TIMEOUT)).seq == first.seq + sent + 1
        await until(lambda: sockets(server) <= open_before, timeout=45)


@pytest.mark.parametrize(
    "path",
    [
        b"/chat.v1.\xffService/SendMessages",
        b"/\xc3\x28",
        b"",
        b"/",
        b"*",
    ],
)
async def test_a_path_that_is_no_method_is_refused_alone(path: bytes) -> None:
    """A request for what can't be a method, text or not, concerns nobody else.

    grpcio 1.84 and 1.85 decode the path in the one loop that takes all calls, where nobody catches what comes
    of bytes that are no text: a single such request, and the server takes no call any more.
    """
    async with running_node("alice") as node:
        alice = node.client("alice")
        await alice.send("general", "before")
        port = int(node.address.rpartition(":")[2])

        def ask() -> raw.Frame | None:
            with raw.Http2Peer(port) as peer:
                block = raw.request_headers("/").replace(b"\x01/", bytes([len(path)]) + path)
                end = raw.END_HEADERS | raw.END_STREAM
                peer.send(raw.Frame(raw.HEADERS, end, 1, block))
                while (frame := peer.read()) is not None:
                    if frame.kind in (raw.HEADERS, raw.RST_STREAM, raw.GOAWAY):
                        return frame
                return None

        refusal = await asyncio.to_thread(ask)

        assert refusal is None or refusal.kind == raw.RST_STREAM or b"\x0bgrpc-status" in refusal.payload
        assert (await alice.send("general", "after", timeout=timedelta(seconds=3))).seq == 2


async def test_a_window_that_overflows_is_no_harm() -> None:
    """A peer that breaks the rules of flow control harms nobody, whether or not it is told so."""
    async with running_node("alice") as node:
        alice = node.client("alice")
        await alice.send("general", "before")
        port = int(node.address.rpartition(":")[2])
        much = struct.pack(">I", 2**31 - 1)

        def overflow() -> None:
            with raw.Http2Peer(port) as peer, suppress(ConnectionError):
                peer.send(*[raw.Frame(raw.WINDOW_UPDATE, 0, 0, much)] * 100)
                peer.send(raw.Frame(raw.PING, 0, 0, bytes(8)))
                while (frame := peer.read()) and frame.kind not in (raw.GOAWAY, raw.PING):
                    pass

        await asyncio.to_thread(overflow)

        assert (await alice.send("general", "after")).seq == 2
