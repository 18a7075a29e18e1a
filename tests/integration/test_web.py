"""The API over Connect, gRPC-Web and JSON, as programs that others made call it."""

from __future__ import annotations

import asyncio
import errno
import importlib
import json
import os
import re
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
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
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from grpc_chat import new_message_id
from grpc_chat.errors import ChatError, InvalidRequest, Unavailable
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport import web_server
from grpc_chat.transport.web_server import WebServer
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from tests.certificates import issue
from tests.node_packages import NODE_PROJECT, installed
from tests.requests import Names, good
from tests.support import metric, until
from tests.web import WEB, bearer, browser, enveloped, envelopes, post, reason, url
from tools.node import NODE

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]
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


async def test_browsers_wait_while_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first of them needs can't be read then; it is tried again."""
    tries: list[str] = []

    def import_module(name: str) -> object:
        tries.append(name)
        if len(tries) < 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return importlib.import_module(name)

    monkeypatch.setattr(web_server, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(web_server, "importlib", SimpleNamespace(import_module=import_module))
    async with running_node("alice", web=WEB) as node, browser() as client:
        assert (await client.get(url(node, "/"))).status_code == 200
    assert len(tries) == 3


async def test_page_says_what_this_is(node: RunningNode) -> None:
    """With headers that let it do nothing but be read."""
    async with browser() as client:
        page, style, head = (
            await client.get(url(node, "/about")),
            await client.get(url(node, "/style.css")),
            await client.head(url(node, "/about")),
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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.timeout(180)
async def test_the_libraries_of_browsers_work(node: RunningNode, tmp_path: Path, form: str) -> None:
    """Those of Connect for JavaScript, over fetch, made of chat.proto alone."""
    await asyncio.to_thread(installed)
    files = descriptor_pb2.FileDescriptorSet()
    for name in ("any", "duration", "field_mask", "timestamp"):
        files.file.add().ParseFromString(
            descriptor_pool.Default().FindFileByName(f"google/protobuf/{name}.proto").serialized_pb
        )
    described = await asyncio.to_thread((ROOT / "tests" / "chat.descriptor.binpb").read_bytes)
    files.MergeFromString(described)
    (tmp_path / "chat.binpb").write_bytes(files.SerializeToString())

    process = await asyncio.create_subprocess_exec(
        NODE,
        NODE_PROJECT / "browser.mjs",
        url(node),
        tmp_path / "chat.binpb",
        form,
        "alice",
        f"Grüße über {form}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    said = [json.loads(line) for line in out.splitlines()]
    assert len(said) == 4, (out, err)
    assert said[0] == {
        "error": "InvalidArgument",
        "details": ["google.rpc.ErrorInfo", "google.rpc.BadRequest"],
    }
    assert said[1]["sent"] == said[2]["came"]
    assert said[3] == {"ended": "Canceled"}
    await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)


async def test_curl_sends_a_message_with_the_line_in_the_docs() -> None:
    """As it stands there, but for the port."""
    page = await asyncio.to_thread((ROOT / "docs" / "how-to" / "browser-api.md").read_text)
    (line,) = re.findall(r"^curl .*SendMessages.*$", page, re.M)
    async with running_node("1", "2", web=WEB) as node:
        command = line.replace("http://localhost:8080", url(node))
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{command} --silent --noproxy '*'", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        client = node.client("2")
        texts = [message.text async for message in client.history("general")]

    assert json.loads(out)["messages"][0]["seq"] == "1"
    assert texts == ["Hello"]


async def test_strangers_are_told_the_same_as_over_grpc() -> None:
    """Each method, called without a token and by somebody who is in no room: in JSON, in protobuf's encoding
    and by the pipeline itself, what is refused is refused for the same reason."""
    limits = dict.fromkeys(("calls_burst", "work_burst", "guest_calls_burst"), 100_000)
    names = Names(room="secret", user="bob", owner="bob")
    compared = 0
    async with running_node("alice", "bob", "mallory", web=WEB, limits=limits) as node, browser() as client:
        await node.put_room("secret", {"alice": "owner", "bob": "member"})
        methods = {method.path: method for method in node.node.pipeline.methods}
        for name, described in METHODS.items():
            method = methods[method_path(described)]
            if method.unary is None:
                continue
            for headers in ({}, bearer("mallory")):
                request = good(name, names)
                metadata = [(key.lower(), value) for key, value in headers.items()]
                try:
                    await node.node.pipeline.call(method, metadata, request.SerializeToString())
                    continue
                except ChatError as error:
                    refused = error
                as_json = json_format.MessageToDict(request)
                answers = [
                    await post(client, node, name, request, headers),
                    await post(client, node, name, as_json, headers),
                ]
                for answer in answers:
                    assert (reason(answer), answer.json()["message"]) == (refused.code, refused.message), name
                compared += 1

    assert compared > 150


async def test_new_connections_get_a_newer_certificate(tmp_path: Path) -> None:
    """As at gRPC's port, without a restart, and those that are open go on."""
    tls = issue("first").write(tmp_path)
    async with running_node("alice", web=WEB, tls=tls) as node, browser(verify=False) as client:
        assert (await post(client, node, "AuthService/GetMe", {}, bearer("alice"))).status_code == 200
        newer = issue("second")
        newer.write(tmp_path)
        assert node.node.certificates
        await asyncio.to_thread(node.node.certificates.look)

        shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", node.node.web_port))
        assert (await post(client, node, "AuthService/GetMe", {}, bearer("alice"))).status_code == 200

    assert ssl.PEM_cert_to_DER_cert(shown) == newer.certificate.public_bytes(Encoding.DER)


async def test_port_that_nobody_asked_for_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does without; where somebody asked for it, it says so and does not start."""
    async with running_node("alice", web=WEB) as other:
        monkeypatch.setattr("grpc_chat.node._WEB_PORT", other.node.web_port)
        async with running_node("alice", web={"port": "auto"}) as node:
            assert (node.node.web_port, node.node.web_url) == (0, "")
        with pytest.raises(Unavailable, match="can't serve browsers on 127"):
            async with running_node("alice", web={"port": other.node.web_port}):
                pass
        port = other.node.web_port
    async with running_node("alice", web={"port": "auto"}) as node:
        assert node.node.web_url == f"http://localhost:{port}/"


async def test_passwords_are_not_read_on_the_way_to_this_port_either() -> None:
    """Beyond this machine it needs TLS, or somebody who says that the network can be trusted."""
    with pytest.raises(InvalidRequest, match=r"on their way to 0\.0\.0\.0"):
        async with running_node(accounts=True, web=WEB | {"host": "0.0.0.0"}):
            pass
    async with running_node(accounts=True, web=WEB | {"host": "0.0.0.0"}, insecure=True) as node:
        assert node.node.web_port


async def test_answers_are_not_held_back(node: RunningNode) -> None:
    """Their pieces go out as they are written, and not when the client has acknowledged those before."""
    async with browser() as client:
        assert (await client.get(url(node, "/"))).status_code == 200
        (server,) = [each for each in node.node._servers if isinstance(each, WebServer)]
        connected = [each.transport.get_extra_info("socket") for each in server._connections]
        assert connected
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in connected)
