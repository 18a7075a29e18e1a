"""Starting, watching and stopping a server: what the one who runs it sees."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from grpc_chat import Client, errors
from grpc_chat.ops import logging as logs
from grpc_chat.store import base
from grpc_chat.store.sqlite import open_store
from grpc_chat.testing import running_node
from grpc_chat.transport.health import Health
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import names
from grpc_chat.wire.trusted import trusted_token
from tests.engine import ENGINE
from tests.programs import Program, free_port, python, start
from tests.raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    WINDOW_UPDATE,
    Frame,
    Http2Peer,
    UnaryStream,
    call,
    request_headers,
)
from tests.support import metric, until

COMMAND = Path(sys.executable).with_name("grpc-chat")
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
GET_ROOM = "/chat.v1.RoomService/GetRoom"
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
SERVICES = names.services()
AUTHORIZED: tuple[str, str | bytes] = ("authorization", "Bearer 1")
INITIAL_WINDOW_SIZE = 4  # of HTTP/2's settings
FOR_EVER = "P300D"  # longer than any test
FORGED = b'x\n{"event": "forged", "level": "info", "logger": "x", "timestamp": "x"}'


@asynccontextmanager
async def serving(
    folder: Path, *arguments: str, ids: str = "1,2,3", **environment: str
) -> AsyncIterator[tuple[Program, int]]:
    """``server.py`` as its users start it, and its port."""
    settings = {f"GRPC_CHAT_{name}": value for name, value in environment.items()}
    command = python("server.py", "-client_ids", ids, "-port", "0", "-data", str(folder), *arguments)
    program = await start(*command, env=settings)
    try:
        await program.until(lambda: any("listening on" in line for line in program.lines))
        (line,) = (line for line in program.lines if "listening on" in line)
        yield program, int(line.rpartition(":")[2])
    finally:
        await program.kill()


async def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> Program:
    """A command that ends by itself."""
    program = await start(*command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL)
    await program.ended()
    return program


def follow(peer: Http2Peer, path: str, request: bytes) -> None:
    """Open a stream by hand."""
    body = b"\0" + struct.pack(">I", len(request)) + request
    headers = request_headers(path, AUTHORIZED)
    peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, body))


async def rest_of(stream: Any) -> list[bytes]:
    """The responses that are left of a stream, which ends well."""
    responses = []
    while (response := await stream.read()) is not grpc.aio.EOF:
        responses.append(response)
    assert await stream.code() is grpc.StatusCode.OK
    return responses


# Health


async def watching(channel: grpc.aio.Channel) -> Any:
    """A watch that has said that the server serves."""
    watch = cast(UnaryStream, channel.unary_stream(WATCH))(b"")
    assert status_in(await watch.read()) == "SERVING"
    return watch


def status_in(response: object) -> str:
    """What health says."""
    status = health_pb2.HealthCheckResponse.FromString(cast(bytes, response)).status
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


async def test_health_serves_until_the_server_stops() -> None:
    """Every service is SERVING; when the server stops, watchers hear it first, and are let go."""
    async with running_node("1") as node, grpc.aio.insecure_channel(node.address) as channel:
        statuses = []
        for service in ["", *SERVICES]:
            request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
            answer = await call(channel, CHECK, request, [])
            statuses.append(health_pb2.HealthCheckResponse.FromString(answer.response).status)
        unknown = health_pb2.HealthCheckRequest(service="chat.v1.NoService").SerializeToString()
        refused = await call(channel, CHECK, unknown, [])

        watch = await watching(channel)
        stopping = asyncio.create_task(node.stop())
        rest = await rest_of(watch)
        await stopping

    assert set(statuses) == {health_pb2.HealthCheckResponse.SERVING}
    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert [status_in(response) for response in rest] == ["NOT_SERVING"]


async def test_a_health_watcher_that_does_not_read_holds_nothing_up() -> None:
    """Anyone who watches and never reads keeps neither others from watching nor the server from stopping."""
    async with running_node("1", stop_grace="PT0.5S") as node:
        with Http2Peer(node.node.port, (INITIAL_WINDOW_SIZE, 0)) as deaf:
            await asyncio.to_thread(deaf.settle)
            follow(deaf, WATCH, b"")
            # The headers of the answer are here, so the answer itself is waiting for its window.
            assert await asyncio.to_thread(deaf.read_until, HEADERS)

            async with grpc.aio.insecure_channel(node.address) as channel:
                watch = await watching(channel)
                async with asyncio.timeout(20):
                    stopping = asyncio.create_task(node.stop())
                    rest = await rest_of(watch)
                    await stopping

    assert [status_in(response) for response in rest] == ["NOT_SERVING"]


async def test_the_health_command_tells_by_its_exit_code() -> None:
    """`grpc-chat health` ends with 0 where the server serves, with 1 where it stops or there is none."""
    stopping = grpc.aio.server()
    health = Health([""])
    health.stop()
    health_pb2_grpc.add_HealthServicer_to_server(health, stopping)
    port = stopping.add_insecure_port("127.0.0.1:0")
    await stopping.start()
    nobody = f"127.0.0.1:{free_port()}"
    async with running_node("1") as node:
        programs = await asyncio.gather(
            *(
                run(COMMAND, "health", address, "--timeout", "10")
                for address in (node.address, f"127.0.0.1:{port}", nobody)
            )
        )
    await stopping.stop(None)

    assert [program.process.returncode for program in programs] == [0, 1, 1]
    assert [program.lines for program in programs] == [
        ["SERVING"],
        ["NOT_SERVING"],
        [f"no answer from {nobody}: the server can't be reached: Connection refused"],
    ]
    assert [bytes(program.err) for program in programs] == [b"", b"", b""]


# Reflection


async def reflected(address: str) -> list[str]:
    """The services that reflection lists."""
    async with grpc.aio.insecure_channel(address) as channel:
        # One request is the same on the wire as a stream of one. With a stream of requests, grpc.aio now and
        # then takes the refusal for an error of its own, when it comes before the request is written.
        ask = cast(UnaryStream, channel.unary_stream(REFLECT))
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        async for data in ask(question.SerializeToString(), timeout=20):
            response = reflection_pb2.ServerReflectionResponse.FromString(data)
            return [service.name for service in response.list_services_response.service]
    return []


async def test_reflection_lists_the_services() -> None:
    """A server for trying things out can be asked for its schema."""
    async with running_node("1") as node:
        services = await reflected(node.address)

    assert set(services) == {
        *SERVICES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_an_open_question_does_not_hold_up_the_stop() -> None:
    """Programs keep a stream of reflection open for as long as they run; it ends without an error."""
    async with running_node("1", stop_grace="PT10M") as node:
        async with grpc.aio.insecure_channel(node.address) as channel:
            stream: Any = channel.stream_stream(REFLECT.replace("v1alpha", "v1"))()
            question = reflection_pb2.ServerReflectionRequest(list_services="")
            await stream.write(question.SerializeToString())
            assert await stream.read()

            await node.stop()

            assert await stream.read() == grpc.aio.EOF
            assert await stream.code() is grpc.StatusCode.OK
        await node.start()


@pytest.mark.parametrize("path", [REFLECT, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"])
async def test_requests_that_can_not_be_read_are_refused(path: str) -> None:
    """Those of health and reflection too, with a status that says whose mistake it is."""
    async with running_node("1") as node, grpc.aio.insecure_channel(node.address) as channel:
        ask = cast(UnaryStream, channel.unary_stream(path))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in ask(b"\xff", timeout=20):
                pass

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "must be an encoded" in (caught.value.details() or "")


async def test_reflection_can_be_switched_off() -> None:
    """Where it is off, it is not there."""
    async with running_node("1", grpc={"reflection": False}) as node:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflected(node.address)

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# Metrics


async def metrics_of(port: int) -> dict[str, float]:
    """The metrics page, by the lines' names with their labels."""

    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
            return cast(bytes, response.read()).decode()

    lines = [line for line in (await asyncio.to_thread(get)).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_the_metrics_page_counts() -> None:
    """Calls by method and outcome, streams, commits and responses are counted, but nothing is quoted."""
    port = free_port()
    async with running_node("1", "2", metrics_port=port) as node:
        before = await metrics_of(port)
        sender, reader = node.client("1"), node.client("2")
        async with reader.subscribe("general") as subscription:
            for _ in range(3):
                await sender.send("general", "MARKER-TEXT")
            received = [update async for update, _ in aenumerate(subscription, 3)]
            during = await metrics_of(port)
            with pytest.raises(errors.RoomNotFound):
                await reader.room("MARKER-ROOM")
        await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 0)
        after = await metrics_of(port)

    def counted(name: str) -> list[float]:
        return [page.get(name, 0) for page in (before, during, after)]

    assert len(received) == 3
    assert counted(f'grpc_chat_calls_total{{code="OK",method="{SEND}"}}') == [0, 3, 3]
    # Where ids are trusted, what is no room's id is looked for as the name of one, too.
    assert counted(f'grpc_chat_calls_total{{code="ROOM_NOT_FOUND",method="{GET_ROOM}"}}') == [0, 0, 2]
    assert counted("grpc_chat_streams") == [0, 1, 0]
    assert counted("grpc_chat_commit_batch_sum") == [0, 3, 3]
    assert counted("grpc_chat_commits_waiting") == [0, 0, 0]
    assert after["grpc_chat_stream_responses_total"] > before["grpc_chat_stream_responses_total"]
    assert after[f'grpc_chat_call_seconds_count{{method="{SEND}"}}'] == 3
    assert not any("MARKER" in name for name in after)


