"""The API over Connect, gRPC-Web and JSON, as programs that others made call it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import pytest_asyncio
from connectrpc.client import ConnectClient
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_codecs
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType
from google.protobuf import message_factory
from google.protobuf.message import Message

from grpc_chat import new_message_id
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport.web_server import WebServer
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from tests.support import metric, until
from tests.web import WEB, bearer, browser, enveloped, envelopes, post, reason, url

pytestmark = pytest.mark.asyncio(loop_scope="module")

BINARY, JSON = google_protobuf_codecs()
FORMS = {
    "connect": (ProtocolType.CONNECT, BINARY),
    "connect-json": (ProtocolType.CONNECT, JSON),
    "grpc-web": (ProtocolType.GRPC_WEB, BINARY),
    "grpc-web-json": (ProtocolType.GRPC_WEB, JSON),
}
METHODS = {
    f"{service.name}/{method.name}": method
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ALL_ROOMS = pb.SubscribeRequest(all_rooms=True, start=pb.START_BEGINNING)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", "chad", web=WEB) as running:
        yield running


def info(name: str) -> MethodInfo[Any, Any]:
    method = METHODS[name]
    return MethodInfo(
        name=method.name,
        service_name=method_path(method).split("/")[1],
        input=message_factory.GetMessageClass(method.input_type),
        output=message_factory.GetMessageClass(method.output_type),
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if method.server_streaming else StreamType.UNARY,
    )


class Caller:
    """connectrpc's own client, which compresses what it sends and offers to take answers compressed."""

    def __init__(self, node: RunningNode, form: str, id_: str) -> None:
        protocol, codec = FORMS[form]
        self._client = ConnectClient(url(node), protocol=protocol, codec=codec)
        self._headers = bearer(id_)

    async def call(self, name: str, request: Message) -> Any:
        return await self._client.execute_unary(request=request, method=info(name), headers=self._headers)

    async def stream(self, name: str, request: Message) -> AsyncGenerator[Any]:
        responses = self._client.execute_server_stream(
            request=request, method=info(name), headers=self._headers
        )
        async for response in responses:
            yield response


def outgoing(text: str) -> pb.SendMessagesRequest:
    message = pb.OutgoingMessage(room_id="general", client_message_id=new_message_id(), text=text)
    return pb.SendMessagesRequest(messages=[message])


@pytest.mark.parametrize("form", FORMS)
async def test_all_protocols_say_the_same(node: RunningNode, form: str) -> None:
    """A message, the error of a bad one, and a stream that brings it, and later ones as they come."""
    alice, bob = Caller(node, form, "alice"), Caller(node, form, "bob")

    sent = await alice.call("MessageService/SendMessages", outgoing(f"Hällo over {form}"))
    with pytest.raises(ConnectError) as refused:
        await alice.call("MessageService/SendMessages", pb.SendMessagesRequest())

    place = sent.messages[0]
    assert place.seq > 0
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert [detail.type_name for detail in refused.value.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
    ]
    found: list[str] = []
    async with asyncio.timeout(20), aclosing(bob.stream("SubscribeService/Subscribe", ALL_ROOMS)) as stream:
        async for response in stream:
            if response.HasField("started"):
                continue
            found += [event.message.text for event in response.events if event.HasField("message")]
            if f"Hällo over {form}" in found and len(found) < 100:
                await alice.call("MessageService/SendMessages", outgoing(f"live over {form}"))
            if found[-1:] == [f"live over {form}"]:
                break
    assert found.count(f"Hällo over {form}") == 1


async def test_a_closed_tab_ends_its_stream(node: RunningNode) -> None:
    """Within moments, not with the next write, and the connection is forgotten."""
    # Those of tests before this one end in their own time.
    await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)
    connections = metric(node.node.metrics, "grpc_chat_web_connections")

    async with browser() as tab:
        request = enveloped(ALL_ROOMS.SerializeToString())
        headers = {"Content-Type": "application/connect+proto", **bearer("alice")}
        async with tab.stream(
            "POST", url(node, "/chat.v1.SubscribeService/Subscribe"), content=request, headers=headers
        ) as response:
            async with aclosing(envelopes(response)) as messages:
                flags, data = await anext(messages)
            assert (flags, response.status_code) == (0, 200)
            assert pb.SubscribeResponse.FromString(data).HasField("started")
            assert metric(node.node.metrics, "grpc_chat_streams") == 1

    await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)
    await until(lambda: metric(node.node.metrics, "grpc_chat_web_connections") == connections)


async def test_errors_have_the_codes_and_reasons_of_grpc(node: RunningNode) -> None:
    """And the statuses of HTTP that fit, for programs that know no more."""
    async with browser() as client:
        nobody = await post(client, node, "AuthService/GetMe", {})
        unknown = await post(client, node, "AuthService/GetMe", {}, bearer("mallory"))
        missing = await post(client, node, "RoomService/GetRoom", {"roomId": "nowhere"}, bearer("alice"))
        newer = await post(client, node, "RoomService/Levitate", {}, bearer("alice"))
        nothing = await client.post(url(node, "/other.v1.Service/Method"))

    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")
    assert (unknown.status_code, reason(unknown)) == (401, "UNAUTHENTICATED")
    assert (missing.status_code, reason(missing)) == (404, "ROOM_NOT_FOUND")
    assert missing.json()["message"]
    assert (newer.status_code, newer.json()["code"], reason(newer)) == (501, "unimplemented", "UNIMPLEMENTED")
    assert nothing.status_code == 404


