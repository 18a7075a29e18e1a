"""What strangers, and clients with mistakes, can send: it is refused clearly, and changes nothing."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import resource
import socket
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

import grpc_chat as chat
from grpc_chat import Client
from grpc_chat.api.table import NEEDS
from grpc_chat.core.caller import ALL_SCOPES, SYSTEM, scope_bits
from grpc_chat.core.tokens import new_token, secret_hash
from grpc_chat.store.base import Transaction
from grpc_chat.store.records import Account, InvitationRecord, Place, SessionRecord
from grpc_chat.store.writes import Acknowledge
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from tests.engine import ENGINE
from tests.memory import InMemory
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
    refusal,
    request_headers,
)
from tests.requests import Names, good
from tests.scale import ALL, times
from tests.store_writes import ban
from tests.support import metric, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = [method for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods]
BY_NAME = {method.name: method for method in METHODS}
GET_ME, LIST_ROOMS, GET_ROOM, LIST_MEMBERS = (
    BY_NAME[name] for name in ("GetMe", "ListRooms", "GetRoom", "ListMembers")
)
SEND, LIST, SUBSCRIBE, ACKNOWLEDGE = (
    BY_NAME[name] for name in ("SendMessages", "ListMessages", "Subscribe", "Acknowledge")
)
# Every method but these wants to know who is calling.
OPEN = [
    method for method in METHODS if NEEDS[f"{method.containing_service.name}/{method.name}"] == "no caller"
]
CLOSED = [method for method in METHODS if method not in OPEN]
# Without an issuer these are refused when all else is right; test_issuer_logins.py has one.
OF_ISSUERS = {"BeginLogIn", "FinishLogIn", "LinkIdentity"}
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
# What the server may say of a request that is wrong, but not of itself.
ORDINARY = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "PERMISSION_DENIED",
}
INTERNALS = re.compile(
    r"Traceback|\bFile \"|\.py\b|<class|object at 0x|Error\b|Exception|sql|SELECT|INSERT|/tmp|/shm"
    r"|upb|asyncio"
)


# What there is no upload or file for here.
OF_NO_FILE = {"GetUpload", "UploadPart", "FinishUpload", "CancelUpload", "DownloadFile"}


def carried_out(method: MethodDescriptor) -> grpc.StatusCode:
    """What is answered where nothing is wrong with a request."""
    if method.name in OF_NO_FILE:
        return grpc.StatusCode.NOT_FOUND
    refused = method.name in OF_ISSUERS or method.name == "CreateDownloadLink"
    return grpc.StatusCode.FAILED_PRECONDITION if refused else grpc.StatusCode.OK


def path_of(method: MethodDescriptor) -> str:
    return method_path(method)


def outgoing(text: str = "hello", *, room: str = "general", id_: str = "") -> pb.OutgoingMessage:
    return pb.OutgoingMessage(room_id=room, client_message_id=id_ or str(uuid4()), text=text)


def sending(*messages: pb.OutgoingMessage) -> pb.SendMessagesRequest:
    return pb.SendMessagesRequest(messages=messages)


number = itertools.count(1)


def new(prefix: str) -> str:
    """A name that nothing has yet."""
    return f"{prefix}{next(number)}"


def valid(method: MethodDescriptor, room: str = "") -> Message:
    """A request that is accepted of ``one``, who owns the rooms and administers the server.

    That of ``tests.requests``, but for what harms this server, or is used up by its request: that is new in
    each, and :meth:`Server.prepare` makes it.
    """
    general, guarded, closable = (room or name for name in ("general", "guarded", "closable"))
    lifetime = Duration(seconds=3600)
    requests: dict[str, Callable[[], Message]] = {
        "Register": lambda: pb.RegisterRequest(user_id=new("guest"), password=PASSWORD),
        "LogIn": lambda: pb.LogInRequest(user_id="one", password=PASSWORD),
        "CreateBot": lambda: pb.CreateBotRequest(user_id=new("bot")),
        "OfferBot": lambda: pb.OfferBotRequest(user_id=new("own-bot-"), new_owner_user_id="two"),
        "AcceptBot": lambda: pb.AcceptBotRequest(user_id=new("gift-bot-")),
        "CreateBlock": lambda: pb.CreateBlockRequest(user_id="villain"),
        "DeleteBlock": lambda: pb.DeleteBlockRequest(user_id="villain"),
        "UpdateRoom": lambda: pb.UpdateRoomRequest(
            room=pb.Room(room_id=guarded, name="guarded"), update_mask=FieldMask(paths=["name"])
        ),
        "ArchiveRoom": lambda: pb.ArchiveRoomRequest(room_id=closable),
        "UnarchiveRoom": lambda: pb.UnarchiveRoomRequest(room_id=closable),
        "DeleteRoom": lambda: deleting(room or new("used-up-")),
        "LeaveRoom": lambda: pb.LeaveRoomRequest(room_id=room or new("used-up-"), new_owner_user_id="two"),
        "RemoveMember": lambda: pb.RemoveMemberRequest(room_id=room or new("used-up-"), user_id="two"),
        "BanMember": lambda: pb.BanMemberRequest(room_id=guarded, user_id="villain"),
        "UnbanMember": lambda: pb.UnbanMemberRequest(room_id=room or new("used-up-"), user_id="villain"),
        "ListBans": lambda: pb.ListBansRequest(room_id=guarded),
        "SetMemberRole": lambda: pb.SetMemberRoleRequest(room_id=guarded, user_id="two", role=pb.ROLE_MEMBER),
        "AcceptInvitation": lambda: pb.AcceptInvitationRequest(room_id=room or new("asked-")),
        "DeclineInvitation": lambda: pb.DeclineInvitationRequest(room_id=room or new("asked-")),
        "WithdrawInvitation": lambda: pb.WithdrawInvitationRequest(
            room_id=room or new("asking-"), user_id="villain"
        ),
        "CreateInvite": lambda: pb.CreateInviteRequest(room_id=guarded, lifetime=lifetime),
        "ListInvites": lambda: pb.ListInvitesRequest(room_id=guarded),
        "RevokeInvite": lambda: pb.RevokeInviteRequest(room_id=guarded, invite_id="nothing"),
        "ListConsumerPositions": lambda: pb.ListConsumerPositionsRequest(consumer="of-tests"),
        "DeleteConsumer": lambda: pb.DeleteConsumerRequest(consumer=new("used-up-")),
        "CreateUser": lambda: pb.CreateUserRequest(user_id=new("user"), password=PASSWORD),
        "BlockUser": lambda: pb.BlockUserRequest(user_id="villain"),
        "UnblockUser": lambda: pb.UnblockUserRequest(user_id="villain"),
        "ResetPassword": lambda: pb.ResetPasswordRequest(user_id="villain", new_password=PASSWORD),
        "SetAdmin": lambda: pb.SetAdminRequest(user_id="villain"),
        "ListUserSessions": lambda: pb.ListUserSessionsRequest(user_id="villain"),
        "RevokeUserSessions": lambda: pb.RevokeUserSessionsRequest(
            user_id="villain", session_ids=["nothing"]
        ),
        "AssignRoomOwner": lambda: pb.AssignRoomOwnerRequest(room_id=room or new("unowned-"), user_id="two"),
        "AssignBotOwner": lambda: pb.AssignBotOwnerRequest(user_id=new("orphan-bot-"), owner_user_id="two"),
        "ListUserIdentities": lambda: pb.ListUserIdentitiesRequest(user_id="villain"),
        "UnlinkUserIdentity": lambda: pb.UnlinkUserIdentityRequest(user_id="villain", identity_id="nothing"),
    }
    if method.name in requests:
        return requests[method.name]()
    names = Names(room=general, user="two", owner="two", password=PASSWORD)
    return good(f"{method.containing_service.name}/{method.name}", names)


def deleting(room: str) -> pb.DeleteRoomRequest:
    return pb.DeleteRoomRequest(room_id=room, confirm_name=room)


FieldPath = tuple[FieldDescriptor, ...]
_ABOUT_MESSAGES = (
    pb.AddReactionRequest,
    pb.RemoveReactionRequest,
    pb.SaveMessageRequest,
    pb.PinMessageRequest,
    pb.UnpinMessageRequest,
)


# What UpdateRoom takes of a room, and MarkRead of a marker; the rest of it is not looked at.
TAKEN = {
    "Room": {"room_id", "name", "topic", "history", "posting"},
    "ReadMarker": {"room_id", "seq", "thread_root"},
}
TAKEN["Poll"] = {"options", "multiple", "anonymous", "close_time"}


def fields_of(descriptor: Descriptor, above: FieldPath = ()) -> Iterator[FieldPath]:
    """Every field of a request that is not a message of chat.proto itself, by the fields that lead to it."""
    for field in descriptor.fields:
        if field.name not in TAKEN.get(descriptor.name, {field.name}):
            continue
        if field.message_type and field.message_type.file.package == pb.DESCRIPTOR.package:
            yield from fields_of(field.message_type, (*above, field))
        else:
            yield (*above, field)


def fields(*types: int) -> list[tuple[MethodDescriptor, FieldPath]]:
    """Every field of these types, of every request: a new one is tested without being listed."""
    return [
        (method, path)
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
    if path[0].name == "received":
        # It goes with a consumer, and that goes without cursors.
        request = pb.SubscribeRequest(consumer="tests", received=request.cursors)
    target = request
    for field in path[:-1]:
        target = getattr(target, field.name)
        if field.name == "cards":
            target.add(url="https://example.com")
        if field.name == "poll":
            target.options[:] = ["a", "b"]
        if field.is_repeated:
            target = target[0]
    if path[-1].is_repeated:
        # A poll has two options at least.
        getattr(target, path[-1].name)[:] = [value, "another"] if path[-1].name == "options" else [value]
    else:
        setattr(target, path[-1].name, value)
    return request


STRINGS = fields(FieldDescriptor.TYPE_STRING)
INTEGERS = fields(FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_ENUM)
ENUMS = fields(FieldDescriptor.TYPE_ENUM)
MESSAGES = fields(FieldDescriptor.TYPE_MESSAGE)


class Server:
    """A node with raw access to it.

    ``one`` administers the server and owns the rooms ``general``, ``private``, ``guarded`` and ``closable``;
    ``two`` is in all of them, ``three`` in ``general`` alone, and ``villain`` in none.
    """

    def __init__(self, node: RunningNode, channel: grpc.aio.Channel, database: sqlite3.Connection) -> None:
        self.node = node
        self.channel = channel
        self._database = database
        self.epoch = ""
        self.clients: dict[str, Client] = {}

    @property
    def port(self) -> int:
        return self.node.node.port

    @property
    def authorized(self) -> tuple[str, str | bytes]:
        """The metadata of ``one``."""
        return self.authorization("one")

    def authorization(self, user: str) -> tuple[str, str | bytes]:
        return ("authorization", f"Bearer {self.clients[user].token}")

    async def call(
        self,
        method: MethodDescriptor,
        request: Message | bytes | None = None,
        *,
        user: str = "one",
        metadata: Metadata | None = None,
        timeout: float = 20,
    ) -> Answer:
        data = request if isinstance(request, bytes) else (request or valid(method)).SerializeToString()
        if metadata is None:
            metadata = await self.metadata(method, user)
        streams = method.server_streaming
        answer = await call(self.channel, path_of(method), data, metadata, streams=streams, timeout=timeout)
        if streams:
            # The server has noticed that it was left: a user may not have many open.
            await until(lambda: self.metric("grpc_chat_streams") == 0)
        return answer

    async def metadata(self, method: MethodDescriptor, user: str = "one") -> Metadata:
        """What a user calls a method with: a session that is to be ended is one of its own."""
        if method.name == "LogOut":
            return [("authorization", f"Bearer {await self.session(user)}")]
        return [self.authorization(user)]

    async def session(self, user: str = "one", **fields: Any) -> str:
        """The token of a new session; ``fields`` as of :class:`SessionRecord`."""
        token = new_token()

        def in_transaction(transaction: Transaction) -> None:
            given: dict[str, Any] = {
                "session_id": new("session"),
                "user_id": user,
                "kind": pb.SESSION_KIND_LOGIN,
                "device_name": "",
                "scopes": scope_bits(ALL_SCOPES),
                "create_time_us": transaction.now_us,
                "last_used_us": transaction.now_us,
                "expire_time_us": None,
            }
            transaction.insert_session(SessionRecord(**given | fields), secret_hash(token))

        await self.node.node.committer.transact(SYSTEM, in_transaction)
        return token

    async def prepare(self, request: Any) -> None:
        """Make what a request uses up."""
        consumer: str = getattr(request, "consumer", "")
        if consumer.startswith(("used-up-", "of-tests")):
            await self.keep(consumer)
        if isinstance(request, pb.DeleteBlockRequest):
            await self.call(BY_NAME["CreateBlock"], pb.CreateBlockRequest(user_id="villain"))
        if isinstance(request, pb.ReportMessageRequest):
            request.seq = (await self.clients["two"].send(request.room_id, "to report")).seq
        if isinstance(request, pb.EditMessageRequest):
            request.seq = (await self.clients["one"].send(request.room_id, "to edit")).seq
        if isinstance(request, _ABOUT_MESSAGES):
            # Others delete the messages that are there.
            request.seq = (await self.clients["one"].send(request.room_id, "to react to, say")).seq
        if isinstance(request, pb.VotePollRequest | pb.ClosePollRequest | pb.ListPollVotesRequest):
            poll = chat.Poll(("a", "b"))
            request.seq = (await self.clients["one"].send(request.room_id, "to vote on", poll=poll)).seq
        if isinstance(request, pb.UpdateScheduledMessageRequest | pb.CancelScheduledMessageRequest):
            scheduled = await self.clients["one"].schedule(
                "general", "later", datetime.now(UTC) + timedelta(days=1)
            )
            request.scheduled_message_id = scheduled.scheduled_message_id
        if isinstance(request, pb.ListThreadMessagesRequest | pb.UpdateThreadRequest):
            request.thread_root = (await self.clients["one"].send(request.room_id, "to answer")).seq
        room: str = getattr(request, "room_id", "")
        user: str = getattr(request, "user_id", "")
        if room.startswith("unowned-") or "-bot-" in user:
            await self.leave_behind(room, user)
        if room.startswith("asked-"):
            await self.ask(room, "one", by="two")
        if room.startswith("asking-"):
            await self.ask(room, "villain", by="one")
        if not room.startswith("used-up-"):
            return
        await self.node.put_room(room, {"one": "owner", "two": "owner"})
        await self.node.node.committer.transact(
            SYSTEM, lambda transaction: ban(transaction, room, "villain", by="one", reason="")
        )

    async def keep(self, consumer: str) -> None:
        """Have one of ``one``'s consumers in two rooms."""
        await self.node.put_room("other", {"one": "owner", "two": "member"})
        positions = {"general": Place(0), "other": Place(0)}
        await self.node.node.committer.commit(
            Acknowledge("one", consumer, positions, lambda _room_id, _membership: None)
        )

    async def ask(self, room: str, *users: str, by: str) -> None:
        """Have people be asked into a room, which is made, by the one who owns it."""
        await self.node.put_room(room, {by: "owner"})

        def in_transaction(transaction: Transaction) -> None:
            for user in users:
                asked = InvitationRecord(room, user, pb.ROLE_MEMBER, by, transaction.now_us)
                transaction.put_invitation(asked)

        await self.node.node.committer.transact(SYSTEM, in_transaction)

    async def leave_behind(self, room: str = "", bot: str = "") -> None:
        """Make a room whose owner is blocked; a bot of theirs, or one that ``one`` has or is offered."""
        owner, offered_to = ("two", "one") if bot.startswith("gift") else ("gone", None)
        owner = "one" if bot.startswith("own") else owner

        def in_transaction(transaction: Transaction) -> None:
            gone = Account("gone", "Gone", pb.USER_KIND_PERSON, 0, look="gone", block_time_us=1)
            if transaction.account("gone") is None:
                transaction.insert_account(gone)
            if "-bot-" in bot:
                made = Account(bot, bot, pb.USER_KIND_BOT, 0, owner, look=bot, offered_to=offered_to)
                transaction.insert_account(made)

        await self.node.node.committer.transact(SYSTEM, in_transaction)
        if room:
            await self.node.put_room(room, {"gone": "owner", "two": "member"})

    def metric(self, name: str, **labels: str) -> float:
        return metric(self.node.node.metrics, name, **labels)

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
        assert pb.GetMeResponse.FromString(me.response).user.user_id == "one"

    async def refuses(
        self,
        method: MethodDescriptor,
        request: Message | bytes,
        code: str,
        reason: str,
        field: str = "",
        *,
        user: str = "one",
    ) -> Answer:
        """The request is refused in exactly this way, and that was all."""
        metadata = await self.metadata(method, user)
        with self.nothing_stored():
            answer = await self.call(method, request, metadata=metadata)
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


