"""What strangers send to the port for browsers: it is refused clearly, and costs little."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.support import metric, until
from tests.web import WEB, bearer, browser, enveloped, envelopes, post, reason, url

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEND = "/chat.v1.MessageService/SendMessages"
STREAM = "/chat.v1.SubscribeService/Subscribe"
ALICE = bearer("alice")
QUICK = {"request_time": 0.3, "idle_time": 1, "read_time": 0.3, "connections_per_address": 20}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", web=WEB) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def quick() -> AsyncIterator[RunningNode]:
    """One that waits for nobody."""
    async with running_node("alice", "bob", web=WEB | QUICK) as running:
        yield running


async def exchanged(node: RunningNode, data: bytes, *, patience: float = 20) -> bytes:
    """What comes back on a connection until the server ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.node.web_port)
    writer.write(data)
    answer = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(patience):
            while piece := await reader.read(65_536):
                answer += piece
    writer.close()
    return answer


def head(path: str, *lines: str, method: str = "POST", host: str = "localhost") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b'"text"',
        b'{"messages": 3}',
        b'{"messages": [{"text": "\\ud800"}]}',
        b'{"messages": [{"text": 3}]}',
        b'{"messages": [{"replyTo": "9223372036854775808"}]}',
        b'{"messages": [], "messages": []}',
        b"\xff\xfe{}",
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"messages":' + b"9" * 5000 + b"}",
        b'{"messages": [{"sendTime": "yesterday"}]}',
        b"{}\x00",
    ],
)
async def test_wrong_json_is_refused_and_changes_nothing(node: RunningNode, body: bytes) -> None:
    """With what is wrong, and nobody's fault but the sender's."""
    async with browser() as client:
        answer = await post(client, node, "MessageService/SendMessages", body, ALICE)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument"), answer.text
    assert reason(answer) == "INVALID_REQUEST"
    assert len(answer.content) < 1500


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
        ("application/grpc", 415),
        ("application/grpc+proto", 415),
        ("application/grpc-web-text", 415),
        ("application/connect+json", 415),
        ("application/json; charset=utf-8", 400),
        ("APPLICATION/JSON", 400),
    ],
)
async def test_forms_of_requests_are_few(node: RunningNode, kind: str, status: int) -> None:
    """None that a page can send to another site without asking is among them."""
    async with browser() as client:
        answer = await client.post(url(node, SEND), content=b"{}", headers={"Content-Type": kind, **ALICE})

    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"])
async def test_calls_are_posts(node: RunningNode, method: str) -> None:
    """No address that somebody follows does anything."""
    async with browser() as client:
        query = "?encoding=json&message=%7B%7D"
        answer = await client.request(method, url(node, SEND + query), headers=ALICE)

    assert answer.status_code == 405


async def test_requests_that_are_too_large_are_refused(node: RunningNode) -> None:
    """In each form, also if only what is unpacked is too large; what is in memory stays within bounds."""
    large = pb.SendMessagesRequest(messages=[pb.OutgoingMessage(text="a" * 60_000)] * 5)
    bomb = gzip.compress(b'{"messages": [{"text": "' + b"a" * 5_000_000 + b'"}]}')
    kind = {"Content-Type": "application/json", **ALICE}
    async with browser() as client:
        answers = [
            await post(client, node, "MessageService/SendMessages", large, ALICE),
            await post(client, node, "MessageService/SendMessages", b" " * 600_000, ALICE),
            await client.post(url(node, SEND), content=bomb, headers=kind | {"Content-Encoding": "gzip"}),
        ]
        more = [
            await client.post(url(node, SEND), content=content, headers=kind | {"Content-Encoding": name})
            for content, name in (
                (bomb, "br"),
                (b"no gzip", "gzip"),
                (gzip.compress(b"{}") * 2, "gzip"),
                (gzip.compress(b"{}")[:-4], "gzip"),
            )
        ]
        declared = await client.post(
            url(node, STREAM),
            content=b"\0\xff\xff\xff\xff{}",
            headers={"Content-Type": "application/connect+json", **ALICE},
        )

    assert [answer.json()["code"] for answer in answers] == ["resource_exhausted"] * 3
    assert [answer.status_code for answer in answers] == [429] * 3
    assert [answer.status_code for answer in more] == [501, 400, 400, 400]
    assert json.loads(declared.content[5:])["error"]["code"] == "resource_exhausted"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\0\0\0\0\5{}",
        b"\2\0\0\0\2{}",
        b"\x80\0\0\0\2{}",
        b"\1\0\0\0\2{}",
        b"",
        enveloped(b"{}") * 2,
        enveloped(b'{"allRooms": 3}'),
    ],
)
async def test_wrong_frames_end_the_stream(node: RunningNode, data: bytes) -> None:
    """With an error, in the form of streams."""
    async with browser() as client:
        answer = await client.post(
            url(node, STREAM), content=data, headers={"Content-Type": "application/connect+json", **ALICE}
        )

    assert answer.status_code == 200
    assert answer.content[0] == 2
    assert json.loads(answer.content[5:])["error"]["code"] in (
        "invalid_argument",
        "unimplemented",
        "internal",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        head("/", "Host: other", method="GET"),
        head("/", "X: a\0b", method="GET"),
        head("/", "X : y", method="GET"),
        head("/", "Content-Length: 3", "Content-Length: 4"),
        head("/", "Content-Length: -1"),
        head("/", "Content-Length: 1e9"),
        head("/", "Transfer-Encoding: chunked, identity"),
        head("/ /", method="GET"),
        head("/" + "a" * 20_000, method="GET"),
        head("/", "X: " + "a" * 20_000, method="GET"),
        head("/", *[f"X-{n}: {n}" for n in range(3000)], method="GET"),
        head(SEND, "Transfer-Encoding: chunked") + b"zz\r\n",
    ],
)
async def test_what_is_no_http_is_refused(node: RunningNode, data: bytes) -> None:
    """At once, on a connection that ends."""
    answer = await exchanged(node, data)

    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"505"), answer


