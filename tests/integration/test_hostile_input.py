"""What strangers, and clients with mistakes, can send: it is refused clearly, and changes nothing."""

from __future__ import annotations

import asyncio
import random
import re
import resource
import socket
import sqlite3
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    Answer,
    Frame,
    Http2Peer,
    Metadata,
    UnaryStream,
    UnaryUnary,
    call,
    request_headers,
)
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = [method for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods]
GET_ME, LIST_ROOMS, GET_ROOM, LIST_MEMBERS, SEND, LIST, SUBSCRIBE, ACKNOWLEDGE = (
    next(method for method in METHODS if method.name == name)
    for name in (
        "GetMe",
        "ListRooms",
        "GetRoom",
        "ListMembers",
        "SendMessages",
        "ListMessages",
        "Subscribe",
        "Acknowledge",
    )
)
AUTHORIZED: tuple[str, str | bytes] = ("authorization", "Bearer 1")
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
# What the server may say of a request that is wrong, but not of itself.
ORDINARY = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"}
INTERNALS = re.compile(
    r"Traceback|\bFile \"|\.py\b|<class|object at 0x|Error\b|Exception|sql|SELECT|INSERT|/tmp|upb|asyncio"
)


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def outgoing(text: str = "hello", *, room: str = "general", id_: str = "") -> pb.OutgoingMessage:
    return pb.OutgoingMessage(room_id=room, client_message_id=id_ or str(uuid4()), text=text)


def sending(*messages: pb.OutgoingMessage) -> pb.SendMessagesRequest:
    return pb.SendMessagesRequest(messages=messages)


def valid(method: MethodDescriptor, room: str = "general") -> Message:
    """A request that is accepted; a method without one here fails the tests of every method."""
    cursor = pb.Cursor(room_id=room)
    requests: dict[str, Message] = {
        "GetMe": pb.GetMeRequest(),
        "ListRooms": pb.ListRoomsRequest(),
        "GetRoom": pb.GetRoomRequest(room_id=room),
        "ListMembers": pb.ListMembersRequest(room_id=room),
        "SendMessages": sending(outgoing(room=room)),
        "ListMessages": pb.ListMessagesRequest(room_id=room),
        "Subscribe": pb.SubscribeRequest(cursors=[cursor]),
        "Acknowledge": pb.AcknowledgeRequest(consumer="tests", cursors=[cursor]),
    }
    return requests[method.name]


FieldPath = tuple[FieldDescriptor, ...]


def fields_of(descriptor: Descriptor, above: FieldPath = ()) -> Iterator[FieldPath]:
    """Every field of a request that is not a message itself, by the fields that lead to it."""
    for field in descriptor.fields:
        if field.message_type:
            yield from fields_of(field.message_type, (*above, field))
        else:
            yield (*above, field)


def fields(*types: int) -> list[Any]:
    """Every field of these types, of every request: a new one is tested without being listed."""
    return [
        pytest.param(method, path, id=f"{method.name}-{written(path)}")
        for method in METHODS
        for path in fields_of(method.input_type)
        if path[-1].type in types
    ]


def written(path: FieldPath) -> str:
    """A path as the server's errors spell it, with the first of what is repeated."""
    return ".".join(field.name + ("[0]" if field.is_repeated else "") for field in path)


def with_value(method: MethodDescriptor, path: FieldPath, value: object) -> Any:
    """A request that is valid but for one field."""
    request: Any = valid(method)
    target = request
    for field in path[:-1]:
        target = getattr(target, field.name)[0]
    setattr(target, path[-1].name, value)
    return request


STRINGS = fields(FieldDescriptor.TYPE_STRING)
INTEGERS = fields(FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_ENUM)


