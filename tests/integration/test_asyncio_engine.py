"""The server's own engine, ``grpc.engine = "asyncio"``: what clients see of it, and strangers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio

from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport.asyncio_server import AsyncioServer
from grpc_chat.transport.grpc_connection import GrpcConnection
from grpc_chat.transport.http2.budgets import KINDS
from grpc_chat.wire import chat_pb2 as pb
from tests.raw import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    Http2Peer,
    UnaryStream,
    request_headers,
)
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET_ME = "/chat.v1.AuthService/GetMe"
LIST = "/chat.v1.MessageService/ListMessages"
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
WATCH = "/grpc.health.v1.Health/Watch"
AUTHORIZED: tuple[str, str | bytes] = ("authorization", "Bearer 1")
INITIAL_WINDOW_SIZE = 4  # of HTTP/2's settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    engine: dict[str, Any] = {
        "engine": "asyncio",
        "request_bytes": 5 * 1024 * 1024,
        "streams_per_connection": 2000,
    }
    limits = {"calls_per_second": 0, "work_per_second": 0}
    async with running_node(
        "1", "2", grpc=engine, limits=limits, subscribe={"streams_per_user": 2000}
    ) as node:
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(node: RunningNode) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(node.address) as channel:
        yield channel


def server_of(node: RunningNode) -> AsyncioServer:
    (server, *_) = node.node._servers
    assert isinstance(server, AsyncioServer)
    return server


async def test_a_deadline_ends_a_call(node: RunningNode, channel: grpc.aio.Channel) -> None:
    """Of a client that does not end it itself as well: the server lets go of it."""
    headers = request_headers(WATCH, ("grpc-timeout", "50m"))
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, bytes(5)))
        assert await asyncio.to_thread(peer.status) == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]

    watch = cast(UnaryStream, channel.unary_stream(WATCH))(b"", timeout=0.05)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in watch:
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: server_of(node).open_calls == 0)


async def test_a_cancelled_call_is_forgotten(node: RunningNode, channel: grpc.aio.Channel) -> None:
    """A client's cancellation reaches the handler, and nothing of the call is left."""
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()
    calls = []
    for _ in range(5):
        stream = cast(UnaryStream, channel.unary_stream(SUBSCRIBE))(
            request, metadata=grpc.aio.Metadata(AUTHORIZED)
        )
        assert await stream.read()
        calls.append(stream)
    assert server_of(node).open_calls == 5
    for stream in calls:
        stream.cancel()

    await until(lambda: server_of(node).open_calls == 0)
    metrics = node.node.metrics.registry
    await until(lambda: metrics.get_sample_value("grpc_chat_streams") == 0)


async def test_a_thousand_streams_on_one_connection(node: RunningNode, channel: grpc.aio.Channel) -> None:
    """Each gets what is sent to its room."""
    request = pb.SubscribeRequest(all_rooms=True).SerializeToString()
    open_ = cast(UnaryStream, channel.unary_stream(SUBSCRIBE))
    streams = [open_(request, metadata=grpc.aio.Metadata(AUTHORIZED)) for _ in range(1000)]
    assert all(await asyncio.gather(*(stream.read() for stream in streams)))

    async def until_told(stream: Any) -> str:
        while True:
            response = pb.SubscribeResponse.FromString(cast(bytes, await stream.read()))
            if texts := [event.message.text for event in response.events if event.HasField("message")]:
                return texts[-1]

    reading = [asyncio.create_task(until_told(stream)) for stream in streams]
    await node.client("2").send("general", "to all")
    told = await asyncio.gather(*reading)
    for stream in streams:
        stream.cancel()

    assert set(told) <= {"to all", *(f"message {number}" for number in range(20))}
    await until(lambda: server_of(node).open_calls == 0)


async def test_other_compressions_are_refused(node: RunningNode) -> None:
    """With the names of those that are taken, so that a client can try again with one of them."""
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        headers = request_headers(GET_ME, AUTHORIZED, ("grpc-encoding", "zstd"))
        peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, b"\1" + bytes(4)))
        answer = await asyncio.to_thread(peer.read_until, HEADERS)

    assert answer
    assert b"\x0212" in answer.payload
    assert b"identity,gzip,deflate" in answer.payload