class Inside(Server):
    """The same server, asked in memory: for what is tried of every field. Over gRPC each method is."""

    def __init__(self, server: Server) -> None:
        self.__dict__.update(server.__dict__)
        self._ask = InMemory(server.node)

    async def call(
        self,
        method: MethodDescriptor,
        request: Message | bytes | None = None,
        *,
        user: str = "one",
        metadata: Metadata | None = None,
        timeout: float = 20,
    ) -> Answer:
        data = request if isinstance(request, bytes) else (request or valid(method)).SerializeToString()
        if metadata is None:
            metadata = await self.metadata(method, user)
        async with asyncio.timeout(timeout):
            reply = await self._ask.carry_out(path_of(method), data, metadata)
        if reply.code is grpc.StatusCode.OK:
            return Answer(reply.code, response=reply.response)
        return refusal(reply.code, reply.text, reply.details)


def of_every(
    fields: list[tuple[MethodDescriptor, FieldPath]],
) -> Callable[[Callable[[Server, MethodDescriptor, FieldPath], Awaitable[None]]], Any]:
    """Make one test, in memory, of a function that tests one field; what fails is told with the field."""

    def decorate(test: Callable[[Server, MethodDescriptor, FieldPath], Awaitable[None]]) -> Any:
        async def each(inside: Server) -> None:
            for method, path in fields:
                try:
                    await test(inside, method, path)
                except BaseException as error:
                    error.add_note(f"{method.name} {written(path)}")
                    raise

        each.__doc__ = test.__doc__
        return each

    return decorate