async def aenumerate(items: AsyncIterator[Any] | Any, count: int) -> AsyncIterator[tuple[Any, int]]:
    """The first items."""
    at = 0
    async for item in items:
        at += 1
        yield item, at
        if at == count:
            return


async def test_a_taken_metrics_port_is_named() -> None:
    """The error says which port is taken, and the database is free again."""
    async with running_node("1") as other:
        port = other.node.port
        with pytest.raises(errors.Unavailable, match=rf"can't serve metrics on 127\.0\.0\.1:{port}: "):
            async with running_node("1", metrics_port=port):
                pass


# Logs


def events(program: Program) -> list[dict[str, Any]]:
    """What a program has logged, each line an event."""
    logged = [json.loads(line) for line in program.errors]
    for event in logged:
        assert {"event", "level", "logger", "timestamp"} <= event.keys()
    return logged


async def test_logs_hold_no_text_and_no_token(tmp_path: Path) -> None:
    """Of a whole session, refused calls included, neither words nor tokens are in the log, at any level."""
    alice = "Alice Märker"
    async with serving(tmp_path, ids=f"{alice},1", LOG_LEVEL="debug") as (server, port):
        client = Client(f"127.0.0.1:{port}", token=trusted_token(alice))
        async with client, client.subscribe("general", include_own=True) as subscription:
            sent = await client.send("general", "TEXT-MARKER one")
            received = await anext(aiter(subscription))
            with pytest.raises(errors.ClientMessageIdReused):
                await client.send("general", "TEXT-MARKER two", client_message_id=sent.client_message_id)
            with pytest.raises(errors.MessageTooLong):
                await client.send("general", "TEXT-MARKER three" * 10_000)
            with pytest.raises(errors.RoomNotFound):
                await client.send("elsewhere", "TEXT-MARKER four")
        async with Client(f"127.0.0.1:{port}", token="TOKEN-MARKER") as stranger:
            with pytest.raises(errors.Unauthenticated):
                await stranger.send("general", "TEXT-MARKER five")
        # The other engine resets a call with a line break in a header, before anything logs it.
        forged = FORGED if ENGINE == "grpcio" else FORGED.replace(b"\n", b" ")
        await asyncio.to_thread(refused_with, port, forged)
        code = await server.leave()

    logged = events(server)
    assert code == 0
    assert received.text == "TEXT-MARKER one"
    assert {event["code"] for event in logged if event["event"] == "call refused"} == {
        "CLIENT_MESSAGE_ID_REUSED",
        "MESSAGE_TOO_LONG",
        "ROOM_NOT_FOUND",
        "UNAUTHENTICATED",
        "INVALID_REQUEST",
    }
    assert b"forged" not in server.err
    everything = (server.out + server.err).decode()
    for secret in ("TEXT-MARKER", "TOKEN-MARKER", trusted_token(alice), "Bearer"):
        assert secret not in everything