async def test_a_request_in_small_pieces_is_one(node: RunningNode) -> None:
    """A frame for each byte, and the end in one of its own."""
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(
            Frame(HEADERS, END_HEADERS, 1, request_headers(GET_ME, AUTHORIZED)),
            *(Frame(DATA, 0, 1, b"\0") for _ in range(5)),
            Frame(DATA, END_STREAM, 1, b""),
        )
        assert await asyncio.to_thread(peer.status) == 0


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", struct.pack(">BI", 0, 3) + b"ab"], ids=["none", "header", "half"]
)
async def test_a_request_that_ends_early_is_refused(node: RunningNode, sent: bytes) -> None:
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(
            Frame(HEADERS, END_HEADERS, 1, request_headers(GET_ME, AUTHORIZED)),
            Frame(DATA, END_STREAM, 1, sent),
        )
        assert await asyncio.to_thread(peer.status) == grpc.StatusCode.INTERNAL.value[0]


async def test_a_request_that_is_not_grpc_is_answered_in_http(node: RunningNode) -> None:
    """With the status that the specification names, so that what is in front can pass it on."""
    headers = request_headers(GET_ME).replace(b"\x10application/grpc", b"\x10application/json")
    for sent in (
        [Frame(HEADERS, END_HEADERS | END_STREAM, 1, headers)],
        [Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, b"{}")],
        [Frame(HEADERS, END_HEADERS, 1, headers), Frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\0\1a\1b")],
    ):
        with Http2Peer(node.node.port) as peer:
            await asyncio.to_thread(peer.settle)
            peer.send(*sent)
            answer = await asyncio.to_thread(peer.read_until, HEADERS)
            text = await asyncio.to_thread(peer.read_until, DATA)

        assert answer
        assert text
        assert b"415" in answer.payload
        assert b"speaks gRPC" in text.payload
        assert text.flags & END_STREAM


async def test_an_answer_to_head_has_no_body(node: RunningNode) -> None:
    headers = request_headers(GET_ME).replace(b"\x04POST", b"\x04HEAD")
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(Frame(HEADERS, END_HEADERS | END_STREAM, 1, headers))
        answer = await asyncio.to_thread(peer.read_until, HEADERS)

    assert answer
    assert b"415" in answer.payload
    assert answer.flags & END_STREAM


async def test_an_early_refusal_tells_the_client_to_stop(node: RunningNode) -> None:
    """A call that is refused before its request has ended is ended in both directions."""
    with Http2Peer(node.node.port) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(Frame(HEADERS, END_HEADERS, 1, request_headers("/no.Service/Method")))
        answer = await asyncio.to_thread(peer.read_until, HEADERS)
        reset = await asyncio.to_thread(peer.read_until, RST_STREAM)

    assert answer
    assert answer.flags & END_STREAM
    assert reset
    assert reset.payload == bytes(4)


async def test_a_reader_that_stands_still_is_owed_one_write(node: RunningNode) -> None:
    """However much is sent meanwhile, the connection keeps one response for it."""
    with Http2Peer(node.node.port, (INITIAL_WINDOW_SIZE, 0)) as peer:
        await asyncio.to_thread(peer.settle)
        request = pb.SubscribeRequest(all_rooms=True).SerializeToString()
        body = b"\0" + struct.pack(">I", len(request)) + request
        peer.send(
            Frame(HEADERS, END_HEADERS, 1, request_headers(SUBSCRIBE, AUTHORIZED)),
            Frame(DATA, END_STREAM, 1, body),
        )
        assert await asyncio.to_thread(peer.read_until, HEADERS)
        server = server_of(node)
        sender = node.client("2")
        for _ in range(50):
            await sender.send("general", "x" * 1000)
        (connection,) = [each for each in server._connections if 1 in each.core._streams and each.calls]
        kept = connection.core._streams[1].kept

        assert kept is not None
        assert sum(len(payload) for payload, *_ in kept) < 1000
        assert len(kept) == 1
    await until(lambda: server.open_calls == 0)


# What strangers can send: each kind of frame by itself, and few of them.


def again(*frames: Frame) -> Callable[[int], Sequence[Frame]]:
    return lambda _: frames