class Server:
    """A node with raw access to it: 1 and 2 share the room ``private``, and 3 is not in it."""

    def __init__(self, node: RunningNode, channel: grpc.aio.Channel, database: sqlite3.Connection) -> None:
        self.node = node
        self.channel = channel
        self._database = database
        self.epoch = ""

    @property
    def port(self) -> int:
        return self.node.node.port

    async def call(
        self,
        method: MethodDescriptor,
        request: Message | bytes | None = None,
        *,
        token: str = "1",
        metadata: Metadata | None = None,
        timeout: float = 20,
    ) -> Answer:
        data = request if isinstance(request, bytes) else (request or valid(method)).SerializeToString()
        if metadata is None:
            metadata = [("authorization", f"Bearer {token}")]
        streams = method.server_streaming
        answer = await call(self.channel, path_of(method), data, metadata, streams=streams, timeout=timeout)
        if streams:
            # The server has noticed that it was left: a user may not have many open.
            await until(lambda: self.metric("grpc_chat_streams") == 0)
        return answer

    def metric(self, name: str, **labels: str) -> float:
        return self.node.node.metrics.registry.get_sample_value(name, labels) or 0

    def left(self, method: MethodDescriptor) -> float:
        """How many calls of a method the server knows to have been left by their clients."""
        return self.metric("grpc_chat_calls_total", method=path_of(method), code="CANCELLED")

    def stored(self) -> int:
        """A number that is another one after anything was stored, whatever and wherever it was."""
        return cast(int, self._database.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def nothing_stored(self) -> Iterator[None]:
        before = self.stored()
        yield
        assert self.stored() == before

    async def answers(self) -> None:
        """Whatever happened, the server goes on."""
        me = await self.call(GET_ME)
        assert pb.GetMeResponse.FromString(me.response).user.user_id == "1"

    async def refuses(
        self,
        method: MethodDescriptor,
        request: Message | bytes,
        code: str,
        reason: str,
        field: str = "",
        *,
        token: str = "1",
    ) -> Answer:
        """The request is refused in exactly this way, and that was all."""
        with self.nothing_stored():
            answer = await self.call(method, request, token=token)
            assert (answer.code.name, answer.reason, answer.field) == (code, reason, field)
            assert_no_internals(answer)
            await self.answers()
        return answer

    async def invalid(
        self,
        method: MethodDescriptor,
        request: Message | bytes,
        field: str = "",
        *,
        reason: str = "INVALID_REQUEST",
    ) -> Answer:
        return await self.refuses(method, request, "INVALID_ARGUMENT", reason, field)

    async def log(self, room: str = "general") -> list[pb.Event]:
        """All events of a room, read as its members read it."""
        events: list[pb.Event] = []
        while True:
            after = events[-1].seq if events else 0
            request = pb.ListMessagesRequest(room_id=room, page_size=500, after_seq=after)
            page = pb.ListMessagesResponse.FromString((await self.call(LIST, request)).response)
            events += page.events
            if not page.next_page_token:
                return events

    async def send(self, *messages: pb.OutgoingMessage) -> list[pb.SentMessage]:
        answer = await self.call(SEND, sending(*messages))
        assert answer.code is grpc.StatusCode.OK, answer
        return list(pb.SendMessagesResponse.FromString(answer.response).messages)


def assert_no_internals(answer: Answer) -> None:
    said = " ".join([answer.text, *(answer.metadata or {}).values()])
    assert not INTERNALS.search(said), said
    # What grpc itself refuses has no reason, and may list the names of all the metadata that was too much.
    assert len(said) < 500 or not answer.reason


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with running_node("1", "2", "3", limits={"calls_per_second": 0}) as node:
        await node.put_room("private", {"1": "owner", "2": "member"})
        database = sqlite3.connect(f"file:{node.config.data}/chat.db?mode=ro", uri=True)
        with closing(database):
            async with grpc.aio.insecure_channel(node.address) as channel:
                server = Server(node, channel, database)
                room = pb.GetRoomResponse.FromString((await server.call(GET_ROOM)).response).room
                server.epoch = room.epoch
                await server.send(outgoing("first"), outgoing("first", room="private"))
                yield server


# Who is calling

FALSE_IDENTITIES: dict[str, Metadata] = {
    "none": [],
    "empty": [("authorization", "")],
    "no token": [("authorization", "Bearer")],
    "empty token": [("authorization", "Bearer ")],
    "small letters": [("authorization", "bearer 1")],
    "capitals": [("authorization", "BEARER 1")],
    "two spaces": [("authorization", "Bearer  1")],
    "space before": [("authorization", " Bearer 1")],
    "space after": [("authorization", "Bearer 1 ")],
    "another scheme": [("authorization", "Basic MTox")],
    "token alone": [("authorization", "1")],
    "unknown id": [("authorization", "Bearer 4")],
    "garbage after the id": [("authorization", "Bearer 1x")],
    "garbage before the id": [("authorization", "Bearer x1")],
    "another id after it": [("authorization", "Bearer 1,2")],
    "escaped NUL after it": [("authorization", "Bearer 1%00")],
    "escapes that are no text": [("authorization", "Bearer %ff")],
    "twice": [("authorization", "Bearer 1"), ("authorization", "Bearer 1")],
    "a true one and a false one": [("authorization", "Bearer 1"), ("authorization", "Bearer 4")],
    "as bytes": [("authorization-bin", b"Bearer 1")],
    "in another key": [("x-authorization", "Bearer 1")],
    "very long": [("authorization", "Bearer " + "1" * 5000)],
}


@pytest.mark.parametrize("metadata", FALSE_IDENTITIES.values(), ids=FALSE_IDENTITIES)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_no_method_answers_a_stranger(
    server: Server, method: MethodDescriptor, metadata: Metadata
) -> None:
    """Every method there is wants to know who is calling, in exactly one way to say it."""
    with server.nothing_stored():
        answer = await server.call(method, valid(method), metadata=metadata)

    assert (answer.code.name, answer.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
    assert answer.response == b""
    assert_no_internals(answer)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_a_member_is_answered(server: Server, method: MethodDescriptor) -> None:
    """The requests that strangers are refused are good ones: a member's are carried out."""
    answer = await server.call(method, valid(method))

    assert answer.code is grpc.StatusCode.OK


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_a_stranger_learns_nothing_from_mistakes(server: Server, method: MethodDescriptor) -> None:
    """Who is calling is asked before anything else: what a stranger sends is not even read."""
    answer = await server.call(method, b"\xff" * 50, metadata=[])

    assert answer.code is grpc.StatusCode.UNAUTHENTICATED


def names_a_room(method: MethodDescriptor) -> bool:
    return any(path[-1].name == "room_id" for path in fields_of(method.input_type))


def asking_about(room: str, epoch: str) -> list[tuple[MethodDescriptor, Message]]:
    """Every way to ask about a room, of those that answer differently where the room is known."""
    far = pb.Cursor(room_id=room, seq=INT64_MAX, epoch=epoch)
    more: list[tuple[MethodDescriptor, Message]] = [
        (SUBSCRIBE, pb.SubscribeRequest(cursors=[far])),
        (SUBSCRIBE, pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general"), far])),
        (ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=[far])),
        (SEND, sending(outgoing(), outgoing(room=room))),
        (LIST, pb.ListMessagesRequest(room_id=room, before_seq=1)),
        (LIST, pb.ListMessagesRequest(room_id=room, around_seq=INT64_MAX)),
        (LIST, pb.ListMessagesRequest(room_id=room, after_seq=1, page_size=500)),
    ]
    return [(method, valid(method, room)) for method in METHODS if names_a_room(method)] + more


async def test_a_room_of_others_looks_like_none(server: Server) -> None:
    """Whoever is not a member can't tell a room that is there from one that is not, however they ask."""
    there, missing = asking_about("private", server.epoch), asking_about("nowhere", server.epoch)

    for (method, of_there), (_, of_missing) in zip(there, missing, strict=True):
        first = await server.refuses(method, of_there, "NOT_FOUND", "ROOM_NOT_FOUND", token="3")
        second = await server.refuses(method, of_missing, "NOT_FOUND", "ROOM_NOT_FOUND", token="3")

        assert first.text.replace("private", "nowhere") == second.text
        assert first.metadata == {"roomId": "private"}
        assert second.metadata == {"roomId": "nowhere"}


async def test_a_room_of_others_is_in_no_list(server: Server) -> None:
    """A room and its events are not listed, and not followed by a consumer, of whoever is not a member."""
    rooms = await server.call(LIST_ROOMS, token="3")
    followed = await server.call(SUBSCRIBE, pb.SubscribeRequest(consumer="all"), token="3")

    assert [room.room_id for room in pb.ListRoomsResponse.FromString(rooms.response).rooms] == ["general"]
    started = pb.SubscribeResponse.FromString(followed.response).started
    assert [cursor.room_id for cursor in started.cursors] == ["general"]


# Text where text belongs


@pytest.mark.parametrize(("method", "path"), STRINGS)
async def test_text_that_is_not_utf8_is_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No field takes bytes that are not UTF-8: none of them can be shown, compared or stored as text."""
    for wrong in (b"\xff\xfe\xfd\xfc", b"\xed\xa0\x80.", b"\xc0\x80..", b"\xf4\x90\x80\x80", b"...\xc3"):
        encoded = with_value(method, path, "@@@@").SerializeToString()

        assert encoded.count(b"@@@@") == 1
        await server.invalid(method, encoded.replace(b"@@@@", wrong))


@pytest.mark.parametrize(("method", "path"), STRINGS)
async def test_characters_that_do_not_show_are_refused_in_ids(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No id holds what drives a terminal, breaks a line or does not show; no text holds NUL."""
    controls = [chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))]
    unseen = [chr(n) for n in (0x200B, 0x202E, 0x2028, 0x2029, 0x2066, 0xFEFF, 0xE000, 0xE0041, 0x0378)]
    wrong = ["\0"] if path[-1].name == "text" else controls + unseen
    for character in wrong:
        with server.nothing_stored():
            answer = await server.call(method, with_value(method, path, f"a{character}b"))

        assert (answer.code.name, answer.field) == ("INVALID_ARGUMENT", written(path))
        assert_no_internals(answer)
        assert answer.text.isprintable()
    await server.answers()


