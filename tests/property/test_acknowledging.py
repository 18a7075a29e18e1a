"""Consumers end where one acknowledgement after the other would have left them, whatever fails in between."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from grpc_chat.bus.local import LocalBus
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.options import Options
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.turns import share
from grpc_chat.errors import BadCursor, ChatError, EpochChanged, RoomNotFound, StoreFull
from grpc_chat.store.base import Result, Store, Transaction, Write
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.store_writes import put_room, remove

PEOPLE, ROOMS, CONSUMERS = ("alice", "bob", "carol"), ("r1", "r2"), ("app", "bot")
_Positions = dict[tuple[str, str, str], int]
"""By user, consumer and room."""
_AROUND = 30
"""Acknowledgements under way at once."""


class _Disk:
    """A store that is full now and then, and is copied around its commits, as a kill would leave it."""

    def __init__(self, store: Store, folder: Path, pick: random.Random, answered: _Positions) -> None:
        self._store, self._folder, self._pick, self._answered = store, folder, pick, answered
        self.copies: list[tuple[Path, _Positions]] = []
        self.full = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        if self._pick.random() < 0.2:
            self.full += 1
            raise StoreFull("the disk is full; nothing was stored")
        self._copy()
        results = self._store.commit(writes)
        self._copy()
        return results

    def _copy(self) -> None:
        # Before the files: what is answered while they are copied need not be in them.
        answered = dict(self._answered)
        if self._pick.random() < 0.5:
            copy = self._folder.with_name(f"copy-{len(self.copies)}")
            copy.mkdir()
            for file in self._folder.glob("chat.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy)
            self.copies.append((copy / "chat.db", answered))


def stored(path: Path) -> _Positions:
    """What a database has, opened as after the server was killed."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT user_id, consumer, room_id, seq FROM consumers").fetchall()
    return {(user, consumer, room_id): seq for user, consumer, room_id, seq in found}


class _History:
    """Clients that acknowledge at random, many calls at once, and what became of it."""

    def __init__(self, system: ChatSystem, epoch: str, pick: random.Random, answered: _Positions) -> None:
        self._system, self._epoch = system, epoch
        self._pick = pick
        self.answered = answered
        """How far each consumer was said to be."""
        self.heads: dict[str, list[tuple[int, int]]] = {room_id: [] for room_id in ROOMS}
        self.refused: list[type[ChatError]] = []

    async def say(self, room_id: str) -> None:
        message = pb.OutgoingMessage(room_id=room_id, client_message_id=str(self._id()), text="hello")
        try:
            [placed] = await self._system.messages.send(Caller("owner", "owner"), [message])
        except StoreFull:
            return
        self.heads[room_id].append((placed.seq, placed.create_time_us))

    def _id(self) -> str:
        return f"{self._pick.getrandbits(128):032x}"

    async def acknowledge(self, user: str) -> None:
        consumer, rooms = self._pick.choice(CONSUMERS), self._pick.sample(ROOMS, self._pick.choice((1, 1, 2)))
        request = pb.AcknowledgeRequest(consumer=consumer)
        for room_id in rooms:
            seq, stamp = self._pick.choice(self.heads[room_id] or [(0, 0)])
            cursor = request.cursors.add(room_id=room_id, seq=seq, epoch=self._epoch)
            cursor.stamp = stamp if self._pick.random() < 0.7 else 0
            if len(rooms) == 1 and seq and self._pick.random() < 0.2:
                # Of another history, or not there yet.
                cursor.seq, cursor.stamp = self._pick.choice(((seq, stamp + 1), (seq + 1000, 0)))
        share.set(user)
        try:
            await self._system.consumers.acknowledge(Caller(user, user), request)
        except ChatError as error:
            self.refused.append(type(error))
            return
        for cursor in request.cursors:
            key = (user, consumer, cursor.room_id)
            self.answered[key] = max(self.answered.get(key, 0), cursor.seq)


@pytest.mark.parametrize("seed", range(4))
async def test_no_consumer_is_behind_what_was_answered(tmp_path: Path, seed: int) -> None:
    """Nor in front of it: after a full disk, a removal, a kill at any commit, and positions of all kinds."""
    pick, answered = random.Random(seed), _Positions()
    folder = tmp_path / "data"
    with closing(open_store(folder)) as store:
        for room_id in ROOMS:
            people = dict.fromkeys(PEOPLE, pb.ROLE_MEMBER) | {"owner": pb.ROLE_OWNER}
            store.commit([put_room(room_id, room_id, people)])
        disk = _Disk(store, folder, random.Random(seed + 1000), answered)
        options = Options(trusting=True, streams=Bounds(position_check=None))
        async with ChatSystem(cast(Store, disk), LocalBus().port(), options, housekeeping=False) as system:
            history = _History(system, store.epoch, pick, answered)
            for turn in range(12):
                if turn == 8:
                    await _removed(system, "r1", "bob")
                calls = [history.acknowledge(pick.choice(PEOPLE)) for _ in range(_AROUND)]
                calls += [history.say(pick.choice(ROOMS)) for _ in range(2)]
                pick.shuffle(calls)
                await asyncio.gather(*calls)

    gone = {
        (user, consumer, room_id) for user, consumer, room_id in answered if (user, room_id) == ("bob", "r1")
    }
    kept = {key: seq for key, seq in answered.items() if key not in gone}
    assert stored(folder / "chat.db") == kept
    for path, before in disk.copies:
        found = stored(path)
        behind = {key: seq for key, seq in before.items() if key not in gone and found.get(key, -1) < seq}
        assert not behind, path
        assert all(seq <= answered.get(key, -1) for key, seq in found.items() if key in kept)
    # All of it took place.
    assert {BadCursor, EpochChanged, RoomNotFound, StoreFull} <= set(history.refused)
    assert disk.full
    assert len(disk.copies) > 5
    assert len(kept) == 10


async def _removed(system: ChatSystem, room_id: str, user_id: str) -> None:
    """Remove somebody from a room, however often the disk is full."""

    def in_transaction(transaction: Transaction) -> None:
        remove(transaction, room_id, user_id)

    while True:
        try:
            return await system.committer.transact(SYSTEM, in_transaction)
        except StoreFull:
            continue
