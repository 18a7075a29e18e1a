"""Requests that are nearly right: python -m tests.fuzz [--inputs 1000000] [--live 100000] [--seed N]

Valid requests of every method are mutated and given to the parser (everything a call goes through before its
method is carried out), and to a live server. Nothing may crash or hang; every answer is one that chat.proto
knows, and says nothing of the server's inside; no task, stream or descriptor is left behind. The seed is
printed, and the same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import os
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast
from uuid import UUID

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Method, Pipeline
from grpc_chat.core.caller import ALL_SCOPES, SYSTEM, Caller, scope_bits
from grpc_chat.core.rates import Rate
from grpc_chat.core.tokens import new_id, new_token, secret_hash
from grpc_chat.core.writing import Write
from grpc_chat.errors import ChatError
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import SessionRecord
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.engine import ENGINE
from tests.requests import Names, every

HANG_SECONDS = 60
"""How long a thousand inputs may take before all stacks are printed and the process ends."""
ADMIN = "the.caller"
"""Who calls a live server. No input names them, so that no combination of inputs ends their own account."""
# What only the server's inside is called; an answer that holds any of it has said too much.
INTERNALS = re.compile(
    r"Traceback|Error\b|Exception|protobuf|sqlite|sqlalchemy|\.py\b|packages| at 0x|NoneType", re.IGNORECASE
)
REFUSALS = {
    "INVALID_REQUEST",
    "MESSAGE_TOO_LONG",
    "BAD_CURSOR",
    "ROOM_NOT_FOUND",
    "CLIENT_MESSAGE_ID_REUSED",
    "EPOCH_CHANGED",
    "CONSUMER_TAKEN_OVER",
    "LIMIT_EXCEEDED",
}
STATUSES = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
# Where a wrong password is what was asked about.
PROVING = ("/chat.v1.AuthService/LogIn", "/chat.v1.AuthService/ChangePassword")


class Broken(Exception):
    """An input did what none may do; the text has all that is needed to do it again."""


def seeds(chance: random.Random) -> dict[str, list[bytes]]:
    """Valid requests by the path of their method."""

    def message(text: str) -> pb.OutgoingMessage:
        id_ = str(UUID(int=chance.getrandbits(128), version=4))
        return pb.OutgoingMessage(room_id="general", client_message_id=id_, text=text)

    room: dict[str, Any] = {"room_id": "general"}
    bob = room | {"user_id": "bob"}
    hour = Duration(seconds=3600)
    cursor = pb.Cursor(room_id="general", seq=1, epoch="0123456789abcdef")
    # Where the list of good requests has too little in it, or what would harm the others on a live server.
    requests: dict[str, list[Message]] = {
        "AuthService/Register": [
            pb.RegisterRequest(user_id="carol", password="correct horse", invite_code="gci_abcdefg"),
            pb.RegisterRequest(user_id="c.d-e_f", password="pässwörd", display_name="C", device_name="phone"),
        ],
        "AuthService/BeginLogIn": [
            pb.BeginLogInRequest(provider="example", redirect_uri="http://127.0.0.1:8400/")
        ],
        "AuthService/FinishLogIn": [
            pb.FinishLogInRequest(handle="handle", code="code", state="state", iss="https://id.example.com")
        ],
        "AuthService/LinkIdentity": [pb.LinkIdentityRequest(handle="handle", code="code", state="state")],
        "AuthService/LogIn": [pb.LogInRequest(user_id="bob", password="wrong", device_name="phone")],
        "AuthService/UpdateProfile": [
            pb.UpdateProfileRequest(display_name="Zoë 😀"),
            pb.UpdateProfileRequest(user_id="bot", display_name="Bot"),
        ],
        "AuthService/ChangePassword": [
            pb.ChangePasswordRequest(current_password="wrong", new_password="correct horse")
        ],
        "AuthService/ListSessions": [pb.ListSessionsRequest(page_size=3), pb.ListSessionsRequest()],
        "AuthService/RevokeSessions": [
            pb.RevokeSessionsRequest(session_ids=["abcdefgh", "ijklmnop"]),
            pb.RevokeSessionsRequest(user_id="bot", all_others=True),
        ],
        "AuthService/CreateAccessToken": [
            pb.CreateAccessTokenRequest(name="bot", scopes=[pb.SCOPE_READ, pb.SCOPE_WRITE], lifetime=hour)
        ],
        "AuthService/CreateBot": [pb.CreateBotRequest(user_id="bot", display_name="Bot")],
        "AuthService/ListBots": [pb.ListBotsRequest(page_size=2)],
        "RoomService/CreateRoom": [
            pb.CreateRoomRequest(
                name="new", kind=pb.ROOM_KIND_PUBLIC, topic="news\n", request_id=str(UUID(int=7))
            ),
            pb.CreateRoomRequest(name="Größe", history=pb.HISTORY_SINCE_JOIN, posting=pb.POSTING_ADMINS),
        ],
        "RoomService/ListPublicRooms": [
            pb.ListPublicRoomsRequest(query="ge%_!", include_archived=True, page_size=9)
        ],
        "RoomService/UpdateRoom": [
            pb.UpdateRoomRequest(
                room=pb.Room(room_id="general", name="general", topic="news", first_seq=3),
                update_mask=FieldMask(paths=["name", "topic", "history", "posting"]),
            )
        ],
        "RoomService/ArchiveRoom": [pb.ArchiveRoomRequest(room_id="closed")],
        "RoomService/UnarchiveRoom": [pb.UnarchiveRoomRequest(room_id="closed")],
        "RoomService/DeleteRoom": [pb.DeleteRoomRequest(room_id="general", confirm_name="something else")],
        "RoomService/JoinRoom": [
            pb.JoinRoomRequest(room_id="general"),
            pb.JoinRoomRequest(invite_code="gci_abcdefg"),
        ],
        "RoomService/LeaveRoom": [pb.LeaveRoomRequest(room_id="general", new_owner_user_id="nobody")],
        "RoomService/AddMember": [pb.AddMemberRequest(**bob, role=pb.ROLE_READER, reason="friend")],
        "RoomService/RemoveMember": [pb.RemoveMemberRequest(**bob, reason="spam")],
        "RoomService/BanMember": [pb.BanMemberRequest(**bob, reason="spam\nand more")],
        "RoomService/ListBans": [pb.ListBansRequest(**room, page_size=5)],
        "RoomService/SetMemberRole": [pb.SetMemberRoleRequest(**bob, role=pb.ROLE_ADMIN)],
        "RoomService/CreateInvite": [
            pb.CreateInviteRequest(**room, role=pb.ROLE_READER, max_uses=3, lifetime=hour),
            pb.CreateInviteRequest(**room, allows_registration=True),
        ],
        "RoomService/ListInvites": [pb.ListInvitesRequest(**room, page_token="bm90IG9mIHRoaXMgc2Vy")],
        "SubscribeService/ListConsumers": [pb.ListConsumersRequest(page_size=2)],
        "SubscribeService/ListConsumerPositions": [
            pb.ListConsumerPositionsRequest(consumer="c", page_size=2)
        ],
        "FileService/CreateUpload": [
            pb.CreateUploadRequest(name="Größe.png", size=2**40, content_type="image/png", sha256=bytes(32)),
            pb.CreateUploadRequest(name="a", keep_metadata=True),
        ],
        "FileService/UploadPart": [pb.UploadPartRequest(upload_id="abcdefgh", offset=2**60, data=b"x" * 40)],
        "FileService/DownloadFile": [
            pb.DownloadFileRequest(file_id="abcdefgh", offset=3, length=2**62, preview=True)
        ],
        "AdminService/ListUsers": [pb.ListUsersRequest(query="b", page_size=2)],
        "AdminService/CreateUser": [
            pb.CreateUserRequest(user_id="dave", password="correct horse", admin=True)
        ],
        "AdminService/BlockUser": [pb.BlockUserRequest(user_id="bob", validate_only=True)],
        "AdminService/ResetPassword": [pb.ResetPasswordRequest(user_id="bob", new_password="correct horse")],
        "AdminService/SetAdmin": [pb.SetAdminRequest(user_id="bob", admin=True)],
        "AdminService/RevokeUserSessions": [
            pb.RevokeUserSessionsRequest(user_id="bob", session_ids=["abcdefgh"]),
            pb.RevokeUserSessionsRequest(user_id="bob", all=True),
        ],
        "AdminService/CreateServerInvite": [
            pb.CreateServerInviteRequest(max_uses=1, lifetime=hour, makes_admin=True)
        ],
        "AdminService/ListUnownedRooms": [pb.ListUnownedRoomsRequest(page_size=1)],
        "AdminService/AssignRoomOwner": [
            pb.AssignRoomOwnerRequest(room_id="general", user_id="bob", reason="x")
        ],
        "AdminService/ListServerInvites": [pb.ListServerInvitesRequest(page_size=1)],
        "RoomService/ListRooms": [
            pb.ListRoomsRequest(),
            pb.ListRoomsRequest(page_size=10, page_token="eyJhIjoxfQ" * 4),
        ],
        "RoomService/GetRoom": [pb.GetRoomRequest(room_id="general"), pb.GetRoomRequest(room_id="x" * 64)],
        "RoomService/ListMembers": [pb.ListMembersRequest(room_id="general", page_size=500)],
        "MessageService/SendMessages": [
            pb.SendMessagesRequest(messages=[message("hello")]),
            pb.SendMessagesRequest(
                messages=[
                    pb.OutgoingMessage(
                        room_id="general", client_message_id=str(UUID(int=9)), file_ids=["abcdefgh", "b"]
                    )
                ]
            ),
            pb.SendMessagesRequest(messages=[message(f"{n} äöü 👋 {'x' * 3 * n}") for n in range(12)]),
        ],
        "MessageService/ListMessages": [
            pb.ListMessagesRequest(room_id="general", page_size=5, before_seq=9),
            pb.ListMessagesRequest(room_id="general", after_seq=0),
            pb.ListMessagesRequest(room_id="general", around_seq=2**62),
            pb.ListMessagesRequest(room_id="general", page_token="bm90IG9mIHRoaXMgc2VydmVy"),
        ],
        "MessageService/SearchMessages": [
            pb.SearchMessagesRequest(terms=["xxx", "äö"], room_id="general", page_size=5),
            pb.SearchMessagesRequest(terms=["x"], excluded_terms=["ü"], order=pb.SEARCH_ORDER_BEST),
            pb.SearchMessagesRequest(has_file=True, from_stamp=2**62, before_stamp=2**63 - 1),
            pb.SearchMessagesRequest(sender_user_id="1", page_token="bm90IG9mIHRoaXMgc2VydmVy"),
        ],
        "SubscribeService/Subscribe": [
            pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")], include_own=True),
            pb.SubscribeRequest(cursors=[cursor, pb.Cursor(room_id="other")]),
            pb.SubscribeRequest(consumer="bot", start=pb.START_LATEST, max_unacknowledged=10),
        ],
        "SubscribeService/Acknowledge": [pb.AcknowledgeRequest(consumer="bot", cursors=[cursor])],
    }
    known = {
        name: [request]
        for name, request in every(Names(thing="abcdefgh", consumer="c", message_id=str(UUID(int=7)))).items()
    }
    return {
        f"/chat.v1.{name}": [request.SerializeToString() for request in each]
        for name, each in (known | requests).items()
    }


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class Mutator:
    """Makes inputs out of valid ones; the same ones for the same seed.

    Args:
        most_bytes: How long an input may become.
    """

    def __init__(self, seed: int, *, most_bytes: int = 8192) -> None:
        self._chance = random.Random(seed)
        self._most = most_bytes
        self._seeds = seeds(self._chance)
        self._paths = list(self._seeds)
        self._kinds: Sequence[Callable[[bytes], bytes]] = (
            self._flip_bits,
            self._overwrite,
            self._truncate,
            self._repeat,
            self._splice,
            self._huge_varint,
            self._wrong_length,
            self._unknown_field,
            self._deep,
            self._noise,
        )

    def next(self) -> tuple[str, bytes]:
        """A method's path and what it is called with."""
        path = self._chance.choice(self._paths)
        data = self._chance.choice(self._seeds[path])
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            data = self._chance.choice(self._kinds)(data)[: self._most]
        return path, data

    def _at(self, data: bytes) -> int:
        return self._chance.randint(0, len(data))

    def _span(self, data: bytes) -> tuple[int, int]:
        first, second = self._at(data), self._at(data)
        return min(first, second), max(first, second)

    def _insert(self, data: bytes, piece: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + piece + data[at:]

    def _flip_bits(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._chance.randint(1, 4) if data else 0):
            changed[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _overwrite(self, data: bytes) -> bytes:
        start, end = self._span(data)
        interesting = (0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x0B, 0x0C, 0xC0, 0xED)
        return data[:start] + bytes([self._chance.choice(interesting)]) * (end - start) + data[end:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._at(data)]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:end] + data[start:end] * self._chance.choice((1, 2, 10, 300)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._chance.choice(self._seeds[self._chance.choice(self._paths)])
        start, end = self._span(other)
        return self._insert(data, other[start:end])

    def _huge_varint(self, data: bytes) -> bytes:
        value = self._chance.choice((2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**70, 2**77))
        return self._insert(data, bytes([self._chance.randrange(1, 16) << 3]) + _varint(value))

    def _wrong_length(self, data: bytes) -> bytes:
        length = self._chance.choice((0, 1, 127, 128, 2**14, 2**28, 2**31 - 1, 2**32 - 1))
        return self._insert(data, bytes([self._chance.randrange(1, 16) << 3 | 2]) + _varint(length))

    def _unknown_field(self, data: bytes) -> bytes:
        number = self._chance.choice((0, 20, 1000, 19_000, 2**29 - 1))
        piece = bytes(self._chance.randrange(256) for _ in range(self._chance.randrange(20)))
        return self._insert(data, _varint(number << 3 | 2) + _varint(len(piece)) + piece)

    def _deep(self, data: bytes) -> bytes:
        return self._insert(data, b"\x0b" * self._chance.choice((1, 99, 101, 4000)))

    def _noise(self, data: bytes) -> bytes:
        return self._insert(data, self._chance.randbytes(self._chance.choice((1, 8, 200))))


class _Services:
    """Stands for all services, and looks at what gets through to them."""

    async def _unary(self, caller: object, request: Message) -> bytes:
        _look(request)
        return b""

    async def _stream(self, caller: object, request: Message, write: Write) -> None:
        _look(request)
        await write(b"")

    def __getattr__(self, name: str) -> Any:
        return self._stream if name in ("subscribe", "download_file") else self._unary


_MOST_BYTES = {"text": 65_536, "page_token": 256, "topic": 512, "reason": 512} | dict.fromkeys(
    ("password", "current_password", "new_password"), 1024
)
_CHANGEABLE = {"room_id", "name", "topic", "history", "posting"}


def _look(message: Message) -> None:
    """Whether all rules hold that can be told from outside."""
    if len(UnknownFieldSet(message)):
        raise AssertionError("an unknown field got through")
    of_a_room = message.DESCRIPTOR.name == "Room"
    for field, value in message.ListFields():
        # What UpdateRoom can't change of a room is not looked at, here or there.
        if of_a_room and field.name not in _CHANGEABLE:
            continue
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Duration):
                _expect(0 < each.ToTimedelta().total_seconds() <= 36_500 * 86_400, field.name)
            elif field.message_type:
                _look(each)
            elif isinstance(each, int):
                _expect(each >= 0, field.name)
            elif isinstance(each, bytes):
                _expect(len(each) <= 192 * 1024, field.name)
            elif message.DESCRIPTOR.name == "CreateUploadRequest":
                _expect(len(each.encode()) <= 255 and each.isprintable(), field.name)
            elif field.name in ("client_message_id", "request_id"):
                _expect(len(each) == 36, field.name)
            else:
                _expect(len(each.encode()) <= _MOST_BYTES.get(field.name, 64), field.name)
                _expect(
                    "\0" not in each or field.name == "page_token" or "password" in field.name, field.name
                )


def _expect(holds: bool, name: str) -> None:
    if not holds:
        raise AssertionError(f"{name} got through")


class _Everybody:
    """Takes every caller for one that may call everything."""

    def recognise(self, token: str) -> Caller | None:
        return None

    async def authenticate(self, token: str) -> Caller:
        return Caller(ADMIN, "phone", admin=True)

    def require_session(self, snapshot: Snapshot, caller: Caller) -> None:
        raise AssertionError("nothing is carried out")


def pipeline() -> Pipeline:
    """The server's own, up to where a method would be carried out."""
    names = pb.DESCRIPTOR.services_by_name
    return Pipeline(
        dict.fromkeys(names, _Services()),
        authenticator=_Everybody(),
        checker=RequestChecker(Limits()),
        rate=Rate(per_second=0, burst=1),
        metrics=Metrics(),
    )


async def _ignore(_response: bytes) -> None:
    pass


_ANY_TOKEN = (("authorization", "Bearer x"),)


async def _parse(line: Pipeline, method: Method, data: bytes) -> str:
    try:
        if method.unary:
            await line.call(method, _ANY_TOKEN, data)
        else:
            await line.stream(method, _ANY_TOKEN, data, _ignore)
    except ChatError as error:
        _check_refusal(error.code, str(error))
        return error.code
    return "OK"


def _check_refusal(code: str, text: str) -> None:
    if code not in REFUSALS:
        raise Broken(f"answered {code}: {text}")
    if INTERNALS.search(text) or len(text) > 1024:
        raise Broken(f"says too much: {code}: {text[:2000]}")


async def fuzz_parser(inputs: int, seed: int) -> Counter[str]:
    """Give so many inputs to the parser.

    Returns:
        How many were answered how.

    Raises:
        Broken: With the input.
    """
    line = pipeline()
    methods = {method.path: method for method in line.methods}
    mutator = Mutator(seed)
    answers: Counter[str] = Counter()
    with _watching_for_hangs() as still_going:
        for number in range(inputs):
            if number % 1000 == 0:
                still_going()
                # What else runs gets its turn.
                await asyncio.sleep(0)
            path, data = mutator.next()
            try:
                answers[await _parse(line, methods[path], data)] += 1
            except Exception as exc:
                raise Broken(f"seed {seed}, input {number}: {path} {data.hex()}: {exc!r}") from exc
    return answers


async def _ask(channel: grpc.aio.Channel, path: str, data: bytes, token: str) -> grpc.StatusCode:
    metadata = grpc.aio.Metadata(("authorization", f"Bearer {token}"))
    try:
        if path.endswith(("/Subscribe", "/DownloadFile")):
            open_ = cast("grpc.aio.UnaryStreamMultiCallable[bytes, bytes]", channel.unary_stream(path))
            stream = open_(data, metadata=metadata, timeout=HANG_SECONDS)
            await stream.read()
            if not stream.cancel():
                # It has ended by itself; here is why.
                await stream.read()
        else:
            ask = cast("grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", channel.unary_unary(path))
            await ask(data, metadata=metadata, timeout=HANG_SECONDS)
    except grpc.aio.AioRpcError as error:
        text = error.details() or ""
        if INTERNALS.search(text) or len(text) > 1024:
            raise Broken(f"says too much: {error.code()}: {text[:2000]}") from error
        wrong_password = path in PROVING and error.code() is grpc.StatusCode.UNAUTHENTICATED
        if error.code() not in STATUSES and not wrong_password:
            raise Broken(f"answered {error.code()}: {text}") from error
        return error.code()
    return grpc.StatusCode.OK


async def fuzz_live(inputs: int, seed: int, *, at_once: int = 16) -> Counter[str]:
    """Give so many inputs to a server in this process, over the network.

    Raises:
        Broken: With the input; or with what was left behind.
    """
    mutator = Mutator(seed)
    answers: Counter[str] = Counter()
    number = 0
    async with (
        running_node(
            accounts={"registration": "open"}, limits={"calls_per_second": 0, "guest_calls_per_second": 0}
        ) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        token = (await node.register(ADMIN, admin=True)).token
        await node.register("bob")
        await node.put_room("general", {ADMIN: "owner", "bob": "member"})
        await node.put_room("closed", {ADMIN: "owner"})

        async def ask(path: str, data: bytes) -> grpc.StatusCode:
            # A session that is to be ended is one of its own.
            using = await _session(node) if path.endswith("/LogOut") else token
            return await _ask(channel, path, data, using)

        # Whatever is made when it is first needed is there.
        await asyncio.gather(*[fuzz_some(ask, Mutator(seed + at), 10) for at in range(at_once)])
        # SQLite keeps the descriptor of a connection that is closed beside others, for the next one. The
        # first is closed when something that was deleted is overwritten in the write-ahead log.
        await asyncio.to_thread(node.node.committer._store.forget_deleted)
        before = await _left(node.node.metrics)
        descriptors = _descriptors()

        async def work() -> None:
            nonlocal number
            while number < inputs:
                at, number = number, number + 1
                if at % 1000 == 0:
                    still_going()
                path, data = mutator.next()
                try:
                    answers[(await ask(path, data)).name] += 1
                except Exception as exc:
                    raise Broken(f"seed {seed}, input {at}: {path} {data.hex()}: {exc!r}") from exc

        with _watching_for_hangs() as still_going:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())
        patience = 200
        while not _within(after := await _left(node.node.metrics), before) and patience:
            patience -= 1
            await asyncio.sleep(0.05)
        if not _within(after, before):
            more = sorted((_descriptors() - descriptors).elements())
            raise Broken(
                f"tasks, descriptors and streams were {before} and are {after}; more than before: {more}"
            )
    return answers


async def _session(node: RunningNode) -> str:
    """The token of a new session."""
    token = new_token()

    def in_transaction(transaction: Transaction) -> None:
        now_us = transaction.now_us
        login = pb.SESSION_KIND_LOGIN
        session = SessionRecord(new_id(), ADMIN, login, "", scope_bits(ALL_SCOPES), now_us, now_us, None)
        transaction.insert_session(session, secret_hash(token))

    await node.node.committer.transact(SYSTEM, in_transaction)
    return token


async def fuzz_some(
    ask: Callable[[str, bytes], Awaitable[grpc.StatusCode]], mutator: Mutator, count: int
) -> None:
    """A few inputs, whose answers are looked at and not counted."""
    for _ in range(count):
        await ask(*mutator.next())


async def _left(metrics: Metrics) -> tuple[int, int, int]:
    """Tasks, descriptors and streams."""
    gc.collect()
    await asyncio.sleep(0)
    streams = metrics.registry.get_sample_value("grpc_chat_streams") or 0
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), int(streams)


