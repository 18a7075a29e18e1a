"""The chat system as one object: what it starts, applies and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from google.protobuf.message import Message

from grpc_chat.bus.local import LocalBus
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.effects import Deleted, Effect, HistoryChanged, Told
from grpc_chat.core.options import Hashing, Options
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.user_log import KINDS, entry
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.sqlite import open_store
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb

QUICK = Options(hashing=Hashing(memory_kib=8, passes=1))


def room(room_id: str) -> Transact:
    return Transact(lambda transaction: transaction.put_room(room_id, room_id, {"ann": pb.ROLE_MEMBER}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


async def test_what_waits_is_written_and_the_store_stays_open(store: Store) -> None:
    """A system ends with the writes that wait. The store is its owner's."""
    async with ChatSystem(store, LocalBus().port(), QUICK) as system:
        writes = [asyncio.create_task(system.committer.commit(room(f"r{number}"))) for number in range(20)]
        await asyncio.sleep(0)
        assert system.committer.waiting

    assert all(write.done() and not write.exception() for write in writes)
    with store.snapshot() as snapshot:
        assert snapshot.heads([f"r{number}" for number in range(20)]).keys() == {
            f"r{number}" for number in range(20)
        }


async def test_every_effect_is_applied(store: Store) -> None:
    """In a system without streams or sessions nothing comes of them, and nothing goes wrong."""
    store.commit([room("r1")])
    with store.snapshot() as snapshot:
        membership = snapshot.membership("r1", "ann")
    assert membership
    whats: list[Message] = [
        pb.RoomJoined(room_id="r1"),
        pb.RoomLost(left=pb.RoomLeft(room_id="r1"), seq=1),
        pb.Invited(),
        pb.SessionHasEnded(session_id="s1"),
        pb.RightsChanged(),
        pb.ConsumerTaken(consumer="phone"),
        pb.ReadMarkersMoved(),
        pb.ThreadsChanged(),
        pb.NotificationsChanged(),
        pb.DraftChanged(),
        pb.SavedChanged(),
        pb.ScheduledChanged(),
    ]
    assert {type(what) for what in whats} == set(KINDS)
    entries = [entry("ann", what) for what in whats]
    assert [each.WhichOneof("kind") for each in entries] == list(KINDS.values())
    effects: list[Effect] = [
        *[Told("ann", each, membership) for each in entries],
        Deleted("r1", "ann"),
        HistoryChanged("r1", pb.HISTORY_SINCE_JOIN, 1),
    ]
    assert {type(effect) for effect in effects} == set(get_args(Effect))

    def leave_all(transaction: Transaction) -> None:
        for effect in effects:
            transaction.after_commit(effect)

    async with ChatSystem(store, LocalBus().port(), QUICK, housekeeping=False) as system:
        await system.committer.transact(SYSTEM, leave_all)
        with pytest.raises(AssertionError):
            system._apply("something else")  # type: ignore[arg-type]


async def test_all_of_a_nodes_transports_are_stopped() -> None:
    """Each says that it will stop before the first one has stopped."""
    told: list[str] = []

    class Another:
        async def start(self) -> None:
            raise AssertionError("it came too late")

        def announce_stop(self) -> None:
            told.append("announced")

        async def stop(self, grace: timedelta) -> None:
            told.append(f"stopped within {grace.total_seconds():g} s")

    async with running_node(stop_grace=timedelta(seconds=3)) as node:
        node.node._servers += [Another(), Another()]

    assert told == ["announced", "announced", "stopped within 3 s", "stopped within 3 s"]
