from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Metadata, Method, Pipeline
from grpc_chat.api.table import NEEDS
from grpc_chat.config import Config
from grpc_chat.core.caller import Caller, Guest
from grpc_chat.core.rates import Rate
from grpc_chat.core.turns import share
from grpc_chat.core.writing import Write
from grpc_chat.errors import (
    Internal,
    InvalidRequest,
    PermissionDenied,
    RateLimited,
    RoomNotFound,
    Unauthenticated,
)
from grpc_chat.metrics import Metrics
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from tests.support import PeerAt, PulledResponses

ALICE = Caller("alice", "phone")
TOKEN: Metadata = [("authorization", "Bearer alice's token")]
GET_ROOM = pb.GetRoomRequest(room_id="r1").SerializeToString()
FOLLOW = pb.SubscribeRequest(consumer="bot").SerializeToString()


class Accounts:
    """Knows one token, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        # Whose turns tokens were looked up in.
        self.shares: list[str] = []
        self.caller = ALICE

    def recognise(self, token: str) -> Caller | None:
        self.asked.append(token)
        return self.caller if token == "alice's token" else None

    async def authenticate(self, token: str) -> Caller:
        self.shares.append(share.get())
        await asyncio.sleep(0)
        if token == "alice's other token":
            return self.caller
        raise Unauthenticated("who is that?")

    def require_session(self, _snapshot: Snapshot, _caller: Caller) -> None:
        raise AssertionError("no method of these asks")


class Service:
    """Carries out every method of chat.proto, as the test says."""

    def __init__(self) -> None:
        self.calls: list[tuple[Caller | Guest, Any]] = []
        self.answer: Callable[[], Awaitable[Any]] = self._room
        self.closed = False

    async def _room(self) -> pb.GetRoomResponse:
        return pb.GetRoomResponse(room=pb.Room(room_id="r1"))

    async def _carry_out(self, caller: Caller | Guest, request: Any) -> Any:
        self.calls.append((caller, request))
        return await self.answer()

    async def subscribe(self, caller: Caller, request: pb.SubscribeRequest, write: Write) -> None:
        self.calls.append((caller, request))
        try:
            await write(b"one")
            await write(b"two")
            await self.answer()
        finally:
            self.closed = True

    def __getattr__(self, name: str) -> Any:
        return self._carry_out


class World:
    """A pipeline over a fake service."""

    def __init__(
        self, rate: Rate | None = None, guest_rate: Rate | None = None, work: Rate | None = None
    ) -> None:
        self.accounts = Accounts()
        self.service = Service()
        self.metrics = Metrics()
        self.pipeline = Pipeline(
            dict.fromkeys((s.name for s in pb.DESCRIPTOR.services_by_name.values()), self.service),
            authenticator=self.accounts,
            checker=RequestChecker(Limits()),
            rate=rate or Rate(per_second=0, burst=1),
            guest_rate=guest_rate,
            work=work,
            metrics=self.metrics,
        )
        self.methods = {method.path.rpartition("/")[2]: method for method in self.pipeline.methods}

    @property
    def get_room(self) -> Method:
        return self.methods["GetRoom"]

    async def call(self, metadata: Metadata = TOKEN, data: bytes = GET_ROOM) -> pb.GetRoomResponse:
        return pb.GetRoomResponse.FromString(await self.pipeline.call(self.get_room, metadata, data))

    def stream(self, metadata: Metadata = TOKEN, data: bytes = FOLLOW) -> PulledResponses:
        return PulledResponses(
            lambda write: self.pipeline.stream(self.methods["Subscribe"], metadata, data, write)
        )

    async def all_of_the_stream(self) -> list[bytes]:
        return [response async for response in self.stream()]

    def counted(self, method: str, code: str) -> float | None:
        labels = {"method": method, "code": code}
        return self.metrics.registry.get_sample_value("grpc_chat_calls_total", labels)


# Large requests


async def test_a_large_request_is_checked_while_others_are_served() -> None:
    """Of 16 by one member, one at a time; and what is wrong is found, wherever it is."""
    world = World()
    known = [pb.Cursor(room_id=f"room{at:040}") for at in range(4096)]
    good = pb.AcknowledgeRequest(consumer="bot", cursors=known)
    bad = pb.AcknowledgeRequest(consumer="bot", cursors=[*known[:4095], pb.Cursor(room_id="r", seq=-1)])
    acknowledge = world.methods["Acknowledge"]
    many = [
        asyncio.create_task(world.pipeline.call(acknowledge, TOKEN, request.SerializeToString()))
        for request in [good] * 15 + [bad]
    ]
    await asyncio.sleep(0)
    assert (await world.call()).room.room_id == "r1"
    names = [type(request).__name__ for _, request in world.service.calls]
    assert names == ["GetRoomRequest"]

    answers = await asyncio.gather(*many, return_exceptions=True)

    assert [type(answer) for answer in answers] == [bytes] * 15 + [InvalidRequest]
    assert isinstance(answers[15], InvalidRequest)
    assert answers[15].field == "cursors[4095].seq"
    assert len(world.pipeline._large) == 0


async def test_a_user_s_work_has_a_rate() -> None:
    """By the entries of requests, before anything is done with them, and by the size of answers, afterwards;
    a bot's is its owner's."""
    now = 0.0
    world = World(work=Rate(per_second=100, burst=1000, clock=lambda: now, what="entries and KiB"))
    cursors = [pb.Cursor(room_id=f"r{at}") for at in range(499)]
    data = pb.AcknowledgeRequest(consumer="bot", cursors=cursors).SerializeToString()
    acknowledge = world.methods["Acknowledge"]
    await world.pipeline.call(acknowledge, TOKEN, data)
    world.accounts.caller = Caller("machine", "s", owner_id="alice")
    await world.pipeline.call(acknowledge, TOKEN, data)
    world.service.calls.clear()

    with pytest.raises(RateLimited, match="more than 100 entries and KiB a second") as refused:
        await world.pipeline.call(acknowledge, TOKEN, data)
    assert refused.value.retry_after == timedelta(seconds=5)
    assert world.service.calls == []
    world.accounts.caller = Caller("bob", "s")
    await world.pipeline.call(acknowledge, TOKEN, data)

    async def large() -> bytes:
        return bytes(1000 * 1024)

    world.accounts.caller = ALICE
    now = 1.0
    world.service.answer = large
    assert len(await world.pipeline.call(world.get_room, TOKEN, GET_ROOM)) == 1000 * 1024
    with pytest.raises(RateLimited) as refused:
        await world.call()
    assert refused.value.retry_after == timedelta(seconds=9.02)


def test_a_client_with_many_rooms_may_come_back_often() -> None:
    """Forty times at once, with 4,000 rooms each time."""
    limits = Config(trusted_ids=()).limits
    rate = Rate(per_second=limits.work_per_second, burst=limits.work_burst)
    for _ in range(40):
        rate.take("alice", limits.rooms_per_user + 1)


# What there is


def test_every_method_of_the_proto_is_carried_out() -> None:
    """Each by its path, and as what it is: a call or a stream."""
    methods = World().pipeline.methods

    found = {method.path: (method.unary is not None, method.stream is not None) for method in methods}
    expected = {
        method_path(method): (not method.server_streaming, method.server_streaming)
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert found == expected


def test_method_that_nobody_carries_out_is_noticed_at_the_start() -> None:
    """Not when it is called for the first time."""
    services: dict[str, object] = dict.fromkeys(
        (s.name for s in pb.DESCRIPTOR.services_by_name.values()), object()
    )

    with pytest.raises(TypeError, match="object has no get_server_info"):
        Pipeline(
            services,
            authenticator=Accounts(),
            checker=RequestChecker(Limits()),
            rate=Rate(per_second=0, burst=1),
            metrics=Metrics(),
        )


async def test_call_is_handed_on_with_its_caller() -> None:
    """And its response handed back; a response that is encoded already is not touched."""
    world = World()

    response = await world.call()
    assert response == pb.GetRoomResponse(room=pb.Room(room_id="r1"))
    assert world.service.calls == [(ALICE, pb.GetRoomRequest(room_id="r1"))]

    async def encoded() -> bytes:
        return b"as it is"

    world.service.answer = encoded
    assert await world.pipeline.call(world.get_room, TOKEN, GET_ROOM) == b"as it is"
    assert world.counted("/chat.v1.RoomService/GetRoom", "OK") == 2


async def test_stream_is_handed_on_as_it_comes() -> None:
    """And closed with it."""
    world = World()

    responses = await world.all_of_the_stream()

    assert responses == [b"one", b"two"]
    assert world.service.calls == [(ALICE, pb.SubscribeRequest(consumer="bot"))]
    assert world.service.closed
    assert world.counted("/chat.v1.SubscribeService/Subscribe", "OK") == 1


# Who calls


GOOD = "Bearer alice's token"


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("x-authorization", GOOD)],
        [("authorization", GOOD), ("authorization", GOOD)],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "alice's token")],
        [("authorization", "bearer alice's token")],
        [("authorization", "BEARER alice's token")],
        [("authorization", "Bearer\talice's token")],
        [("authorization", " Bearer alice's token")],
        [("authorization", "Bearer alice's token ")],
        [("authorization", "Basic alice's token")],
        [("authorization", GOOD.encode())],
        [("authorization-bin", GOOD.encode())],
    ],
    ids=str,
)
async def test_call_that_does_not_show_one_token_is_refused(metadata: Metadata) -> None:
    """Nobody is asked who that may be, and nothing else of the call is looked at."""
    world = World()

    with pytest.raises(Unauthenticated):
        await world.call(metadata, b"\xff not a request")
    with pytest.raises(Unauthenticated):
        await anext(world.stream(metadata, b"\xff not a request"))

    assert world.accounts.asked == []
    assert world.service.calls == []
    assert world.counted("/chat.v1.RoomService/GetRoom", "UNAUTHENTICATED") == 1
    assert world.counted("/chat.v1.SubscribeService/Subscribe", "UNAUTHENTICATED") == 1


@pytest.mark.parametrize("token", ["bob's token", " alice's token", "Bearer alice's token"])
async def test_call_with_a_token_that_nobody_has_is_refused(token: str) -> None:
    """It is taken as it is, spaces and all."""
    world = World()

    with pytest.raises(Unauthenticated):
        await world.call([("authorization", f"Bearer {token}")], b"\xff not a request")

    assert world.accounts.asked == [token]
    assert world.service.calls == []


async def test_token_is_everything_after_bearer() -> None:
    """Other metadata is none of its business."""
    world = World()

    await world.call([("x", "y"), ("authorization", GOOD), ("trace-bin", b"\xff")])

    assert world.accounts.asked == ["alice's token"]


@pytest.mark.parametrize(
    "metadata",
    [[], TOKEN, [("authorization", "Bearer bob's token")], [("authorization", "nonsense")]],
    ids=str,
)
async def test_method_that_needs_nobody_is_not_asked_who_calls(metadata: Metadata) -> None:
    """Whatever the call shows: anyone who has a token that is worthless by now can still log in."""
    world = World()
    log_in = world.methods["LogIn"]
    request = pb.LogInRequest(user_id="alice", password="x")

    await world.pipeline.call(log_in, metadata, request.SerializeToString(), PeerAt("ipv4:192.0.2.1:4711"))

    assert world.service.calls == [(Guest("192.0.2.1"), request)]
    assert world.accounts.asked == []


async def test_caller_who_may_not_is_refused_before_the_request_is_read() -> None:
    """By what their token is good for; the service hears nothing of it."""
    world = World()
    world.accounts.caller = Caller("alice", "phone", scopes=frozenset({pb.SCOPE_READ}), interactive=False)

    for name in ("SendMessages", "CreateBot", "ListUsers"):
        with pytest.raises(PermissionDenied):
            await world.pipeline.call(world.methods[name], TOKEN, b"\xff")

    assert world.service.calls == []
    assert world.counted("/chat.v1.AdminService/ListUsers", "PERMISSION_DENIED") == 1
    await world.call()


def test_method_without_an_entry_in_the_table_is_noticed_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would be open to everybody."""
    monkeypatch.delitem(NEEDS, "AdminService/SetAdmin")

    with pytest.raises(KeyError, match="AdminService/SetAdmin"):
        World()