async def test_everything_else_is_stored_as_it_was_sent(server: Server) -> None:
    """A text may hold any character but NUL, and comes back as the same code points, not normalised."""
    texts = [
        "".join(chr(number) for number in (*range(1, 0x20), *range(0x7F, 0xA0))),
        "\x1b]52;c;ZXZpbA==\x07\x1b[2J",
        "\u202eabc\u2066\ufeff\ue000\U0010ffff\ufffe",
        "e\u0301 \xe9 \ufb01 A\u030a \u212b",
        "<script>alert(1)</script>'; DROP TABLE events; -- %s {0} \\x00 ${jndi:ldap://x}",
        " ",
        "\n",
    ]
    placed = await server.send(*(outgoing(text) for text in texts))

    log = {event.seq: event.message.text for event in await server.log()}
    assert [log[at.seq] for at in placed] == texts


async def test_ids_are_not_taken_for_anything_else(server: Server) -> None:
    """What would mean something to SQL, a shell, a path or a format is an id like any other."""
    for id_ in ("'; DROP TABLE rooms; --", '" OR 1=1', "../../etc/passwd", "%s%n{0}$(id)`id`", "general%"):
        await server.refuses(GET_ROOM, pb.GetRoomRequest(room_id=id_), "NOT_FOUND", "ROOM_NOT_FOUND")
        answer = await server.call(SUBSCRIBE, pb.SubscribeRequest(consumer=id_))
        assert answer.code is grpc.StatusCode.OK


# Sizes and counts

EMPTY: list[tuple[MethodDescriptor, Message, str]] = [
    (GET_ROOM, pb.GetRoomRequest(), "room_id"),
    (LIST_MEMBERS, pb.ListMembersRequest(), "room_id"),
    (LIST, pb.ListMessagesRequest(), "room_id"),
    (SEND, pb.SendMessagesRequest(), "messages"),
    (SEND, sending(pb.OutgoingMessage(client_message_id=str(uuid4()), text="x")), "messages[0].room_id"),
    (SEND, sending(pb.OutgoingMessage(room_id="general", text="x")), "messages[0].client_message_id"),
    (SEND, sending(outgoing(), outgoing("")), "messages[1].text"),
    (SUBSCRIBE, pb.SubscribeRequest(), "cursors"),
    (SUBSCRIBE, pb.SubscribeRequest(cursors=[pb.Cursor()]), "cursors[0].room_id"),
    (ACKNOWLEDGE, pb.AcknowledgeRequest(), "consumer"),
    (ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c"), "cursors"),
    (ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=[pb.Cursor()]), "cursors[0].room_id"),
]


@pytest.mark.parametrize(
    ("method", "request_", "field"), EMPTY, ids=[f"{method.name}-{field}" for method, _, field in EMPTY]
)
async def test_what_is_needed_is_not_left_empty(
    server: Server, method: MethodDescriptor, request_: Message, field: str
) -> None:
    """The error names the field that is missing."""
    await server.invalid(method, request_, field)


# The limits of chat.proto, by field, in bytes of UTF-8.
MAX_BYTES = {"room_id": 64, "consumer": 64, "epoch": 64, "text": 65_536}
# Fields whose form leaves no choice of length.
FORMED = {"client_message_id", "page_token"}


