"""A server behind each of the four proxies of docs/how-to/proxies.md: `make proxies`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import ssl
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2

from grpc_chat import Client, Disconnected, InvalidRequest, Message, Tls, Unreachable, trusted_token
from grpc_chat.testing import PASSWORD, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.certificates import issue
from tests.programs import Program, free_port, start
from tests.proxies.proxies import AUTHORITY, Edit, Envoy, HaProxy, HaProxyTcp, Nginx, Proxy, before
from tests.support import until

pytestmark = pytest.mark.timeout(120)

TLS = Tls(ca=AUTHORITY.pem)
# A connection has to be silent for longer than what the proxies of these tests allow (`Proxy.quick`).
BEHIND: dict[str, Any] = {
    "grpc": {"trusted_proxies": ["127.0.0.1/32"]},
    "subscribe": {"heartbeat": "PT0.5S"},
}


class Talk:
    """One that sends a message every few hundredths of a second, and one that reads, both through a proxy."""

    def __init__(self, address: str, tls: Tls = TLS) -> None:
        self._sender = Client(address, token=trusted_token("1"), tls=tls)
        self._reader = Client(address, token=trusted_token("2"), tls=tls)
        self.sent: list[str] = []
        self.heard: list[str] = []
        self.cuts = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    async def __aenter__(self) -> Talk:
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._read())]
        await self.goes_on()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.aclose()
        await self._reader.aclose()

    async def _send(self) -> None:
        while not self._over.is_set():
            text = str(len(self.sent) + 1)
            await self._sender.send("general", text)
            self.sent.append(text)
            await asyncio.sleep(0.03)

    async def _read(self) -> None:
        async with self._reader.subscribe("general") as subscription:
            async for update in subscription.updates():
                if isinstance(update, Message):
                    self.heard.append(update.text)
                elif isinstance(update, Disconnected):
                    self.cuts += 1

    async def goes_on(self) -> None:
        """Wait until several messages more have arrived than are sent by now."""
        wanted = len(self.sent) + 10
        await until(lambda: len(self.heard) >= wanted or any(task.done() for task in self._tasks), timeout=60)

    async def finish(self) -> None:
        """Send no more; every message has arrived once and in order."""
        self._over.set()
        await self._tasks[0]
        await until(lambda: len(self.heard) >= len(self.sent), timeout=60)
        assert self.heard == self.sent


# What everybody does


async def test_people_log_in_and_talk(kind: type[Proxy], tmp_path: Path) -> None:
    """Accounts, rooms, long messages, the details of errors, and health: all as without a proxy."""
    async with (
        running_node(accounts=True, **BEHIND) as node,
        before(kind, node.address, tmp_path) as proxy,
        AsyncExitStack() as stack,
    ):
        alice = await node.register("alice", admin=True)
        room = await alice.create_room("plans")
        remote = Client(proxy.address, tls=TLS)
        stack.push_async_callback(remote.aclose)

        await remote.log_in("alice", PASSWORD, device_name="laptop")
        long = "ä" * 30_000
        await remote.send(room.room_id, long)
        async with alice.subscribe(room.room_id) as subscription:
            assert (await anext(subscription)).text == long
        with pytest.raises(InvalidRequest) as wrong:
            await remote.send(room.room_id, "x" * 70_000)
        with pytest.raises(grpc.aio.AioRpcError) as large:
            await raw(proxy.address, "/chat.v1.AuthService/GetServerInfo", bytes(4 * 1024 * 1024))
        healthy = await raw(proxy.address, "/grpc.health.v1.Health/Check", b"")

    assert wrong.value.field == "messages[0].text"
    # Also where the answer comes before the request has ended.
    assert large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert health_pb2.HealthCheckResponse.FromString(healthy).status == health_pb2.HealthCheckResponse.SERVING


async def raw(address: str, path: str, request: bytes, **metadata: str) -> bytes:
    """The answer to a call of one's own."""
    credentials = grpc.ssl_channel_credentials(AUTHORITY.pem)
    async with grpc.aio.secure_channel(address, credentials) as channel:
        method = cast("Callable[..., Awaitable[bytes]]", channel.unary_unary(path))
        fields = [(key.replace("_", "-"), value) for key, value in metadata.items()]
        return await method(request, metadata=fields, timeout=20)


# Whose address it is


async def test_nobody_makes_up_an_address(kind: type[Proxy], tmp_path: Path) -> None:
    """Guesses from one address are counted as such, whatever x-forwarded-for each names; others get in."""
    async with running_node(accounts=True, **BEHIND) as node, before(kind, node.address, tmp_path) as proxy:
        await node.register("alice")
        outcomes = [
            await log_in(proxy.address, "a wrong one", x_forwarded_for=f"203.0.113.{at}") for at in range(15)
        ]
        here = await log_in(proxy.address, PASSWORD)
        async with from_elsewhere(proxy) as address:
            there = await log_in(address, PASSWORD)

    unauthenticated, exhausted = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED
    assert outcomes == [unauthenticated] * 10 + [exhausted] * 5
    assert (here, there) == (exhausted, grpc.StatusCode.OK)


