"""What a client of any library must be able to do with the server, on both engines.

Each of these is a test of one library; `make clients` takes every library that can be built here through
all of them.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest

from grpc_chat import new_message_id
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.errors import InvalidRequest
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.certificates import authority, issue
from tests.clients.drivers import TONIC, Driver, End, ForeignCall, ForeignChannel
from tests.support import metric, until

GET_ME = "/chat.v1.AuthService/GetMe"
LIST = "/chat.v1.MessageService/ListMessages"
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
ALICE = (("authorization", "Bearer 1"),)
BOB = (("authorization", "Bearer 2"),)
MEBIBYTE = 1024 * 1024

Capability = Callable[[Driver, str], Awaitable[None]]


@asynccontextmanager
async def served(engine: str, *, subscribe: Any = None, **grpc_settings: Any) -> AsyncIterator[RunningNode]:
    """A server that bounds nothing but what a test wants bounded."""
    options = {"engine": engine, "request_bytes": 5 * MEBIBYTE, "streams_per_connection": 2000}
    limits = {"calls_per_second": 0, "work_per_second": 0}
    async with running_node(
        *("1", "2"),
        grpc=options | grpc_settings,
        limits=limits,
        subscribe={"streams_per_user": 2000} | (subscribe or {}),
    ) as node:
        yield node


def cancelled(node: RunningNode, method: str) -> float:
    """How many calls have been cancelled."""
    return metric(node.node.metrics, "grpc_chat_calls_total", method=method, code="CANCELLED")


def streams(node: RunningNode) -> float:
    """How many subscriptions are open."""
    return metric(node.node.metrics, "grpc_chat_streams")


def subscribe(channel: ForeignChannel, *, seq: int = 0, epoch: str = "", **options: Any) -> ForeignCall:
    cursor = pb.Cursor(room_id="general", seq=seq, epoch=epoch)
    request = pb.SubscribeRequest(cursors=[cursor]).SerializeToString()
    return channel.stream(SUBSCRIBE, request, metadata=options.pop("metadata", ALICE), **options)


async def opened(channel: ForeignChannel) -> None:
    """Wait until it is connected."""
    end = await channel.unary(GET_ME, b"", metadata=ALICE).ended()
    assert end.code is grpc.StatusCode.OK, end


def sending(text: str) -> bytes:
    message = pb.OutgoingMessage(room_id="general", client_message_id=new_message_id(), text=text)
    return pb.SendMessagesRequest(messages=[message]).SerializeToString()


@asynccontextmanager
async def endless(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """ListMessages does not end by itself; what tells that it was begun."""
    begun = asyncio.Event()

    async def list_(*_: object) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr("grpc_chat.core.messages.Messages.list_", list_)
        yield begun


async def keeps_deadlines(driver: Driver, engine: str) -> None:
    """Of a call and of a stream: the client hears of it in time, and the handler ends."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with served(engine) as node, endless(monkeypatch):
            channel = driver.open(node.address)
            await opened(channel)
            now = asyncio.get_running_loop().time
            began = now()
            request = pb.ListMessagesRequest(room_id="general").SerializeToString()
            call = channel.unary(LIST, request, metadata=ALICE, timeout_ms=300)
            ends: list[End] = []
            # A busy machine may take longer than that to open it.
            for timeout_ms in (300, 2_000, 10_000):
                stream = subscribe(channel, timeout_ms=timeout_ms)
                ends = [await call.ended(), await stream.ended()]
                if stream.messages:
                    break
            took = now() - began

            # tonic itself says CANCELLED, see docs/how-to/other-clients.md.
            allowed = {grpc.StatusCode.DEADLINE_EXCEEDED}
            if driver.library is TONIC:
                allowed.add(grpc.StatusCode.CANCELLED)
            assert {end.code for end in ends} <= allowed
            assert took >= 0.29
            assert ends[1].code in allowed
            await until(lambda: cancelled(node, LIST) == 1 and streams(node) == 0)
            channel.close()