async def test_headers_can_add_nothing_to_answers(node: RunningNode) -> None:
    """What a request says comes back in no header."""
    answer = await exchanged(
        node,
        head(
            "/%0d%0aSet-Cookie:%20a=b",
            "Origin: http://localhost",
            "X-Request-Id: a%0d%0ab",
            "Connection: close",
            method="GET",
        ),
    )

    assert b"404" in answer.split(b"\r\n")[0]
    assert b"set-cookie" not in answer.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/files/",
        "/files/../../etc/passwd",
        "/files/..%2f..%2fetc%2fpasswd",
        "/files/%00",
        "//files/x",
        "/files/" + "A" * 4000,
        "/style.css/..",
        "/%73tyle.css%00",
        "/index.html",
        "/web/index.html",
        "/chat.v1.",
        "/chat.v1.AuthService/../AuthService/GetMe",
    ],
)
async def test_paths_lead_nowhere_else(node: RunningNode, path: str) -> None:
    """There are no files behind them, only what the server knows."""
    answer = await exchanged(node, head(path, "Connection: close", method="GET"))

    assert answer.split(b" ")[1] in (b"404", b"405"), answer[:200]
    assert b"x-content-type-options: nosniff" in answer


async def test_slow_requests_are_not_waited_for(quick: RunningNode) -> None:
    """Whether it is the headers that do not come, or the body, or the rest of one that was answered."""
    slow = [
        b"",
        b"POST / HT",
        head(SEND, "Content-Length: 10", "Content-Type: application/json", "Authorization: Bearer alice")
        + b"{",
        head("/nowhere", "Content-Length: 100000") + b"x",
        head("/", method="GET") + b"GET / HTT",
    ]
    answers = await asyncio.gather(*(exchanged(quick, data) for data in slow))

    assert answers[:3] == [b""] * 3
    assert [answer[:12] for answer in answers[3:]] == [b"HTTP/1.1 404", b"HTTP/1.1 200"]
    await until(lambda: metric(quick.node.metrics, "grpc_chat_web_connections") == 0)


async def test_idle_connections_end(quick: RunningNode) -> None:
    """After a request, too."""
    answer = await exchanged(quick, head("/", method="GET"))

    assert answer.startswith(b"HTTP/1.1 200")


async def test_an_address_has_so_many_connections(quick: RunningNode) -> None:
    """One more is ended at once."""
    opened = [await asyncio.open_connection("127.0.0.1", quick.node.web_port) for _ in range(20)]
    try:
        await until(lambda: metric(quick.node.metrics, "grpc_chat_web_connections") == 20)
        assert await exchanged(quick, head("/", method="GET"), patience=5) == b""
    finally:
        for _, writer in opened:
            writer.close()
    await until(lambda: metric(quick.node.metrics, "grpc_chat_web_connections") == 0)


async def test_an_answered_request_ends(node: RunningNode) -> None:
    """What follows is read for a while, so that the answer can be; then the connection ends."""
    _, writer = await asyncio.open_connection("127.0.0.1", node.node.web_port)
    writer.write(head("/nowhere", "Transfer-Encoding: chunked"))
    sent = 0
    with suppress(ConnectionError):
        while sent < 50_000_000:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536
    assert sent < 50_000_000
    writer.close()