def assert_no_internals(answer: Answer, *, sent: bytes = b"") -> None:
    """Ids that were sent, and are named in the answer, may look like anything."""
    values = (answer.metadata or {}).values()
    said = " ".join([answer.text, *values])
    own = " ".join([answer.text, *(value for value in values if value.encode() not in sent)])
    assert not INTERNALS.search(own), said
    # What grpc itself refuses has no reason, and may list the names of all the metadata that was too much.
    assert len(said) < 500 or not answer.reason


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    any_number = 1_000_000
    accounts = {
        "registration": "open",
        "adding": "anyone",
        "sessions": any_number,
        "access_tokens": any_number,
        "bots": any_number,
        "attempts_per_account_and_address": any_number,
        "attempts_per_address": any_number,
        "attempts_per_account": any_number,
    }
    limits = {
        "calls_per_second": 0,
        "people_per_minute": 0,
        "reports_per_hour": 0,
        "guest_calls_per_second": 0,
        "invites_per_room": any_number,
        "scheduled_per_user": any_number,
    }
    with pytest.MonkeyPatch.context() as patch:
        # Saving when sessions were used, now and then, would look like something that a call had stored.
        patch.setattr("grpc_chat.core.sessions.Sessions.save", nothing_to_save)
        # So would emptying the write-ahead log, 20 s after the start.
        patch.setattr("grpc_chat.core.forgetting._SECONDS", 3600)
        # So would what clients have received, some seconds after they said it.
        patch.setattr("grpc_chat.core.received._SECONDS", 3600)
        # So would what is saved and cleaned a minute after the start, which a busy machine may reach.
        patch.setattr("grpc_chat.core.known_addresses.KnownAddresses.save", nothing_to_save)
        patch.setattr("grpc_chat.core.presence._CLEANED_SECONDS", 3600)
        # And sending what a request at random has scheduled.
        patch.setattr("grpc_chat.core.sending_later.SendingLater.send_due", nothing_to_send)
        async with running_node(accounts=accounts, limits=limits) as node:
            database = sqlite3.connect(f"file:{node.config.data}/chat.db?mode=ro", uri=True)
            with closing(database):
                async with grpc.aio.insecure_channel(node.address) as channel:
                    server = Server(node, channel, database)
                    for user in ("one", "two", "three", "villain", "changer", "mangler"):
                        server.clients[user] = await node.register(user, admin=user == "one")
                    for room in ("private", "guarded", "closable"):
                        await node.put_room(room, {"one": "owner", "two": "member"})
                    await node.put_room("general", {"one": "owner", "two": "member", "three": "member"})
                    got = pb.GetRoomResponse.FromString((await server.call(GET_ROOM)).response)
                    server.epoch = got.room.epoch
                    await server.send(outgoing("first"), outgoing("first", room="private"))
                    yield server


@pytest.fixture
def inside(server: Server) -> Server:
    return Inside(server)


async def nothing_to_save(_sessions: object) -> None:
    pass


async def nothing_to_send(_sending: object) -> None:
    pass


# Who is calling