async def cancels(driver: Driver, engine: str) -> None:
    """A call and a stream; the handler of each ends, and the channel is as good as before."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with served(engine) as node:
            channel = driver.open(node.address)
            async with endless(monkeypatch) as begun:
                request = pb.ListMessagesRequest(room_id="general").SerializeToString()
                call = channel.unary(LIST, request, metadata=ALICE)
                stream = subscribe(channel)
                await begun.wait()
                await stream.messages_came()
                assert streams(node) == 1
                call.cancel()
                stream.cancel()
                ends = [await call.ended(), await stream.ended()]
                assert [end.code for end in ends] == [grpc.StatusCode.CANCELLED] * 2
                await until(lambda: cancelled(node, LIST) == 1 and streams(node) == 0)
            after = channel.unary(GET_ME, b"", metadata=ALICE)
            assert (await after.ended()).code is grpc.StatusCode.OK
            channel.close()


async def carries_4_mebibytes(driver: Driver, engine: str) -> None:
    """Both ways; a byte more than either side allows is refused, and costs nothing but that call."""
    most = 4 * MEBIBYTE

    async def generous(_self: object, _caller: object, request: pb.ListMessagesRequest) -> bytes:
        return bytes(request.page_size)

    def listing(size: int, padding: int) -> bytes:
        # Field 99, which the server leaves out.
        length = bytes((padding >> at & 127) | (128 if at < 21 else 0) for at in (0, 7, 14, 21))
        request = pb.ListMessagesRequest(room_id="general", page_size=size).SerializeToString()
        return request + b"\x9a\x06" + length + bytes(padding)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("grpc_chat.core.messages.Messages.list_", generous)
        async with served(engine) as node:
            channel = driver.open(node.address)
            both = channel.unary(LIST, listing(most, most), metadata=ALICE)
            assert (await both.ended()).code is grpc.StatusCode.OK, both.end
            assert [len(message) for message in both.messages] == [most]
            for size, padding in ((most + 1, 0), (0, 5 * MEBIBYTE)):
                large = await channel.unary(LIST, listing(size, padding), metadata=ALICE).ended()
                assert large.code is grpc.StatusCode.RESOURCE_EXHAUSTED, large
                assert "larger than max" in large.text
            after = channel.unary(LIST, listing(3, 0), metadata=ALICE)
            assert (await after.ended()).code is grpc.StatusCode.OK
            channel.close()


async def has_1000_streams(driver: Driver, engine: str) -> None:
    """On one connection and on a hundred: each is told the same, and none is left when they are cancelled."""
    async with served(engine) as node:
        sender = node.client("2")
        for count in (1, 100):
            channels = [driver.open(node.address) for _ in range(count)]
            open_ = [subscribe(channels[at % count]) for at in range(1000)]
            await driver.until(lambda open_=open_: all(call.messages for call in open_))  # type: ignore[misc]
            assert streams(node) == 1000
            text = f"{count} connections"
            await sender.send("general", text)
            await driver.until(lambda open_=open_, text=text: all(text in call.texts() for call in open_))  # type: ignore[misc]
            for call in open_:
                call.cancel()
            assert {(await call.ended()).code for call in open_} == {grpc.StatusCode.CANCELLED}
            await until(lambda: streams(node) == 0)
            for channel in channels:
                channel.close()


async def waits_for_room_on_a_connection(driver: Driver, engine: str) -> None:
    """Of more streams than a connection may have, the rest begin when others have ended."""
    async with served(engine, streams_per_connection=10) as node:
        channel = driver.open(node.address)
        # Before it knows the server's settings, a client may open as many as it likes.
        await opened(channel)
        waiting = open_ = [subscribe(channel) for _ in range(30)]
        while waiting:
            await driver.until(lambda waiting=waiting: any(call.messages or call.end for call in waiting))  # type: ignore[misc]
            assert streams(node) <= 10
            for call in waiting:
                if call.messages:
                    call.cancel()
            waiting = [call for call in waiting if not call.messages and not call.end]
        ends = {(await call.ended()).code for call in open_}
        channel.close()

    # grpcio counts a stream until its handler has ended, and refuses some that follow too closely.
    if engine == "asyncio":
        assert ends == {grpc.StatusCode.CANCELLED}


async def compresses(driver: Driver, engine: str) -> None:
    """What was sent with gzip and deflate is stored as it was; what would become too large is refused."""
    async with served(engine, request_bytes=256 * 1024) as node:
        for encoding in ("gzip", "deflate"):
            channel = driver.open(node.address, encoding=encoding)
            text = f"{encoding} again and again " * 100
            sent = await channel.unary(SEND, sending(text), metadata=ALICE).ended()
            assert sent.code is grpc.StatusCode.OK, sent
            assert [m.text async for m in node.client("2").history("general")][-1] == text
            bomb = bytes(MEBIBYTE)
            assert len(zlib.compress(bomb)) < 4096
            refused = await channel.unary(SEND, bomb, metadata=ALICE).ended()
            assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED, refused
            channel.close()


async def reads_rich_errors(driver: Driver, engine: str) -> None:
    """Code, text, reason and field of a call's error and of a stream's, whatever is in the text."""
    words = "Grüße: 100 % von 你好,\n\tund 👩‍👩‍👧"

    async def refuses(*_: object) -> bytes:
        raise InvalidRequest(words, field="page_size")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("grpc_chat.core.messages.Messages.list_", refuses)
        async with served(engine) as node:
            channel = driver.open(node.address)
            request = pb.ListMessagesRequest(room_id="general").SerializeToString()
            told = (await channel.unary(LIST, request, metadata=ALICE).ended()).answer
            nowhere = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="nowhere")]).SerializeToString()
            missing = (await channel.stream(SUBSCRIBE, nowhere, metadata=ALICE).ended()).answer
            unknown = (
                await channel.unary("/chat.v1.AuthService/Nothing", b"", metadata=ALICE).ended()
            ).answer
            channel.close()

    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert (told.code, told.text, told.reason, told.field) == (invalid, words, "INVALID_REQUEST", "page_size")
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "ROOM_NOT_FOUND")
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED")


async def sends_metadata(driver: Driver, engine: str) -> None:
    """Bytes and text arrive as they were, several of one name in their order; too much of it is refused."""
    heard: list[tuple[str, str | bytes]] = []
    usual = Pipeline.call

    async def call(self: Pipeline, method: Any, metadata: Any, *rest: Any) -> bytes:
        heard[:] = metadata
        return await usual(self, method, metadata, *rest)

    sent: list[tuple[str, str | bytes]] = [
        ("x-text", "a, b; c=d"),
        ("x-all-bin", bytes(range(256))),
        ("x-short-bin", b"\xff"),
        ("x-several-bin", b"one,two"),
        ("x-several-bin", b"three"),
        ("x-several", "one"),
        ("x-several", "two"),
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Pipeline, "call", call)
        async with served(engine) as node:
            channel = driver.open(node.address)
            stream = subscribe(channel)
            await stream.messages_came()
            end = await channel.unary(GET_ME, b"", metadata=(*ALICE, *sent)).ended()
            assert end.code is grpc.StatusCode.OK, end
            ours = [field for field in heard if field[0].startswith("x-")]
            much: list[tuple[str, str | bytes]] = [*ALICE, ("x-much", "m" * 6_000)]
            assert (await channel.unary(GET_ME, b"", metadata=much).ended()).code is grpc.StatusCode.OK
            too_much = [*ALICE, *((f"x-much-{at}", "m" * 6_000) for at in range(4))]
            refused = await channel.unary(GET_ME, b"", metadata=too_much).ended()
            await node.client("2").send("general", "still there")
            await driver.until(lambda: "still there" in stream.texts() or stream.end is not None)
            channel.close()

    for name in {name for name, _ in sent}:
        assert [v for n, v in ours if n == name] == [v for n, v in sent if n == name], name
    # Some count what the server told them to.
    assert refused.code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL), refused
    assert stream.texts() == ["still there"]


async def lets_a_stream_stand_still(driver: Driver, engine: str) -> None:
    """A stream that is not read holds up no other on its connection, and brings everything when it is."""
    async with served(engine) as node:
        channel = driver.open(node.address)
        stalled = subscribe(channel, stalled=True)
        reading = subscribe(channel)
        await reading.messages_came()
        sender = node.client("2")
        texts = [f"{number} " + "x" * 20_000 for number in range(60)]
        for text in texts:
            await sender.send("general", text)
        await driver.until(lambda: len(reading.texts()) == 60 or reading.end is not None)
        assert not stalled.messages
        stalled.read()
        await driver.until(lambda: len(stalled.texts()) == 60 or stalled.end is not None)
        assert reading.texts() == stalled.texts() == texts
        channel.close()


async def speaks_tls(driver: Driver, engine: str) -> None:
    """With the authority that it is given, and not with another."""
    ours, other = authority(), authority()
    with TemporaryDirectory() as folder:
        tls = issue(by=ours).write(Path(folder))
        async with running_node("1", "2", grpc={"engine": engine}, tls=tls) as node:
            await _speaks_tls(driver, node, ours.pem, other.pem)


async def _speaks_tls(driver: Driver, node: RunningNode, ours: bytes, other: bytes) -> None:
    address = f"localhost:{node.node.port}"
    channel, wrong = driver.open(address, authority=ours), driver.open(address, authority=other)
    stream = subscribe(channel)
    await stream.messages_came()
    sent = await channel.unary(SEND, sending("x" * 60_000), metadata=BOB).ended()
    assert sent.code is grpc.StatusCode.OK, sent
    await driver.until(lambda: stream.texts() == ["x" * 60_000])
    refused = await wrong.unary(GET_ME, b"", metadata=ALICE, timeout_ms=5_000).ended()
    assert refused.code is not grpc.StatusCode.OK
    for each in (channel, wrong):
        each.close()


QUICK: tuple[Capability, ...] = (
    keeps_deadlines,
    cancels,
    carries_4_mebibytes,
    waits_for_room_on_a_connection,
    compresses,
    reads_rich_errors,
    sends_metadata,
    lets_a_stream_stand_still,
)
ALL: tuple[Capability, ...] = (*QUICK, has_1000_streams, speaks_tls)