@pytest.mark.parametrize(("method", "path"), STRINGS)
async def test_one_byte_over_the_limit_is_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """Every field of text has a limit in bytes; exactly that much passes, one byte more does not."""
    name = path[-1].name
    if name in FORMED:
        for size in (36, 37, 256, 257, 10_000):
            await server.invalid(method, with_value(method, path, "é" + "a" * (size - 2)), written(path))
        return
    most = MAX_BYTES[name]
    for most_text in ("a" * most, "é" * (most // 2), "🙂" * (most // 4)):
        within = await server.call(method, with_value(method, path, most_text))
        reason = "MESSAGE_TOO_LONG" if name == "text" else "INVALID_REQUEST"
        over = await server.invalid(
            method, with_value(method, path, most_text + "a"), written(path), reason=reason
        )

        assert "maxBytes" not in (within.metadata or {})
        assert str(most) in over.text
        assert over.metadata == {"maxBytes": str(most)}


async def test_exactly_the_limit_is_carried_out(server: Server) -> None:
    """The longest room, consumer and text, and the most messages, are used like any other."""
    room, text = "é" * 32, "🙂" * 16_384
    await server.node.put_room(room, {"1": "member"})
    cursor = pb.Cursor(room_id=room)

    answers = [
        await server.call(SEND, sending(outgoing(text, room=room))),
        await server.call(SEND, sending(*(outgoing(f"{n}", room=room) for n in range(256)))),
        await server.call(SUBSCRIBE, pb.SubscribeRequest(cursors=[cursor])),
        await server.call(ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c" * 64, cursors=[cursor])),
        await server.call(SUBSCRIBE, pb.SubscribeRequest(consumer="c" * 64)),
    ]

    assert {answer.code for answer in answers} == {grpc.StatusCode.OK}
    texts = [event.message.text for event in await server.log(room)]
    assert texts == [text, *(f"{n}" for n in range(256))]


async def test_one_message_too_many_is_refused(server: Server) -> None:
    """257 messages are refused as a whole."""
    request = sending(*(outgoing("x") for _ in range(257)))

    answer = await server.invalid(SEND, request, "messages")

    assert answer.metadata == {"min": "1", "max": "256"}


@pytest.mark.parametrize("rooms", [4097, 10_000])
async def test_too_many_rooms_are_refused(server: Server, rooms: int) -> None:
    """A request names 4,096 rooms at the most."""
    cursors = [pb.Cursor(room_id=f"room-{n}") for n in range(rooms)]

    await server.invalid(SUBSCRIBE, pb.SubscribeRequest(cursors=cursors), "cursors")
    await server.invalid(ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=cursors), "cursors")


async def test_the_most_rooms_are_looked_at(server: Server) -> None:
    """4,096 rooms pass the limit; here the last of them is what is wrong."""
    mine = [f"many-{n}" for n in range(20)]
    for room in mine:
        await server.node.put_room(room, {"1": "member"})
    cursors = [pb.Cursor(room_id=room) for room in mine]
    strange = [pb.Cursor(room_id=f"room-{n}") for n in range(4096 - len(mine))]

    for request in (cursors, [*cursors, *strange]):
        follow = await server.call(SUBSCRIBE, pb.SubscribeRequest(cursors=request))
        move = await server.call(ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=request))
        expected = "OK" if request is cursors else "NOT_FOUND"
        assert [follow.code.name, move.code.name] == [expected, expected]


async def test_a_room_is_named_once(server: Server) -> None:
    """Two positions in one room contradict each other, even where they are equal."""
    twice = [pb.Cursor(room_id="general"), pb.Cursor(room_id="private"), pb.Cursor(room_id="general")]

    await server.invalid(SUBSCRIBE, pb.SubscribeRequest(cursors=twice), "cursors[2].room_id")
    request = pb.AcknowledgeRequest(consumer="c", cursors=twice)
    await server.invalid(ACKNOWLEDGE, request, "cursors[2].room_id")


async def test_a_request_of_exactly_the_limit_is_carried_out(server: Server) -> None:
    """262,144 bytes are taken; one more is refused before it is read, and the connection goes on."""
    request = sending(*(outgoing("a" * 65_000) for _ in range(4)))
    request.messages.add().CopyFrom(outgoing("x"))
    rest = 262_144 - request.ByteSize()
    request.messages[4].text += "a" * (rest - 2)  # its length now takes a byte more, in two places
    assert request.ByteSize() == 262_144

    fits = await server.call(SEND, request)
    request.messages[4].text += "a"
    too_large = await server.call(SEND, request)
    huge = await server.call(SEND, bytes(5 * 1024 * 1024))

    assert fits.code is grpc.StatusCode.OK
    assert too_large.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert huge.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await server.answers()


# Numbers


@pytest.mark.parametrize(("method", "path"), INTEGERS)
async def test_numbers_out_of_range_are_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No field takes a number below zero, and the largest numbers there are harm nobody."""
    bits = 63 if path[-1].type == FieldDescriptor.TYPE_INT64 else 31
    for number in (-1, -(2**bits)):
        answer = await server.invalid(method, with_value(method, path, number), written(path))
        assert str(number) in answer.text

    largest = await server.call(method, with_value(method, path, 2**bits - 1))

    assert largest.code.name in ORDINARY
    assert_no_internals(largest)


@pytest.mark.parametrize("start", [3, 99])
async def test_an_unknown_enum_value_is_refused(server: Server, start: int) -> None:
    """A start of a newer chat.proto is not taken for one of this server's."""
    request = pb.SubscribeRequest(consumer="c", start=cast("pb.Start.ValueType", start))

    await server.invalid(SUBSCRIBE, request, "start")


async def test_positions_of_history_begin_at_one(server: Server) -> None:
    """There is nothing before or around the number 0; after it there is everything."""
    await server.invalid(LIST, pb.ListMessagesRequest(room_id="general", before_seq=0), "before_seq")
    await server.invalid(LIST, pb.ListMessagesRequest(room_id="general", around_seq=0), "around_seq")
    answer = await server.call(LIST, pb.ListMessagesRequest(room_id="general", after_seq=0))

    assert pb.ListMessagesResponse.FromString(answer.response).events[0].seq == 1


async def test_pages_have_a_size_whatever_is_asked_for(server: Server) -> None:
    """A page holds 50 events where nothing is said, and never more than 500."""
    await server.node.put_room("long", {"1": "member"})
    for _ in range(3):
        await server.send(*(outgoing("x", room="long") for _ in range(200)))

    sizes = []
    for size in (0, 1, 499, 500, 501, 2**31 - 1):
        answer = await server.call(LIST, pb.ListMessagesRequest(room_id="long", page_size=size))
        sizes.append(len(pb.ListMessagesResponse.FromString(answer.response).events))

    assert sizes == [50, 1, 499, 500, 500, 500]


async def test_the_largest_positions_are_past_the_end(server: Server) -> None:
    """Numbers no room will reach are positions like others: before them is everything, after them nothing."""
    head = len(await server.log("private"))

    pages = []
    for request in (
        pb.ListMessagesRequest(room_id="private", before_seq=INT64_MAX),
        pb.ListMessagesRequest(room_id="private", after_seq=INT64_MAX),
        pb.ListMessagesRequest(room_id="private", around_seq=INT64_MAX),
    ):
        answer = await server.call(LIST, request)
        pages.append(pb.ListMessagesResponse.FromString(answer.response))

    assert [len(page.events) for page in pages] == [head, 0, head]
    assert [bool(page.next_page_token) for page in pages] == [False, False, False]


# Cursors


@pytest.mark.parametrize("method", [SUBSCRIBE, ACKNOWLEDGE], ids=lambda method: method.name)
async def test_cursors_from_elsewhere_are_refused(server: Server, method: MethodDescriptor) -> None:
    """A position in the future, in another epoch or in none is not taken for one of this log."""
    head = len(await server.log("private"))
    wrong = {
        (head + 1, server.epoch): ("INVALID_ARGUMENT", "BAD_CURSOR", "cursors[0].seq"),
        (INT64_MAX, server.epoch): ("INVALID_ARGUMENT", "BAD_CURSOR", "cursors[0].seq"),
        (-1, server.epoch): ("INVALID_ARGUMENT", "INVALID_REQUEST", "cursors[0].seq"),
        (INT64_MIN, server.epoch): ("INVALID_ARGUMENT", "INVALID_REQUEST", "cursors[0].seq"),
        (1, "another"): ("FAILED_PRECONDITION", "EPOCH_CHANGED", ""),
        (0, "another"): ("FAILED_PRECONDITION", "EPOCH_CHANGED", ""),
        (1, ""): ("FAILED_PRECONDITION", "EPOCH_CHANGED", ""),
        (1, server.epoch.upper() + " "): ("FAILED_PRECONDITION", "EPOCH_CHANGED", ""),
    }
    for (seq, epoch), (code, reason, field) in wrong.items():
        request: Any = valid(method)
        request.cursors[0].CopyFrom(pb.Cursor(room_id="private", seq=seq, epoch=epoch))

        await server.refuses(method, request, code, reason, field)

    good: Any = valid(method)
    good.cursors[0].CopyFrom(pb.Cursor(room_id="private", seq=head, epoch=server.epoch))
    assert (await server.call(method, good)).code is grpc.StatusCode.OK


async def test_one_bad_position_moves_none(server: Server) -> None:
    """Of an acknowledgement with one position that can't be, nothing is taken."""
    cursors = [
        pb.Cursor(room_id="general", seq=1, epoch=server.epoch),
        pb.Cursor(room_id="private", seq=10_000, epoch=server.epoch),
    ]
    request = pb.AcknowledgeRequest(consumer="half", cursors=cursors)

    await server.invalid(ACKNOWLEDGE, request, "cursors[1].seq", reason="BAD_CURSOR")

    started = await server.call(SUBSCRIBE, pb.SubscribeRequest(consumer="half"))
    positions = pb.SubscribeResponse.FromString(started.response).started.cursors
    assert {cursor.room_id: cursor.seq for cursor in positions}["general"] == 0


async def test_cursors_and_a_consumer_exclude_each_other(server: Server) -> None:
    """A stream either goes by the client's positions or by the server's."""
    request = pb.SubscribeRequest(consumer="c", cursors=[pb.Cursor(room_id="general")])

    await server.invalid(SUBSCRIBE, request, "consumer")


# Ids of messages


@pytest.mark.parametrize(
    "spelling",
    [
        "no uuid at all",
        "8c0e4f5e2c1d4b4b9a516d1d3a0f2b7c",
        "{8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c}",
        "urn:uuid:8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
        "8c0e4f5e2c1d4b4b9a516d1d3a0f2b7c----",
        "{8c0e4f5e2c1d4b4b9a516d1d3a0f2b7c}--",
        "{8c0e4f5e-2c1d4b4b-9a516d1d3a0f2b7c}",
        "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7g",
        "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b_c",
        "0x0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
        "+c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
        " c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
        "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7\uff11",
        "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c\n",
        "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7",
    ],
)
async def test_an_id_that_is_no_plain_uuid_is_refused(server: Server, spelling: str) -> None:
    """There is one way to write the id of a message, so that two clients never mean different ones."""
    await server.invalid(SEND, sending(outgoing(id_=spelling)), "messages[0].client_message_id")


async def test_an_id_in_capitals_is_the_same_id(server: Server) -> None:
    """Capitals are the same UUID: the message is not stored again, and is read with small letters."""
    id_ = str(uuid4())
    (first,) = await server.send(outgoing("once", id_=id_.upper()))

    with server.nothing_stored():
        (second,) = await server.send(outgoing("once", id_=id_))

    assert second == first
    assert (await server.log())[-1].message.client_message_id == id_


async def test_an_id_used_for_another_text_is_refused(server: Server) -> None:
    """The first text stands, also where both come in one request, of which then nothing is stored."""
    id_, other = str(uuid4()), str(uuid4())
    await server.send(outgoing("first text", id_=id_))

    again = sending(outgoing("new"), outgoing("second text", id_=id_))
    both = sending(outgoing("one", id_=other), outgoing("two", id_=other))
    for request in (again, both):
        await server.refuses(
            SEND, request, "ALREADY_EXISTS", "CLIENT_MESSAGE_ID_REUSED", "messages[1].client_message_id"
        )

    assert (await server.log())[-1].message.text == "first text"


# Page tokens


async def token_of(server: Server, method: MethodDescriptor, request: Any) -> str:
    answer = await server.call(method, request)
    response = message_factory.GetMessageClass(method.output_type).FromString(answer.response)
    token = cast(Any, response).next_page_token
    assert token
    return cast(str, token)


async def test_a_page_token_is_good_for_its_own_list_alone(server: Server) -> None:
    """A token of another room, method or user, or with one bit changed, leads nowhere."""
    await server.node.put_room("other", {"1": "member", "2": "member"})
    await server.send(outgoing(room="other"), outgoing(room="other"), outgoing())
    first_pages: dict[str, tuple[MethodDescriptor, Message]] = {
        "messages": (LIST, pb.ListMessagesRequest(room_id="general", after_seq=0, page_size=1)),
        "other": (LIST, pb.ListMessagesRequest(room_id="other", after_seq=0, page_size=1)),
        "members": (LIST_MEMBERS, pb.ListMembersRequest(room_id="general", page_size=1)),
        "other members": (LIST_MEMBERS, pb.ListMembersRequest(room_id="other", page_size=1)),
        "rooms": (LIST_ROOMS, pb.ListRoomsRequest(page_size=1)),
    }
    tokens = {name: await token_of(server, *first_page) for name, first_page in first_pages.items()}

    for name, (method, first_page) in first_pages.items():
        for token_name, token in tokens.items():
            request: Any = type(first_page)()
            request.CopyFrom(first_page)
            if method is LIST:
                request.ClearField("position")
            request.page_token = token
            if token_name == name:
                assert (await server.call(method, request)).code is grpc.StatusCode.OK
            else:
                await server.invalid(method, request, "page_token")
    request = pb.ListRoomsRequest(page_token=tokens["rooms"])
    await server.refuses(LIST_ROOMS, request, "INVALID_ARGUMENT", "INVALID_REQUEST", "page_token", token="2")


async def test_a_page_token_with_a_change_is_refused(server: Server) -> None:
    """Every character of a token counts, and so do its length and its alphabet."""
    await server.send(outgoing(), outgoing())
    request = pb.ListMessagesRequest(room_id="general", page_size=1, after_seq=0)
    token = await token_of(server, LIST, request)
    changed = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(len(token) - 1)
    ]
    changed += [token[:-4], token + "AAAA", token + "=", token + "\n", token.swapcase(), "=", "A", "A" * 256]
    changed += [token + "A" * 257, "😀", "\0", token + " "]

    for wrong in changed:
        answer = await server.call(LIST, pb.ListMessagesRequest(room_id="general", page_token=wrong))

        assert (answer.code.name, answer.field) == ("INVALID_ARGUMENT", "page_token"), wrong
        assert_no_internals(answer)


