"""Streams whose clients do not read, with the windows of HTTP/2 used up, when they have to end."""

from __future__ import annotations

import asyncio
import re
import struct
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from grpc_reflection.v1alpha import reflection_pb2

import grpc_chat as chat
from grpc_chat.core.stream import Stream
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import chat_pb2_grpc
from grpc_chat.wire.status import from_rpc_error, has_reason
from tests.calls import Calls
from tests.engine import ENGINE
from tests.raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    WINDOW_UPDATE,
    Frame,
    Http2Peer,
    request_headers,
)
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
NEW_PASSWORD = "another one, just as long"
INITIAL_WINDOW_SIZE = 4  # of HTTP/2's settings
WINDOW = 1000  # bytes of a stream that its client takes
MOST = (1 << 31) - 1  # the largest window
STREAMS = 8  # that a user may have open
# So much that the rest of a response waits for its window.
LONG = "x" * 5000

_REASON = re.compile(rb"grpc-message.{1,3}?([A-Z_]{4,}): ", re.DOTALL)


class Deaf:
    """A client of streams that takes a little of each, and then nothing until it is told to."""

    def __init__(self, port: int, token: str, requests: Sequence[pb.SubscribeRequest]) -> None:
        self._peer = Http2Peer(port, (INITIAL_WINDOW_SIZE, WINDOW))
        self._peer.settle()
        self.data: dict[int, bytes] = {}
        self.trailers: dict[int, bytes] = {}
        for at, request in enumerate(requests):
            stream, data = 2 * at + 1, request.SerializeToString()
            self.data[stream] = b""
            headers = request_headers(SUBSCRIBE, ("authorization", f"Bearer {token}"))
            self._peer.send(
                Frame(HEADERS, END_HEADERS, stream, headers),
                Frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(data)) + data),
            )

    def read_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            frame = self._peer.read()
            assert frame, "the server closed the connection"
            if frame.kind == DATA:
                self.data[frame.stream] += frame.payload
            elif frame.kind == HEADERS and frame.flags & END_STREAM:
                self.trailers[frame.stream] = frame.payload

    async def until_stalled(self) -> None:
        """Wait until all windows are used up."""
        await self.until(lambda: all(len(data) == WINDOW for data in self.data.values()))

    async def until_cut_off(self) -> None:
        """Wait until each stream has a status, though its data has not been read."""
        await self.until(lambda: self.trailers.keys() == self.data.keys())

    async def until(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.read_until, condition)

    def listen(self) -> None:
        """Take everything from now on."""
        more = struct.pack(">I", 1 << 24)
        self._peer.send(*(Frame(WINDOW_UPDATE, 0, stream, more) for stream in (0, *self.data)))

    def responses(self, stream: int) -> Iterator[pb.SubscribeResponse]:
        data = self.data[stream]
        while len(data) >= 5 and len(data) >= 5 + (length := int.from_bytes(data[1:5], "big")):
            yield pb.SubscribeResponse.FromString(data[5 : 5 + length])
            data = data[5 + length :]

    @property
    def reasons(self) -> set[str]:
        """Why the streams ended; of a status that was told with its details, an empty text."""
        found = [_REASON.search(trailers) for trailers in self.trailers.values()]
        return {match[1].decode() if match else "" for match in found}

    def vanish(self) -> None:
        """Go without a word."""
        self._peer.socket.close()


@dataclass
class OwnedServer:
    """A server, somebody who owns rooms on it, and an administrator."""

    node: RunningNode
    calls: Calls
    owner: chat.Client
    admin: chat.Client
    deaf: list[Deaf] = field(default_factory=list)

    def followers(self, user_id: str) -> list[Stream]:
        return list(self.node.node.system.streams._of_users.get(user_id, ()))

    def follows(self, room_id: str) -> bool:
        return room_id in self.node.node.system.feeds._feeds

    @property
    def streams(self) -> float:
        [family] = self.node.node.metrics.streams.collect()
        return family.samples[0].value

    async def stalled(self, token: str, *requests: pb.SubscribeRequest) -> Deaf:
        deaf = await asyncio.to_thread(Deaf, self.node.node.port, token, requests)
        self.deaf.append(deaf)
        await deaf.until_stalled()
        return deaf