def refused_with(port: int, request_id: str | bytes) -> int | None:
    """A call that is refused, with a request id as no proper client sends it; its status."""
    with Http2Peer(port) as peer:
        headers = request_headers(GET_ROOM, AUTHORIZED, ("x-request-id", request_id))
        peer.send(Frame(HEADERS, END_HEADERS, 1, headers), Frame(DATA, END_STREAM, 1, bytes(5)))
        return peer.status()


async def test_a_request_id_cannot_write_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A request id that is fit for it is in the log; one with line breaks, quotes or escapes is replaced."""
    caplog.set_level(logging.DEBUG, "grpc_chat")
    fit = "Request_1.of-2"
    unfit: list[str | bytes] = [
        FORGED,
        b"forged\r\nforged",
        '", "event": "forged',
        b"\x1b[2Jforged",
        b"forged\0",
        "forged" * 20,
    ]

    if ENGINE == "asyncio":
        # Those with line breaks or NUL are no headers (RFC 9113, section 8.2.1), and their calls are reset.
        unfit = [id_ for id_ in unfit if isinstance(id_, str) or not re.search(rb"[\0\r\n]", id_)]
    async with running_node("1") as node:
        for request_id in (fit, *unfit):
            status = await asyncio.to_thread(refused_with, node.node.port, request_id)
            assert status == grpc.StatusCode.INVALID_ARGUMENT.value[0]

    ids = [vars(record)["request_id"] for record in caplog.records if record.message == "call refused"]
    assert ids[0] == fit
    assert [re.fullmatch("[0-9a-f]{16}", id_) is not None for id_ in ids[1:]] == [True] * len(unfit)
    assert len(set(ids)) == len(ids)
    assert "forged" not in caplog.text


@pytest.fixture
def logging_left_alone() -> Iterator[None]:
    """What a test configures is as it was afterwards."""
    names = ("", "alembic", "asyncio", "grpc")
    root = logging.getLogger()
    handlers, levels = root.handlers[:], [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("logging_left_alone")
@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_traceback_shows_no_values(format_: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake is logged with where it happened, without the values of variables: they hold messages."""
    logs.configure("debug", format_)

    def fail() -> None:
        text = "TEXT-" + "MARKER"
        raise ValueError(len(text))

    try:
        fail()
    except ValueError:
        logging.getLogger("grpc_chat.tests").exception(
            "call failed", extra={"request_id": 'a\n{"event": "forged"}\x1b[2J'}
        )

    said = capsys.readouterr().err
    assert "call failed" in said
    assert "ValueError: 11" in said
    assert "TEXT-MARKER" not in said
    assert "\x1b" not in said
    assert not any(line.startswith('{"event": "forged"') for line in said.splitlines())