def large_headers(number: int) -> Sequence[Frame]:
    block = request_headers(GET_ME, *[("x", f"{number:0100}")] * 8)
    return [Frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 5, block)]


# Beside a call that is not complete, on stream 1, and the most that a connection may have: what is sent each
# time, given which time it is.
FLOODS: dict[str, Callable[[int], Sequence[Frame]]] = {
    "resets": again(Frame(RST_STREAM, 0, 1, bytes(4))),
    "settings": again(Frame(SETTINGS, 0, 0, b"")),
    # Those that are no answers have `grpc.client_ping` too.
    "pings": again(Frame(PING, ACK, 0, bytes(8))),
    "priorities": again(Frame(2, 0, 1, bytes(5))),
    "empty_data": again(Frame(DATA, 0, 1, b"")),
    "continuations": lambda number: [
        Frame(HEADERS, END_STREAM, 2 * number + 5, b""),
        Frame(9, END_HEADERS, 2 * number + 5, request_headers(GET_ME)),
    ],
    "window_updates": again(Frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))),
    "refused_streams": lambda number: [
        Frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 5, request_headers(GET_ME))
    ],
    "late_frames": again(Frame(DATA, 0, 3, b"")),
    "unknown_frames": again(Frame(99, 0, 0, b"")),
    "unread_answers": again(Frame(SETTINGS, 0, 0, b"")),
    "large_headers": large_headers,
}
FEW = 20
LIMITS = {
    **dict.fromkeys(FLOODS, FEW),
    # Those that the handshake takes, the last ping, and the stream that is refused to begin with. What is
    # unread, or large, is of another kind as well.
    "settings": FEW + 2,
    "pings": FEW + 1,
    "refused_streams": FEW + 1,
    "unread_answers": FEW // 2 + 1,
    "large_headers": FEW // 2,
}


async def test_frames_that_bring_nothing_have_budgets() -> None:
    """As many as are allowed do nothing; twice that ends the connection, is counted, and harms no other."""
    assert tuple(FLOODS) == KINDS
    engine = {"engine": "asyncio", "streams_per_connection": 1}
    async with running_node("1", grpc=engine, http2=LIMITS) as node:
        await node.client("1").me()
        for kind, frames in FLOODS.items():
            allowed = FEW // 2 if LIMITS[kind] < FEW else FEW
            for times, ends in ((allowed, False), (allowed * 2, True)):
                with Http2Peer(node.node.port) as peer:
                    await asyncio.to_thread(peer.settle)
                    call, late = request_headers(GET_ME, AUTHORIZED), request_headers(GET_ME)
                    peer.send(Frame(HEADERS, END_HEADERS, 1, call), Frame(HEADERS, END_HEADERS, 3, late))
                    assert await asyncio.to_thread(peer.read_until, RST_STREAM)
                    if kind == "unread_answers":
                        # As the transport does while the client does not read.
                        connection_with_calls(node).pause_writing()
                    peer.send(*[frame for number in range(times) for frame in frames(number)])
                    peer.send(Frame(PING, 0, 0, b"all read"))
                    goodbye = await asyncio.to_thread(goodbye_of, peer)
                    assert goodbye == (ENHANCE_YOUR_CALM if ends else None), (kind, times)
                await until(lambda: not server_of(node).open_calls)
        assert (await node.client("1").me()).user_id == "1"
        registry = node.node.metrics.registry
        for kind in FLOODS:
            assert registry.get_sample_value("grpc_chat_http2_floods_total", {"kind": kind}) == 1, kind
        await until(lambda: registry.get_sample_value("grpc_chat_connections") == 2)


def connection_with_calls(node: RunningNode) -> GrpcConnection:
    """The only connection that has any."""
    (found,) = [each for each in server_of(node)._connections if each.calls]
    assert isinstance(found, GrpcConnection)
    return found


