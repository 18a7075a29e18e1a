"""Every option of ``GrpcOptions`` does what it is there for, seen from the other end of a connection.

Each test fails when its option's line is removed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import grpc
import pytest

from grpc_chat import Connected, Disconnected, Message
from grpc_chat.config import Config
from grpc_chat.errors import Unavailable
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport.grpc_server import GrpcOptions
from grpc_chat.wire import chat_pb2 as pb
from tests.engine import of_grpcio
from tests.raw import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PATIENCE,
    PING,
    WINDOW_UPDATE,
    Frame,
    Http2Peer,
    call,
    request_headers,
)
from tests.support import metric, until

SOON = timedelta(milliseconds=200)
LATER = timedelta(hours=2)
GET_ME = "/chat.v1.AuthService/GetMe"
LIST = "/chat.v1.MessageService/ListMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
AUTHORIZED: tuple[str, str | bytes] = ("authorization", "Bearer 1")
MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 3, 6  # of HTTP/2's settings


def open_stream(peer: Http2Peer) -> None:
    """Have the server answer with a stream, whose responses nobody asked for yet."""
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    body = b"\0" + struct.pack(">I", len(request)) + request
    headers = request_headers(SUBSCRIBE, AUTHORIZED)
    peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, body))


# The port


async def test_a_port_is_not_shared() -> None:
    """A second server on the port is refused, instead of getting some of the calls."""
    async with running_node("1") as node:
        with pytest.raises(Unavailable, match="another program uses the port"):
            async with running_node("1", port=node.node.port):
                pass


# Sizes


async def test_a_connection_has_so_many_streams() -> None:
    """The server tells clients how many calls it takes at once on one connection."""
    async with running_node("1", grpc={"streams_per_connection": 7}) as node:
        with Http2Peer(node.node.port) as peer:
            settings = await asyncio.to_thread(peer.settle)

    assert settings[MAX_CONCURRENT_STREAMS] == 7


async def test_a_request_is_bounded() -> None:
    """A request of the limit is taken, and one byte more is refused, whatever grpc's own limit is."""
    unknown = b"\x9a\x06\xe4\x07" + bytes(996)  # field 99, which is left out
    async with (
        running_node("1", grpc={"request_bytes": 1000}) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        answers = [await call(channel, GET_ME, data, [AUTHORIZED]) for data in (unknown, bytes(1001))]

    assert [answer.code.name for answer in answers] == ["OK", "RESOURCE_EXHAUSTED"]


async def test_a_response_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than any response should be is not sent; the largest one there may be is."""

    async def generous(_self: object, _caller: object, request: pb.ListMessagesRequest) -> bytes:
        return bytes(request.page_size)

    monkeypatch.setattr("grpc_chat.core.messages.Messages.list_", generous)
    largest = 4 * 1024 * 1024
    requests = [pb.ListMessagesRequest(room_id="general", page_size=size) for size in (largest, largest + 1)]
    # A client without a limit of its own.
    options = [("grpc.max_receive_message_length", -1)]
    async with (
        running_node("1") as node,
        grpc.aio.insecure_channel(node.address, options=options) as channel,
    ):
        answers = [
            await call(channel, LIST, request.SerializeToString(), [AUTHORIZED]) for request in requests
        ]

    assert [answer.code.name for answer in answers] == ["OK", "RESOURCE_EXHAUSTED"]
    assert [len(answer.response) for answer in answers] == [largest, 0]


async def test_the_longest_message_there_can_be_is_delivered() -> None:
    """Whatever the settings allow to be sent fits into a response, alone and at the end of a page."""
    longest = 1024 * 1024
    limits = {"text_bytes": longest, "page_bytes": 2 * longest}
    with pytest.raises(ValueError, match=r"limits\.text_bytes"):
        Config.model_validate({"limits": {"text_bytes": longest + 1}})
    async with running_node(
        "1", "2", limits=limits, grpc={"request_bytes": 2 * longest}, subscribe={"response_bytes": longest}
    ) as node:
        texts = [f"{number}" * (longest - number) for number in range(4)]
        for text in texts:
            await node.client("1").send("general", text)

        history = [message.text async for message in node.client("2").history("general")]
        async with node.client("2").subscribe("general") as subscription:
            messages = aiter(subscription)
            followed = [(await anext(messages)).text for _ in texts]

    assert history == texts
    assert followed == texts


async def with_metadata(channel: grpc.aio.Channel, size: int, times: int) -> Counter[str]:
    """What becomes of calls with a value of that size in their metadata; a call has some 500 bytes more."""
    # All at once, because grpc answers what is too large only after a while.
    metadata = [AUTHORIZED, ("x", "a" * size)]
    answers = await asyncio.gather(*(call(channel, GET_ME, b"", metadata) for _ in range(times)))
    return Counter(answer.code.name for answer in answers)


async def test_metadata_is_bounded() -> None:
    """Twice the limit is always refused, and clients are told so."""
    async with running_node("1", grpc={"metadata_bytes": 1000}) as node:
        with Http2Peer(node.node.port) as peer:
            settings = await asyncio.to_thread(peer.settle)
        async with grpc.aio.insecure_channel(node.address) as channel:
            codes = await with_metadata(channel, 2000, 10)

    assert settings[MAX_HEADER_LIST_SIZE] == 2000
    assert codes.keys() == {"RESOURCE_EXHAUSTED"}


@of_grpcio("by chance; the other engine has one limit")
async def test_metadata_above_the_limit_is_refused_now_and_then() -> None:
    """Between the limit and twice of it, some calls fail: a client finds out before all fail."""
    async with (
        running_node("1", grpc={"metadata_bytes": 1000}) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        below = await with_metadata(channel, 300, 40)
        # By chance, half of them; without the option the refusals begin at 1,600 bytes.
        above = await with_metadata(channel, 950, 80)

    assert below.keys() == {"OK"}
    assert above.keys() == {"OK", "RESOURCE_EXHAUSTED"}


# Many at once


async def test_calls_on_all_connections_are_bounded() -> None:
    """The call that is one too many is refused at once; when another has ended, there is room again."""
    async with running_node("1", grpc={"calls": 2}) as node:
        first, second = node.client("1").subscribe("general"), node.client("1").subscribe("general")
        async with first, grpc.aio.insecure_channel(node.address) as channel:
            async with second:
                assert isinstance(await first.next(), Connected)
                assert isinstance(await second.next(), Connected)
                refused = await call(channel, GET_ME, b"", [AUTHORIZED])
            async with asyncio.timeout(PATIENCE):
                while (again := await call(channel, GET_ME, b"", [AUTHORIZED])).code != grpc.StatusCode.OK:
                    assert again.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def refused_of(peer: Http2Peer, calls: range, headers: bytes) -> int:
    """Make calls, and count those that are answered although nobody can answer them yet."""
    refused = unchanged = 0
    frames = b"".join(
        bytes(Frame(HEADERS, END_HEADERS, 2 * number + 1, headers))
        + bytes(Frame(DATA, END_STREAM, 2 * number + 1, bytes(5)))
        for number in calls
    )
    # A refusal may come some time after the answer to the ping that was sent with its call.
    while unchanged < 5:
        peer.socket.sendall(frames + bytes(Frame(PING, 0, 0, b"all sent")))
        frames, before = b"", refused
        while (frame := peer.read()) and frame[:2] != (PING, ACK):
            refused += frame.kind == HEADERS
        unchanged = unchanged + 1 if refused == before else 0
        time.sleep(0.01)
    return refused


@of_grpcio("nothing waits there for the event loop, which this test blocks")
async def test_a_herd_is_answered() -> None:
    """Calls that arrive faster than the server begins them wait: 15,000 of them, refused by none.

    From 20,000 on a growing part is refused, and everything above 30,000, which bounds the memory they take.
    """
    grpc_settings = {
        "streams_per_connection": 100_000,
        "keepalive_timeout": LATER,
        "client_ping": timedelta(milliseconds=1),
    }
    async with running_node("1", grpc=grpc_settings) as node:
        with Http2Peer(node.node.port, answers=True) as peer:
            await asyncio.to_thread(peer.settle)
            headers = request_headers(GET_ME)
            # This blocks the server's loop, so all it can do with a call is to let it wait or refuse it.
            refused_early = refused_of(peer, range(15_000), headers)
            refused_late = refused_of(peer, range(15_000, 20_800), headers)

    assert refused_early == 0
    # Of the 800 above 20,000 some, by chance: 32 on average. Without a higher bound for all, all of them.
    assert refused_late < 200


# Peers that are gone


async def test_a_silent_connection_is_asked() -> None:
    """A connection on which nothing happens, no call either, is asked whether anyone is there."""
    async with running_node("1", grpc={"keepalive": SOON}) as node:
        with Http2Peer(node.node.port, timeout=10) as peer:
            asked = await asyncio.to_thread(peer.read_until, PING, flags=0)

    assert asked


async def test_a_dead_peer_is_given_up() -> None:
    """A peer that is stopped, or whose answers get lost, is disconnected, with the stream it had open."""
    grpc_settings = {"keepalive": SOON, "keepalive_timeout": SOON}
    async with running_node("1", grpc=grpc_settings) as node:
        with Http2Peer(node.node.port, timeout=10) as peer:
            open_stream(peer)
            goodbye = await asyncio.to_thread(peer.read_until, GOAWAY)
            end = await asyncio.to_thread(peer.read_until, GOAWAY)
        await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)

    assert goodbye
    assert goodbye.payload.endswith(b"ping_timeout")
    assert end is None


async def test_a_living_peer_is_kept() -> None:
    """A peer that answers stays connected, however often it is asked."""
    grpc_settings = {"keepalive": SOON / 4, "keepalive_timeout": timedelta(seconds=20)}
    async with running_node("1", grpc=grpc_settings) as node:
        with Http2Peer(node.node.port, timeout=10, answers=True) as peer:
            for _ in range(5):
                assert await asyncio.to_thread(peer.read_until, PING, flags=0)


def user_timeouts(port: int) -> list[int]:
    """How long the kernel waits for acknowledgements on this process's connections from a port, in ms."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as connection:
            address = connection.getsockname()
            connection.getpeername()
            if isinstance(address, tuple) and address[1] == port:
                found.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to find the server's socket")
async def test_the_kernel_gives_up_when_the_server_does() -> None:
    """What is sent into a cut connection is given up by the kernel as soon as by grpc, not after 20 s."""
    grpc_settings = {"keepalive": LATER, "keepalive_timeout": timedelta(milliseconds=4321)}
    async with running_node("1", grpc=grpc_settings) as node:
        with Http2Peer(node.node.port) as peer:
            await asyncio.to_thread(peer.settle)
            timeouts = user_timeouts(node.node.port)

    assert timeouts == [4321]


def ping(peer: Http2Peer, times: int, *, every: float) -> Frame | None:
    """Ask the server again and again; its goodbye, if it had enough."""
    for _ in range(times):
        peer.send(Frame(PING, 0, 0, b"are you?"))
        # The next is sent so long after the answer to this one: never closer together when they arrive.
        while (frame := peer.read()) and frame[:2] != (PING, ACK):
            if frame.kind == GOAWAY:
                return frame
        if frame is None:
            return None
        peer.socket.settimeout(every)
        with suppress(TimeoutError):
            return peer.read_until(GOAWAY)
        peer.socket.settimeout(PATIENCE)
    return None


async def test_clients_may_ask_now_and_then() -> None:
    """A client that pings as often as it may stays, without calls too."""
    async with running_node("1", grpc={"client_ping": SOON / 4}) as node:
        with Http2Peer(node.node.port) as peer:
            goodbye = await asyncio.to_thread(ping, peer, 5, every=SOON.total_seconds() / 2)
            peer.send(Frame(PING, 0, 0, b"still on"))
            answer = await asyncio.to_thread(peer.read_until, PING, flags=ACK)

    assert goodbye is None
    assert answer
    assert answer.payload == b"still on"


async def test_clients_that_ask_too_often_are_disconnected() -> None:
    """A client that keeps the server busy with pings is told why it has to go."""
    async with running_node("1", grpc={"client_ping": LATER}) as node:
        with Http2Peer(node.node.port) as peer:
            goodbye = await asyncio.to_thread(ping, peer, 10, every=0.01)

    assert goodbye
    assert goodbye.payload.endswith(b"too_many_pings")


async def test_clients_may_ask_how_fast_a_response_comes() -> None:
    """Some ping while a large one comes, time and again, to find out how wide a window they need."""
    async with running_node("1", grpc={"client_ping": LATER}) as node:
        for _ in range(5):
            await node.client("1").send("general", "x" * 60_000)
        request = pb.ListMessagesRequest(room_id="general", page_size=10).SerializeToString()
        with Http2Peer(node.node.port) as peer:
            received = await asyncio.to_thread(read_in_pieces, peer, request)

    assert received > 300_000


def read_in_pieces(peer: Http2Peer, request: bytes) -> int:
    """How large a response is whose reader pings whenever it gets a piece and the last ping is answered."""
    peer.settle()
    headers = request_headers(LIST, AUTHORIZED)
    body = b"\0" + len(request).to_bytes(4, "big") + request
    peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, body))
    received, waits = 0, False
    while (frame := peer.read()) and not (frame.kind == HEADERS and frame.flags & END_STREAM):
        assert frame.kind != GOAWAY, frame
        if frame.kind == DATA and frame.payload:
            received += len(frame.payload)
            wider = struct.pack(">I", len(frame.payload))
            peer.send(*[] if waits else [Frame(PING, 0, 0, b"how fast")])
            waits = True
            peer.send(*(Frame(WINDOW_UPDATE, 0, stream, wider) for stream in (0, 1)))
        waits = waits and frame.kind != PING
    return received