# Starting


def assert_refused(program: Program, *words: str) -> None:
    """It ended with 1 and one sentence."""
    assert program.process.returncode == 1, program
    (line,) = [line for line in program.errors if not line.startswith("{")]
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    assert b"Traceback" not in program.err
    assert program.lines == []


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """A port and a data folder are for one server: the second says what is in use already, and ends."""
    async with running_node("1", data=tmp_path / "data") as node:
        port = node.node.port
        same_port, same_data = await asyncio.gather(
            run(*python("server.py", "-client_ids", "1", "-port", f"{port}", "-data", f"{tmp_path}/other")),
            run(*python("server.py", "-client_ids", "1", "-port", "0", "-data", f"{tmp_path}/data")),
        )
        # The first one is not disturbed.
        await node.client("1").send("general", "hello")

    assert_refused(same_port, f"127.0.0.1:{port}", "another program uses the port")
    assert_refused(same_data, f"process {os.getpid()}", f"{tmp_path}/data", "another server")


@pytest.mark.parametrize("ids", ["", " , ,"])
async def test_quick_start_server_without_ids_is_refused(tmp_path: Path, ids: str) -> None:
    """It never becomes a server with accounts, which somebody who forgot the ids did not ask for."""
    program = await run(*python("server.py", "-client_ids", ids, "-port", "0", "-data", f"{tmp_path}/data"))

    assert program.process.returncode == 2
    assert "-client_ids must not be empty" in program.errors[-1]
    assert not (tmp_path / "data").exists()


