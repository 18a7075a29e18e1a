"""Both engines of ``grpc.engine``: what clients of grpcio see of them.

``make test`` runs all other tests on the default, ``make test-all`` on each. These few run on both always.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from grpc_chat import Message, RoomNotFound
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport.asyncio_server import AsyncioServer
from grpc_chat.transport.grpc_server import GrpcServer
from grpc_chat.wire import chat_pb2 as pb
from tests.raw import UnaryStream, call
from tests.support import metric, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = "/chat.v1.MessageService/ListMessages"
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
AUTHORIZED: tuple[str, str | bytes] = ("authorization", "Bearer 1")
ENGINES = {"asyncio": AsyncioServer, "grpcio": GrpcServer}


@pytest_asyncio.fixture(params=ENGINES, scope="module", loop_scope="module")
async def node(request: pytest.FixtureRequest) -> AsyncIterator[RunningNode]:
    engine = {"engine": request.param, "request_bytes": 5 * 1024 * 1024}
    async with running_node("1", "2", grpc=engine) as node:
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(node: RunningNode) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(node.address) as channel:
        yield channel


async def test_the_engine_is_the_one_that_is_named(node: RunningNode, request: pytest.FixtureRequest) -> None:
    (server, *_) = node.node._servers
    assert isinstance(server, ENGINES[request.node.callspec.params["node"]])


async def test_messages_travel(node: RunningNode) -> None:
    """From one client to another, in order, and errors as they are with the other engine."""
    sender, reader = node.client("1"), node.client("2")
    async with reader.subscribe("general") as subscription:
        updates = subscription.updates()
        for number in range(20):
            await sender.send("general", f"message {number}")
        seen: list[str] = []
        async for update in updates:
            if isinstance(update, Message):
                seen.append(update.text)
            if len(seen) == 20:
                break

    assert seen == [f"message {number}" for number in range(20)]
    with pytest.raises(RoomNotFound) as caught:
        await sender.room("of nobody")
    assert caught.value.code == "ROOM_NOT_FOUND"


async def test_large_messages_travel_both_ways(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 MiB, which is many frames and windows."""
    most = 4 * 1024 * 1024

    async def generous(_self: object, _caller: object, request: pb.ListMessagesRequest) -> bytes:
        return bytes(request.page_size)

    monkeypatch.setattr("grpc_chat.core.messages.Messages.list_", generous)
    request = pb.ListMessagesRequest(room_id="general", page_size=most).SerializeToString()
    request += b"\x9a\x06\x80\x80\x80\x02" + bytes(most)  # field 99, which is left out
    # A client without a limit of its own.
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(node.address, options=options) as channel:
        answer = await call(channel, LIST, request, [AUTHORIZED])

    assert answer.code is grpc.StatusCode.OK
    assert len(answer.response) == most


@pytest.mark.parametrize("how", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_requests_are_taken(node: RunningNode, how: grpc.Compression) -> None:
    """As grpc's own clients send them when they are told to."""
    text = "again and again " * 100
    message = pb.OutgoingMessage(
        room_id="general", client_message_id=f"0000000{how.value}-0000-4000-8000-000000000000", text=text
    )
    request = pb.SendMessagesRequest(messages=[message]).SerializeToString()
    async with grpc.aio.insecure_channel(node.address, compression=how) as channel:
        answer = await call(channel, SEND, request, [AUTHORIZED])

    assert answer.code is grpc.StatusCode.OK, answer.text
    assert len(pb.SendMessagesResponse.FromString(answer.response).messages) == 1


async def test_health_and_reflection_are_there(channel: grpc.aio.Channel) -> None:
    """Reflection answers a stream of questions, one after the other."""
    answer = await call(channel, "/grpc.health.v1.Health/Check", b"", [])
    assert health_pb2.HealthCheckResponse.FromString(answer.response).status == 1

    for version in ("v1", "v1alpha"):
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        stream: Any = channel.stream_stream(path)()
        for _ in range(3):
            await stream.write(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())
            response = reflection_pb2.ServerReflectionResponse.FromString(await stream.read())
            assert len(response.list_services_response.service) > 5
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


async def test_a_stream_ends_with_its_deadline_and_with_its_client(
    node: RunningNode, channel: grpc.aio.Channel
) -> None:
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    subscribe = cast(UnaryStream, channel.unary_stream(SUBSCRIBE))
    stream = subscribe(request, metadata=grpc.aio.Metadata(AUTHORIZED), timeout=0.1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stream:
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    stream = subscribe(request, metadata=grpc.aio.Metadata(AUTHORIZED))
    assert await stream.read()
    stream.cancel()
    await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)