async def test_a_connection_that_does_not_begin_is_closed() -> None:
    """Anyone who connects and says nothing does not hold a connection for long."""
    async with running_node("1", grpc={"handshake": SOON}) as node:
        with socket.create_connection(("127.0.0.1", node.node.port), timeout=10) as silent:

            def read_to_the_end() -> bytes:
                received = b""
                while data := silent.recv(1000):
                    received += data
                return received

            received = await asyncio.to_thread(read_to_the_end)

    assert received.endswith(b"Did not receive HTTP/2 settings before handshake timeout")


# Connections that have lived long


async def test_an_old_connection_is_asked_to_go() -> None:
    """A connection is asked to reconnect at some age; a stream on it may go on a while, and then ends."""
    grpc_settings = {"connection_age": SOON, "connection_age_grace": SOON}
    async with running_node("1", grpc=grpc_settings) as node:
        with Http2Peer(node.node.port, timeout=10, answers=True) as peer:
            open_stream(peer)
            goodbye = await asyncio.to_thread(peer.read_until, GOAWAY)
            # Until the connection is closed.
            last = b""
            while frame := await asyncio.to_thread(peer.read):
                last = frame.payload if frame.kind == HEADERS else last

    assert goodbye
    # Some clients take a stream without a status for a fault.
    assert b"max connection age" in last
    assert goodbye.payload.endswith(b"max_age")