async def test_requests_that_do_not_end_are_bounded_for_all_connections_together() -> None:
    """Of calls and of frames: those that began first are ended, and everybody else is served."""
    engine = {"engine": "asyncio", "request_bytes": 50_000}
    async with running_node("1", grpc=engine, http2={"unfinished_bytes": 85_000}) as node:
        unfinished = server_of(node).unfinished
        with Http2Peer(node.node.port) as first, Http2Peer(node.node.port) as second:
            for peer in (first, second):
                await asyncio.to_thread(peer.settle)
            # The beginning of a message, and that of a frame.
            begun = struct.pack(">BI", 0, 50_000) + bytes(10_000)
            first.send(Frame(HEADERS, END_HEADERS, 1, request_headers(GET_ME)), Frame(DATA, 0, 1, begun))
            await until(lambda: unfinished.octets > 10_000)
            second.socket.sendall(bytes(Frame(DATA, 0, 1, bytes(16_000)))[:-1])
            await until(lambda: unfinished.octets > 26_000)
            with Http2Peer(node.node.port) as third:
                await asyncio.to_thread(third.settle)
                for stream in (1, 3, 5, 7):
                    call = Frame(HEADERS, END_HEADERS, stream, request_headers(GET_ME, AUTHORIZED))
                    third.send(call, Frame(DATA, 0, stream, begun), Frame(DATA, 0, stream, begun[5:]))
                assert await asyncio.to_thread(first.status) == EXHAUSTED
                assert await asyncio.to_thread(goodbye_of, second) == ENHANCE_YOUR_CALM
                assert unfinished.dropped == 2
                assert unfinished.octets <= 85_000
                assert (await node.client("1").me()).user_id == "1"

                # What its client gives up counts no longer, and what is under way comes to its end.
                third.send(*[Frame(RST_STREAM, 0, stream, bytes(4)) for stream in (1, 3)])
                await until(lambda: unfinished.octets == 2 * 20_005)
                rest = bytes(50_000 - len(begun) - len(begun[5:]) + 5)
                third.send(Frame(DATA, 0, 7, rest[:16_000]), Frame(DATA, END_STREAM, 7, rest[16_000:]))
                await until(lambda: len(connection_with_calls(node).calls) == 1)
        registry = node.node.metrics.registry
        await until(lambda: registry.get_sample_value("grpc_chat_http2_unfinished_bytes") == 0)
        assert registry.get_sample_value("grpc_chat_http2_unfinished_dropped_total") == 2


async def test_answers_that_are_not_read_are_bounded_for_all_connections_together() -> None:
    """Of the calls that keep most so many end that there is room; everybody else is served as before."""
    async with running_node("1", "2", grpc={"engine": "asyncio"}, http2={"unread_bytes": 200_000}) as node:
        unread = server_of(node).unread_answers
        follow = pb.SubscribeRequest(all_rooms=True).SerializeToString()
        history = pb.ListMessagesRequest(room_id="general").SerializeToString()
        windows = (INITIAL_WINDOW_SIZE, 1_000)
        with Http2Peer(node.node.port, windows) as member, Http2Peer(node.node.port, windows) as stranger:
            for peer in (member, stranger):
                await asyncio.to_thread(peer.settle)
            member.send(*request_of(1, SUBSCRIBE, follow))
            assert await asyncio.to_thread(member.read_until, DATA)
            # The stream keeps one of them, and the rest is in the room.
            for _ in range(10):
                await node.client("2").send("general", "x" * 5_000)
            await until(lambda: unread.octets > 5_000)
            kept = unread.octets
            assert kept < 10_000
            stranger.send(*[frame for stream in (1, 3, 5) for frame in request_of(stream, LIST, history)])
            await until(lambda: unread.octets > 150_000 + kept)
            stranger.send(*request_of(7, LIST, history))

            assert await asyncio.to_thread(stranger.status) == grpc.StatusCode.UNAVAILABLE.value[0]
            assert unread.ended == 1
            assert 150_000 + kept < unread.octets < 200_000
            # Those of the other three, and the stream of events.
            assert server_of(node).open_calls == 4
            assert (await node.client("2").me()).user_id == "2"
            member.send(Frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1 << 20)))
            stranger.send(*[Frame(RST_STREAM, 0, stream, bytes(4)) for stream in (1, 3, 5, 7)])
            await until(lambda: unread.octets == 0)
            assert server_of(node).open_calls == 1
        registry = node.node.metrics.registry
        await until(lambda: registry.get_sample_value("grpc_chat_http2_unread_bytes") == 0)
        assert registry.get_sample_value("grpc_chat_http2_unread_ended_total") == 1


