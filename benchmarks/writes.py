"""What each kind of write costs, as a multiple of a plain message.

python -m benchmarks writes

In this process: many users do the same thing at once, through the chat system and its one writer, to a
database on the disk. CPU is that of all threads; "in the store" is the commits' part of it.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

from benchmarks.servers import ROOT
from grpc_chat.bus.local import LocalBus
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import Caller
from grpc_chat.core.options import Options
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.turns import share
from grpc_chat.store.base import Result, Store, Write
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Position
from grpc_chat.wire import chat_pb2 as pb
from tests.store_writes import put_room

_ROOM = "general"
_EMOJI = "👍"


class _Timed:
    """A store that counts the CPU of its commits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.epoch = store.epoch
        self.seconds = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        start = time.thread_time()
        try:
            return self._store.commit(writes)
        finally:
            self.seconds += time.thread_time() - start


class _Bench:
    """A chat system, the users of one room, and what they do."""

    def __init__(self, system: ChatSystem, timed: _Timed, users: Sequence[Caller]) -> None:
        self.system = system
        self._timed = timed
        self._users = users
        self._head = 0
        self._mine: list[int] = []
        self._roots: list[int] = []
        self._turn = 0
        self._lobby = ""

    async def _all(self, act: Callable[[int, Caller], Awaitable[object]]) -> tuple[float, float]:
        """All users do something at once: µs of CPU for each of them, and of that in the store."""

        async def one(at: int, caller: Caller) -> object:
            share.set(caller.user_id)
            return await act(at, caller)

        stored, start = self._timed.seconds, time.process_time()
        await asyncio.gather(*[one(at, caller) for at, caller in enumerate(self._users)])
        used = time.process_time() - start
        each = 1e6 / len(self._users)
        return used * each, (self._timed.seconds - stored) * each

    async def _one(self, message: pb.OutgoingMessage) -> Position:
        """Send a message, which is not counted."""
        message.room_id, message.client_message_id = _ROOM, str(uuid.uuid4())
        [placed] = await self.system.messages.send(self._users[0], [message])
        return placed

    async def message(self) -> tuple[float, float]:
        self._mine = [0] * len(self._users)
        ids = [str(uuid.uuid4()) for _ in self._users]

        async def send(at: int, caller: Caller) -> None:
            text = f"#{at:07d}# a message of usual length, as people write them"
            message = pb.OutgoingMessage(room_id=_ROOM, client_message_id=ids[at], text=text)
            [placed] = await self.system.messages.send(caller, [message])
            self._mine[at] = placed.seq

        found = await self._all(send)
        self._head = max(self._mine)
        self._roots = self._roots or self._mine
        return found

    async def in_thread(self) -> tuple[float, float]:
        """All in one thread that they follow."""
        return await self._reply(lambda _: self._roots[0])

    async def in_threads(self) -> tuple[float, float]:
        """Each in a thread that somebody else has begun, or begins with it."""
        self._turn += 1
        return await self._reply(lambda at: self._roots[(at + self._turn) % len(self._roots)])

    async def _reply(self, root: Callable[[int], int]) -> tuple[float, float]:
        ids = [str(uuid.uuid4()) for _ in self._users]

        async def send(at: int, caller: Caller) -> None:
            text = f"#{at:07d}# a message of usual length, as people write them"
            message = pb.OutgoingMessage(
                room_id=_ROOM, client_message_id=ids[at], text=text, thread_root=root(at)
            )
            await self.system.messages.send(caller, [message])

        return await self._all(send)

    async def edit(self) -> tuple[float, float]:
        async def edit(at: int, caller: Caller) -> None:
            text = f"#{at:07d}# a message of usual length, as people wrote them at first"
            request = pb.EditMessageRequest(room_id=_ROOM, seq=self._mine[at], text=text)
            await self.system.edits.edit(caller, request)

        return await self._all(edit)

    async def reaction(self) -> tuple[float, float]:
        async def react(at: int, caller: Caller) -> None:
            request = pb.AddReactionRequest(room_id=_ROOM, seq=self._mine[at - 1], emoji=_EMOJI)
            await self.system.reactions.add(caller, request)

        return await self._all(react)

    async def reaction_back(self) -> tuple[float, float]:
        async def take_back(at: int, caller: Caller) -> None:
            request = pb.RemoveReactionRequest(room_id=_ROOM, seq=self._mine[at - 1], emoji=_EMOJI)
            await self.system.reactions.remove(caller, request)

        return await self._all(take_back)

    async def same_reaction(self) -> tuple[float, float]:
        async def react(at: int, caller: Caller) -> None:
            request = pb.AddReactionRequest(room_id=_ROOM, seq=self._mine[0], emoji=_EMOJI)
            await self.system.reactions.add(caller, request)

        return await self._all(react)

    async def vote(self) -> tuple[float, float]:
        poll = pb.Poll(options=["yes", "no", "perhaps"])
        placed = await self._one(pb.OutgoingMessage(text="shall we?", poll=poll))

        async def vote(at: int, caller: Caller) -> None:
            request = pb.VotePollRequest(room_id=_ROOM, seq=placed.seq, choices=[at % 3])
            await self.system.polls.vote(caller, request)

        return await self._all(vote)

    async def nothing(self) -> tuple[float, float]:
        """What is measured of the measuring: a task that makes a request, and waits once."""
        cursor = pb.Cursor(room_id=_ROOM, seq=1)

        async def wait(_: int, _caller: Caller) -> None:
            pb.AcknowledgeRequest(consumer="app", cursors=[cursor])
            await asyncio.sleep(0)

        return await self._all(wait)

    async def acknowledge(self) -> tuple[float, float]:
        placed = await self._one(pb.OutgoingMessage(text="as many have received"))
        cursor = pb.Cursor(
            room_id=_ROOM, seq=placed.seq, epoch=self._timed.epoch, stamp=placed.create_time_us
        )

        async def acknowledge(_: int, caller: Caller) -> None:
            request = pb.AcknowledgeRequest(consumer="app", cursors=[cursor])
            await self.system.consumers.acknowledge(caller, request)

        return await self._all(acknowledge)

    async def marker(self) -> tuple[float, float]:
        # The head is moved by edits and reactions: the newest message is what people mark.
        async def mark(at: int, caller: Caller) -> None:
            request = pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=_ROOM, seq=self._head)])
            await self.system.read_markers.mark(caller, request)

        return await self._all(mark)

    async def join(self) -> tuple[float, float]:
        if not self._lobby:
            request = pb.CreateRoomRequest(name="lobby", kind=pb.ROOM_KIND_PUBLIC)
            self._lobby = (await self.system.rooms.create(Caller("owner", "owner"), request)).room_id

        async def join(_: int, caller: Caller) -> None:
            await self.system.members.join(caller, pb.JoinRoomRequest(room_id=self._lobby))

        return await self._all(join)

    async def leave(self) -> tuple[float, float]:
        async def leave(_: int, caller: Caller) -> None:
            await self.system.members.leave(caller, pb.LeaveRoomRequest(room_id=self._lobby))

        return await self._all(leave)