async def test_a_page_token_is_the_position(server: Server) -> None:
    """A token and a position contradict each other."""
    await server.send(outgoing(), outgoing())
    request = pb.ListMessagesRequest(room_id="general", page_size=1, after_seq=0)
    request.page_token = await token_of(server, LIST, request)

    await server.invalid(LIST, request, "page_token")


# Bytes that are no request


async def test_truncated_requests_are_refused(server: Server) -> None:
    """A request that ends too early is not taken for a shorter one."""
    for method in METHODS:
        whole = valid(method).SerializeToString()
        if whole:
            await server.invalid(method, whole[:-1])


async def test_fields_of_the_wrong_kind_are_as_good_as_absent(server: Server) -> None:
    """A number where text belongs, or text where a number belongs, is never taken for it."""
    as_number, as_text = b"\x08\x01", b"\x22\x01a"  # field 1 as a number, field 4 as text

    await server.invalid(GET_ROOM, as_number, "room_id")
    await server.invalid(SEND, as_number, "messages")
    await server.invalid(SUBSCRIBE, as_number + as_text, "cursors")
    answer = await server.call(LIST, valid(LIST).SerializeToString() + as_text)
    assert answer.code is grpc.StatusCode.OK


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_nested_groups_are_refused(server: Server, method: MethodDescriptor) -> None:
    """A request that would take the parser deep is refused, closed groups or not."""
    opened, closed = b"\x9b\x06", b"\x9c\x06"  # field 99
    for deep in (opened * 50_000, opened * 20_000 + closed * 20_000, closed):
        await server.invalid(method, deep)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_random_bytes_are_answered_like_any_mistake(server: Server, method: MethodDescriptor) -> None:
    """Whatever the bytes, the answer is one that chat.proto knows, and no mistake of the server."""
    chance = random.Random(f"hostile {method.name}")
    request = valid(method) if method is not SEND else sending(outgoing(id_=str(UUID(int=1))))
    good = request.SerializeToString()
    for turn in range(60):
        data = bytearray(chance.randbytes(chance.randrange(200)) if turn % 2 or not good else good)
        for _ in range(chance.randrange(1, 4)):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        before = server.stored()

        answer = await server.call(method, bytes(data))

        assert answer.code.name in ORDINARY, data.hex()
        assert answer.code.name == "OK" or answer.reason
        assert answer.code.name == "OK" or server.stored() == before
        assert_no_internals(answer)
    await server.answers()