def request_of(stream: int, path: str, request: bytes) -> tuple[Frame, Frame]:
    """A call of user 1."""
    return (
        Frame(HEADERS, END_HEADERS, stream, request_headers(path, AUTHORIZED)),
        Frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(request)) + request),
    )


EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


async def test_requests_of_which_nothing_comes_are_ended(node: RunningNode) -> None:
    """Of those that take their time something comes, now and then."""
    server = server_of(node)
    with Http2Peer(node.node.port) as silent, Http2Peer(node.node.port) as slow:
        for peer in (silent, slow):
            await asyncio.to_thread(peer.settle)
            peer.send(Frame(HEADERS, END_HEADERS, 1, request_headers(GET_ME, AUTHORIZED)))
        await until(lambda: server.open_calls == 2)
        server.sweep()
        slow.send(Frame(DATA, 0, 1, bytes(1)))
        await until(lambda: server.unfinished.octets == 1)
        server.sweep()
        assert await asyncio.to_thread(silent.status) == grpc.StatusCode.CANCELLED.value[0]
        slow.send(Frame(DATA, END_STREAM, 1, bytes(4)))
        assert await asyncio.to_thread(slow.status) == 0


ENHANCE_YOUR_CALM = 11


def goodbye_of(peer: Http2Peer) -> int | None:
    """Why the server ends the connection; None if it answers the last ping."""
    while frame := peer.read():
        if frame.kind == GOAWAY:
            return int.from_bytes(frame.payload[4:8], "big")
        if frame.kind == PING and frame.payload == b"all read":
            return None
    raise AssertionError("the server hung up without a word")