async def _run(count: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """For each kind of write, the CPU of each round."""
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=ROOT))
    users = [Caller(user_id=f"u{at}", session_id=f"s{at}") for at in range(count)]
    found: dict[str, list[tuple[float, float]]] = {}
    store = open_store(folder)
    try:
        members = {each.user_id: pb.ROLE_MEMBER for each in users}
        store.commit([put_room(_ROOM, _ROOM, members), put_room("other", "other", {"owner": pb.ROLE_OWNER})])
        timed = _Timed(store)
        options = Options(trusting=True, streams=Bounds(position_check=None))
        async with ChatSystem(cast(Store, timed), LocalBus().port(), options, housekeeping=False) as system:
            bench = _Bench(system, timed, users)
            kinds = {
                "a message": bench.message,
                "a task that makes a request, and nothing else": bench.nothing,
                "a message in a thread, all in the same": bench.in_thread,
                "a message in a thread, each in another": bench.in_threads,
                "an edit": bench.edit,
                "a reaction, each to a message of its own": bench.reaction,
                "a reaction taken back, each from a message of its own": bench.reaction_back,
                "a reaction, all to the same message": bench.same_reaction,
                "a vote, all in the same poll": bench.vote,
                "a read marker": bench.marker,
                "acknowledging": bench.acknowledge,
                "joining": bench.join,
                "leaving": bench.leave,
            }
            for number in range(rounds + 1):
                for name, act in kinds.items():
                    used = await act()
                    # In the first round, the texts of statements are made.
                    if number:
                        found.setdefault(name, []).append(used)
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def rows(*, counts: Sequence[int], rounds: int) -> list[str]:
    """A row of the table for each kind of write, and each number of users."""
    lines = []
    for count in counts:
        found = asyncio.run(_run(count, rounds))
        medians = {
            name: [statistics.median(column) for column in zip(*results, strict=True)]
            for name, results in found.items()
        }
        whole, stored = medians["a message"]
        lines += [
            f"| {count} at once: {name} | {mine[0]:.0f} | {mine[0] / whole:.2f} | {mine[1]:.0f} | "
            f"{mine[1] / stored:.2f} |"
            for name, mine in medians.items()
        ]
    return lines