async def test_a_server_in_a_terminal_ends_with_it(tmp_path: Path) -> None:
    """SIGHUP has it look for a newer certificate, and so does not end it, unless the terminal is gone."""
    program = await start(COMMAND, "serve", "--data", tmp_path / "data", "--port", "0", terminal=True)
    try:
        await program.until(lambda: b"next: " in program.screen)
        program.signal(signal.SIGHUP)
        await program.said("SIGHUP: there is nothing to reload")
        assert program.process.returncode is None
        assert program.terminal is not None
        asyncio.get_running_loop().remove_reader(program.terminal)
        os.close(program.terminal)
        program.terminal = None
        assert await program.ended() == 0
    finally:
        await program.kill()


async def test_wrong_settings_are_named(tmp_path: Path) -> None:
    """Whatever is wrong, the error says which setting, wherever it stands, and where needed what to do."""
    file = tmp_path / "chat.toml"
    file.write_text('prot = 1\n[limits]\ntext_bites = 1\nmessages = "many"\n')
    broken = tmp_path / "broken.toml"
    broken.write_text("port = \n")
    serve: list[str | Path] = [COMMAND, "serve", "--data", tmp_path / "data", "--port", "0"]

    wrong, no_toml = await asyncio.gather(
        run(
            *serve,
            "--config",
            file,
            GRPC_CHAT_HOTS="x",
            GRPC_CHAT_COMMIT__BATCH="1",
            GRPC_CHAT_READERS="many",
        ),
        run(COMMAND, "config", "check", "--config", broken),
    )

    # In the file, then in the environment.
    assert_refused(wrong, "prot: ", "limits.text_bites: ", "limits.messages: ")
    assert_refused(wrong, "GRPC_CHAT_HOTS: ", "GRPC_CHAT_COMMIT__BATCH: ", "GRPC_CHAT_READERS: ")
    assert_refused(no_toml, str(broken), "line 1")
    assert not (tmp_path / "data").exists()


async def test_a_server_without_trusted_ids_serves_accounts(tmp_path: Path) -> None:
    """It says once how the first account is made, and lets nobody in who merely says who they are."""
    data = tmp_path / "data"
    serve: list[str | Path] = [COMMAND, "serve", "--data", data, "--port", "0"]
    first = await start(*serve)
    try:
        line = await first.shows("listening on")
        code = (await first.shows("code: ")).partition("code: ")[2]
        async with Client(f"127.0.0.1:{line.rpartition(':')[2]}") as client:
            await client.register("alice", "correct horse battery staple", invite=code)
            assert [record.admin async for record in client.admin.users()] == [True]
            with pytest.raises(errors.InviteNotValid):
                await client.register("bob", "correct horse battery staple", invite=code)
        assert await first.leave() == 0
    finally:
        await first.kill()
    again = await start(*serve)
    try:
        await again.shows("database in")
        assert await again.leave() == 0
    finally:
        await again.kill()
    trusting = await run(*serve, "--trusted-ids", "alice")

    assert not any("code: " in line for line in again.lines)
    assert_refused(trusting, "accounts with passwords", "--data")


