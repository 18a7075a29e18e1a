"""Calls without a network: as over one, in all that a client can tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

import grpc_chat as chat
from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.core.rates import Rate
from grpc_chat.core.trusted import TrustedIds
from grpc_chat.core.writing import Write
from grpc_chat.metrics import Metrics
from grpc_chat.sdk.link import WrongLoop
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.transport.in_process import InProcess
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

SOON = timedelta(seconds=10)
GET_ROOM = "/chat.v1.RoomService/GetRoom"


class Service:
    """Carries out methods as a test says, and remembers what became of them."""

    def __init__(self) -> None:
        self.began = 0
        self.written = 0
        self.cancelled = 0
        self.answer: Callable[[], Awaitable[Any]] = asyncio.Event().wait

    async def _carry_out(self, _caller: object, _request: object) -> Any:
        self.began += 1
        try:
            return await self.answer()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def subscribe(self, _caller: object, _request: object, write: Write) -> None:
        self.began += 1
        try:
            for seq in range(1, 11):
                await write(pb.SubscribeResponse(events=[pb.Event(seq=seq)]).SerializeToString())
                self.written += 1
            await self.answer()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def __getattr__(self, name: str) -> Any:
        return self._carry_out


def link_to(service: Service, token: str = "1", **options: Any) -> InProcess:
    names = [each.name for each in pb.DESCRIPTOR.services_by_name.values()]
    pipeline = Pipeline(
        dict.fromkeys(names, service),
        authenticator=TrustedIds(["1"]),
        checker=RequestChecker(Limits()),
        rate=Rate(per_second=0, burst=1),
        metrics=Metrics(),
    )
    return InProcess(lambda: pipeline, token, **options)


async def get_room(link: InProcess, room_id: str = "r1") -> pb.GetRoomResponse:
    return await link.call(GET_ROOM, pb.GetRoomRequest(room_id=room_id), pb.GetRoomResponse)


def stream(link: InProcess) -> Any:
    return aclosing(cast("Any", link.subscribe(pb.SubscribeRequest(consumer="bot"))))


# One call


async def test_call_that_takes_too_long_is_given_up_on_both_sides() -> None:
    """As with gRPC's deadlines: the client can't know what became of it."""
    service = Service()
    link = link_to(service, timeout=timedelta(milliseconds=20))

    with pytest.raises(chat.Unreachable, match=r"no answer within 0\.02 s") as caught:
        await get_room(link)
    await until(lambda: service.cancelled == 1)

    assert caught.value.reason == "timeout"
    assert not caught.value.definite


async def test_caller_that_goes_away_takes_the_call_along() -> None:
    """It is cancelled, as a server's handler is."""
    service = Service()
    link = link_to(service)
    call = asyncio.create_task(get_room(link))
    await until(lambda: service.began == 1)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: service.cancelled == 1)


async def test_link_that_closes_ends_its_calls_and_streams() -> None:
    """They are told so at once, and later ones as well."""
    service = Service()
    link = link_to(service)

    async def follow() -> None:
        async with stream(link) as responses:
            async for _ in responses:
                pass

    waiting = [asyncio.create_task(get_room(link)), asyncio.create_task(follow())]
    await until(lambda: service.began == 2 and service.written == 10)

    await link.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert service.cancelled == 2
    for error in ended:
        assert isinstance(error, chat.Unavailable)
        assert str(error) == "the connection was closed"
    with pytest.raises(chat.Unavailable, match="closed"):
        await get_room(link)


async def test_what_cannot_be_called_is_refused_with_the_servers_words() -> None:
    """A method of a newer client, and more than the server takes."""
    link = link_to(Service(), request_bytes=100)

    with pytest.raises(chat.Unimplemented, match="older version"):
        await link.call("/chat.v1.RoomService/Paint", pb.GetRoomRequest(), pb.GetRoomResponse)
    with pytest.raises(chat.LimitExceeded, match="the request is larger"):
        await get_room(link, "r" * 200)
    with pytest.raises(ValueError, match="printable ASCII"):
        link_to(Service(), token="a token")


async def test_mistake_of_the_server_is_told_as_one() -> None:
    """With the id to look for, and nothing of the exception."""

    async def fail() -> None:
        raise KeyError("a secret")

    service = Service()
    service.answer = fail

    with pytest.raises(chat.Internal) as caught:
        await get_room(link_to(service))

    assert caught.value.metadata["requestId"] in str(caught.value)
    assert "secret" not in repr(caught.value.__dict__)
    assert caught.value.__cause__ is None


def test_client_belongs_to_one_loop() -> None:
    """As one over gRPC: the other loop is named as the mistake."""
    service = Service()

    async def room() -> pb.GetRoomResponse:
        return pb.GetRoomResponse(room=pb.Room(room_id="r1"))

    service.answer = room
    link = link_to(service)
    assert asyncio.run(get_room(link)).room.room_id == "r1"

    with pytest.raises(WrongLoop, match="another event loop"):
        asyncio.run(get_room(link))


# Streams


async def test_stream_waits_for_a_reader_that_is_slow() -> None:
    """One response is ahead of it, and the next write waits; nothing is lost or turned around."""
    service = Service()
    async with stream(link_to(service)) as responses:
        got = [(await anext(responses)).events[0].seq]
        for _ in range(20):
            await asyncio.sleep(0)
            assert service.written <= len(got) + 1
        while len(got) < 10:
            got.append((await anext(responses)).events[0].seq)

    assert got == list(range(1, 11))
    await until(lambda: service.cancelled == 1)


