"""An event that says something else: anyone who is sent it from then on is sent what it says now.

In one node whose reads and loop are in the hand of the test, so that a page can be on its way meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grpc_chat.bus.local import LocalBus
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import SYSTEM
from grpc_chat.store.base import Transaction
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.property.bare_node import BareNode, FrozenLoop
from tests.store_writes import put_room
from tests.support import PulledResponses

OLD, NEW = "what was said", "(deleted)"


class World:
    """One room, in which ann talks and ben listens."""

    def __init__(self, folder: Path, loop: FrozenLoop) -> None:
        self.loop = loop
        self.store = open_store(folder)
        self.store.commit([put_room("r1", "r1", {"ann": pb.ROLE_MEMBER, "ben": pb.ROLE_MEMBER})])
        self.node = BareNode(
            "one",
            loop,
            self.store,
            threading.Lock(),
            bus=LocalBus().port(),
            bounds=Bounds(),
            sessions={"pad": "ann", "phone": "ben"},
        )

    def say(self, *texts: str) -> None:
        events = [pb.Event(room_id="r1", user_id="ann", message=pb.Message(text=text)) for text in texts]
        drafts = [Draft(event, "pad", lambda *_: None) for event in events]
        self.loop.run(self.node.committer.append(Append(drafts)))

    def rewrite(self, seq: int) -> None:
        def in_transaction(transaction: Transaction) -> bool:
            return transaction.rewrite("r1", seq, pb.Event(user_id="ann", message=pb.Message(text=NEW)))

        assert self.loop.run(self.node.committer.transact(SYSTEM, in_transaction))

    def follow(self, seq: int) -> PulledResponses:
        """A stream of ben's from a place on, that has said so."""
        cursor = pb.Cursor(room_id="r1", seq=seq, epoch=self.store.epoch)
        stream = self.node.subscribe("phone", pb.SubscribeRequest(cursors=[cursor]))
        assert pb.SubscribeResponse.FromString(self.loop.run(stream.__anext__())).HasField("started")
        return stream

    def next_of(self, stream: PulledResponses) -> dict[int, str]:
        """The texts of the next response with any."""
        while True:
            response = pb.SubscribeResponse.FromString(self.loop.run(stream.__anext__()))
            if response.events:
                return {event.seq: event.message.text for event in response.events}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    loop = FrozenLoop()
    asyncio.set_event_loop(loop)
    made = World(tmp_path / "data", loop)
    with closing(loop), closing(made.store):
        try:
            yield made
        finally:
            made.node.stop()


def test_a_follower_at_the_newest_event_is_sent_it_once(world: World) -> None:
    """What it was sent it has, and what comes next goes on from there."""
    stream = world.follow(0)
    world.say("one", OLD)
    assert world.next_of(stream) == {1: "one", 2: OLD}

    world.rewrite(2)
    world.say("three")

    assert world.next_of(stream) == {3: "three"}
    world.loop.run(stream.aclose())


def test_a_follower_that_is_behind_is_sent_what_it_says_now(world: World) -> None:
    """Although the old bytes were in the node's memory, ready to be sent."""
    stream = world.follow(0)
    world.say("one")
    assert world.next_of(stream) == {1: "one"}
    world.say(OLD, "three")

    world.rewrite(2)

    assert world.next_of(stream) == {2: NEW, 3: "three"}
    world.loop.run(stream.aclose())


def test_a_page_that_was_being_read_is_read_again(world: World) -> None:
    """It was read from a moment before, and would have been sent after."""
    world.say("one", OLD, "three")
    stream = world.follow(0)
    world.node.readers.hold()
    waiting = world.loop.create_task(stream.__anext__())
    world.loop.settle()
    assert not waiting.done()

    world.rewrite(2)
    world.node.readers.release()

    response = pb.SubscribeResponse.FromString(world.loop.run_until_complete(waiting))
    assert {event.seq: event.message.text for event in response.events} == {1: "one", 2: NEW, 3: "three"}
    world.loop.run(stream.aclose())


def test_what_is_rewritten_in_the_commit_that_stored_it_is_sent_as_it_is_then(world: World) -> None:
    """Followers are told of a commit when all of it is done."""
    stream = world.follow(0)
    world.node.committer._max_batch = 100
    world.node.disk.hold("before")
    first = world.loop.create_task(world.node.committer.transact(SYSTEM, lambda _: None))
    world.loop.settle()
    world.node.disk.wait_until_reached()
    event = pb.Event(room_id="r1", user_id="ann", message=pb.Message(text=OLD))

    def in_transaction(transaction: Transaction) -> bool:
        return transaction.rewrite("r1", 1, pb.Event(user_id="ann", message=pb.Message(text=NEW)))

    said = world.loop.create_task(world.node.committer.append(Append([Draft(event, "pad", lambda *_: None)])))
    rewritten = world.loop.create_task(world.node.committer.transact(SYSTEM, in_transaction))
    world.loop.settle()
    world.node.disk.release()
    world.loop.run_until_complete(asyncio.gather(first, said, rewritten))

    assert rewritten.result()
    assert world.next_of(stream) == {1: NEW}
    world.loop.run(stream.aclose())