# Stopping


def subscribing() -> bytes:
    return pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")]).SerializeToString()


async def open_streams(channel: grpc.aio.Channel, count: int) -> Sequence[Any]:
    """Streams whose first response has come."""
    method = cast(UnaryStream, channel.unary_stream(SUBSCRIBE))
    streams = [method(subscribing(), metadata=grpc.aio.Metadata(AUTHORIZED)) for _ in range(count)]
    for stream in streams:
        await stream.read()
    return streams


async def test_a_stop_ends_every_stream_with_its_draining(tmp_path: Path) -> None:
    """On SIGTERM each stream is told when to come back, nothing is waited for, and nothing goes wrong."""
    async with (
        serving(tmp_path, STOP_GRACE=FOR_EVER) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        streams = await open_streams(channel, 20)
        await watching(channel)

        server.signal(signal.SIGTERM)
        rest = await asyncio.gather(*(rest_of(stream) for stream in streams))
        code = await server.ended()

    assert code == 0
    last = [pb.SubscribeResponse.FromString(responses[-1]) for responses in rest]
    assert all(response.HasField("draining") for response in last)
    # Not all in the same moment.
    assert len({response.draining.reconnect_after.ToNanoseconds() for response in last}) > 10
    assert b"Traceback" not in server.err
    told = events(server)
    assert not [event for event in told if event["level"] in ("error", "critical")]
    # What a start says is not the matter here.
    said = [event["event"] for event in told]
    assert said[said.index("stopping") :] == ["stopping"]


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Anyone who asks twice does not want to wait for a client that does not read."""
    async with serving(tmp_path, STOP_GRACE=FOR_EVER) as (server, port):
        with Http2Peer(port, (INITIAL_WINDOW_SIZE, 0)) as deaf:
            await asyncio.to_thread(deaf.settle)
            follow(deaf, SUBSCRIBE, subscribing())
            assert await asyncio.to_thread(deaf.read_until, HEADERS)

            server.signal(signal.SIGINT)
            assert await asyncio.to_thread(deaf.read_until, GOAWAY)
            assert server.process.returncode is None
            code = await server.leave(signal.SIGTERM)

    assert code == 130
    assert b"Traceback" not in server.err


async def test_a_stream_that_is_being_written_to_gets_its_draining_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader that is slow when the server stops still gets what was under way, and then its Draining."""
    # How slow it is depends on the machine.
    monkeypatch.setattr("grpc_chat.core.streams._LAST_WRITES_SECONDS", 10.0)
    async with running_node("1", "2") as node:
        for number in range(4):
            await node.client("2").send("general", f"{number}" * 60_000)
        with Http2Peer(node.node.port, (INITIAL_WINDOW_SIZE, 1000), answers=True) as slow:
            await asyncio.to_thread(slow.settle)
            follow(slow, SUBSCRIBE, subscribing())
            data = b""
            while len(data) < 1000:
                frame = await asyncio.to_thread(slow.read_until, DATA)
                assert frame
                data += frame.payload

            stopping = asyncio.create_task(node.stop())
            assert await asyncio.to_thread(slow.read_until, GOAWAY)
            more = struct.pack(">I", 1 << 24)
            slow.send(Frame(WINDOW_UPDATE, 0, 0, more), Frame(WINDOW_UPDATE, 0, 1, more))
            while frame := await asyncio.to_thread(slow.read):
                data += frame.payload if frame.kind == DATA else b""
            await stopping

    responses = [pb.SubscribeResponse.FromString(message) for message in messages_in(data)]
    assert responses[0].HasField("started")
    assert responses[1].events
    assert responses[-1].HasField("draining")


def messages_in(data: bytes) -> Iterator[bytes]:
    """The messages that gRPC has put into the data of a stream."""
    while data:
        (length,) = struct.unpack(">I", data[1:5])
        yield data[5 : 5 + length]
        data = data[5 + length :]


# Failing


class FailingStore:
    """A store whose disk fails when it is told to."""

    def __init__(self, store: base.Store) -> None:
        self._store = store
        self.failed = False
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, writes: Sequence[base.Write]) -> list[base.Result]:
        if not self.broken:
            return self._store.commit(writes)
        # As it may be: what was written is there, and nobody can tell.
        self._store.commit(writes)
        self.failed = True
        raise errors.StoreUnavailable("the database did not confirm the commit")