async def test_stream_that_fails_gives_what_was_written_and_then_the_error() -> None:
    """With its details."""

    async def fail() -> None:
        raise chat.RateLimited("too many", metadata={"a": "b"}, retry_after=timedelta(seconds=3))

    service = Service()
    service.answer = fail
    async with stream(link_to(service)) as responses:
        got = [(await anext(responses)).events[0].seq for _ in range(10)]
        with pytest.raises(chat.RateLimited, match="too many") as caught:
            await anext(responses)

    assert got == list(range(1, 11))
    assert (caught.value.metadata, caught.value.retry_after) == ({"a": "b"}, timedelta(seconds=3))


# The client above it


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", limits={"text_bytes": 100}) as running:
        yield running


async def test_answers_and_errors_are_those_of_the_network(node: RunningNode) -> None:
    """For each call: the same values, or the same error with the same details."""
    within, outside = node.client_within("alice"), node.client("alice")
    stranger, foreign = node.client_within("eve"), node.client("eve")
    message_id = str(uuid4())

    async def members(client: chat.Client) -> list[chat.Member]:
        return [member async for member in client.members("general")]

    async def history(client: chat.Client) -> list[chat.Message]:
        return [replace(message, _client=None) async for message in client.history("general")]

    async def outcome(call: Awaitable[object]) -> object:
        try:
            return await call
        except chat.ChatError as error:
            return type(error), str(error), error.field, dict(error.metadata), error.retry_after

    calls: list[Callable[[chat.Client], Awaitable[object]]] = [
        lambda client: client.send("general", "once", client_message_id=message_id),
        lambda client: client.send("general", "another", client_message_id=message_id),
        lambda client: client.send("general", "x" * 101),
        lambda client: client.send("nowhere", "hello"),
        lambda client: client.me(),
        lambda client: client.room("general"),
        lambda client: client.user(""),
        lambda client: client.log_in("alice", "secret"),
        lambda client: client.set_role("general", "bob", "owner"),
        members,
        history,
    ]
    for at, call in enumerate(calls):
        assert await outcome(call(within)) == await outcome(call(outside)), at
    assert await outcome(stranger.me()) == await outcome(foreign.me())
    assert isinstance(await outcome(stranger.me()), tuple)


async def test_subscription_catches_up_is_live_and_hears_that_the_server_stops(node: RunningNode) -> None:
    """From the cursor, with what somebody sends by network; the stop is an end in order."""
    alice, bob = node.client_within("alice"), node.client("bob")
    first = await bob.send("general", "one")
    updates: list[Any] = []
    async with asyncio.timeout(20), alice.subscribe(first.cursor) as following:

        async def follow() -> None:
            async for update in following.updates():
                updates.append(update)

        reading = asyncio.create_task(follow())
        await bob.send("general", "two")
        await until(lambda: any(isinstance(update, chat.Message) for update in updates))
        await node.stop()
        await until(lambda: any(isinstance(update, chat.Disconnected) for update in updates))
        reading.cancel()
        await node.start()

    kinds = [type(update) for update in updates]
    assert kinds.index(chat.Connected) == 0
    assert [update.text for update in updates if isinstance(update, chat.Message)] == ["two"]
    assert next(update for update in updates if isinstance(update, chat.Disconnected)).error is None


async def test_server_without_a_network_is_one_all_the_same() -> None:
    """It listens nowhere; its clients send, follow, and find it again when it was started anew."""
    async with (
        asyncio.timeout(20),
        running_node("alice", "bob", network=False, metrics_port=1) as server,
    ):
        alice, bob = server.client("alice"), server.client("bob")
        async with bob.subscribe("general") as following:
            await alice.send("general", "before")
            assert (await anext(following)).text == "before"
        await server.stop()
        waiting = asyncio.create_task(alice.send("general", "meanwhile"))
        with pytest.raises(chat.Unreachable, match="the server is stopped"):
            await bob.me()
        await server.start()

        assert (await waiting).seq == 2
        assert [message.text async for message in bob.history("general")] == ["before", "meanwhile"]
        assert (server.address, server.node.port) == ("", 0)


async def test_environment_of_the_person_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a server that a test runs are those that it gives; the rest have their defaults."""
    monkeypatch.setenv("GRPC_CHAT_PUBLIC_ADDRESS", "chat.example")
    monkeypatch.setenv("GRPC_CHAT_NO_SUCH_SETTING", "1")
    async with running_node("alice", network=False, limits={"text_bytes": 100}) as server:
        assert server.config.public_address == ""
        assert server.config.limits.text_bytes == 100


async def test_client_of_an_account_logs_in_and_out() -> None:
    """Its token is the link's, from then on."""
    async with running_node(accounts=True, network=False) as server:
        await server.register("alice")
        client = server.client_within()
        with pytest.raises(chat.Unauthenticated, match="no authorization"):
            await client.me()

        login = await client.log_in("alice", "correct horse battery staple")

        assert client.token == login.token
        assert (await client.me()).user_id == "alice"
        await client.log_out()
        assert client.token == ""