async def test_what_came_before_a_restart_goes_on_after_it() -> None:
    """The server goes away under a stream and comes back; from its cursor, a browser misses nothing."""
    async with running_node("alice", "bob", web=WEB) as node:
        cursors: list[pb.Cursor] = []
        found: list[str] = []
        epoch = ""
        for round_ in range(3):
            alice, bob = Caller(node, "connect", "alice"), Caller(node, "connect", "bob")
            request = pb.SubscribeRequest(cursors=cursors) if cursors else ALL_ROOMS
            await alice.call("MessageService/SendMessages", outgoing(f"{round_} early"))
            stopping: asyncio.Task[None] | None = None
            async with asyncio.timeout(30):
                async for response in bob.stream("SubscribeService/Subscribe", request):
                    epoch = response.started.epoch or epoch
                    for event in response.events:
                        cursors = [pb.Cursor(room_id=event.room_id, epoch=epoch, seq=event.seq)]
                        found += [event.message.text] if event.HasField("message") else []
                    if found[-1:] == [f"{round_} early"] and not stopping:
                        await alice.call("MessageService/SendMessages", outgoing(f"{round_} late"))
                        stopping = asyncio.create_task(node.restart())
                    if response.HasField("draining"):
                        assert response.draining.HasField("reconnect_after")
            assert stopping
            await stopping
        async for response in Caller(node, "connect", "bob").stream(
            "SubscribeService/Subscribe", pb.SubscribeRequest(cursors=cursors)
        ):
            found += [event.message.text for event in response.events if event.HasField("message")]
            if found[-1:] == ["2 late"]:
                break

    assert found == [f"{n} {when}" for n in range(3) for when in ("early", "late")]


async def test_a_server_that_no_browser_calls_loads_nothing_for_it() -> None:
    """What carries Connect takes a while to load, and memory; the first connection brings it."""
    code = "import grpc_chat.node, sys; print(*sys.modules.keys() & {'connectrpc', 'uvicorn', 'protobuf'})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    async with running_node("alice", web=WEB) as node:
        server = node.node._servers[-1]
        assert isinstance(server, WebServer)
        loaded = [server.is_loaded]
        async with browser() as client:
            assert (await client.get(url(node, "/"))).status_code == 200
        loaded.append(server.is_loaded)
    assert loaded == [False, True]
    out, _ = await process.communicate()
    assert out.split() == []


async def test_page_says_what_this_is(node: RunningNode) -> None:
    """With headers that let it do nothing but be read."""
    async with browser() as client:
        page, style, head = (
            await client.get(url(node, "/")),
            await client.get(url(node, "/style.css")),
            await client.head(url(node, "/")),
        )
        elsewhere = [await client.get(url(node, path)) for path in ("/x", "/../etc/passwd", "/%2e%2e/x")]

    assert f"http://127.0.0.1:{node.node.web_port}/chat.v1." in page.text
    assert "<script" not in page.text
    assert (head.status_code, head.content) == (200, b"")
    assert style.headers["content-type"].startswith("text/css")
    policy = page.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    for response in (page, style, *elsewhere):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "server" not in response.headers
    assert [response.status_code for response in elsewhere] == [404] * 3


async def test_json_of_a_large_page_is_whole(node: RunningNode) -> None:
    """It is made on a thread."""
    async with browser() as client:
        for _ in range(4):
            text = "ü" * 20_000
            message = {"roomId": "general", "clientMessageId": new_message_id(), "text": text}
            sent = await post(
                client, node, "MessageService/SendMessages", {"messages": [message]}, bearer("chad")
            )
            assert sent.status_code == 200, sent.text
        request = {"roomId": "general", "pageSize": 4}
        page = await post(client, node, "MessageService/ListMessages", request, bearer("alice"))

    texts = [event["message"]["text"] for event in page.json()["events"]]
    assert texts == ["ü" * 20_000] * 4
    assert page.headers["cache-control"] == "no-store"


async def test_connection_is_used_again(node: RunningNode) -> None:
    """One call after the other on one connection, errors and streams that end among them."""
    limits = httpx.Limits(max_connections=1)
    async with browser(limits=limits) as client:
        before = metric(node.node.metrics, "grpc_chat_web_connections")
        for _ in range(3):
            assert (await post(client, node, "AuthService/GetMe", {}, bearer("bob"))).status_code == 200
            assert (await post(client, node, "AuthService/GetMe", b"{", bearer("bob"))).status_code == 400
            ended = await client.post(
                url(node, "/chat.v1.SubscribeService/Subscribe"),
                content=enveloped(b"{}"),
                headers={"Content-Type": "application/connect+json", **bearer("bob")},
            )
            assert json.loads(ended.content[5:])["error"]["code"] == "invalid_argument"
        assert metric(node.node.metrics, "grpc_chat_web_connections") == before + 1


async def test_every_method_is_there(node: RunningNode) -> None:
    """Each answers with something of its own: none is unknown."""
    async with browser() as client:
        for name in METHODS:
            response = await post(client, node, name, {}, bearer("nobody"))
            assert response.status_code not in (404, 405, 500, 501), name
