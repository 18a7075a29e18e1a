"""Clients that others made speak with a server of ours: all they are given is the address, or chat.proto."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import grpc
import grpc_requests
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2

from grpc_chat import new_message_id
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import names
from tests.node_packages import NODE_PROJECT, installed
from tools.node import NODE

BUF = Path(sys.executable).with_name("buf")
ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT = ROOT / "examples" / "clients" / "typescript"

Json = dict[str, Any]

# npm and its clients take their time to start where many programs run at once.
pytestmark = pytest.mark.timeout(180)


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, code: str, reason: str, fields: list[str]) -> None:
        super().__init__(f"{code} {reason} {fields}")
        self.code = code
        self.reason = reason
        self.fields = fields


class Foreign(Protocol):
    """A client somebody else made; requests and responses are JSON with the names of chat.proto."""

    def stream(self, address: str, id_: str, method: str, request: Json) -> AsyncGenerator[Json]:
        """The responses, one from a unary method; ``Refused`` where the call ends with an error."""


@asynccontextmanager
async def program(*command: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that is killed at the end, if it does not end by itself."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def objects(reader: asyncio.StreamReader) -> AsyncIterator[Json]:
    """The JSON objects that a program prints, each as soon as it is complete."""
    text = ""
    decoder = json.JSONDecoder(object_hook=with_proto_names)
    async for line in reader:
        text += line.decode()
        try:
            value, end = decoder.raw_decode(text)
        except json.JSONDecodeError:
            continue
        text = text[end:].lstrip()
        yield value


def with_proto_names(value: Json) -> Json:
    """As chat.proto writes them, whichever of protobuf's two spellings a client uses."""
    return {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name): item for name, item in value.items()}


def refused(code: str, details: list[tuple[str, bytes]]) -> Refused:
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    for kind, data in details:
        if kind == "google.rpc.ErrorInfo":
            info.ParseFromString(data)
        elif kind == "google.rpc.BadRequest":
            request.ParseFromString(data)
    return Refused(code.upper(), info.reason, [violation.field for violation in request.field_violations])


def details_of(status: bytes) -> list[tuple[str, bytes]]:
    details = status_pb2.Status.FromString(status).details
    return [(detail.TypeName(), detail.value) for detail in details]