async def test_a_failed_store_ends_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a commit fails, its outcome is unknown, nobody hears of it, and the node asks to be ended."""
    stores: list[FailingStore] = []

    def open_failing(*arguments: Any, **options: Any) -> Any:
        stores.append(FailingStore(open_store(*arguments, **options)))
        return stores[-1]

    monkeypatch.setattr("grpc_chat.node.open_store", open_failing)
    async with running_node("1", "2") as node, grpc.aio.insecure_channel(node.address) as channel:
        (stream,) = await open_streams(channel, 1)
        stores[0].broken = True
        message = pb.OutgoingMessage(room_id="general", text="x")
        message.client_message_id = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"
        request = pb.SendMessagesRequest(messages=[message]).SerializeToString()

        answer = await call(channel, SEND, request, [("authorization", "Bearer 2")])
        async with asyncio.timeout(20):
            with pytest.raises(errors.StoreUnavailable):
                await node.node.failed
        stopping = asyncio.create_task(node.stop())
        seen = [pb.SubscribeResponse.FromString(response) for response in await rest_of(stream)]
        await stopping

    assert (answer.code.name, answer.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert not any(response.events for response in seen)
    assert seen[-1].HasField("draining")


async def attached(server: Program) -> Program:
    """strace, holding on to a server whose disk fails from now on."""
    faults = "inject=fdatasync,fsync:error=EIO"
    strace = await start(
        "strace",
        "-f",
        "-o",
        os.devnull,
        "-p",
        f"{server.process.pid}",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        faults,
    )
    try:
        await strace.until(lambda: bool(strace.errors))
    except pytest.fail.Exception:
        pytest.skip(f"strace can't attach to a process here: {bytes(strace.err).decode()}")
    if "attached" not in strace.errors[0]:
        pytest.skip(f"strace can't attach to a process here: {strace.errors[0]}")
    return strace


@pytest.mark.skipif(not shutil.which("strace"), reason="strace, which makes the disk fail, is not installed")
async def test_a_server_whose_disk_fails_ends_with_an_error(tmp_path: Path) -> None:
    """After an fsync that failed the outcome is unknown, health is NOT_SERVING, and the process ends with 1.

    What it holds after a restart is a log like any other, and a send with the same id settles the rest.
    """
    message = pb.OutgoingMessage(room_id="general", text="x")
    message.client_message_id = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"
    request = pb.SendMessagesRequest(messages=[message]).SerializeToString()
    async with (
        serving(tmp_path) as (server, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        watch = await watching(channel)
        strace = await attached(server)
        try:
            answer = await call(channel, SEND, request, [AUTHORIZED])
            rest = await rest_of(watch)
            code = await server.ended()
        finally:
            await strace.kill()

    assert (answer.code.name, answer.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert [status_in(response) for response in rest] == ["NOT_SERVING"]
    assert code == 1
    assert b"Traceback" not in server.err
    assert [event["level"] for event in events(server)][-1] == "critical"
    async with running_node("1", data=tmp_path) as node:
        client = node.client("1")
        for _ in range(2):
            again = await client.send("general", "x", client_message_id=message.client_message_id)
            assert again.seq == 1