# What is asked


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x0a\x05abc", b"\x0a\x01\xff", b"\x0a" + b"\xff" * 10], ids=lambda data: data.hex()
)
async def test_request_that_cannot_be_read_is_refused(data: bytes) -> None:
    """In a sentence that names the message, and no exception of a library."""
    world = World()

    with pytest.raises(InvalidRequest) as refused:
        await world.call(TOKEN, data)

    assert str(refused.value) == "the request must be an encoded chat.v1.GetRoomRequest whose text is UTF-8"
    assert refused.value.__cause__ is None
    assert world.service.calls == []


async def test_request_that_breaks_a_limit_is_refused() -> None:
    """Before anybody acts on it."""
    world = World()

    with pytest.raises(InvalidRequest) as refused:
        await world.call(TOKEN, b"")

    assert refused.value.field == "room_id"
    assert world.service.calls == []
    assert world.counted("/chat.v1.RoomService/GetRoom", "INVALID_REQUEST") == 1


async def test_fields_that_are_not_known_go_no_further() -> None:
    """They would be stored and handed on past all limits: on the top, and inside."""
    world = World()
    unknown = b"\xfa\x07\x05hello"
    message = pb.OutgoingMessage(
        room_id="r1", client_message_id="8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c", text="hi"
    )
    inside = message.SerializeToString() + unknown
    data = b"\x0a" + bytes([len(inside)]) + inside + unknown

    await world.pipeline.call(world.methods["SendMessages"], TOKEN, data)

    [(_, request)] = world.service.calls
    assert request.SerializeToString() == pb.SendMessagesRequest(messages=[message]).SerializeToString()