def false_spellings(token: str, other: str) -> dict[str, Metadata]:
    """Ways to show a token that are not the one way, and what is nearly the token."""
    true = ("authorization", f"Bearer {token}")
    return {
        "none": [],
        "empty": [("authorization", "")],
        "no token": [("authorization", "Bearer")],
        "empty token": [("authorization", "Bearer ")],
        "small letters": [("authorization", f"bearer {token}")],
        "capitals": [("authorization", f"BEARER {token}")],
        "two spaces": [("authorization", f"Bearer  {token}")],
        "space before": [("authorization", f" Bearer {token}")],
        "space after": [("authorization", f"Bearer {token} ")],
        "another scheme": [("authorization", "Basic MTox")],
        "token alone": [("authorization", token)],
        "unknown": [("authorization", f"Bearer {other}")],
        "garbage after it": [("authorization", f"Bearer {token}x")],
        "garbage before it": [("authorization", f"Bearer x{token}")],
        "another after it": [("authorization", f"Bearer {token},{other}")],
        "escaped NUL after it": [("authorization", f"Bearer {token}%00")],
        "escapes that are no text": [("authorization", "Bearer %ff")],
        "twice": [true, true],
        "a true one and a false one": [true, ("authorization", f"Bearer {other}")],
        "as bytes": [("authorization-bin", f"Bearer {token}".encode())],
        "in another key": [("x-authorization", f"Bearer {token}")],
        "very long": [("authorization", "Bearer " + token * (5000 // len(token)))],
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusted() -> AsyncIterator[grpc.aio.Channel]:
    """A server that trusts the ids 1, 2 and 3."""
    limits = {"calls_per_second": 0, "guest_calls_per_second": 0}
    async with (
        running_node("1", "2", "3", limits=limits) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        yield channel


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def false_tokens(server: Server) -> dict[str, str]:
    """Tokens that are worthless, by why, though each was a good one or is nearly one."""
    good = server.clients["one"].token
    now_us = time.time_ns() // 1000
    revoked = await server.session(session_id="revoked")
    assert await server.clients["one"].revoke_sessions("revoked") == 1
    logged_out = await server.session()
    metadata = [("authorization", f"Bearer {logged_out}")]
    assert (await server.call(BY_NAME["LogOut"], metadata=metadata)).code is grpc.StatusCode.OK
    blocked = await server.session("blocked")
    await server.clients["one"].admin.create_user("blocked", PASSWORD)
    await server.clients["one"].admin.block_user("blocked")
    invite = await server.clients["one"].admin.create_invite()
    async with running_node(accounts=True) as other:
        elsewhere = (await other.register("one", admin=True)).token
    return {
        "revoked": revoked,
        "logged out": logged_out,
        "of a blocked account": blocked,
        "of nobody": await server.session("nobody"),
        "expired": await server.session(expire_time_us=now_us - 1),
        "unused for too long": await server.session(last_used_us=now_us - 91 * 86_400_000_000),
        "of another server": elsewhere,
        "truncated": good[:-1],
        "truncated at the front": good[1:],
        "without its prefix": good.removeprefix("gc_"),
        "in capitals": good.upper(),
        **{
            f"with bit {bit} of {at} flipped": flipped(good, at, bit)
            for at in (0, 3, 20, 45)
            for bit in (0, 1)
        },
        "hash": secret_hash(good).hex(),
        "user id": "one",
        "session id": (await server.clients["one"].session()).session_id,
        "code of an invite": invite.code,
        "escaped": quote(good, safe="").replace("_", "%5F"),
    }


def flipped(token: str, at: int, bit: int) -> str:
    return token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]


@pytest.mark.parametrize("method", CLOSED, ids=lambda method: method.name)
async def test_no_method_answers_a_stranger(
    server: Server,
    inside: Server,
    trusted: grpc.aio.Channel,
    false_tokens: dict[str, str],
    method: MethodDescriptor,
) -> None:
    """Every method wants to know who is calling, in exactly one way to say it, but for those in OPEN.

    Over gRPC the ways to say it wrongly are tried of a call, of a stream and of a send; of the others some.
    """
    cases = false_spellings(server.clients["one"].token, server.clients["one"].token[::-1])
    cases |= {name: [("authorization", f"Bearer {token}")] for name, token in false_tokens.items()}
    every = ALL or method in (GET_ME, SUBSCRIBE, SEND)
    over_grpc = {"none", "unknown", "revoked", "expired"} if not every else set(cases)
    with server.nothing_stored():
        for name, metadata in cases.items():
            for way in (inside, server) if name in over_grpc else (inside,):
                answer = await way.call(method, valid(method), metadata=metadata)

                ended = name in ("expired", "unused for too long")
                reason = "SESSION_ENDED" if ended else "UNAUTHENTICATED"
                assert (answer.code.name, answer.reason) == ("UNAUTHENTICATED", reason), name
                assert answer.response == b""
                assert_no_internals(answer)
    streams = method.server_streaming
    spellings = false_spellings("1", "4")
    for name, metadata in spellings.items() if every else [("unknown", spellings["unknown"])]:
        data = valid(method).SerializeToString()
        answer = await call(trusted, path_of(method), data, metadata, streams=streams)

        assert (answer.code.name, answer.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED"), name


@pytest.mark.parametrize("method", OPEN, ids=lambda method: method.name)
async def test_methods_that_need_nobody_ask_for_nobody(
    server: Server, false_tokens: dict[str, str], method: MethodDescriptor
) -> None:
    """Whatever token comes with the call, as one does that a client kept too long."""
    good = server.clients["one"].token
    cases = [[], [("authorization", f"Bearer {good}")], [("authorization", "nonsense")]]
    cases += [[("authorization", f"Bearer {token}")] for token in false_tokens.values()]
    for metadata in cases:
        answer = await server.call(method, metadata=cast(Metadata, metadata))

        assert answer.code is carried_out(method)


async def test_methods_that_need_nobody_are_these() -> None:
    """A further one is a decision, and stands here as well."""
    assert [method.name for method in OPEN] == [
        "GetServerInfo",
        "Register",
        "LogIn",
        "BeginLogIn",
        "FinishLogIn",
    ]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_a_member_is_answered(server: Server, method: MethodDescriptor) -> None:
    """The requests that strangers are refused are good ones: a member's are carried out."""
    request = valid(method)
    await server.prepare(request)

    answer = await server.call(method, request, user="changer" if method.name == "ChangePassword" else "one")

    assert answer.code is carried_out(method), answer


async def test_a_stranger_learns_nothing_from_mistakes(server: Server) -> None:
    """Who is calling is asked before anything else: what a stranger sends is not even read."""
    answers = {method: await server.call(method, b"\xff" * 50, metadata=[]) for method in CLOSED}

    wrong = {m.name for m, answer in answers.items() if answer.code is not grpc.StatusCode.UNAUTHENTICATED}
    assert not wrong


def names_a_room(method: MethodDescriptor) -> bool:
    return any(path[-1].name == "room_id" for path in fields_of(method.input_type))


def asking_about(room: str, epoch: str) -> list[tuple[MethodDescriptor, Message]]:
    """Every way to ask about a room, of those that answer differently where the room is known."""
    far = pb.Cursor(room_id=room, seq=INT64_MAX, epoch=epoch)
    more: list[tuple[MethodDescriptor, Message]] = [
        (SUBSCRIBE, pb.SubscribeRequest(cursors=[far])),
        (ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=[far])),
        (SEND, sending(outgoing(), outgoing(room=room))),
        (LIST, pb.ListMessagesRequest(room_id=room, before_seq=1)),
        (LIST, pb.ListMessagesRequest(room_id=room, around_seq=INT64_MAX)),
        (LIST, pb.ListMessagesRequest(room_id=room, after_seq=1, page_size=500)),
    ]
    # Who may administer is asked before anything is looked up.
    named = [method for method in METHODS if names_a_room(method) and "AdminService" not in method.full_name]
    return [(method, valid(method, room)) for method in named] + more


async def test_a_room_of_others_looks_like_none(server: Server) -> None:
    """Anyone who is not a member can't tell a room that is there from one that is not, however they ask."""
    there, missing = asking_about("private", server.epoch), asking_about("nowhere", server.epoch)

    for (method, of_there), (_, of_missing) in zip(there, missing, strict=True):
        answers = method.name in ("AcceptInvitation", "DeclineInvitation")
        reason = "INVITATION_NOT_FOUND" if answers else "ROOM_NOT_FOUND"
        first = await server.refuses(method, of_there, "NOT_FOUND", reason, user="three")
        second = await server.refuses(method, of_missing, "NOT_FOUND", reason, user="three")

        assert first.text.replace("private", "nowhere") == second.text
        assert first.metadata == {"roomId": "private"}
        assert second.metadata == {"roomId": "nowhere"}
    general = pb.Cursor(room_id="general")
    for stamp in (0, 1):
        beside = [
            pb.SubscribeRequest(
                cursors=[general, pb.Cursor(room_id=room, seq=INT64_MAX, epoch=server.epoch, stamp=stamp)]
            )
            for room in ("private", "nowhere")
        ]
        first, second = [await server.call(SUBSCRIBE, each, user="three") for each in beside]
        assert first.response.replace(b"private", b"nowhere") == second.response
        assert [each.room_id for each in pb.SubscribeResponse.FromString(second.response).left] == ["nowhere"]


async def test_a_room_of_others_is_in_no_list(server: Server) -> None:
    """A room is not listed for, and its events do not reach a consumer of, anyone who is not a member."""
    rooms = await server.call(LIST_ROOMS, user="three")
    public = await server.call(BY_NAME["ListPublicRooms"], user="three")
    followed = await server.call(SUBSCRIBE, pb.SubscribeRequest(consumer="all"), user="three")

    assert [room.room_id for room in pb.ListRoomsResponse.FromString(rooms.response).rooms] == ["general"]
    listed = pb.ListPublicRoomsResponse.FromString(public.response).rooms
    # Other tests of this server make rooms that are public.
    assert {room.kind for room in listed} <= {pb.ROOM_KIND_PUBLIC}
    assert not {room.room_id for room in listed} & {"private", "guarded", "closable"}
    started = pb.SubscribeResponse.FromString(followed.response).started
    assert [cursor.room_id for cursor in started.cursors] == ["general"]


# Text where text belongs


@of_every(STRINGS)
async def test_text_that_is_not_utf8_is_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No field takes bytes that are not UTF-8: none of them can be shown, compared or stored as text."""
    for wrong in (b"\xff\xfe\xfd\xfc", b"\xed\xa0\x80.", b"\xc0\x80..", b"\xf4\x90\x80\x80", b"...\xc3"):
        encoded = with_value(method, path, "@@@@").SerializeToString()

        assert encoded.count(b"@@@@") == 1
        await server.invalid(method, encoded.replace(b"@@@@", wrong))


# Fields that hold what people say, and what nobody is shown.
TEXTS = {"text", "topic", "reason", "terms", "excluded_terms", "options", "title", "description"}
PASSWORDS = {"password", "current_password", "new_password"}


@of_every(STRINGS)
async def test_characters_that_do_not_show_are_refused_in_ids(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No id or name holds what drives a terminal, breaks a line or does not show; no text holds NUL."""
    name = path[-1].name
    if name in PASSWORDS or name == "error_description":
        # What is typed there is shown to nobody; what an issuer says is made fit where it is shown.
        return
    controls = [chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))]
    unseen = [chr(n) for n in (0x200B, 0x202E, 0x2028, 0x2029, 0x2066, 0xFEFF, 0xE000, 0xE0041, 0x0378)]
    # Each of them with each rule is tried in tests/unit/api/test_limits.py; here, that each field has one.
    chance = random.Random(f"{method.name} {written(path)}")
    wrong = ["\0"]
    if name not in TEXTS:
        wrong += ["\n", "\x1b", "\x9b", "\u202e", *chance.sample(controls + unseen, 4)]
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


# What may be left out, as chat.proto says. Everything else that is a text is needed.
OPTIONAL = {
    "display_name",
    "invite_code",
    "device_name",
    "topic",
    "reason",
    "request_id",
    "query",
    "page_token",
    "epoch",
    "new_owner_user_id",
    "redirect_uri",
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "content_type",
    "title",
    "description",
    "image_file_id",
}
# Likewise, in these: one's own account; a consumer that is none; a room's name, which is only compared; no
# status.
OPTIONAL_HERE = {
    ("UpdateProfile", "user_id"),
    ("ListSessions", "user_id"),
    ("ExplainDelivery", "user_id"),
    ("RevokeSessions", "user_id"),
    ("CreateAccessToken", "user_id"),
    ("Subscribe", "consumer"),
    ("Acknowledge", "consumer"),
    ("DeleteRoom", "confirm_name"),
    ("BeginLogIn", "user_id"),
    ("FinishLogIn", "user_id"),
    ("ListInvitations", "user_id"),
    ("AcceptInvitation", "user_id"),
    ("DeclineInvitation", "user_id"),
    ("UpdateStatus", "text"),
    ("UpdateStatus", "emoji"),
    ("SearchMessages", "room_id"),
    ("SearchMessages", "sender_user_id"),
    ("SaveDraft", "text"),
    ("ListDrafts", "room_id"),
    ("ListSavedMessages", "room_id"),
    ("ListMentions", "room_id"),
    ("ListThreads", "room_id"),
}


@of_every(STRINGS)
async def test_every_text_that_is_needed_is_not_left_empty(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """And every other one may be."""
    name = path[-1].name
    request = with_value(method, path, "")
    needed = name not in OPTIONAL and (method.name, name) not in OPTIONAL_HERE
    if needed or (method.name, name) == ("UpdateProfile", "display_name"):
        if (method.name, name) in (("EditMessage", "text"), ("UpdateScheduledMessage", "text")):
            # A text may be left empty where a message has files: it is asked of a message that has none.
            await server.prepare(request)
        await server.invalid(method, request, written(path))
        return
    await server.prepare(request)
    answer = await server.call(method, request)
    # A name that is not the room's.
    refused = name == "confirm_name"
    assert answer.code is (grpc.StatusCode.FAILED_PRECONDITION if refused else carried_out(method)), answer


# The limits of chat.proto, by field, in bytes of UTF-8; 64 where nothing is said here.
MAX_BYTES = {
    "text": 65_536,
    "topic": 512,
    "reason": 512,
    "terms": 512,
    "excluded_terms": 512,
    "redirect_uri": 256,
    "code": 2048,
    "state": 256,
    "iss": 1024,
    "error_description": 1024,
    "options": 200,
    "title": 512,
    "description": 512,
} | dict.fromkeys(PASSWORDS, 1024)
# Fields whose form leaves no choice of length.
FORMED = {"url", "client_message_id", "scheduled_message_id", "request_id", "page_token", "content_type"}


@of_every(STRINGS)
async def test_one_byte_over_the_limit_is_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """Every field of text has a limit in bytes; exactly that much passes, one byte more does not."""
    name = path[-1].name
    if name in FORMED:
        for size in (36, 37, 256, 257, 10_000):
            await server.invalid(method, with_value(method, path, "é" + "a" * (size - 2)), written(path))
        return
    # What is no message is no text of one.
    name = "topic" if (method.name, name) == ("UpdateStatus", "text") else name
    most = 255 if method.name == "CreateUpload" else MAX_BYTES.get(name, 64)
    for character in "aé🙂":
        size = len(character.encode())
        most_text = character * (most // size) + "a" * (most % size)
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
    await server.node.put_room(room, {"one": "member"})
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


async def test_one_session_too_many_is_refused(server: Server) -> None:
    """101 are not ended at once, neither one's own nor another's."""
    ids = [f"s{n}" for n in range(101)]

    await server.invalid(BY_NAME["RevokeSessions"], pb.RevokeSessionsRequest(session_ids=ids), "session_ids")
    request = pb.RevokeUserSessionsRequest(user_id="villain", session_ids=ids)
    await server.invalid(BY_NAME["RevokeUserSessions"], request, "session_ids")


@pytest.mark.parametrize("rooms", [4097, 10_000])
async def test_too_many_rooms_are_refused(server: Server, rooms: int) -> None:
    """A request names at most 4,096 rooms."""
    cursors = [pb.Cursor(room_id=f"room-{n}") for n in range(rooms)]

    await server.invalid(SUBSCRIBE, pb.SubscribeRequest(cursors=cursors), "cursors")
    await server.invalid(ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=cursors), "cursors")


async def test_the_most_rooms_are_looked_at(server: Server) -> None:
    """4,096 rooms pass the limit; a stream goes on without those that are none, positions are refused."""
    mine = [f"many-{n}" for n in range(20)]
    for room in mine:
        await server.node.put_room(room, {"one": "member"})
    cursors = [pb.Cursor(room_id=room) for room in mine]
    strange = [pb.Cursor(room_id=f"room-{n}") for n in range(4096 - len(mine))]

    for request in (cursors, [*cursors, *strange]):
        follow = await server.call(SUBSCRIBE, pb.SubscribeRequest(cursors=request))
        move = await server.call(ACKNOWLEDGE, pb.AcknowledgeRequest(consumer="c", cursors=request))
        assert [follow.code.name, move.code.name] == ["OK", "OK" if request is cursors else "NOT_FOUND"]
        left = pb.SubscribeResponse.FromString(follow.response).left
        assert [each.room_id for each in left] == [each.room_id for each in request[len(mine) :]]


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


@of_every(INTEGERS)
async def test_numbers_out_of_range_are_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """No field takes a number below zero, and the largest numbers there are harm nobody."""
    bits = 63 if path[-1].type == FieldDescriptor.TYPE_INT64 else 31
    for number in (-1, -(2**bits)):
        answer = await server.invalid(method, with_value(method, path, number), written(path))
        assert str(number) in answer.text

    largest = await server.call(method, with_value(method, path, 2**bits - 1))

    assert largest.code.name in (ORDINARY | {"RESOURCE_EXHAUSTED"} if path[-1].name == "size" else ORDINARY)
    assert_no_internals(largest)


@of_every(ENUMS)
async def test_an_unknown_enum_value_is_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """What a newer chat.proto has is not taken for one of this server's."""
    kind = path[-1].enum_type
    assert kind
    for value in (max(value.number for value in kind.values) + 1, 99):
        await server.invalid(method, with_value(method, path, value), written(path))


@of_every(MESSAGES)
async def test_durations_and_masks_that_make_no_sense_are_refused(
    server: Server, method: MethodDescriptor, path: FieldPath
) -> None:
    """Of the kinds that are Google's, whatever numbers and words they hold."""
    field = path[-1]
    wrong: list[tuple[Message, str]] = []
    assert field.message_type
    if field.message_type.full_name == "google.protobuf.Any":
        request_: Any = valid(method)
        target = request_
        for step in path[:-1]:
            target = getattr(target, step.name)[0] if step.is_repeated else getattr(target, step.name)
        for type_url in (
            "",
            "/",
            "acme.Form",
            "/acme.Form",
            "example.com/",
            "example.com/1",
            "a b/c",
            "a/b\n",
        ):
            target.body.type_url = type_url
            await server.invalid(method, request_, f"{written(path)}.type_url")
        for most, where in ((16_385, ""), (16_000, ".type_url")):
            target.body.type_url = f"example.com/{'a' * 256}" if where else "example.com/acme.Form"
            target.body.value = bytes(most)
            await server.invalid(method, request_, f"{written(path)}{where}")
        return
    if field.message_type.full_name == "google.protobuf.Timestamp":
        for seconds, nanos in [(-1, 0), (0, -1), (0, 1_000_000_000), (INT64_MAX, 0), (INT64_MIN, 0), (1, 0)]:
            made: Any = valid(method)
            if method.name == "UpdateScheduledMessage":
                made.update_mask.paths[:] = ["send_time"]
            holder = made
            for step in path[:-1]:
                holder = getattr(holder, step.name)[0] if step.is_repeated else getattr(holder, step.name)
            if field.name == "close_time":
                holder.options[:] = ["a", "b"]
            getattr(holder, field.name).CopyFrom(Timestamp(seconds=seconds, nanos=nanos))
            await server.invalid(method, made, written(path))
        return
    if field.message_type.full_name == "google.protobuf.FieldMask":
        wrong += [(FieldMask(), field.name)]
        for name in ("", "room_id", "kind", "*", "name.x", "x" * 10_000, "\0"):
            good = {
                "UpdateProfile": "display_name",
                "UpdateStatus": "emoji",
                "UpdateNotifications": "level",
                "UpdateScheduledMessage": "text",
                "UpdateThread": "following",
            }
            mask = FieldMask(paths=[good.get(method.name, "name"), name])
            wrong += [(mask, f"{field.name}.paths[1]")]
    else:
        assert field.message_type.full_name == "google.protobuf.Duration"
        for seconds, nanos in [
            (0, 0),
            (-1, 0),
            (0, -1),
            (INT64_MAX, 0),
            (INT64_MIN, 0),
            (INT64_MAX, 2**31 - 1),
            (36_501 * 86_400, 0),
        ]:
            wrong += [(Duration(seconds=seconds, nanos=nanos), field.name)]
    for value, where in wrong:
        request: Any = valid(method)
        getattr(request, field.name).CopyFrom(value)

        await server.invalid(method, request, where)


async def test_what_cannot_be_changed_of_a_room_is_left_as_it_is(server: Server) -> None:
    """Whatever else a client puts into the room that it wants to rename."""
    before = pb.GetRoomResponse.FromString(
        (await server.call(GET_ROOM, pb.GetRoomRequest(room_id="guarded"))).response
    ).room
    room = pb.Room(
        room_id="guarded",
        name="renamed",
        epoch="another",
        topic="not in the mask",
        first_seq=-1,
        last_seq=INT64_MIN,
        member_count=-1,
        kind=pb.ROOM_KIND_PUBLIC,
        role=pb.ROLE_READER,
        peer=pb.User(user_id="\x1b[2J" * 100),
    )
    room.create_time.seconds = room.archive_time.seconds = room.last_event_time.seconds = INT64_MAX

    request = pb.UpdateRoomRequest(room=room, update_mask=FieldMask(paths=["name"]))
    answer = await server.call(BY_NAME["UpdateRoom"], request)

    after = pb.UpdateRoomResponse.FromString(answer.response).room
    assert (after.name, after.last_seq) == ("renamed", before.last_seq + 1)
    before.name, before.last_seq = after.name, after.last_seq
    assert before.last_event_time.ToMicroseconds() < after.last_event_time.ToMicroseconds()
    before.last_event_time.CopyFrom(after.last_event_time)
    # Only told by those who ask for rooms.
    for name in ("read_marker", "notifications", "last_message"):
        before.ClearField(name)
    assert after == before


async def test_positions_of_history_begin_at_one(server: Server) -> None:
    """There is nothing before or around the number 0; after it there is everything."""
    await server.invalid(LIST, pb.ListMessagesRequest(room_id="general", before_seq=0), "before_seq")
    await server.invalid(LIST, pb.ListMessagesRequest(room_id="general", around_seq=0), "around_seq")
    answer = await server.call(LIST, pb.ListMessagesRequest(room_id="general", after_seq=0))

    assert pb.ListMessagesResponse.FromString(answer.response).events[0].seq == 1


async def test_pages_have_a_size_whatever_is_asked_for(server: Server) -> None:
    """A page holds 50 events where nothing is said, and never more than 500."""
    await server.node.put_room("long", {"one": "member"})
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
    assert answer.code is grpc.StatusCode.OK, answer
    response = message_factory.GetMessageClass(method.output_type).FromString(answer.response)
    token = cast(Any, response).next_page_token
    assert token
    return cast(str, token)


async def test_a_page_token_is_good_for_its_own_list_alone(server: Server) -> None:
    """A token of another room, method, query or user leads nowhere; there is one of every list."""
    for room_id in ("other", "third"):
        await server.node.put_room(room_id, {"one": "owner", "two": "member"})
    await server.send(outgoing(room="other"), outgoing(room="other"), outgoing())
    one = server.clients["one"]
    for user in ("villain", "three"):
        await one.block(user)
    for _ in range(2):
        await server.session("villain")
        await server.session()
        await one.create_bot(new("robot"))
        await one.create_room(new("public"), public=True)
        await server.call(BY_NAME["CreateUpload"], pb.CreateUploadRequest(name="a", size=1))
        await one.admin.create_invite()
        banned = await one.admin.create_user(new("banned"), PASSWORD)
        for room_id in ("other", "third"):
            await one.create_invite(room_id)
            await one.ban_member(room_id, banned.user.user_id)
        await server.leave_behind(new("unowned-"))
        await server.ask(new("asked-"), "one", by="two")
    for room_id in ("fourth", "fifth"):
        await server.ask(room_id, "two", "villain", by="one")
    for name in ("of-tests", "of-tests-2"):
        await server.keep(name)
    await server.node.put_room("sixth", dict.fromkeys(("one", "two", "villain"), "member"))
    for_two = await one.send("sixth", "0")
    await one.update_room("other", keep_edits=True)
    edited = await one.send("other", "0")
    for text in ("1", "2"):
        await one.edit("other", edited.seq, text)
    for emoji in ("👍", "🎉"):
        await one.react("other", edited.seq, emoji)
    polls = [(await one.send("other", "?", poll=chat.Poll(("a", "b")))).seq for _ in range(2)]
    for seq in polls:
        for voter in (one, server.clients["two"]):
            await voter.vote("other", seq, 0)
    for root in (1, 2):
        await one.schedule("other", "later", datetime.now(UTC) + timedelta(days=root))
        await one.save_draft("other", "begun", thread_root=root)
        await one.save_message("other", (await one.send("other", "to save")).seq)
    for room in ("general", "other"):
        for _ in range(2):
            await one.pin(room, (await one.send(room, "pinned")).seq)
    for room in ("general", "other"):
        for _ in range(2):
            await server.clients["two"].send(room, "@one")
    for at in range(4):
        await one.send("other", "inside", thread_root=polls[at % 2])
    for room_id in ("other", "third"):
        for _ in range(2):
            seq = (await server.clients["two"].send(room_id, "to report")).seq
            await one.report(room_id, seq)
    first_pages: dict[str, Message] = {
        "pins": pb.ListPinsRequest(room_id="general"),
        "other pins": pb.ListPinsRequest(room_id="other"),
        "mentions": pb.ListMentionsRequest(),
        "unread mentions": pb.ListMentionsRequest(unread_only=True),
        "other mentions": pb.ListMentionsRequest(room_id="other"),
        "reports": pb.ListReportsRequest(room_id="other"),
        "other reports": pb.ListReportsRequest(room_id="third"),
        "all reports": pb.ListServerReportsRequest(),
        "messages": pb.ListMessagesRequest(room_id="general", after_seq=0),
        "other messages": pb.ListMessagesRequest(room_id="other", after_seq=0),
        "members": pb.ListMembersRequest(room_id="general"),
        "other members": pb.ListMembersRequest(room_id="other"),
        "presences": pb.ListPresenceRequest(room_id="general"),
        "other presences": pb.ListPresenceRequest(room_id="other"),
        "rooms": pb.ListRoomsRequest(),
        "receipts": pb.ListReceiptsRequest(room_id="sixth", seq=for_two.seq),
        "inbox": pb.ListInboxRequest(include_read=True),
        "public rooms": pb.ListPublicRoomsRequest(),
        "all public rooms": pb.ListPublicRoomsRequest(include_archived=True),
        "some public rooms": pb.ListPublicRoomsRequest(query="public"),
        "bans": pb.ListBansRequest(room_id="other"),
        "other bans": pb.ListBansRequest(room_id="third"),
        "invites": pb.ListInvitesRequest(room_id="other"),
        "other invites": pb.ListInvitesRequest(room_id="third"),
        "invitations": pb.ListInvitationsRequest(),
        "invitations to a room": pb.ListRoomInvitationsRequest(room_id="fourth"),
        "invitations to another": pb.ListRoomInvitationsRequest(room_id="fifth"),
        "server invites": pb.ListServerInvitesRequest(),
        "sessions": pb.ListSessionsRequest(),
        "bots": pb.ListBotsRequest(),
        "blocks": pb.ListBlocksRequest(),
        "users": pb.ListUsersRequest(),
        "people": pb.ListPeopleRequest(),
        "some people": pb.ListPeopleRequest(query="t"),
        "some users": pb.ListUsersRequest(query="banned"),
        "sessions of a user": pb.ListUserSessionsRequest(user_id="villain"),
        "sessions of another": pb.ListUserSessionsRequest(user_id="one"),
        "unowned rooms": pb.ListUnownedRoomsRequest(),
        "consumers": pb.ListConsumersRequest(),
        "positions": pb.ListConsumerPositionsRequest(consumer="of-tests"),
        "other positions": pb.ListConsumerPositionsRequest(consumer="of-tests-2"),
        "uploads": pb.ListUploadsRequest(),
        "edits": pb.ListMessageEditsRequest(room_id="other", seq=edited.seq),
        "reactions": pb.ListReactionsRequest(room_id="other", seq=edited.seq),
        "votes": pb.ListPollVotesRequest(room_id="other", seq=polls[0]),
        "other votes": pb.ListPollVotesRequest(room_id="other", seq=polls[1]),
        "drafts": pb.ListDraftsRequest(),
        "drafts of a room": pb.ListDraftsRequest(room_id="other"),
        "saved": pb.ListSavedMessagesRequest(),
        "saved of a room": pb.ListSavedMessagesRequest(room_id="other"),
        "scheduled": pb.ListScheduledMessagesRequest(),
        "threads": pb.ListThreadsRequest(room_id="other"),
        "followed threads": pb.ListThreadsRequest(),
        "threads of a room to read": pb.ListThreadsRequest(room_id="other", following=True),
        "thread": pb.ListThreadMessagesRequest(room_id="other", thread_root=polls[0], after_seq=0),
        "other thread": pb.ListThreadMessagesRequest(room_id="other", thread_root=polls[1], after_seq=0),
        "found": pb.SearchMessagesRequest(room_id="other", sender_user_id="one"),
        "found by mentions": pb.SearchMessagesRequest(mentions_me=True),
        "found without a word": pb.SearchMessagesRequest(sender_user_id="one", excluded_terms=["nowhere"]),
    }
    methods = {method.input_type.name: method for method in METHODS}
    tokens: dict[str, str] = {}
    for name, first_page in first_pages.items():
        cast(Any, first_page).page_size = 1
        tokens[name] = await token_of(server, methods[first_page.DESCRIPTOR.name], first_page)
    assert {page.DESCRIPTOR.name for page in first_pages.values()} == {
        name for name, method in methods.items() if "page_token" in method.input_type.fields_by_name
    }

    for name, first_page in first_pages.items():
        for token_name, token in tokens.items():
            request: Any = type(first_page)()
            request.CopyFrom(first_page)
            request.page_token = token
            method = methods[request.DESCRIPTOR.name]
            if method is LIST:
                request.ClearField("position")
            answer = await server.call(method, request)
            wrong = ("INVALID_ARGUMENT", "page_token")
            expected = ("OK", "") if token_name == name else wrong
            assert (answer.code.name, answer.field) == expected, (name, token_name)
    for name in ("rooms", "sessions", "bots", "consumers", "positions", "uploads", "followed threads"):
        request = type(first_pages[name])()
        request.CopyFrom(first_pages[name])
        request.page_token = tokens[name]
        method = methods[request.DESCRIPTOR.name]
        await server.refuses(method, request, "INVALID_ARGUMENT", "INVALID_REQUEST", "page_token", user="two")


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


async def test_nested_groups_are_refused(server: Server, inside: Server) -> None:
    """A request that would take the parser deep is refused, closed groups or not."""
    opened, closed = b"\x9b\x06", b"\x9c\x06"  # field 99
    for method in METHODS:
        for deep in (opened * 50_000, opened * 20_000 + closed * 20_000, closed):
            await (server if method is SEND else inside).invalid(method, deep)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_random_bytes_are_answered_like_any_mistake(
    server: Server, inside: Server, method: MethodDescriptor
) -> None:
    """Whatever the bytes, the answer is one that chat.proto knows, and no mistake of the server.

    Over gRPC all are tried of a call, of a stream and of a send; of the others some of each kind.
    """
    over_grpc = 1000 if ALL or method in (GET_ME, SUBSCRIBE, SEND) else 4
    chance = random.Random(f"hostile {method.name}")
    request = valid(method) if method is not SEND else sending(outgoing(id_=str(UUID(int=1))))
    good = request.SerializeToString()
    for turn in range(times(14, 60)):
        data = bytearray(chance.randbytes(chance.randrange(200)) if turn % 2 or not good else good)
        for _ in range(chance.randrange(1, 4)):
            if data:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        # Some of the bytes are a password that is taken, and other tests log in.
        user = "mangler" if method.name == "ChangePassword" else "one"
        metadata = await server.metadata(method, user)
        before = server.stored()

        answer = await (server if turn < over_grpc else inside).call(method, bytes(data), metadata=metadata)

        if method.name in ("LogIn", "ChangePassword") and answer.reason == "LOGIN_FAILED":
            continue
        assert answer.code.name in ORDINARY, data.hex()
        assert answer.code.name == "OK" or answer.reason
        assert answer.code.name == "OK" or server.stored() == before
        assert_no_internals(answer, sent=bytes(data))
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
    stream: Any = open_(follow, metadata=grpc.aio.Metadata(server.authorization("two")))
    received = await stream.read() + await stream.read()
    stream.cancel()
    await until(lambda: server.metric("grpc_chat_streams") == 0)
    for seen in (history.response, received):
        assert b"with more than is seen" in seen
        assert mark not in seen
    files = [path.read_bytes() for path in server.node.config.data.rglob("*") if path.is_file()]
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
    answer = await call(server.channel, path, b"", [server.authorized])

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
    response = await method(stream(), metadata=(server.authorized,), timeout=20)

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
    too_much_to_read = too_much[1], *too_much[3:]
    with server.nothing_stored():
        # All at once, because grpc takes its time to answer what it can't read.
        answers = await asyncio.gather(
            *(
                server.call(SEND, metadata=[server.authorized, *metadata])
                for metadata in too_much
                if ENGINE == "grpcio" or metadata not in too_much_to_read
            )
        )

        await server.answers()
    assert {answer.code for answer in answers} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    if ENGINE == "asyncio":
        # It does not read so much only to refuse it: it ends the connection.
        for metadata in too_much_to_read:
            answer = await server.call(SEND, metadata=[server.authorized, *metadata])
            assert answer.code is grpc.StatusCode.UNAVAILABLE
        await server.answers()
    for answer in answers:
        assert_no_internals(answer)


@pytest.mark.parametrize(
    "id_",
    ["a" * 65, "", "../../etc/passwd", "a b", '"}', "%0a%1b[2J", "${jndi:ldap://x}", "<b>", "a;b"],
)
async def test_any_request_id_is_taken(server: Server, id_: str) -> None:
    """A request id that is not fit for the log is as good as none: the call is carried out all the same."""
    answer = await server.call(GET_ME, metadata=[server.authorized, ("x-request-id", id_)])
    twice = [server.authorized, ("x-request-id", id_), ("x-request-id", "b")]

    assert answer.code is grpc.StatusCode.OK
    assert (await server.call(GET_ME, metadata=twice)).code is grpc.StatusCode.OK


def as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


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
        # What the specification of gRPC wants is UNIMPLEMENTED.
        (("grpc-encoding", "nonsense"), 12 if ENGINE == "asyncio" else 13),
        (("X-Capital", "a"), 13),
        (("te", "nonsense"), 13),
    ]
    cases: list[tuple[Metadata, int]] = [
        ([server.authorized, header], status) for header, status in authorized
    ]
    good = str(server.authorized[1]).encode()
    cases += [([("authorization", value)], 16) for value in (good + b"\0", b"Bearer \xff", good + b"\n")]
    if ENGINE == "asyncio":
        # No value may have these (RFC 9113, section 8.2.1), and grpcio takes them.
        cases = [
            (headers, 13 if re.search(rb"[\0\r\n]", as_bytes(headers[-1][1])) else status)
            for headers, status in cases
        ]

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
        headers = [server.authorized, ("grpc-encoding", "gzip")]
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
            *(
                asyncio.to_thread(exchange, server.port, path_of(SEND), [server.authorized], body)
                for body in bodies
            )
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


@contextmanager
def slow_disk(server: Server) -> Iterator[None]:
    """Commits begin and do not end meanwhile: somebody else holds the database's lock."""
    with closing(sqlite3.connect(server.node.config.data / "chat.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


async def test_a_send_that_ran_out_of_time_is_stored_once(server: Server) -> None:
    """Sends that each had a moment only, sent again with the same ids, are in the log once each."""
    messages = [outgoing(f"hurried {n}") for n in range(60)]
    # By chance the moment is enough, or not; while the disk is held it never is.
    hurried = [
        await server.call(SEND, sending(message), timeout=(1 + n % 4) / 1000)
        for n, message in enumerate(messages[:40])
    ]
    with slow_disk(server):
        hurried += [await server.call(SEND, sending(message), timeout=0.02) for message in messages[40:]]

    placed = [(await server.send(message))[0] for message in messages]

    # CANCELLED where the server's clock ran out first, and it reset the stream.
    assert {answer.code.name for answer in hurried[:40]} <= {"OK", "DEADLINE_EXCEEDED", "CANCELLED"}
    assert {answer.code.name for answer in hurried[40:]} <= {"DEADLINE_EXCEEDED", "CANCELLED"}
    for answer, again in zip(hurried, placed, strict=True):
        if answer.response:
            assert pb.SendMessagesResponse.FromString(answer.response).messages[0] == again
    log = [event for event in await server.log() if event.message.text.startswith("hurried")]
    assert sorted(event.message.text for event in log) == sorted(message.text for message in messages)
    texts = {event.seq: event.message.text for event in log}
    assert [texts[at.seq] for at in placed] == [message.text for message in messages]


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
            metadata=grpc.aio.Metadata(server.authorized),
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
