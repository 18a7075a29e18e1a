"""Bad networks between real clients and a real server; the numbers are those of RELIABILITY.md, section 4.

What takes long is tried in small here. LONG=1 tries it as often as it takes to be sure, which needs minutes:
    LONG=1 make test, or LONG=1 .venv/bin/pytest --timeout 600 tests/integration/test_network_faults.py
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from benchmarks import h2, servers
from grpc_chat import (
    CaughtUp,
    ChatError,
    Client,
    Cursor,
    Disconnected,
    Message,
    Subscription,
    new_message_id,
)
from grpc_chat.sdk.retry import Backoff
from grpc_chat.testing import FaultyProxy, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.raw import call
from tests.support import metric, until

ROOT = Path(__file__).resolve().parent.parent.parent
LONG = bool(os.environ.get("LONG"))
UnaryStream = grpc.aio.UnaryStreamCall[bytes, bytes]
UnaryStreams = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"

# As by default, but ten and more times as fast.
# Not so quick that a living peer on a busy machine is taken for a dead one.
QUICK: dict[str, Any] = {
    "grpc": {"keepalive": 0.4, "keepalive_timeout": 1.2, "client_ping": 0.1},
    "subscribe": {"heartbeat": 1},
}
QUICK_CLIENT = {
    "grpc.keepalive_time_ms": 400,
    "grpc.keepalive_timeout_ms": 1200,
    "grpc.http2.ping_timeout_ms": 1200,
    "grpc.min_reconnect_backoff_ms": 500,
    "grpc.max_reconnect_backoff_ms": 500,
}


@pytest.fixture
def quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients notice a dead connection in about a second."""
    options = dict(grpc_options()) | QUICK_CLIENT
    monkeypatch.setattr("grpc_chat.sdk.connection._OPTIONS", list(options.items()))


def grpc_options() -> list[tuple[str, int]]:
    from grpc_chat.sdk import connection

    return connection._OPTIONS


class Reader:
    """Follows a subscription and keeps what it hands out.

    Args:
        again: Subscribes behind a number, where the server refuses to go on; by default, that ends it.
    """

    def __init__(
        self, subscription: Subscription, again: Callable[[int], Subscription] | None = None
    ) -> None:
        self.texts: list[str] = []
        self.seqs: list[int] = []
        self.caught_up = 0
        self.lost: list[Disconnected] = []
        self.refused: list[ChatError] = []
        self._subscription = subscription
        self._again = again
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                return await self._read_one()
            except ChatError as error:
                if self._again is None:
                    raise
                self.refused.append(error)
            await self._subscription.aclose()
            self._subscription = self._again(self.seqs[-1] if self.seqs else 0)

    async def _read_one(self) -> None:
        async for update in self._subscription.updates():
            match update:
                case Message():
                    self.texts.append(update.text)
                    self.seqs.append(update.seq)
                case CaughtUp():
                    self.caught_up += 1
                case Disconnected():
                    self.lost.append(update)

    async def until_read(self, texts: Sequence[str]) -> None:
        """Until it has got these, and then exactly these, in this order."""
        await until(lambda: self._task.done() or len(self.texts) >= len(texts))
        if self._task.done():
            self._task.result()
        assert self.texts == list(texts)
        assert self.seqs == list(range(self.seqs[0], self.seqs[0] + len(texts)))

    async def aclose(self) -> None:
        await self._subscription.aclose()
        await self._task


@asynccontextmanager
async def following(
    client: Client, again: Callable[[int], Subscription] | None = None
) -> AsyncIterator[Reader]:
    """A reader of the one room that has caught up."""
    reader = Reader(client.subscribe("general"), again)
    try:
        await until(lambda: reader.caught_up > 0)
        yield reader
    finally:
        await reader.aclose()


async def texts(client: Client) -> list[str]:
    """Everything in the one room."""
    return [message.text async for message in client.history("general")]


def ended_streams(node: RunningNode) -> float:
    """How many streams the server saw end because their client was gone."""
    return metric(node.node.metrics, "grpc_chat_calls_total", method=SUBSCRIBE, code="CANCELLED")


# F9: clients that do not read