# How often


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_calls_over_the_rate_are_refused_before_they_are_read() -> None:
    """On calls and streams alike."""
    world = World(Rate(per_second=1, burst=1, clock=Clock()))
    await world.call()

    with pytest.raises(RateLimited):
        await world.call(TOKEN, b"\xff")
    with pytest.raises(RateLimited):
        await anext(world.stream(TOKEN, b"\xff"))

    assert len(world.service.calls) == 1


async def test_calls_that_one_may_not_make_count_too() -> None:
    """Being refused costs the server as much as being told."""
    world = World(Rate(per_second=1, burst=2, clock=Clock()))
    world.accounts.caller = replace(ALICE, scopes=frozenset())

    for _ in range(2):
        with pytest.raises(PermissionDenied):
            await world.call()
    with pytest.raises(RateLimited):
        await world.call()


async def test_calls_of_nobody_count_against_nobody() -> None:
    """A client without a token can't use up the calls of the user that it claims to be."""
    world = World(Rate(per_second=1, burst=1, clock=Clock()))

    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await world.call([("authorization", "Bearer bob's token")])

    await world.call()


async def test_guests_are_counted_by_their_address() -> None:
    """One that is refused takes nothing from another; all of a Unix socket are one."""
    world = World(guest_rate=Rate(per_second=1, burst=2, clock=Clock()))
    info = world.methods["GetServerInfo"]

    async def let_through(peer: str) -> int:
        for count in range(10):
            try:
                await world.pipeline.call(info, [], b"", PeerAt(peer))
            except RateLimited:
                return count
        return 10

    assert await let_through("ipv4:192.0.2.1:4711") == 2
    assert await let_through("ipv4:192.0.2.1:4712") == 0
    assert await let_through("ipv4:192.0.2.2:4711") == 2
    assert await let_through("unix:/run/chat.sock") == 2
    await world.call()


