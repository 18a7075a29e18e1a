"""Two nodes over one store, under random histories of people who come and go and whose sessions end.

Each user's own log tells every node what concerns them. Between the nodes is a bus that loses, repeats and
delays whatever a history says, and the clock stands still but for the position check. After a check, which
needs no hint at all: every stream of a member has got everything, once and in order; nothing reaches a stream
whose user is no longer a member; sessions that ended, and their streams, have ended on both nodes; and of the
streams of a consumer only the newest goes on.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from grpc_chat.core.bounds import Bounds
from grpc_chat.core.tokens import secret_hash
from grpc_chat.errors import ChatError, ConsumerTakenOver, SessionEnded, Unauthenticated
from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.records import Account, SessionRecord
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.property.bare_node import BareNode, FrozenLoop, UnreliableBus
from tests.property.histories import ASKED, histories

pytestmark = pytest.mark.timeout(0 if ASKED else 300)

USERS = ("ann", "ben")
ROOMS = ("red", "blue")
MEMORY = Path("/dev/shm")
CHECK = 1.0
BOUNDS = Bounds(
    tail_bytes=1200,
    response_bytes=400,
    heartbeat=timedelta(days=1),
    position_check=timedelta(seconds=CHECK),
    streams_per_user=1000,
)
ALL_SCOPES = 0b1110
MOST_STREAMS = 6

ANY = st.integers(0, 1000)
NODE = st.sampled_from([0, 1])
WHO = st.sampled_from(USERS)
WHERE = st.sampled_from(ROOMS)


@dataclass
class Reader:
    """A client that reads a stream, and may stop for a while."""

    user: str
    token: str
    consumer: str
    stream: Any
    loop: FrozenLoop
    runs: dict[str, list[list[int]]] = field(default_factory=dict)
    """By room, the numbers that it got; another list for each time that it followed the room."""
    ended: ChatError | None = None
    _step: asyncio.Task[bytes] | None = None

    def take(self) -> None:
        """Read everything that there is."""
        while self.ended is None:
            self._step = self._step or self.loop.create_task(self._pull())
            self.loop.settle()
            if not self._step.done():
                return
            step, self._step = self._step, None
            try:
                self._note(pb.SubscribeResponse.FromString(step.result()))
            except ChatError as error:
                self.ended = error

    async def _pull(self) -> bytes:
        return bytes(await anext(self.stream))

    def _note(self, response: pb.SubscribeResponse) -> None:
        assert not response.gaps
        for left in response.left:
            self.runs.setdefault(left.room_id, [[]]).append([])
        for event in response.events:
            run = self.runs.setdefault(event.room_id, [[]])[-1]
            assert not run or event.seq == run[-1] + 1, "missing, once more, or out of order"
            run.append(event.seq)

    def got(self, room: str) -> int:
        """The last number that it got in a room that it follows."""
        run = self.runs.get(room, [[]])[-1]
        return run[-1] if run else 0

    def leave(self) -> None:
        if self._step:
            self._step.cancel()
            with suppress(asyncio.CancelledError, ChatError):
                self.loop.run_until_complete(self._step)
        self.loop.run(self.stream.aclose())


class TwoNodes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = FrozenLoop()
        asyncio.set_event_loop(self.loop)
        self.folder = Path(tempfile.mkdtemp(prefix="grpc-chat-", dir=MEMORY if MEMORY.is_dir() else None))
        self.store = open_store(self.folder, readers=1)
        self.store.check_sessions = True
        self.lock = lock = threading.Lock()
        self.bus = UnreliableBus()
        self.made = self.said = 0
        self.members: dict[str, set[str]] = {room: set() for room in ROOMS}
        self.readers: list[Reader] = []
        self.dead: list[str] = []
        self.store.commit([Transact(self._make_accounts)])
        self.tokens = {user: self._log_in(user) for user in ("root", *USERS)}
        self.masters = {user: self._log_in(user) for user in USERS}
        self.nodes = [
            BareNode(name, self.loop, self.store, lock, bus=self.bus.port(name), bounds=BOUNDS, sessions=None)
            for name in ("0", "1")
        ]
        self.rooms: dict[str, str] = {}
        for at, name in enumerate(ROOMS):
            request = pb.CreateRoomRequest(name=name)
            response = self._call(at, "root", "CreateRoom", request, pb.CreateRoomResponse)
            assert response
            self.rooms[name] = response.room.room_id

    def _make_accounts(self, transaction: Transaction) -> None:
        for user in ("root", *USERS):
            account = Account(user, user, pb.USER_KIND_PERSON, transaction.now_us, admin=user == "root")
            transaction.insert_account(account)

    def _log_in(self, user: str) -> str:
        """A new session of a user; its token."""
        self.made += 1
        token = f"token-{user}-{self.made}"

        def begin(transaction: Transaction) -> None:
            now_us = transaction.now_us
            session_id = f"{user}-{self.made}"
            kind = pb.SESSION_KIND_LOGIN
            record = SessionRecord(session_id, user, kind, "", ALL_SCOPES, now_us, now_us, None)
            transaction.insert_session(record, secret_hash(token))

        with self.lock:
            self.store.commit([Transact(begin)])
        return token

    def _call(
        self, node: int, user: str, method: str, request: Message, response: Any, *, token: str = ""
    ) -> Any:
        """A call that may also be refused: then None."""
        at = self.nodes[node]
        try:
            return self.loop.run(at.call(token or self.tokens[user], method, request, response))
        except (SessionEnded, Unauthenticated):
            raise
        except ChatError:
            return None
        finally:
            self.loop.settle()

    @initialize(
        members=st.lists(st.tuples(NODE, WHO, WHERE), max_size=4),
        follows=st.lists(st.tuples(NODE, WHO, st.sampled_from(["", "phone"])), min_size=2, max_size=4),
    )
    def begin(self, members: list[tuple[int, str, str]], follows: list[tuple[int, str, str]]) -> None:
        """Histories are short, so each begins where somebody reads."""
        for node, who, where in members:
            self.add(node, who, where)
        for node, who, consumer in follows:
            self.follow(node, who, consumer)

    # What happens to people

    @rule(node=NODE, who=WHO, where=WHERE)
    def add(self, node: int, who: str, where: str) -> None:
        request = pb.AddMemberRequest(room_id=self.rooms[where], user_id=who)
        self._call(node, "root", "AddMember", request, pb.AddMemberResponse)
        self.members[where].add(who)

    @rule(node=NODE, who=WHO, where=WHERE, how=st.sampled_from(["Remove", "Ban", "Leave"]))
    def lose(self, node: int, who: str, where: str, how: str) -> None:
        room_id = self.rooms[where]
        request: Message
        if how == "Leave":
            request, by = pb.LeaveRoomRequest(room_id=room_id), who
        else:
            request, by = getattr(pb, f"{how}MemberRequest")(room_id=room_id, user_id=who), "root"
        name = "LeaveRoom" if how == "Leave" else f"{how}Member"
        self._call(node, by, name, request, getattr(pb, f"{name}Response"))
        if how == "Ban":
            unban = pb.UnbanMemberRequest(room_id=room_id, user_id=who)
            self._call(node, "root", "UnbanMember", unban, pb.UnbanMemberResponse)
        self.members[where].discard(who)

    @rule(nodes=st.lists(NODE, min_size=2, max_size=4), who=WHO, where=WHERE)
    def come_and_go(self, nodes: list[int], who: str, where: str) -> None:
        """On this node and on that, before any hears of the other."""
        for at, node in enumerate(nodes):
            if at % 2 == (who in self.members[where]):
                self.add(node, who, where)
            else:
                self.lose(node, who, where, "Remove")

    @rule(node=NODE, who=WHO, where=WHERE, role=st.sampled_from([pb.ROLE_READER, pb.ROLE_ADMIN]))
    def set_role(self, node: int, who: str, where: str, role: pb.Role.ValueType) -> None:
        request = pb.SetMemberRoleRequest(room_id=self.rooms[where], user_id=who, role=role)
        self._call(node, "root", "SetMemberRole", request, pb.SetMemberRoleResponse)

    @rule(node=NODE, who=WHO, how=st.sampled_from(["revoke", "revoke", "block"]))
    def end_session(self, node: int, who: str, how: str) -> None:
        """One session of somebody ends, or all of them; they come back with others."""
        ended, self.tokens[who] = self.tokens[who], self._log_in(who)
        self.dead.append(ended)
        if how == "revoke":
            request = pb.RevokeSessionsRequest(session_ids=[ended.removeprefix("token-")])
            token = self.masters[who]
            revoked = self._call(node, who, "RevokeSessions", request, pb.RevokeSessionsResponse, token=token)
            assert revoked.revoked_sessions == 1
            return
        self.dead += [self.tokens[who], self.masters[who]]
        for name in ("BlockUser", "UnblockUser"):
            asked: Message = getattr(pb, f"{name}Request")(user_id=who)
            assert self._call(node, "root", name, asked, getattr(pb, f"{name}Response"))
        self.tokens[who], self.masters[who] = self._log_in(who), self._log_in(who)

    @rule(node=NODE, where=WHERE, count=st.integers(1, 6))
    def say(self, node: int, where: str, count: int = 1) -> None:
        messages = []
        for _ in range(count):
            self.said += 1
            message_id = f"00000000-0000-4000-8000-{self.said:012x}"
            text = f"{self.said} {'x' * (self.said * 37 % 200)}"
            messages.append(
                pb.OutgoingMessage(room_id=self.rooms[where], client_message_id=message_id, text=text)
            )
        request = pb.SendMessagesRequest(messages=messages)
        assert self._call(node, "root", "SendMessages", request, pb.SendMessagesResponse)

    # Reading

    @rule(node=NODE, who=WHO, consumer=st.sampled_from(["", "phone"]))
    def follow(self, node: int, who: str, consumer: str) -> None:
        if sum(reader.ended is None for reader in self.readers) >= MOST_STREAMS:
            return
        request = pb.SubscribeRequest(consumer=consumer, all_rooms=not consumer, include_own=True)
        token = self.tokens[who]
        stream = self.nodes[node].subscribe(token, request)
        reader = Reader(who, token, consumer, stream, self.loop)
        self.readers.append(reader)
        with suppress(SessionEnded, Unauthenticated):
            reader.take()

    @precondition(lambda self: self.readers)
    @rule(at=ANY)
    def read(self, at: int) -> None:
        self.readers[at % len(self.readers)].take()

    # The bus

    @precondition(lambda self: self.bus.on_their_way)
    @rule(at=ANY, how=st.sampled_from(["deliver", "repeat", "lose"]))
    def carry(self, at: int, how: str) -> None:
        """A hint comes, perhaps not for the last time, or never."""
        at %= len(self.bus.on_their_way)
        if how == "lose":
            self.bus.on_their_way.pop(at)
        else:
            self.bus.deliver(at, again=how == "repeat")
        self.loop.settle()

    # What must be true

    @rule()
    def check(self) -> None:
        """What nobody was told of is known after a check of positions."""
        self._wait_for_claims()
        self.loop.elapse(1.1 * CHECK)
        before = self._heads()
        for at, where in enumerate(ROOMS):
            self.say((at + self.said) % 2, where)
        self.loop.elapse(1.1 * CHECK)
        heads = self._heads()
        assert all(heads[room_id] > before[room_id] for room_id in heads)
        newest: dict[str, Reader] = {}
        for reader in self.readers:
            reader.take()
            if reader.token in self.dead:
                assert isinstance(reader.ended, SessionEnded | Unauthenticated | ConsumerTakenOver)
            elif reader.consumer and reader.ended is None:
                assert reader.user not in newest, "two streams of a consumer"
                newest[reader.user] = reader
            if reader.ended is None:
                self._check_rooms(reader, before, heads)
        self._check_tokens()
        for user in USERS:
            opened = [
                reader
                for reader in self.readers
                if reader.user == user and reader.consumer and reader.token not in self.dead
            ]
            if opened:
                assert opened[-1].ended is None, "the newest stream of a consumer has ended"

    def _check_tokens(self) -> None:
        for token in self.dead:
            for node in range(2):
                with pytest.raises((SessionEnded, Unauthenticated)):
                    self._call(node, "", "GetMe", pb.GetMeRequest(), pb.GetMeResponse, token=token)
        for token in [*self.tokens.values(), *self.masters.values()]:
            for node in range(2):
                assert self._call(node, "", "GetMe", pb.GetMeRequest(), pb.GetMeResponse, token=token)

    def _check_rooms(self, reader: Reader, before: dict[str, int], heads: dict[str, int]) -> None:
        for name, room_id in self.rooms.items():
            if reader.user in self.members[name]:
                assert reader.got(room_id) == heads[room_id], "a member has not got everything"
            else:
                got = max((seq for run in reader.runs.get(room_id, ()) for seq in run), default=0)
                assert got <= before[room_id], "something reached a stream whose user is no member"

    def _wait_for_claims(self) -> None:
        """A claim is stored in the background, before what is sent after it."""
        for node in range(2):
            self.say(node, ROOMS[0])

    def _heads(self) -> dict[str, int]:
        with self.store.snapshot() as snapshot:
            return snapshot.heads(self.rooms.values())

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self._end(self.readers)

    def _end(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            reader.leave()
        for node in self.nodes:
            node.stop()
        self.store.close()
        self.loop.close()
        asyncio.set_event_loop(None)
        shutil.rmtree(self.folder)


TestTwoNodes = TwoNodes.TestCase
TestTwoNodes.settings = histories(24, steps=30)