@asynccontextmanager
async def stalled(address: str, ids: Sequence[str]) -> AsyncIterator[list[UnaryStream]]:
    """Streams whose clients read the first response and then none; their connections are alive."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in ids]
    try:
        calls = [
            cast("UnaryStreams", channel.unary_stream(SUBSCRIBE))(
                request, metadata=grpc.aio.Metadata(("authorization", f"Bearer {id_}"))
            )
            for channel, id_ in zip(channels, ids, strict=True)
        ]
        await asyncio.gather(*[read.read() for read in calls])
        yield calls
    finally:
        await asyncio.gather(*[channel.close() for channel in channels])


async def test_clients_that_do_not_read_cost_next_to_nothing(tmp_path: Path) -> None:
    """However much goes by clients that stand still, memory is bounded, and others get it all."""
    count, messages = (200, 1000) if LONG else (10, 150)
    ids = [f"still{at}" for at in range(count)]
    sent = [f"{number} ".ljust(50_000, "x") for number in range(messages)]
    with servers.chat(["alice", "bob", *ids], data=tmp_path / "data") as server:
        address = f"127.0.0.1:{server.port}"
        async with (
            stalled(address, ids),
            Client(address, token="alice") as alice,
            Client(address, token="bob") as client,
            following(client) as bob,
        ):
            before = server.memory_mb

            await asyncio.gather(*[alice.send("general", text) for text in sent])

            await bob.until_read(sent)
            # One copy of it all for each of them would be 75 MB, or 10,000 in the long form.
            assert server.memory_mb - before < 45


async def test_a_client_that_goes_away_while_it_is_written_to_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What clients do all the time leaves no traceback in the log."""
    async with running_node("alice", "bob", "still") as node:
        alice = node.client("alice")
        async with stalled(node.address, ["still"]), following(node.client("bob")) as bob:
            # More than fits into the windows and buffers on the way, so that a write waits.
            sent = [f"{number} ".ljust(50_000, "x") for number in range(60)]
            await asyncio.gather(*[alice.send("general", text) for text in sent])
            await bob.until_read(sent)

        await until(lambda: ended_streams(node) == 2)
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


# F10: half-open connections


@pytest.mark.parametrize("dead", ["both", "to_server", "to_client"])
@pytest.mark.usefixtures("quick_clients")
async def test_both_ends_notice_a_half_open_connection(dead: str) -> None:
    """On a connection that is dead without a word the server ends the stream, and the client resumes it."""
    async with running_node("alice", "bob", **QUICK) as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice")
        async with following(node.client("bob", address=proxy.address)) as bob:
            await alice.send("general", "before")
            await bob.until_read(["before"])

            proxy.abandon(*([] if dead == "both" else [getattr(proxy, dead)]))
            await alice.send("general", "meanwhile")

            await until(lambda: ended_streams(node) == 1)
            await bob.until_read(["before", "meanwhile"])
            assert len(bob.lost) == 1
            await alice.send("general", "after")
            await bob.until_read(["before", "meanwhile", "after"])


@pytest.mark.usefixtures("quick_clients")
async def test_a_send_into_a_black_hole_is_stored_once() -> None:
    """Neither a lost request nor a lost answer on a dead connection makes a message twice or not at all."""
    async with running_node("alice", **QUICK) as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice", address=proxy.address)
        await alice.send("general", "before")

        for lost, text in ((proxy.to_server, "request"), (proxy.to_client, "answer")):
            proxy.abandon(lost)
            await alice.send("general", text)

        assert await texts(node.client("alice")) == ["before", "request", "answer"]
        assert proxy.connections == 3


NAMESPACE = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables") or not shutil.which("unshare"),
    reason="a network of its own with lost packets needs root, unshare and iptables",
)


def in_namespace(story: str) -> None:
    """Run a story of lost_packets.py in a network of its own."""
    script = Path(__file__).with_name("lost_packets.py")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, script, story],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


@NAMESPACE
def test_both_ends_notice_that_the_kernel_drops_packets() -> None:
    """What holds behind the proxy holds where the kernel drops packets, in one direction or in both."""
    in_namespace("half-open")


# F11, F12: slow, but right


@NAMESPACE
def test_packet_loss_is_only_slow() -> None:
    """With one packet in twenty lost in each direction, every message arrives once and in order."""
    in_namespace("loss")