async def test_addresses_are_told_which_guests_are_too_many(caplog: pytest.LogCaptureFixture) -> None:
    """An address that may be a proxy's must be reported to the administrator."""
    world = World(guest_rate=Rate(per_second=1, burst=1, clock=Clock()))
    info = world.methods["GetServerInfo"]
    for peer, told in (("ipv4:1.2.3.4:4711", 0), ("ipv4:10.0.0.7:4711", 1)):
        await world.pipeline.call(info, [], b"", PeerAt(peer))
        assert "refused a call" not in caplog.text
        with pytest.raises(RateLimited):
            await world.pipeline.call(info, [], b"", PeerAt(peer))
        assert caplog.text.count("refused a call from 10.0.0.7") == told


async def test_tokens_that_are_not_known_are_looked_up_in_turns_and_at_a_rate_of_their_address() -> None:
    """A made-up one counts for the address, one that is somebody's for nobody, and known ones go on."""
    world = World(guest_rate=Rate(per_second=1, burst=10, clock=Clock()))
    peer = PeerAt("ipv4:192.0.2.1:4711")

    async def call(token: str, peer: PeerAt) -> bytes:
        metadata = [("authorization", f"Bearer {token}")]
        return await world.pipeline.call(world.get_room, metadata, GET_ROOM, peer)

    back = await asyncio.gather(*[call("alice's other token", peer) for _ in range(100)])
    assert len(back) == len(world.accounts.shares) == 100
    floods = [call(f"made up {at}", peer) for at in range(100)]
    refused = await asyncio.gather(*floods, return_exceptions=True)

    kinds = [type(error) for error in refused]
    assert set(kinds) == {Unauthenticated, RateLimited}
    # 10, and those that were under way when the last of them proved wrong.
    looked_up = kinds.count(Unauthenticated)
    assert 10 <= looked_up < 20
    assert world.accounts.shares == ["\x00192.0.2.1"] * (100 + looked_up)
    # The address has to wait; those behind it who are known, and other addresses, do not.
    with pytest.raises(RateLimited):
        await call("alice's other token", peer)
    await call("alice's token", peer)
    await call("alice's other token", PeerAt("ipv4:192.0.2.2:4711"))