async def test_unknown_fields_reach_nobody(server: Server) -> None:
    """What this server does not know is accepted, but neither stored nor handed on."""
    mark = b"hidden-in-an-unknown-field"
    unknown = b"\x9a\x06" + bytes([len(mark)]) + mark  # field 99
    message = outgoing("with more than is seen").SerializeToString() + unknown
    request = b"\x0a" + bytes([len(message)]) + message + unknown
    (before,) = await server.send(outgoing("the one before"))

    answer = await server.call(SEND, request)

    assert answer.code is grpc.StatusCode.OK
    cursor = pb.Cursor(room_id="general", seq=before.seq, epoch=before.epoch)
    history = await server.call(LIST, pb.ListMessagesRequest(room_id="general", after_seq=before.seq))
    open_ = cast(UnaryStream, server.channel.unary_stream(path_of(SUBSCRIBE)))
    follow = pb.SubscribeRequest(cursors=[cursor]).SerializeToString()
    stream: Any = open_(follow, metadata=grpc.aio.Metadata(("authorization", "Bearer 2")))
    received = await stream.read() + await stream.read()
    stream.cancel()
    await until(lambda: server.metric("grpc_chat_streams") == 0)
    for seen in (history.response, received):
        assert b"with more than is seen" in seen
        assert mark not in seen
    files = [path.read_bytes() for path in server.node.config.data.iterdir()]
    assert not any(mark in data for data in files)