async def log_in(address: str, password: str, **metadata: str) -> grpc.StatusCode:
    request = pb.LogInRequest(user_id="alice", password=password, device_name="test")
    try:
        await raw(address, "/chat.v1.AuthService/LogIn", request.SerializeToString(), **metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@asynccontextmanager
async def from_elsewhere(proxy: Proxy) -> AsyncIterator[str]:
    """An address from which one gets to the proxy as 127.0.0.2 does."""

    carrying: set[asyncio.Task[Any] | None] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.current_task())
        onward, back = await asyncio.open_connection("127.0.0.1", proxy.port, local_addr=("127.0.0.2", 0))
        writers.update((writer, back))

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65_536):
                    to.write(data)
            to.close()

        await asyncio.gather(copy(reader, back), copy(onward, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield f"localhost:{server.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.close()
        await asyncio.gather(*(task for task in carrying if task))


# How long streams live


async def heartbeats(address: str, enough: int) -> tuple[int, grpc.StatusCode | None]:
    """How often a stream said that it is there, and how it ended if it did before it said so often enough."""
    credentials = grpc.ssl_channel_credentials(AUTHORITY.pem)
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    count = 0
    async with grpc.aio.secure_channel(address, credentials) as channel:
        method = cast("Callable[..., Any]", channel.unary_stream("/chat.v1.SubscribeService/Subscribe"))
        stream = method(request, metadata=[("authorization", f"Bearer {trusted_token('1')}")])
        try:
            async for data in stream:
                count += pb.SubscribeResponse.FromString(data).HasField("heartbeat")
                if count == enough:
                    return count, None
        except grpc.aio.AioRpcError as error:
            return count, error.code()
        return count, grpc.StatusCode.OK


async def test_a_quiet_stream_stays_open(kind: type[Proxy], tmp_path: Path) -> None:
    """Nothing is said for longer than a proxy waits, but for heartbeats."""
    async with (
        running_node("1", **BEHIND) as node,
        before(kind, node.address, tmp_path, edits=kind.quick) as proxy,
    ):
        # Twice as long as the time-out.
        assert await heartbeats(proxy.address, 8) == (8, None)


@pytest.mark.parametrize(
    ("kind", "edits", "heartbeat"),
    [
        (Nginx, Nginx.quick, "PT1H"),
        (HaProxy, HaProxy.quick, "PT1H"),
        (Envoy, Envoy.quick, "PT1H"),
        # What Envoy does after 15 seconds by default: it cuts a stream that is not silent at all.
        (Envoy, [("timeout: 0s", "timeout: 2s")], "PT0.5S"),
    ],
    ids=["nginx", "HAProxy", "Envoy", "Envoy's limit of a call"],
)
async def test_what_cuts_a_stream(
    kind: type[Proxy], edits: Sequence[Edit], heartbeat: str, tmp_path: Path
) -> None:
    """The time-outs of the tests are in force: without heartbeats, or with a limit for calls, it is cut."""
    async with (
        running_node("1", **BEHIND | {"subscribe": {"heartbeat": heartbeat}}) as node,
        before(kind, node.address, tmp_path, edits=edits) as proxy,
    ):
        count, ended = await heartbeats(proxy.address, 1000)

    assert count < 6
    assert ended not in (None, grpc.StatusCode.OK)


# Restarts


class Server:
    """`grpc-chat serve` as a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._program: Program | None = None

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._program
        await self._program.kill()

    async def start(self) -> None:
        arguments = ["serve", "--trusted-ids", "1,2", "--port", str(self.port), "--data", str(self._folder)]
        environment = {"GRPC_CHAT_SUBSCRIBE__HEARTBEAT": "PT0.5S"}
        self._program = await start(sys.executable, "-m", "grpc_chat", *arguments, env=environment)
        await self._program.until(lambda: "listening on" in str(self._program))

    def signal(self, number: signal.Signals) -> None:
        assert self._program
        os.kill(self._program.process.pid, number)

    async def ended(self) -> None:
        assert self._program
        await self._program.ended()


async def test_a_server_is_stopped_and_killed(kind: type[Proxy], tmp_path: Path) -> None:
    """Every message arrives once and in order, whichever way the server went."""
    async with (
        Server(tmp_path / "data") as server,
        before(kind, server.port, tmp_path) as proxy,
        Talk(proxy.address) as talk,
    ):
        for number in (signal.SIGTERM, signal.SIGKILL):
            server.signal(number)
            await server.ended()
            await server.start()
            await talk.goes_on()
        await talk.finish()

    assert talk.cuts >= 1


async def test_a_server_that_hangs_is_noticed(kind: type[Proxy], tmp_path: Path) -> None:
    """The proxy still answers pings, so it is the missing heartbeats that tell. Then everything goes on."""
    async with (
        Server(tmp_path / "data") as server,
        before(kind, server.port, tmp_path) as proxy,
        Talk(proxy.address) as talk,
    ):
        server.signal(signal.SIGSTOP)
        await until(lambda: talk.cuts > 0, timeout=30)
        server.signal(signal.SIGCONT)
        await talk.goes_on()
        await talk.finish()


async def test_a_proxy_is_reloaded(kind: type[Proxy], tmp_path: Path) -> None:
    """Its old process, or the old half of it, goes on with the streams that are open: none is cut."""
    async with (
        running_node("1", "2", **BEHIND) as node,
        before(kind, node.address, tmp_path) as proxy,
        Talk(proxy.address) as talk,
    ):
        for _ in range(proxy.reloads):
            await proxy.reload()
            await talk.goes_on()
        await talk.finish()
        async with Client(proxy.address, token=trusted_token("2"), tls=TLS) as later:
            assert (await later.room("general")).name == "general"

    assert talk.cuts == 0


async def test_a_proxy_is_restarted(kind: type[Proxy], tmp_path: Path) -> None:
    """It is gone for a moment, with all its connections; every message arrives once."""
    async with (
        running_node("1", "2", **BEHIND) as node,
        before(kind, node.address, tmp_path) as proxy,
        Talk(proxy.address) as talk,
    ):
        await proxy.stop()
        await until(lambda: talk.cuts > 0)
        await proxy.start()
        await talk.goes_on()
        await talk.finish()


async def test_a_server_that_is_away_is_told_in_words(kind: type[Proxy], tmp_path: Path) -> None:
    """Whatever the proxy answers in its place, a client says the same."""
    async with (
        before(kind, free_port(), tmp_path) as proxy,
        Client(proxy.address, token=trusted_token("1"), tls=TLS) as client,
    ):
        with pytest.raises(Unreachable) as caught:
            await client.room("general")

    said = re.sub(r" \(HTTP 50[23]\)$", "", str(caught.value))
    assert said == f"the proxy at {proxy.address} can't reach the server"


async def test_what_answers_for_a_while_ends_nothing(tmp_path: Path) -> None:
    """A proxy that knows no server, or wants a login, while the server is replaced: then all goes on."""
    log = tmp_path / "access.log"
    normal = "location / {"
    async with (
        running_node("1", "2", **BEHIND) as node,
        before(Nginx, node.address, tmp_path) as proxy,
        Talk(proxy.address) as talk,
    ):
        proxy.configure("access_log off;", f"access_log {log};")
        for status in (404, 401, 403):
            refusing = f"{normal} return {status};"
            await proxy.stop()
            proxy.configure(normal, refusing)
            await proxy.start()
            answer = f'" {status} '
            # The stream and the sender.
            await until(partial(lambda answer: log.read_text().count(answer) >= 2, answer), timeout=60)
            await proxy.stop()
            proxy.configure(refusing, normal)
            await proxy.start()
            await talk.goes_on()
        await talk.finish()


# Other ways to set one up


async def test_the_server_behind_speaks_tls(kind: type[Proxy], tmp_path: Path) -> None:
    """The proxy checks its certificate."""
    files = issue(by=AUTHORITY).write(tmp_path / "server")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(AUTHORITY.pem)
    edits = [(old, new.replace("CA", str(roots))) for old, new in kind.tls_behind]
    async with (
        running_node("1", "2", tls=files, **BEHIND) as node,
        before(kind, node.address, tmp_path, edits=edits) as proxy,
        Talk(proxy.address) as talk,
    ):
        await talk.finish()

    assert talk.cuts == 0


async def test_nginx_has_a_web_site_as_well(tmp_path: Path) -> None:
    """Only the paths of the API go to the server."""
    async with (
        running_node("1", "2", **BEHIND) as node,
        before(Nginx, node.address, tmp_path, edits=Nginx.with_site) as proxy,
        Talk(proxy.address) as talk,
    ):
        await talk.finish()
        healthy = await raw(proxy.address, "/grpc.health.v1.Health/Check", b"")
        page = await asyncio.to_thread(fetch, f"https://{proxy.address}/")

    assert healthy == b"\x08\x01"
    assert page == b"a web site"


def fetch(url: str) -> bytes:
    context = ssl.create_default_context(cadata=AUTHORITY.pem.decode())
    with urllib.request.urlopen(url, timeout=20, context=context) as response:
        return cast("bytes", response.read())


async def test_haproxy_passes_tls_on(tmp_path: Path) -> None:
    """With `mode tcp` the server's own certificate is what clients see, and know by its fingerprint."""
    async with (
        running_node("1", "2", tls={"dev_certificate": True}, **BEHIND) as node,
        before(HaProxyTcp, node.address, tmp_path) as proxy,
    ):
        assert node.tls
        async with Talk(proxy.address, node.tls) as talk:
            await talk.finish()