class BufCurl:
    """`buf curl`, which learns the API by reflection."""

    async def stream(self, address: str, id_: str, method: str, request: Json) -> AsyncGenerator[Json]:
        command: list[str | Path] = [BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        command += ["--header", f"authorization: Bearer {id_}", "--data", json.dumps(request)]
        async with program(*command, f"http://{address}/chat.v1.{method}") as process:
            assert process.stdout
            assert process.stderr
            async for response in objects(process.stdout):
                yield response
            async for error in objects(process.stderr):
                # Base64 without the padding that Python wants to see.
                details = [
                    (item["type"], base64.b64decode(item["value"] + "==")) for item in error["details"]
                ]
                raise refused(error["code"], details)


class GrpcRequests:
    """grpc_requests, a Python client that learns the API by reflection."""

    async def stream(self, address: str, id_: str, method: str, request: Json) -> AsyncGenerator[Json]:
        # A pool of its own: in Python's own one the API is known already.
        client = grpc_requests.Client(address, descriptor_pool=DescriptorPool(), lazy=True)
        service, _, name = method.partition("/")
        options = {"metadata": [("authorization", f"Bearer {id_}")]}
        try:
            result = await asyncio.to_thread(client.request, f"chat.v1.{service}", name, request, **options)
            if isinstance(result, dict):
                yield result
                return
            while (response := await asyncio.to_thread(next, result, None)) is not None:
                yield response
        except grpc.RpcError as exc:
            error = cast(grpc.Call, exc)
            details = {
                key: value for key, value in error.trailing_metadata() or () if isinstance(value, bytes)
            }
            raise refused(error.code().name, details_of(details["grpc-status-details-bin"])) from exc
        finally:
            client.channel.close()


class NodeJs:
    """@grpc/grpc-js with what @grpc/proto-loader makes of chat.proto."""

    async def stream(self, address: str, id_: str, method: str, request: Json) -> AsyncGenerator[Json]:
        command: list[str | Path] = [
            NODE,
            NODE_PROJECT / "client.mjs",
            address,
            id_,
            method,
            camel_case(request),
        ]
        async with program(*command) as process:
            assert process.stdout
            assert process.stderr
            async for line in objects(process.stdout):
                if "response" in line:
                    yield line["response"]
                elif line["status"]["code"] != "OK":
                    details = base64.b64decode(line["status"]["details"])
                    raise refused(line["status"]["code"], details_of(details))
            assert await process.stderr.read() == b""


def camel_case(request: Json) -> str:
    """In JSON, as JavaScript names things."""

    def renamed(value: Json) -> Json:
        return {re.sub("_([a-z])", lambda m: m[1].upper(), name): item for name, item in value.items()}

    return json.dumps(json.loads(json.dumps(request), object_hook=renamed))


@pytest.fixture(params=[BufCurl, GrpcRequests, NodeJs])
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """One of the clients."""
    if request.param is NodeJs:
        installed()
    client: Foreign = request.param()
    return client


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    """A server that trusts the ids 1, 2 and 3."""
    async with running_node() as node:
        yield node


async def call(foreign: Foreign, node: RunningNode, id_: str, method: str, request: Json) -> Json:
    """The response of a unary method."""
    async with asyncio.timeout(60), aclosing(foreign.stream(node.address, id_, method, request)) as responses:
        found = [response async for response in responses]
    [response] = found
    return response


@asynccontextmanager
async def following(
    foreign: Foreign, node: RunningNode, id_: str, cursor: Json
) -> AsyncIterator[AsyncGenerator[Json]]:
    """The responses of a stream that begins at a cursor."""
    method, request = "SubscribeService/Subscribe", {"cursors": [cursor]}
    async with asyncio.timeout(60), aclosing(foreign.stream(node.address, id_, method, request)) as responses:
        yield responses


def outgoing(text: str, client_message_id: str = "") -> Json:
    message = {"room_id": "general", "client_message_id": client_message_id or new_message_id(), "text": text}
    return {"messages": [message]}


@pytest.mark.parametrize("version", ["grpc-v1", "grpc-v1alpha"])
async def test_buf_curl_lists_the_methods(node: RunningNode, version: str) -> None:
    """Reflection tells a stranger every method of the API, in both of its versions."""
    command = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-methods"]

    async with program(BUF, *command, "--reflect-protocol", version, f"http://{node.address}") as process:
        out, err = await process.communicate()

    methods = {
        names.method_path(method)[1:]
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert methods | {"grpc.health.v1.Health/Check"} <= set(out.decode().split()), err.decode()


async def test_a_foreign_client_sends_and_reads(foreign: Foreign, node: RunningNode) -> None:
    """What a foreign client sends is stored as it is, under its id, and it can read the history."""
    text = "Grüße, नमस्ते, 你好 👩‍👩‍👧 \x1b[31m"

    sent = await call(foreign, node, "1", "MessageService/SendMessages", outgoing(text))
    request = {"room_id": "general", "page_size": 10}
    page = await call(foreign, node, "2", "MessageService/ListMessages", request)

    assert [int(message["seq"]) for message in sent["messages"]] == [1]
    assert [(int(e["seq"]), e["user_id"], e["message"]["text"]) for e in page["events"]] == [(1, "1", text)]
    assert [(m.seq, m.sender_id, m.text) async for m in node.client("3").history("general")] == [
        (1, "1", text)
    ]


async def test_a_foreign_client_that_sends_again_stores_one_message(
    foreign: Foreign, node: RunningNode
) -> None:
    """The same client_message_id gives the first number again."""
    request = outgoing("once", "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c")

    answers = [await call(foreign, node, "1", "MessageService/SendMessages", request) for _ in range(2)]

    assert [int(answer["messages"][0]["seq"]) for answer in answers] == [1, 1]
    assert [m.text async for m in node.client("3").history("general")] == ["once"]


async def test_a_foreign_client_is_told_what_is_wrong(foreign: Foreign, node: RunningNode) -> None:
    """A refused call carries its gRPC status, the reason, and the path of the field."""
    request = outgoing("hello", "not a UUID")

    with pytest.raises(Refused) as invalid:
        await call(foreign, node, "1", "MessageService/SendMessages", request)
    with pytest.raises(Refused) as unknown:
        await call(foreign, node, "4", "AuthService/GetMe", {})

    assert (invalid.value.code, invalid.value.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert invalid.value.fields == ["messages[0].client_message_id"]
    assert (unknown.value.code, unknown.value.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


async def test_a_foreign_client_s_stream_ends_with_a_reason(foreign: Foreign, node: RunningNode) -> None:
    """A stream that may not be opened says why, like a call."""
    with pytest.raises(Refused) as refused:
        async with following(foreign, node, "1", {"room_id": "secret"}) as responses:
            await anext(responses)

    assert (refused.value.code, refused.value.reason) == ("NOT_FOUND", "ROOM_NOT_FOUND")


async def test_a_foreign_client_follows_a_room(foreign: Foreign, node: RunningNode) -> None:
    """One stream gives what was there, says so, goes on live, and leaves out the client's own messages."""
    alice = node.client("1")
    for text in ("one", "two"):
        await alice.send("general", text)
    seen: list[str] = []

    async with following(foreign, node, "2", {"room_id": "general"}) as responses:
        async for response in responses:
            for event in response.get("events", ()):
                seen.append(f"{event['seq']} {event['user_id']} {event['message']['text']}")
            if response.get("caught_up") is not None:
                seen.append("caught up")
                await call(foreign, node, "2", "MessageService/SendMessages", outgoing("mine"))
                await alice.send("general", "three")
            if "4 1 three" in seen:
                break

    assert seen == ["1 1 one", "2 1 two", "caught up", "4 1 three"]


async def test_a_foreign_client_goes_on_where_it_was(foreign: Foreign, node: RunningNode) -> None:
    """With the cursor of the last event, a new stream begins with the next one."""
    alice = node.client("1")
    sent = [await alice.send("general", text) for text in ("one", "two", "three")]
    cursor = {"room_id": "general", "seq": sent[1].seq, "epoch": sent[1].epoch}

    texts: list[str] = []
    async with following(foreign, node, "2", cursor) as responses:
        async for response in responses:
            texts += [event["message"]["text"] for event in response.get("events", ())]
            if response.get("caught_up") is not None:
                break

    assert texts == ["three"]


async def test_a_foreign_client_registers_and_makes_a_room(foreign: Foreign) -> None:
    """With nothing but chat.proto: an account by invite, a login, a room, and an invite to it for another."""
    async with running_node(accounts=True, grpc={"reflection": True}) as node:
        alice = await node.register("alice", admin=True)
        invite = await alice.admin.create_invite()

        request = {"user_id": "zoe", "password": PASSWORD, "invite_code": invite.code}
        registered = await call(foreign, node, "nobody", "AuthService/Register", request)
        login = {"user_id": "zoe", "password": PASSWORD, "device_name": "phone"}
        token = (await call(foreign, node, "nobody", "AuthService/LogIn", login))["token"]
        me = await call(foreign, node, token, "AuthService/GetMe", {})
        room = {"name": "café", "kind": "ROOM_KIND_PRIVATE", "history": "HISTORY_SINCE_JOIN"}
        made = (await call(foreign, node, token, "RoomService/CreateRoom", room))["room"]
        once = {"room_id": made["room_id"], "max_uses": 1}
        code = (await call(foreign, node, token, "RoomService/CreateInvite", once))["code"]
        with pytest.raises(Refused) as wrong:
            await call(foreign, node, "nobody", "AuthService/LogIn", login | {"password": "wrong"})

        assert registered["token"] != token
        assert me["user"]["user_id"] == "zoe"
        joined = await alice.join_room(invite=code)
        assert (joined.name, joined.role, joined.history) == ("café", "member", "since_join")
        assert (wrong.value.code, wrong.value.reason) == ("UNAUTHENTICATED", "LOGIN_FAILED")


async def test_the_client_in_typescript_sends_and_reads(node: RunningNode, tmp_path: Path) -> None:
    """The program of docs/how-to/other-clients.md as it is; `make clients` runs the others too."""
    installed()
    for path in (TYPESCRIPT / "client.ts", TYPESCRIPT / "package.json", ROOT / "chat.proto"):
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_PROJECT / "node_modules")
    await node.client("2").send("general", "before")

    async with program(NODE, tmp_path / "client.ts", node.address, "1", "general", "Grüße") as process:
        out, err = await process.communicate()
    async with program(NODE, tmp_path / "client.ts", node.address, "1", "nowhere", "x") as process:
        _, refusal = await process.communicate()

    assert (out.decode().splitlines(), err) == (["1 2 before", "2 1 Grüße"], b"")
    assert refusal.startswith(b"NOT_FOUND: ")
    dependencies = json.loads((TYPESCRIPT / "package.json").read_text())["dependencies"]
    packages = json.loads((NODE_PROJECT / "package-lock.json").read_text())["packages"]
    assert dependencies == {name: packages[f"node_modules/{name}"]["version"] for name in dependencies}