# Methods


@pytest.mark.parametrize(
    "path",
    [
        "/chat.v1.MessageService/DeleteEverything",
        "/chat.v1.MessageService/sendmessages",
        "/chat.v1.MessageService/SendMessages/",
        "/chat.v1.AdminService/GetMe",
        "/chat.v2.AuthService/GetMe",
        "/chat.v1.AuthService/__init__",
        "/../etc/passwd",
        "/",
    ],
)
async def test_an_unknown_method_is_unimplemented(server: Server, path: str) -> None:
    """What the server does not have, it says so, and no more."""
    answer = await call(server.channel, path, b"", [("authorization", "Bearer 1")])

    assert answer.code is grpc.StatusCode.UNIMPLEMENTED
    assert_no_internals(answer)
    await server.answers()


async def test_a_stream_of_requests_to_a_unary_method_counts_once(server: Server) -> None:
    """A client that sends several requests where one belongs has the first carried out, and no other."""
    before = len(await server.log())
    requests = [sending(outgoing(f"request {n}")).SerializeToString() for n in range(3)]

    async def stream() -> AsyncIterator[bytes]:
        for request in requests:
            yield request

    method = cast(Any, server.channel.stream_unary(path_of(SEND)))
    response = await method(stream(), metadata=(("authorization", "Bearer 1"),), timeout=20)

    assert len(pb.SendMessagesResponse.FromString(response).messages) == 1
    assert [event.message.text for event in (await server.log())[before:]] == ["request 0"]


# Metadata


async def test_too_much_metadata_is_refused(server: Server) -> None:
    """Metadata has a bound of its own, whether one value is large or there are many."""
    too_much: list[list[tuple[str, str | bytes]]] = [
        [("x-large", "a" * 20_000)],
        [("x-larger", "a" * 1_000_000)],
        [("x-large-bin", bytes(20_000))],
        [(f"x-{n}", "a" * 50) for n in range(1000)],
        [("x-same", "a")] * 2000,
    ]
    with server.nothing_stored():
        # All at once, because grpc takes its time to answer what it can't read.
        answers = await asyncio.gather(
            *(server.call(SEND, metadata=[AUTHORIZED, *metadata]) for metadata in too_much)
        )

        await server.answers()
    assert {answer.code for answer in answers} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    for answer in answers:
        assert_no_internals(answer)


@pytest.mark.parametrize(
    "id_",
    ["a" * 65, "", "../../etc/passwd", "a b", '"}', "%0a%1b[2J", "${jndi:ldap://x}", "<b>", "a;b"],
)
async def test_any_request_id_is_taken(server: Server, id_: str) -> None:
    """A request id that is not fit for the log is as good as none: the call is carried out all the same."""
    answer = await server.call(GET_ME, metadata=[("authorization", "Bearer 1"), ("x-request-id", id_)])
    twice = [("authorization", "Bearer 1"), ("x-request-id", id_), ("x-request-id", "b")]

    assert answer.code is grpc.StatusCode.OK
    assert (await server.call(GET_ME, metadata=twice)).code is grpc.StatusCode.OK


def exchange(port: int, path: str, headers: Metadata, body: bytes) -> int | None:
    """A call as no proper client makes it; the status, or None where the server hung up."""
    with Http2Peer(port) as peer:
        peer.settle()
        peer.send(Frame(HEADERS, END_HEADERS, 1, request_headers(path, *headers)))
        for at in range(0, len(body), 16_000):
            end = END_STREAM if at + 16_000 >= len(body) else 0
            peer.send(Frame(DATA, end, 1, body[at : at + 16_000]))
        return peer.status()


async def test_metadata_that_no_client_can_send(server: Server) -> None:
    """Metadata with junk in it is refused or left out, and the server goes on."""
    authorized: list[tuple[tuple[str, str | bytes], int]] = [
        (("x-junk-bin", "!!!!"), 13),
        (("x-junk-bin", b"\xff\xfe"), 13),
        (("x-junk-bin", "A"), 13),
        (("grpc-trace-bin", "AAAA"), 0),
        (("x-request-id", b"a\0b"), 0),
        (("x-request-id", b"a\r\nlevel: error"), 0),
        (("x-request-id", b"\x1b[2J"), 0),
        (("x-request-id", b"\xff"), 0),
        (("grpc-timeout", "junk"), 13),
        (("grpc-timeout", "999999999999999999H"), 0),
        (("grpc-encoding", "nonsense"), 13),
        (("X-Capital", "a"), 13),
        (("te", "nonsense"), 13),
    ]
    cases: list[tuple[Metadata, int]] = [([AUTHORIZED, header], status) for header, status in authorized]
    cases += [([("authorization", value)], 16) for value in (b"Bearer 1\0", b"Bearer \xff", b"Bearer 1\n")]

    with server.nothing_stored():
        # All at once, because grpc takes its time to answer what it can't read.
        seen = await asyncio.gather(
            *(
                asyncio.to_thread(exchange, server.port, path_of(GET_ME), headers, bytes(5))
                for headers, _ in cases
            )
        )

        await server.answers()
    assert list(zip([headers for headers, _ in cases], seen, strict=True)) == cases


# Below the calls


