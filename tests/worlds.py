"""Nodes over one store and one bus, for tests of what travels between them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from grpc_chat.bus.local import LocalBus, LocalPort
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.options import Hashing, Options
from grpc_chat.core.stream import Stream
from grpc_chat.core.system import ChatSystem
from grpc_chat.store.base import Store
from grpc_chat.wire import chat_pb2 as pb
from tests.property.bare_node import Tokens
from tests.support import PulledResponses, until

USERS = ("ann", "ben", "cat")
SESSIONS = {f"{user}{number}": user for user in USERS for number in (1, 2)}
QUIET = Bounds(heartbeat=timedelta(days=1))


class World:
    """Nodes over one store and one bus, and a clock that stands still."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 0.0
        self.bus = LocalBus()
        self._resources = AsyncExitStack()
        self._said = 0

    async def node(
        self, bus: LocalPort | None = None, bounds: Bounds = QUIET, **options: float
    ) -> ChatSystem:
        told = Options(trusting=True, streams=bounds, hashing=Hashing(memory_kib=8, passes=1))
        system = ChatSystem(
            self.store,
            bus or self.bus.port(),
            replace(told, **options),  # type: ignore[arg-type]
            authenticator=Tokens(SESSIONS),
            housekeeping=False,
            monotonic=lambda: self.now,
        )
        return await self._resources.enter_async_context(system)

    async def put_room(self, system: ChatSystem, room_id: str, *users: str) -> None:
        roles = dict.fromkeys(users, pb.ROLE_MEMBER) | {users[0]: pb.ROLE_OWNER}
        await system.committer.transact(
            SYSTEM, lambda transaction: transaction.put_room(room_id, room_id, roles)
        )

    async def say(self, system: ChatSystem, session: str, room_id: str = "r1") -> int:
        self._said += 1
        message = pb.OutgoingMessage(
            room_id=room_id, client_message_id=str(uuid4()), text=f"message {self._said}"
        )
        [position] = await system.messages.send(caller(session), [message])
        return position.seq

    async def reader(self, system: ChatSystem, session: str, *rooms: str, signals: bool = True) -> Reader:
        asked = pb.SubscribeRequest(
            cursors=[pb.Cursor(room_id=room_id) for room_id in rooms or ["r1"]], signals=signals
        )
        stream = await system.opening.open(caller(session), asked)
        reader = Reader(stream)
        self._resources.push_async_callback(reader.pulled.aclose)
        while not (await reader.pull()).HasField("caught_up"):
            pass
        return reader

    async def aclose(self) -> None:
        await self._resources.aclose()


class Reader:
    """A client that reads when it is told to."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.pulled = PulledResponses(stream.run)
        self.responses: list[pb.SubscribeResponse] = []
        self._next: asyncio.Task[bytes] | None = None

    async def pull(self) -> pb.SubscribeResponse:
        """The next response, which must come."""
        self.want()
        assert self._next
        async with asyncio.timeout(20):
            response = pb.SubscribeResponse.FromString(await self._next)
        self._next = None
        self.responses.append(response)
        return response

    def want(self) -> None:
        """Have the stream write its next response when it has one."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self.pulled))

    async def wait(self) -> None:
        """Have the stream wait until there is something."""
        self.want()
        await until(lambda: self.stream.waits)

    @property
    def has_one(self) -> bool:
        """Whether a response came that was not looked at."""
        return self._next is not None and self._next.done()


def caller(session: str) -> Caller:
    return Caller(SESSIONS[session], session)


async def settle() -> None:
    """Let everything on the loop happen that is ready to."""
    for _ in range(20):
        await asyncio.sleep(0)