def _descriptors() -> Counter[str]:
    """What is open, without the numbers of sockets and pipes."""
    found: Counter[str] = Counter()
    for each in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found[re.sub(r"\d{3,}", "…", os.readlink(f"/proc/self/fd/{each}"))] += 1
    return found


def _within(now: Sequence[int], then: Sequence[int]) -> bool:
    return all(each <= before for each, before in zip(now, then, strict=True))


@contextmanager
def _watching_for_hangs() -> Iterator[Callable[[], None]]:
    """End the process, with a traceback, when what it gives is not called for too long within the block."""
    try:
        yield lambda: faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    finally:
        # Also after an error: left running, it would end its caller, a minute later.
        faulthandler.cancel_dump_traceback_later()


def main() -> None:
    """Run, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for the parser")
    parser.add_argument("--live", type=int, default=100_000, help="for a live server")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"engine {ENGINE}, seed {given.seed}", flush=True)
    for name, fuzz, inputs in (("parser", fuzz_parser, given.inputs), ("live", fuzz_live, given.live)):
        started = time.monotonic()
        answers = asyncio.run(fuzz(inputs, given.seed))
        told = ", ".join(f"{code} {count:,}" for code, count in answers.most_common())
        print(f"{name}: {inputs:,} inputs in {time.monotonic() - started:.0f} s: {told}", flush=True)


if __name__ == "__main__":
    main()
