"""What stands in the server's place for a while, as when it is replaced, and what a client makes of it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner

from grpc_chat import Client, Disconnected, Message, errors
from grpc_chat.cli.main import main
from grpc_chat.cli.quickstart_client import _LineClient
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire.trusted import trusted_token
from tests.certificates import issue
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
    open_: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            open_.discard(writer)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        # Connections outlive the port otherwise, and clients would stay where they are.
        for writer in open_:
            writer.transport.abort()
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
                errors.NotAChatServer, match=f"127.0.0.1:{unused_port} is not a grpc-chat server"
            ):
                await client.me()
            with pytest.raises(errors.NotAChatServer):
                await client.send("general", "hello")
            with pytest.raises(errors.NotAChatServer):
                await anext(aiter(client.subscribe("general")))


@asynccontextmanager
async def tls_port(port: int, folder: Path) -> AsyncIterator[None]:
    """A web server's port for TLS: it tells anyone who speaks plain text so, in HTTP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = issue().write(folder)
    context.load_cert_chain(files["certificate"], files["key"])

    def serve() -> None:
        # Ends when the port is closed.
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with suppress(OSError), connection:
                    if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                        context.wrap_socket(connection, server_side=True).close()
                    else:
                        connection.recv(1000)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", port)) as listener:
        serving = asyncio.create_task(asyncio.to_thread(serve))
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            await serving


async def test_plain_text_at_a_port_for_tls_is_told_as_such(unused_port: int, tmp_path: Path) -> None:
    """The port answers in HTTP that it expects TLS, as nginx does; the first word of that is no help."""
    async with (
        tls_port(unused_port, tmp_path),
        Client(f"127.0.0.1:{unused_port}", token="1", timeout=timedelta(seconds=5)) as client,
    ):
        with pytest.raises(errors.FailedPrecondition, match="expects TLS, and this client used none"):
            await client.me()


async def test_a_proxy_whose_server_is_away_is_waited_for(unused_port: int) -> None:
    """Also by a client that has never been answered, whichever part of the answer to a stream grpc tells of:
    sometimes only that there is no gRPC in it."""
    async with http2_server(unused_port, 503):
        clients = [Client(f"127.0.0.1:{unused_port}", token=trusted_token("1")) for _ in range(8)]
        streams = [client.subscribe("general") for client in clients]
        lost = await asyncio.gather(*(anext(aiter(stream.updates())) for stream in streams))
    async with running_node("1", port=unused_port), asyncio.timeout(PATIENCE):
        for stream in streams:
            while isinstance(await stream.next(), Disconnected):
                pass
        for client in clients:
            await client.aclose()

    errors_seen = [update.error for update in lost if isinstance(update, Disconnected)]
    assert len(errors_seen) == len(clients)
    assert all("HTTP 503" in str(error) for error in errors_seen), errors_seen


GRPCS_WORDS = re.compile(r"http2|RST_STREAM|GOAWAY|frame|END_STREAM|Deadline|metadata|insecure=")


async def command(port: int, *arguments: str) -> tuple[int, str]:
    """What a command prints about a server that may be anything, and its exit code."""
    environment = {"CHAT_SERVER": f"127.0.0.1:{port}", "CHAT_TOKEN": "1"}
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)
    return result.exit_code, result.output


async def test_commands_say_what_answers_in_words(
    unused_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 5, as nothing was reached; `health` has 1 for all that does not serve."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    address = f"127.0.0.1:{unused_port}"
    stranger = f"what answers at {address} is not a grpc-chat server"
    for name, what in {
        "UNAUTHENTICATED": f"{stranger} (UNAUTHENTICATED)",
        "HTTP 401": f"{stranger} (HTTP 401)",
        "HTTP/1.1": f"{stranger} (HTTP 400)",
    }.items():
        async with STANDINS[name](unused_port):
            # A logout that something else refuses has not ended the session.
            for arguments in (["rooms"], ["logout"]):
                assert await command(unused_port, *arguments) == (5, f"error: {what}\n"), name
            assert await command(unused_port, "health", address) == (1, f"no answer from {address}: {what}\n")
    async with running_node("1", port=unused_port):
        ca = tmp_path / "ca.pem"
        ca.write_bytes(issue().pem)
        for arguments, code in ((["login", "a", "-s", address], 5), (["health", address], 1)):
            ended, said = await command(unused_port, *arguments, "--ca", str(ca))
            assert ended == code
            assert f"{address} does not speak TLS" in said
            assert "--insecure" in said
            assert not GRPCS_WORDS.search(said)


async def test_client_py_says_once_what_answers(
    unused_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream and its messages are told the same."""
    monkeypatch.setattr("grpc_chat.cli.quickstart_client.stdin_is_open", lambda: False)
    # They are those of the tests' own process.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    async with STANDINS["HTTP 404"](unused_port):
        code = await _LineClient("1", f"127.0.0.1:{unused_port}").run(("one", "two"), None)

    assert code == 1
    assert capsys.readouterr().err == (
        f"error: what answers at 127.0.0.1:{unused_port} is not a grpc-chat server (HTTP 404)\n"
    )


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