def streams_that_have_ended(node: RunningNode) -> float:
    """How many calls of `Subscribe` are over, however they ended."""
    samples = [sample for metric in node.node.metrics.registry.collect() for sample in metric.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == "grpc_chat_calls_total" and sample.labels["method"].endswith("/Subscribe")
    )


async def test_a_subscription_outlives_its_connections() -> None:
    """When connections are ended for their age, the client goes on without a word, and gets each message
    once, in order."""
    grpc_settings = {"connection_age": SOON, "connection_age_grace": SOON}
    async with running_node("1", "2", grpc=grpc_settings) as node:
        sender = node.client("1")
        received: list[str] = []
        others: list[object] = []

        async def receive() -> None:
            async with node.client("2").subscribe("general") as subscription:
                async for update in subscription.updates():
                    if not isinstance(update, Message):
                        others.append(update)
                        continue
                    received.append(update.text)
                    if update.text == "last":
                        return

        receiving = asyncio.create_task(receive())
        sent = 0
        async with asyncio.timeout(PATIENCE):
            while streams_that_have_ended(node) < 3:
                await sender.send("general", f"{sent}", client_message_id=str(uuid4()))
                sent += 1
            await sender.send("general", "last")
            await receiving

    assert received == [*(f"{number}" for number in range(sent)), "last"]
    assert sum(isinstance(update, Connected) for update in others) == 1
    assert not [update for update in others if isinstance(update, Disconnected)]


# The list itself


def test_every_option_is_tested_here() -> None:
    """A new option makes this fail, so that nobody adds one without a test of what it does."""
    options = dict(GrpcOptions().options())

    assert len(options) == len(GrpcOptions().options())
    assert set(options) == {
        "grpc.so_reuseport",
        "grpc.max_concurrent_streams",
        "grpc.max_receive_message_length",
        "grpc.max_send_message_length",
        "grpc.max_metadata_size",
        "grpc.absolute_max_metadata_size",
        "grpc.server.max_pending_requests",
        "grpc.server.max_pending_requests_hard_limit",
        "grpc.keepalive_time_ms",
        "grpc.keepalive_timeout_ms",
        "grpc.http2.ping_timeout_ms",
        "grpc.http2.min_ping_interval_without_data_ms",
        "grpc.keepalive_permit_without_calls",
        "grpc.server_handshake_timeout_ms",
        "grpc.max_connection_age_ms",
        "grpc.max_connection_age_grace_ms",
    }