def framed(data: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """A message as gRPC puts it on HTTP/2."""
    return bytes([compressed]) + (len(data) if length is None else length).to_bytes(4, "big") + data


async def test_a_gzip_bomb_is_refused(server: Server) -> None:
    """A request is bounded as what it unpacks to, and is not unpacked further than that."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflate.compress(b"")
    mebibyte = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    bomb = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + mebibyte * 200
    assert len(bomb) < 256 * 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with server.nothing_stored():
        headers = [AUTHORIZED, ("grpc-encoding", "gzip")]
        body = framed(bomb, compressed=True)
        status = await asyncio.to_thread(exchange, server.port, path_of(SEND), headers, body)

        assert status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        await server.answers()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


async def test_frames_that_lie_are_refused(server: Server) -> None:
    """What a frame says of itself is not believed."""
    bodies = [framed(b"", length=0xFFFFFFFF), framed(b"x", compressed=True)]

    with server.nothing_stored():
        seen = await asyncio.gather(
            *(asyncio.to_thread(exchange, server.port, path_of(SEND), [AUTHORIZED], body) for body in bodies)
        )

        await server.answers()
    assert seen[0] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    # Some versions of grpc refuse it themselves, others hand it on.
    assert seen[1] in (grpc.StatusCode.INTERNAL.value[0], grpc.StatusCode.INVALID_ARGUMENT.value[0])


def knock(port: int, data: bytes) -> bytes:
    """What the server says to these bytes before it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        said = b""
        try:
            while received := connection.recv(65_536):
                said += received
        except ConnectionResetError:
            pass
        return said


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /chat.v1.AuthService/GetMe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        random.Random(1).randbytes(4000),
        bytes(4000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.Random(2).randbytes(4000),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(Frame(DATA, 0, 1, b"before the settings")),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"SSH-2.0-OpenSSH_9.6\r\n" * 5,
    ],
    ids=["HTTP 1.1", "HTTP 1.1 call", "noise", "zeros", "noise later", "no settings", "TLS", "SSH"],
)
async def test_other_protocols_are_hung_up_on(server: Server, data: bytes) -> None:
    """What is not HTTP/2 ends its own connection, and is told nothing."""
    with server.nothing_stored():
        said = await asyncio.to_thread(knock, server.port, data)

        assert b"grpc-status" not in said
        await server.answers()


# Clients that leave


async def test_a_send_that_ran_out_of_time_is_stored_once(server: Server) -> None:
    """Sends that each had a moment only, sent again with the same ids, are in the log once each."""
    messages = [outgoing(f"hurried {n}") for n in range(60)]
    hurried = [
        await server.call(SEND, sending(message), timeout=(1 + n % 4) / 1000)
        for n, message in enumerate(messages)
    ]

    placed = [(await server.send(message))[0] for message in messages]

    assert {answer.code.name for answer in hurried} <= {"OK", "DEADLINE_EXCEEDED"}
    assert "DEADLINE_EXCEEDED" in {answer.code.name for answer in hurried}
    for answer, again in zip(hurried, placed, strict=True):
        if answer.response:
            assert pb.SendMessagesResponse.FromString(answer.response).messages[0] == again
    log = [event for event in await server.log() if event.message.text.startswith("hurried")]
    assert sorted(event.message.text for event in log) == sorted(message.text for message in messages)
    texts = {event.seq: event.message.text for event in log}
    assert [texts[at.seq] for at in placed] == [message.text for message in messages]


@contextmanager
def slow_disk(server: Server) -> Iterator[None]:
    """Commits begin and do not end meanwhile: somebody else holds the database's lock."""
    with closing(sqlite3.connect(server.node.config.data / "chat.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@pytest.mark.parametrize("leaves", ["by deadline", "by cancelling"])
async def test_a_client_that_leaves_does_not_take_its_commit_with_it(server: Server, leaves: str) -> None:
    """A send whose client went away before the commit was done is stored, and its neighbours are answered."""
    message = outgoing(f"left {leaves}")
    committer = server.node.node.committer
    left_before = server.left(SEND)
    with slow_disk(server):
        # The first commit is under way; what follows waits, and will be one commit.
        others = [asyncio.create_task(server.send(outgoing("before it")))]
        await until(lambda: committer.waiting == 1)
        method = cast(UnaryUnary, server.channel.unary_unary(path_of(SEND)))
        pending = method(
            sending(message).SerializeToString(),
            metadata=grpc.aio.Metadata(AUTHORIZED),
            timeout=2 if leaves == "by deadline" else None,
        )
        await until(lambda: committer.waiting == 2)
        others.append(asyncio.create_task(server.send(outgoing("after it"))))
        await until(lambda: committer.waiting == 3)
        if leaves == "by cancelling":
            pending.cancel()
        code = await pending.code()
        # The server has noticed, and its writer has not.
        await until(lambda: server.left(SEND) > left_before)
        assert committer.waiting == 3
    (before,), (after,) = await asyncio.gather(*others)

    with server.nothing_stored():
        (again,) = await server.send(message)

    assert code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
    assert [before.seq, again.seq, after.seq] == list(range(before.seq, before.seq + 3))
    texts = [event.message.text for event in (await server.log())[-3:]]
    assert texts == ["before it", message.text, "after it"]


# Mistakes of our own


async def test_a_mistake_of_the_server_is_answered_without_internals(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong is in the log, under the id that the caller is given, and nowhere else."""

    async def fail(*_: object) -> None:
        raise RuntimeError("cannot connect to postgresql://chat:pa55w0rd@/var/lib/grpc_chat/secret.py")

    monkeypatch.setattr("grpc_chat.core.rooms.Rooms.get", fail)

    answer = await server.call(GET_ROOM)

    assert (answer.code.name, answer.reason) == ("INTERNAL", "INTERNAL")
    assert_no_internals(answer)
    assert "pa55w0rd" not in answer.text
    assert answer.metadata
    request_id = answer.metadata["requestId"]
    assert request_id in answer.text
    (record,) = [record for record in caplog.records if record.name == "grpc_chat.api.pipeline"]
    assert vars(record)["request_id"] == request_id
    assert record.exc_info
    assert "pa55w0rd" in str(record.exc_info[1])