async def test_a_fault_costs_its_connection_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are written to, or looked at, in the same step get their turn all the same."""
    async with running_node("1", grpc={"engine": "asyncio"}) as node:
        server = server_of(node)

        def fail(*_: object) -> None:
            raise RuntimeError("a fault")

        for what in ("flush", "look"):
            with Http2Peer(node.node.port) as first, Http2Peer(node.node.port) as second:
                for peer in (first, second):
                    await asyncio.to_thread(peer.settle)
                await until(lambda: len(server._connections) == 2)
                faulty, good = [c for c in server._connections if isinstance(c, GrpcConnection)]
                monkeypatch.setattr(GrpcConnection, what, named_fault(faulty, what, fail))
                good.core.ping()
                for connection in (faulty, good):
                    connection.due = server.now
                    server.flush_soon(connection)
                await until(lambda: len(server._connections) == 1)
                monkeypatch.undo()
                assert server._connections == {good}
                assert not good.core.out
            await until(lambda: not server._connections)
    assert caplog.text.count("a connection was given up") == 2


def named_fault(faulty: GrpcConnection, what: str, fail: Callable[..., None]) -> Callable[..., None]:
    """A method that fails for one connection."""
    right = getattr(GrpcConnection, what)

    def method(self: GrpcConnection, *given: Any) -> None:
        (fail if self is faulty else right)(self, *given)

    return method


async def test_an_address_has_so_many_connections() -> None:
    """One more is closed at once, and there is room again when another has gone; proxies have any number."""
    limits = {"connections_per_address": 2}
    async with running_node("1", grpc={"engine": "asyncio"}, http2=limits) as node:
        with Http2Peer(node.node.port) as first, Http2Peer(node.node.port) as second:
            await asyncio.to_thread(first.settle)
            await asyncio.to_thread(second.settle)
            with Http2Peer(node.node.port) as third:
                assert await asyncio.to_thread(third.read) is None
        registry = node.node.metrics.registry
        await until(lambda: registry.get_sample_value("grpc_chat_connections") == 0)
        assert (await node.client("1").me()).user_id == "1"
    proxied = {"engine": "asyncio", "trusted_proxies": ["127.0.0.0/8"]}
    async with running_node("1", grpc=proxied, http2=limits) as node:
        for peer in [Http2Peer(node.node.port) for _ in range(4)]:
            with peer:
                await asyncio.to_thread(peer.settle)


async def test_a_call_on_its_way_when_the_server_stops_is_answered() -> None:
    """Its client did not know yet: that is what the first of two GOAWAYs is for. The second tells how far."""
    async with running_node("1", grpc={"engine": "asyncio"}) as node:
        server = server_of(node)
        # Otherwise a client that does not answer is told the last in a second, which may be short here.
        server.tick_seconds = 60.0
        headers = request_headers(GET_ME, AUTHORIZED)
        with Http2Peer(node.node.port) as peer:
            await asyncio.to_thread(peer.settle)
            # One that has begun, and is not over before its request is.
            peer.send(Frame(HEADERS, END_HEADERS, 1, headers))
            await until(lambda: server.open_calls == 1)
            stopping = asyncio.create_task(node.stop())
            first = await asyncio.to_thread(peer.read_until, GOAWAY)
            ping = await asyncio.to_thread(peer.read_until, PING)
            assert first
            assert ping
            assert first.payload[:4] == struct.pack(">I", 2**31 - 1)

            peer.send(Frame(HEADERS, END_HEADERS, 3, headers), Frame(DATA, END_STREAM, 3, bytes(5)))
            peer.send(Frame(PING, ACK, 0, ping.payload))
            peer.send(Frame(HEADERS, END_HEADERS, 5, headers), Frame(DATA, END_STREAM, 5, bytes(5)))
            peer.send(Frame(DATA, END_STREAM, 1, bytes(5)))
            frames = await asyncio.to_thread(lambda: list(iter(peer.read, None)))
            await stopping

    assert [frame.payload[:8] for frame in frames if frame.kind == GOAWAY] == [struct.pack(">II", 3, 0)]
    assert {frame.stream for frame in frames if frame.kind == DATA} == {1, 3}
    ends = {frame.stream: frame for frame in frames if frame.flags & END_STREAM and frame.kind == HEADERS}
    assert ends.keys() == {1, 3}
    assert all(end.payload.endswith(b"grpc-status\x010") for end in ends.values())


async def test_floods_wait_for_each_other(node: RunningNode) -> None:
    """What each of some connections sends of frames that bring nothing is handled a little at a time, and all
    of it in the end: the calls behind it are answered."""
    server = server_of(node)
    floods = [Http2Peer(node.node.port) for _ in range(3)]
    try:
        for peer in floods:
            await asyncio.to_thread(peer.settle)
            peer.send(
                *[Frame(2, 0, 99, b"\0\0\0\1\0")] * 300,
                Frame(HEADERS, END_HEADERS, 1, request_headers(GET_ME, AUTHORIZED)),
                Frame(DATA, END_STREAM, 1, b"\0\0\0\0\0"),
            )
        await until(lambda: bool(server.slow_lane._waiting))
        for peer in floods:
            assert await asyncio.to_thread(peer.status) == 0
        assert not server.slow_lane._waiting
    finally:
        for peer in floods:
            peer.socket.close()


async def test_what_was_sent_arrives_although_its_client_goes_on_sending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes for a socket that is closed would be answered with a reset, by which the client loses what
    it had no room for yet."""
    monkeypatch.setattr("grpc_chat.transport.asyncio_server.LAST_SECONDS", 30.0)
    async with running_node("1", grpc={"engine": "asyncio"}) as node:
        for number in range(12):
            await node.client("1").send("general", f"{number % 10}" * 60_000)
        others = set(server_of(node)._connections)
        asked = pb.ListMessagesRequest(room_id="general").SerializeToString()
        with Http2Peer(node.node.port, (INITIAL_WINDOW_SIZE, 1 << 24)) as peer:
            await asyncio.to_thread(peer.settle)
            peer.send(
                Frame(WINDOW_UPDATE, 0, 0, (1 << 24).to_bytes(4, "big")),
                Frame(HEADERS, END_HEADERS, 1, request_headers(LIST, AUTHORIZED)),
                Frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(asked)) + asked),
            )
            (connection,) = server_of(node)._connections - others
            assert isinstance(connection, GrpcConnection)
            await until(lambda: connection.core._closed.highest == 1 and not connection.calls)
            stopping = asyncio.create_task(node.stop())
            await until(lambda: connection.is_closed)
            peer.send(Frame(PING, 0, 0, bytes(8)))
            data = b""
            while frame := await asyncio.to_thread(peer.read):
                data += frame.payload if frame.kind == DATA else b""
            await stopping
    assert len(data) > 12 * 60_000
    assert len(data) == 5 + int.from_bytes(data[1:5], "big")