async def test_a_reader_that_stops_holds_up_nobody_and_ends(quick: RunningNode) -> None:
    """A browser that reads nothing of its stream loses its connection; the others get everything."""
    alice = quick.client("alice")
    reader, writer = await asyncio.open_connection("127.0.0.1", quick.node.web_port, limit=1024)
    request = enveloped(pb.SubscribeRequest(all_rooms=True, start=pb.START_BEGINNING).SerializeToString())
    lines = (
        "Content-Type: application/connect+proto",
        f"Content-Length: {len(request)}",
        "Authorization: Bearer bob",
    )
    writer.write(head(STREAM, *lines) + request)
    await until(lambda: metric(quick.node.metrics, "grpc_chat_streams") == 1)
    sent = 0
    while metric(quick.node.metrics, "grpc_chat_streams") and sent < 500:
        await alice.send("general", "a" * 60_000)
        sent += 1

    await until(lambda: metric(quick.node.metrics, "grpc_chat_web_connections") == 0)
    assert metric(quick.node.metrics, "grpc_chat_streams") == 0
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass
    writer.close()


async def test_strangers_are_limited_before_their_requests_are_read() -> None:
    """Wrong tokens count against the address, as over gRPC, whatever comes with them."""
    limits = {"guest_calls_per_second": 1, "guest_calls_burst": 5}
    body = b'{"cursors": [' + b'{"roomId": "general"},' * 4000 + b"{}]}"
    async with running_node("alice", web=WEB, limits=limits) as node, browser() as client:
        answers = [
            await post(client, node, "RoomService/ListRooms", body, bearer(f"mallory{n}")) for n in range(8)
        ]

    codes = [answer.json()["code"] for answer in answers]
    assert codes[:5] == ["unauthenticated"] * 5
    assert codes[-1] == "resource_exhausted"
    assert reason(answers[-1]) == "RATE_LIMITED"


async def test_nothing_of_a_request_is_logged(node: RunningNode, caplog: pytest.LogCaptureFixture) -> None:
    """Neither texts nor tokens, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    async with browser() as client:
        for body in (b'{"messages": [{"text": "hush-hush"', b'{"messages": [{"text": "hush-hush"}]}'):
            await post(client, node, "MessageService/SendMessages", body, bearer("hush-hush"))
            await post(client, node, "MessageService/SendMessages", body, ALICE)
        await client.get(url(node, "/files/hush-hush"))
    await exchanged(node, b"GET /hush-hush\r\n\r\n")

    ours = [
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    ]
    assert not [line for line in ours if "hush-hush" in line]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_session_that_ends_ends_its_streams() -> None:
    """With the reason, and no later than over gRPC."""
    async with running_node(accounts=True, web=WEB) as node, browser() as client:
        alice = await node.register("alice")
        await alice.create_room("plans")
        headers = {"Content-Type": "application/connect+proto", **bearer(alice.token)}
        request = enveloped(pb.SubscribeRequest(all_rooms=True).SerializeToString())
        async with client.stream("POST", url(node, STREAM), content=request, headers=headers) as response:
            messages = envelopes(response)
            await anext(messages)
            await alice.log_out()
            ends = [data async for flags, data in messages if flags == 2]
        with pytest.raises(chat.Unauthenticated):
            await alice.me()

    assert json.loads(ends[0])["error"]["code"] == "unauthenticated"


def _texts(told: list[pb.SubscribeResponse]) -> list[str]:
    return [event.message.text for each in told for event in each.events if event.HasField("message")]


async def test_streams_are_told_of_a_removal_and_of_a_stop() -> None:
    """What is said after somebody was removed does not reach them, and a stop is told before it comes."""
    async with running_node(accounts=True, web=WEB) as node, browser() as client:
        alice, bob = await node.register("alice"), await node.register("bob")
        room = (await alice.create_room("plans", public=True)).room_id
        await bob.join_room(room)
        headers = {"Content-Type": "application/connect+proto", **bearer(bob.token)}
        request = enveloped(pb.SubscribeRequest(all_rooms=True).SerializeToString())
        async with client.stream("POST", url(node, STREAM), content=request, headers=headers) as response:
            messages = envelopes(response)
            await anext(messages)
            told: list[pb.SubscribeResponse] = []
            await alice.send(room, "before")
            # What is on its way to somebody who is removed meanwhile is not sent either.
            while _texts(told) != ["before"]:
                told.append(pb.SubscribeResponse.FromString((await anext(messages))[1]))
            await alice.remove_member(room, "bob")
            await alice.send(room, "behind the back")
            node.node.system.drain()
            told += [pb.SubscribeResponse.FromString(data) async for flags, data in messages if flags == 0]

    assert _texts(told) == ["before"]
    assert told[-1].HasField("draining")