# What goes wrong


async def test_error_of_ours_is_handed_on() -> None:
    """It is the same one, counted by its code."""
    world = World()
    error = RoomNotFound("no such room")

    async def refuse() -> None:
        raise error

    world.service.answer = refuse

    with pytest.raises(RoomNotFound) as call:
        await world.call()
    with pytest.raises(RoomNotFound) as stream:
        await world.all_of_the_stream()

    assert call.value is error
    assert stream.value is error
    assert world.counted("/chat.v1.RoomService/GetRoom", "ROOM_NOT_FOUND") == 1
    assert world.counted("/chat.v1.SubscribeService/Subscribe", "ROOM_NOT_FOUND") == 1


async def fail() -> None:
    raise ZeroDivisionError("the password is swordfish, see /etc/grpc-chat/key.pem")


@pytest.mark.parametrize("streaming", [False, True])
async def test_mistake_of_ours_is_answered_with_an_id_and_nothing_else(
    streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback under the same id."""
    world = World()
    world.service.answer = fail

    with pytest.raises(Internal) as caught:
        await (world.all_of_the_stream() if streaming else world.call())

    answer = caught.value
    match = re.fullmatch(r"the server has a fault; its log says more at ([0-9a-f]{16})", str(answer))
    assert match
    assert answer.metadata == {"requestId": match.group(1)}
    assert not answer.field
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.__dict__["request_id"] == match.group(1)
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError
    path = "/chat.v1.SubscribeService/Subscribe" if streaming else "/chat.v1.RoomService/GetRoom"
    assert record.__dict__["method"] == path
    assert world.counted(path, "INTERNAL") == 1


@pytest.mark.parametrize("given", ["abc-123_x.y", "7", "x" * 64])
async def test_mistake_is_found_by_the_id_that_the_caller_gave(given: str) -> None:
    """So that it can be looked for from both ends."""
    world = World()
    world.service.answer = fail

    with pytest.raises(Internal) as caught:
        await world.call([*TOKEN, ("x-request-id", given)])

    assert caught.value.metadata == {"requestId": given}


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "a\x1bb", "é\u202e", "<b>", b"bytes"])
async def test_id_that_is_not_fit_for_a_log_is_replaced(given: str | bytes) -> None:
    """It would reach terminals and other programs."""
    world = World()
    world.service.answer = fail

    with pytest.raises(Internal) as caught:
        await world.call([*TOKEN, ("x-request-id", given)])

    assert re.fullmatch("[0-9a-f]{16}", caught.value.metadata["requestId"])


async def test_text_of_a_message_and_token_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """At any level, whatever becomes of the call."""
    caplog.set_level(logging.DEBUG)
    world = World()
    message = pb.OutgoingMessage(
        room_id="r1", client_message_id="8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c", text="the secret words"
    )
    good = pb.SendMessagesRequest(messages=[message])
    bad = pb.SendMessagesRequest(messages=[message, pb.OutgoingMessage(text="the secret words\0")])
    send = world.methods["SendMessages"]

    async def refuse() -> None:
        raise RoomNotFound("no such room")

    await world.pipeline.call(send, TOKEN, good.SerializeToString())
    for world.service.answer, request in ((refuse, good), (fail, good), (fail, bad)):
        with pytest.raises((RoomNotFound, Internal, InvalidRequest)):
            await world.pipeline.call(send, TOKEN, request.SerializeToString())

    assert len(caplog.records) == 3
    written = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "secret words" not in written
    assert "alice's token" not in written


async def test_call_that_is_cancelled_stays_cancelled() -> None:
    """It is counted as that, and is not a mistake of ours."""
    world = World()
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    world.service.answer = wait
    call = asyncio.create_task(world.call())
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert world.counted("/chat.v1.RoomService/GetRoom", "CANCELLED") == 1


async def test_stream_that_is_left_is_closed() -> None:
    """At once: what it holds is let go of when the reader goes, not when the memory is tidied."""
    world = World()
    stream = world.stream()
    assert await anext(stream) == b"one"

    await stream.aclose()

    assert world.service.closed
    assert world.counted("/chat.v1.SubscribeService/Subscribe", "CANCELLED") == 1