async def test_latency_jitter_and_a_thin_line_are_only_slow() -> None:
    """With 200 ms ± 100 and 64 kbit/s each way, every message is stored once and arrives once, in order."""
    sent = [f"{number} " + "x" * 200 for number in range(500 if LONG else 10)]
    async with running_node("alice", "bob") as node, FaultyProxy(node.address) as proxy:
        for way in (proxy.to_server, proxy.to_client):
            way.latency, way.jitter = timedelta(milliseconds=200), timedelta(milliseconds=100)
            way.bytes_per_second = 8000
        alice = node.client("alice", address=proxy.address)
        async with following(node.client("bob", address=proxy.address)) as bob:
            await asyncio.gather(*[alice.send("general", text) for text in sent])

            await bob.until_read(sent)

        assert await texts(node.client("alice")) == sent


async def test_a_deadline_on_a_slow_line_is_not_an_answer() -> None:
    """Attempts that run out of time are repeated until one is answered, and one message is stored."""
    async with running_node("alice") as node, FaultyProxy(node.address) as proxy:
        alice = node.client("alice", address=proxy.address, timeout=timedelta(milliseconds=150))
        await alice.send("general", "quick")
        proxy.to_client.latency = timedelta(milliseconds=400)
        sending = asyncio.create_task(alice.send("general", "slow"))
        metrics = node.node.metrics
        await until(lambda: metric(metrics, "grpc_chat_calls_total", method=SEND, code="OK") >= 3)
        assert not sending.done()

        proxy.heal()

        assert (await sending).seq == 2
        assert await texts(node.client("alice")) == ["quick", "slow"]


@pytest.mark.usefixtures("quick_clients")
async def test_corrupted_connections_harm_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one client's connections carry wrong bytes, another is served; then the first is too."""
    # It fails often, and would wait for longer and longer.
    monkeypatch.setitem(Backoff.__init__.__kwdefaults__ or {}, "most", timedelta(milliseconds=300))
    async with running_node("alice", "bob", **QUICK) as node, FaultyProxy(node.address, seed=13) as proxy:
        alice, of_bob = node.client("alice"), node.client("bob", address=proxy.address)

        def again(seq: int) -> Subscription:
            # A wrong byte may make another call of one, or another client. The server can't know, and refuses
            # it for good, so the program begins anew.
            return of_bob.subscribe(Cursor("general", seq))

        async with following(of_bob, again) as bob:
            # Towards the server alone: what bob is told stays right, so that it can be compared.
            proxy.to_server.corrupt = 1.0
            proxy.cut()
            for number in range(20):
                await alice.send("general", str(number))
            # Now and then a wrong byte does no harm (in a PING's data), and bob hears a part before it does.
            await until(lambda: proxy.connections >= 4)
            assert bob.lost

            proxy.heal()
            # A wrong byte in a call's headers stays in the connection's table of headers (RFC 7541), of which
            # all later calls on it are made, so each of them may be refused.
            proxy.cut()

            await bob.until_read([str(number) for number in range(20)])


# F13, F15: nobody hears the answer