@asynccontextmanager
async def house_of(**settings: Any) -> AsyncIterator[OwnedServer]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(
            running_node(
                accounts={
                    "adding": "anyone",
                    "attempts_per_address": 100_000,
                    "attempts_per_account_and_address": 100_000,
                },
                limits={"calls_per_second": 0, "guest_calls_per_second": 0},
                subscribe={"streams_per_user": STREAMS},
                **settings,
            )
        )
        admin = await node.register("admin", admin=True)
        owner = await node.register("owner")
        server = OwnedServer(node, await stack.enter_async_context(Calls(node.address)), owner, admin)
        yield server
        for deaf in server.deaf:
            deaf.vanish()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OwnedServer]:
    async with house_of() as server:
        yield server


@dataclass
class Victim:
    """Somebody whose streams stand still, and another session of theirs."""

    user_id: str
    client: chat.Client
    other: chat.Client
    room_id: str
    token: str


async def victim_in(server: OwnedServer) -> Victim:
    user_id = f"user{uuid4().hex[:10]}"
    client = await server.node.register(user_id)
    room = await server.owner.create_room(f"room {uuid4().hex[:8]}")
    await server.owner.set_role(room.room_id, "owner", "owner")
    await server.owner.add_member(room.room_id, user_id)
    await server.owner.send(room.room_id, LONG)
    other = await server.node.log_in(user_id)
    return Victim(user_id, client, other, room.room_id, client.token)


# ---------------------------------------------------------------------------------------------------------
# Sessions that end.


async def log_out(server: OwnedServer, bob: Victim) -> None:
    await bob.client.log_out()


async def revoke(server: OwnedServer, bob: Victim) -> None:
    await bob.other.revoke_sessions((await bob.client.session()).session_id)


async def revoke_all_others(server: OwnedServer, bob: Victim) -> None:
    await bob.other.revoke_sessions(all_others=True)


async def revoke_as_admin(server: OwnedServer, bob: Victim) -> None:
    await server.admin.admin.revoke_sessions(bob.user_id, (await bob.client.session()).session_id)


async def change_password(server: OwnedServer, bob: Victim) -> None:
    await bob.other.change_password(PASSWORD, NEW_PASSWORD)


async def reset_password(server: OwnedServer, bob: Victim) -> None:
    await server.admin.admin.reset_password(bob.user_id, NEW_PASSWORD)
    bob.other = await server.node.log_in(bob.user_id, password=NEW_PASSWORD)


async def block(server: OwnedServer, bob: Victim) -> None:
    await server.admin.admin.block_user(bob.user_id)
    assert not server.followers(bob.user_id)
    await server.admin.admin.unblock_user(bob.user_id)
    bob.other = await server.node.log_in(bob.user_id)


async def expire(server: OwnedServer, bob: Victim) -> None:
    """The token's time is over, which the test does not wait for."""
    for follower in server.followers(bob.user_id):
        assert follower.expiry
        follower.expiry._run()


Ending = Callable[[OwnedServer, Victim], Awaitable[None]]
ENDINGS: list[Ending] = [
    log_out,
    revoke,
    revoke_all_others,
    revoke_as_admin,
    change_password,
    reset_password,
    block,
    expire,
]


async def test_stalled_streams_end_with_their_session(server: OwnedServer) -> None:
    """However a session ends, streams of it that are not read free their places and their memory at once."""
    await asyncio.gather(*(stalled_streams_end(server, end) for end in ENDINGS))
    assert server.streams == 0


