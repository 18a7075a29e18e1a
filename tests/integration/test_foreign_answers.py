"""What stands in the server's place for a while, as when it is replaced, and what a client makes of it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest

from grpc_chat import Client, Disconnected, Message, errors
from grpc_chat.testing import RunningNode, running_node
from tests.raw import DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, Frame

PATIENCE = 30.0


@asynccontextmanager
async def bare_server(port: int, code: grpc.StatusCode) -> AsyncIterator[None]:
    """A gRPC server that is none of ours, and answers every call alike."""

    class Handler(grpc.GenericRpcHandler):
        def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
            return grpc.stream_stream_rpc_method_handler(refuse)

    async def refuse(_requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.abort(code, "words of another server")

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


@asynccontextmanager
async def listening(
    port: int, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def http2_server(port: int, status: int) -> Any:
    """A proxy that answers every request with this status of HTTP, as when nobody is behind it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(bytes(Frame(SETTINGS, 0, 0, b"")))
        while True:
            head = await reader.readexactly(9)
            size, kind = int.from_bytes(head[:3], "big"), head[3]
            await reader.readexactly(size)
            if kind == SETTINGS and not head[4] & 1:
                writer.write(bytes(Frame(SETTINGS, 1, 0, b"")))
            elif kind == HEADERS:
                [stream] = struct.unpack(">I", head[5:])
                block = b"\0\x07:status\x03%d" % status + b"\0\x0ccontent-type\x09text/html"
                writer.write(bytes(Frame(HEADERS, END_HEADERS, stream, block)))
                writer.write(bytes(Frame(DATA, END_STREAM, stream, b"<p>sorry")))

    return listening(port, serve)


def web_site(port: int) -> Any:
    """A server that speaks nothing newer than HTTP/1.1."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return listening(port, serve)


REFUSALS = ("UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "INVALID_ARGUMENT")
STATUSES = (401, 403, 404, 413, 500, 502)
STANDINS: dict[str, Callable[[int], Any]] = {
    **{name: partial(bare_server, code=grpc.StatusCode[name]) for name in REFUSALS},
    **{f"HTTP {status}": partial(http2_server, status=status) for status in STATUSES},
    "HTTP/1.1": web_site,
}


async def replaced(node: RunningNode, standin: Any, meanwhile: Callable[[], Awaitable[object]]) -> None:
    """Put something else in the server's place, for as long as ``meanwhile`` takes."""
    await node.stop()
    async with standin:
        await meanwhile()
    await node.start()


# One of each kind; tests/unit/sdk/test_network.py has them all.
@pytest.mark.parametrize("name", ["UNIMPLEMENTED", "INVALID_ARGUMENT", "HTTP 401", "HTTP 404", "HTTP/1.1"])
async def test_what_stands_in_for_the_server_ends_nothing(name: str) -> None:
    """Subscriptions go on where they were, sends are stored once, a consumer's acknowledgements are kept."""
    async with running_node("alice", "bob") as node:
        alice, bob = node.client("alice"), node.client("bob")
        subscription = bob.subscribe(consumer="phone")
        updates = aiter(subscription.updates())
        await alice.send("general", "before")
        seen = [update async for update in _until(updates, "before")]
        sending: list[asyncio.Task[Any]] = []

        async def meanwhile() -> None:
            sending.append(asyncio.create_task(alice.send("general", "meanwhile")))
            # Not the end of the stream that the server itself announced: an attempt that met the other.
            async with asyncio.timeout(PATIENCE):
                while not isinstance(update := await anext(updates), Disconnected) or update.error is None:
                    seen.append(update)
            assert isinstance(update.error, errors.Unreachable), update.error
            assert not sending[0].done()

        await replaced(node, STANDINS[name](node.node.port), meanwhile)
        async with asyncio.timeout(PATIENCE):
            await sending[0]
            rest = [update async for update in _until(updates, "meanwhile")]
        await subscription.acknowledge()
        await subscription.aclose()

        said = [message.text async for message in node.client("alice").history("general")]
        assert said == ["before", "meanwhile"]
        assert [update.text for update in rest if isinstance(update, Message)] == ["meanwhile"]
        again = bob.subscribe(consumer="phone")
        async with again:
            await alice.send("general", "after")
            assert (await anext(aiter(again))).text == "after"


async def _until(updates: AsyncIterator[Any], text: str) -> AsyncIterator[Any]:
    async for update in updates:
        yield update
        if isinstance(update, Message) and update.text == text:
            return


async def test_a_first_call_that_meets_something_else_says_so_at_once(unused_port: int) -> None:
    """A client that was never answered is not left waiting, and claims nothing about the server."""
    for name in [name for name in STANDINS if name not in ("HTTP 500", "HTTP 502")]:
        async with (
            STANDINS[name](unused_port),
            Client(f"127.0.0.1:{unused_port}", token="1", timeout=timedelta(seconds=5)) as client,
        ):
            with pytest.raises(
                errors.NotAChatServer, match=f"127.0.0.1:{unused_port} is no grpc-chat server"
            ):
                await client.me()
            with pytest.raises(errors.NotAChatServer):
                await client.send("general", "hello")
            with pytest.raises(errors.NotAChatServer):
                await anext(aiter(client.subscribe("general")))


@pytest.fixture
async def unused_port() -> int:
    """A port that nobody has."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_method_that_this_server_does_not_have_is_told_with_a_reason() -> None:
    """So a newer client knows that it is the server that answers, and that it is older."""
    async with running_node("alice") as node:
        alice = node.client("alice")

        with pytest.raises(errors.Unimplemented, match="it may be an older version"):
            await alice._call("MessageService/SendTelepathy", *_any_request())


def _any_request() -> tuple[Any, Any]:
    from grpc_chat.wire import chat_pb2 as pb

    return pb.GetMeRequest(), pb.GetMeResponse