async def test_a_lost_answer_does_not_store_a_message_twice() -> None:
    """Whenever the answer to a send is lost, the next attempt is told what the first one was."""
    times = 1000 if LONG else 40
    clients = 20
    async with running_node("alice", **QUICK) as node:

        async def lose(at: int) -> list[str]:
            async with FaultyProxy(node.address, seed=at) as proxy:
                alice = node.client("alice", address=proxy.address)
                sent = [f"{at}.{number}" for number in range(times // clients)]
                for text in sent:
                    proxy.lose_answers(1)
                    placed = await alice.send("general", text)
                    assert proxy.answers_lost > 0
                    found = [m async for m in alice.history("general", after=placed.seq - 1, limit=1)]
                    assert [(m.text, m.client_message_id) for m in found] == [
                        (text, placed.client_message_id)
                    ]
                assert proxy.answers_lost == len(sent)
                return sent

        sent = await asyncio.gather(*[lose(at) for at in range(clients)])

        stored = await texts(node.client("alice"))
        assert sorted(stored) == sorted(text for each in sent for text in each)


async def test_a_call_cancelled_in_the_middle_of_its_commit_is_whole_or_not_at_all() -> None:
    """With deadlines around the time a commit takes, no call stores a part and no repeat stores twice."""
    chance = random.Random(15)
    calls = 3000 if LONG else 160
    metadata = [("authorization", "Bearer alice")]
    async with running_node("alice") as node, grpc.aio.insecure_channel(node.address) as channel:
        await call(channel, SEND, request("first"), metadata)
        tasks = len(asyncio.all_tasks())
        requests = [request(f"{number}.0", f"{number}.1", f"{number}.2") for number in range(calls)]

        async def cut_short(data: bytes) -> bool:
            answer = await call(channel, SEND, data, metadata, timeout=chance.uniform(0.0005, 0.004))
            assert answer.code in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED), answer
            return answer.code is grpc.StatusCode.OK

        heard: list[bool] = []
        for at in range(0, calls, 4):
            heard += await asyncio.gather(*[cut_short(data) for data in requests[at : at + 4]])
        await until(lambda: node.node.committer.waiting == 0)
        before = await texts(node.client("alice"))
        for data in requests:
            answer = await call(channel, SEND, data, metadata)
            assert answer.code is grpc.StatusCode.OK, answer
        after = await texts(node.client("alice"))

        whole = [[f"{number}.{part}" for part in range(3)] for number in range(calls)]
        stored = {before[at] for at in range(1, len(before), 3)}
        assert [before[at : at + 3] for at in range(1, len(before), 3)] == [
            messages for first in before[1::3] for messages in whole if messages[0] == first
        ]
        assert all(messages[0] in stored for messages, ok in zip(whole, heard, strict=True) if ok)
        assert sorted(after[1:]) == sorted(text for messages in whole for text in messages)
        # The fault happened: some calls ended before their commit did.
        assert heard.count(False) > 0
        assert len(stored) > heard.count(True)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)


def request(*messages: str) -> bytes:
    """A SendMessages."""
    return pb.SendMessagesRequest(
        messages=[
            pb.OutgoingMessage(room_id="general", client_message_id=new_message_id(), text=text)
            for text in messages
        ]
    ).SerializeToString()


# F25: everybody at once


async def test_a_herd_comes_back_after_a_restart() -> None:
    """All clients of a server that was restarted are back and caught up, and none was sent away."""
    herd = 500 if LONG else 40
    async with running_node(*[f"u{at}" for at in range(herd)]) as node:
        readers = [Reader(node.client(f"u{at}").subscribe("general")) for at in range(herd)]
        await until(lambda: all(reader.caught_up == 1 for reader in readers))

        await node.restart()
        await node.client("u0").send("general", "again")

        await until(lambda: all(reader.caught_up >= 2 for reader in readers))
        for reader in readers[1:]:
            await reader.until_read(["again"])
        assert not [lost for reader in readers for lost in reader.lost if "CANCEL" in str(lost.error).upper()]
        await asyncio.gather(*[reader.aclose() for reader in readers])


async def test_a_herd_of_connections_in_one_moment_is_served() -> None:
    """Thousands of streams that are opened at the same time are all opened; grpc's own bound is 1,000."""
    herd = 5000 if LONG else 1200
    per_user = 25
    users = [f"u{at}" for at in range(herd // per_user)]
    subscribe = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    async with running_node(*users) as node:
        host, _, port = node.address.rpartition(":")
        connections = [await h2.Connection.open(host, int(port), users[at // per_user]) for at in range(herd)]
        caught_up: set[int] = set()

        def on_data(at: int) -> Any:
            seen = bytearray()

            def read(data: memoryview) -> None:
                seen.extend(data)
                if b"\x2a\x00" in seen:
                    caught_up.add(at)

            return read

        for at, connection in enumerate(connections):
            connection.stream(SUBSCRIBE, subscribe, on_data(at))

        await until(lambda: len(caught_up) == herd, timeout=120 if LONG else 30)
        for connection in connections:
            connection.close()
        await asyncio.gather(*[connection.closed for connection in connections])


def test_the_options_of_clients_stand() -> None:
    """What the tests here make quicker is what clients have."""
    assert set(QUICK_CLIENT) <= set(dict(grpc_options()))
    assert re.fullmatch(r"\d+", str(dict(grpc_options())["grpc.keepalive_time_ms"]))