async def stalled_streams_end(server: OwnedServer, end: Ending) -> None:
    bob = await victim_in(server)
    token = await short_lived(server, bob) if end is expire else bob.token
    one_room = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=bob.room_id)])
    every_room = pb.SubscribeRequest(all_rooms=True)
    deaf = await server.stalled(token, *[one_room, every_room] * (STREAMS // 2))
    held = [weakref.ref(follower.subscription) for follower in server.followers(bob.user_id)]
    assert len(held) == STREAMS

    await end(server, bob)

    # At once, while gRPC still holds what was written.
    assert not server.followers(bob.user_id), end
    assert not server.follows(bob.room_id), end
    again = [server.calls.subscribe(bob.other.token, all_rooms=True) for _ in range(STREAMS)]
    for stream in again:
        await stream.until_caught_up()
    await deaf.until_cut_off()
    assert deaf.reasons == {"SESSION_ENDED"}, end
    await until(lambda: not any(each() for each in held))
    await asyncio.gather(*(stream.aclose() for stream in again))
    await until(lambda: not server.followers(bob.user_id))


async def short_lived(server: OwnedServer, bob: Victim) -> str:
    request = pb.CreateAccessTokenRequest(name="short", scopes=[pb.SCOPE_READ])
    request.lifetime.FromSeconds(60)
    reply = await server.calls("AuthService/CreateAccessToken", request, bob.token)
    return reply.read(pb.CreateAccessTokenResponse).token


# ---------------------------------------------------------------------------------------------------------
# Streams that end for another reason, or lose a room.


async def test_a_stalled_stream_gives_its_consumer_and_place_to_a_newer_one(server: OwnedServer) -> None:
    """With all places taken, a stream can still be replaced; the old one is told why, and nothing else."""
    bob = await victim_in(server)
    names = [f"consumer{at}" for at in range(STREAMS)]
    deaf = await server.stalled(bob.token, *(pb.SubscribeRequest(consumer=name) for name in names))

    again = [server.calls.subscribe(bob.token, consumer=name) for name in names]
    for stream in again:
        await stream.until_caught_up()

    assert len(server.followers(bob.user_id)) == STREAMS
    refused = server.calls.subscribe(bob.token, all_rooms=True)
    assert (await refused.until_ended()).reason == "LIMIT_EXCEEDED"
    await deaf.until_cut_off()
    assert deaf.reasons == {"CONSUMER_TAKEN_OVER"}
    await asyncio.gather(*(stream.aclose() for stream in again))


async def test_a_place_is_taken_while_a_stream_is_being_opened(server: OwnedServer) -> None:
    """Of more streams than there are places, opened all at once, only as many as there are places open."""
    bob = await victim_in(server)
    streams = [server.calls.subscribe(bob.token, all_rooms=True) for _ in range(2 * STREAMS)]
    most = 0

    def settled() -> bool:
        nonlocal most
        most = max(most, len(server.followers(bob.user_id)))
        return all(stream.caught_up or stream.ended for stream in streams)

    await until(settled)
    assert most == STREAMS
    assert sum(stream.caught_up for stream in streams) == STREAMS
    await asyncio.gather(*(stream.aclose() for stream in streams))
    await until(lambda: not server.followers(bob.user_id))
    assert not server.node.node.system.opening._places


async def test_a_stalled_client_that_goes_away_leaves_nothing(server: OwnedServer) -> None:
    """A connection that ends during a write ends its streams."""
    bob = await victim_in(server)
    deaf = await server.stalled(bob.token, *[pb.SubscribeRequest(all_rooms=True)] * STREAMS)
    held = [weakref.ref(follower.subscription) for follower in server.followers(bob.user_id)]

    deaf.vanish()

    await until(lambda: not server.followers(bob.user_id) and not any(each() for each in held))
    assert not server.follows(bob.room_id)


async def remove(server: OwnedServer, bob: Victim) -> None:
    await server.owner.remove_member(bob.room_id, bob.user_id)


async def ban(server: OwnedServer, bob: Victim) -> None:
    await server.owner.ban_member(bob.room_id, bob.user_id)


async def delete(server: OwnedServer, bob: Victim) -> None:
    name = (await server.owner.room(bob.room_id)).name
    await server.owner.delete_room(bob.room_id, confirm_name=name)


async def test_a_stalled_stream_that_loses_a_room_gets_nothing_later(server: OwnedServer) -> None:
    """What was handed to the transport may still arrive, and was all stored before; the stream goes on."""
    await asyncio.gather(*(stalled_stream_loses(server, lose) for lose in (remove, ban, delete)))


async def stalled_stream_loses(server: OwnedServer, lose: Ending) -> None:
    bob = await victim_in(server)
    kept = await server.owner.create_room(f"room {uuid4().hex[:8]}")
    await server.owner.add_member(kept.room_id, bob.user_id)
    deaf = await server.stalled(bob.token, *[pb.SubscribeRequest(all_rooms=True)] * 2)
    last = max([message.seq async for message in server.owner.history(bob.room_id)])

    await lose(server, bob)

    assert not server.follows(bob.room_id)
    if lose is not delete:
        await server.owner.send(bob.room_id, "not for you")
    mark = await server.owner.send(kept.room_id, "still here?")
    deaf.listen()
    for stream in deaf.data:

        def marked(stream: int = stream) -> bool:
            return any(
                event.room_id == kept.room_id and event.seq == mark.seq
                for response in deaf.responses(stream)
                for event in response.events
            )

        await deaf.until(marked)
        responses = list(deaf.responses(stream))
        seqs = [e.seq for response in responses for e in response.events if e.room_id == bob.room_id]
        assert max(seqs) == last, lose
        assert [left.room_id for response in responses for left in response.left] == [bob.room_id], lose
    deaf.vanish()


# ---------------------------------------------------------------------------------------------------------
# A server that stops.


async def test_stalled_streams_do_not_hold_up_the_stop(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for streams that are not read, for however long calls may take; nor is it an error."""
    monkeypatch.setattr("grpc_chat.core.streams._LAST_WRITES_SECONDS", 0.1)
    async with house_of(stop_grace="P300D") as server:
        bob = await victim_in(server)
        deaf = await server.stalled(bob.token, *[pb.SubscribeRequest(all_rooms=True)] * STREAMS)
        stopping = asyncio.create_task(server.node.stop())
        await deaf.until_cut_off()
        await stopping
        assert server.streams == 0
        await server.node.start()
    assert deaf.reasons == {"SHUTTING_DOWN"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def until_left(peer: Http2Peer) -> None:
    """Read until the server has closed the connection."""

    def read() -> None:
        while peer.read():
            pass

    await asyncio.to_thread(read)


WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
PAGE = "/chat.v1.MessageService/ListMessages"


async def test_nothing_that_is_not_read_holds_up_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a watch of health, nor an answer of reflection, nor one of a unary call."""
    async with house_of(stop_grace="P300D", grpc={"reflection": True}) as server:
        bob = await victim_in(server)
        page = pb.ListMessagesRequest(room_id=bob.room_id).SerializeToString()
        question = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        with Http2Peer(server.node.node.port, (INITIAL_WINDOW_SIZE, 0), answers=True) as peer:
            await asyncio.to_thread(peer.settle)
            for at, (path, data) in enumerate(((WATCH, b""), (REFLECT, question), (PAGE, page))):
                stream = 2 * at + 1
                headers = request_headers(path, ("authorization", f"Bearer {bob.token}"))
                peer.send(
                    Frame(HEADERS, END_HEADERS, stream, headers),
                    Frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(data)) + data),
                )
                assert await asyncio.to_thread(peer.read_until, HEADERS)
            stopping = asyncio.create_task(server.node.stop())
            await until_left(peer)
            await stopping
        await server.node.start()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


# ---------------------------------------------------------------------------------------------------------
# What clients make of it.


async def to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_client_that_reads_again_knows_why_its_stream_ended(server: OwnedServer) -> None:
    """The SDK takes a status without details for the server's: it does not try again with a dead token."""
    bob = await victim_in(server)
    async with grpc.aio.insecure_channel(
        server.node.address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    ) as channel:
        stub = chat_pb2_grpc.SubscribeServiceStub(channel)
        call = stub.Subscribe(
            pb.SubscribeRequest(cursors=[pb.Cursor(room_id=bob.room_id)]),
            metadata=grpc.aio.Metadata(("authorization", f"Bearer {bob.token}")),
        )
        await call.read()
        for _ in range(12):
            await server.owner.send(bob.room_id, "x" * 60_000)
        [follower] = server.followers(bob.user_id)
        await until(lambda: not follower.waits)

        await bob.client.log_out()

        await until(lambda: follower.task is None)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await to_the_end(call)
    assert isinstance(from_rpc_error(raised.value), chat.SessionEnded)
    assert has_reason(raised.value)


async def test_an_answer_that_is_not_read_is_dropped(
    server: OwnedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call takes a place of ``grpc.calls`` and its answer's memory only for so long; that is no error."""
    bob = await victim_in(server)
    transport: Any = server.node.node._servers[0]
    calls = transport if ENGINE == "asyncio" else transport._open
    page = pb.ListMessagesRequest(room_id=bob.room_id).SerializeToString()
    with Http2Peer(server.node.node.port, (INITIAL_WINDOW_SIZE, 0)) as peer:
        await asyncio.to_thread(peer.settle)
        peer.send(
            Frame(HEADERS, END_HEADERS, 1, request_headers(PAGE, ("authorization", f"Bearer {bob.token}"))),
            Frame(DATA, END_STREAM, 1, b"\0" + struct.pack(">I", len(page)) + page),
        )
        assert await asyncio.to_thread(peer.read_until, HEADERS)
        await until(lambda: len(calls.unread()) == 1)

        calls.sweep()
        assert len(calls.unread()) == 1
        calls.sweep()

        assert not calls.unread()
        assert await asyncio.to_thread(peer.status) == grpc.StatusCode.CANCELLED.value[0]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_socket_that_is_not_read_does_not_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the status gets past, because TCP is full, it takes ``keepalive_timeout`` at most."""
    monkeypatch.setattr("grpc_chat.core.streams._LAST_WRITES_SECONDS", 0.1)
    async with house_of(stop_grace="P300D", grpc={"keepalive_timeout": "PT1S"}) as server:
        bob = await victim_in(server)
        await asyncio.gather(*(server.owner.send(bob.room_id, "x" * 60_000) for _ in range(60)))
        request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=bob.room_id)]).SerializeToString()
        with Http2Peer(server.node.node.port, (INITIAL_WINDOW_SIZE, MOST)) as peer:
            await asyncio.to_thread(peer.settle)
            headers = request_headers(SUBSCRIBE, ("authorization", f"Bearer {bob.token}"))
            peer.send(
                Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MOST - 65535)),
                *(
                    frame
                    for stream in (1, 3, 5)
                    for frame in (
                        Frame(HEADERS, END_HEADERS, stream, headers),
                        Frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(request)) + request),
                    )
                ),
            )
            await until(lambda: len(server.followers(bob.user_id)) == 3)
            await asyncio.gather(*(wedged(follower) for follower in server.followers(bob.user_id)))

            await server.node.stop()

            assert server.streams == 0
        await server.node.start()


async def wedged(follower: Stream) -> None:
    """Wait until a stream has not moved for a while, and is not waiting for anything to send."""
    before: dict[str, int] = {}
    while follower.waits or follower.subscription.positions != before:
        before = follower.subscription.positions
        await asyncio.sleep(0.1)
