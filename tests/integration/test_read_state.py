"""What streams tell of how far their user has read."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.core.caller import SYSTEM
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import user_log
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.statements import statements
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone"}, limits={"calls_per_second": 0, "adds_per_second": 0}, network=False
    ) as made:
        for user in ("alice", "bob"):
            await made.register(user)
        yield made


class Session:
    """A client that counts what is unread by the rules of docs/topics/unread.md, from its stream alone.

    Args:
        senders: Who sent which message, which the deletion of a message does not say.
    """

    def __init__(self, client: chat.Client, me: str, senders: dict[int, str]) -> None:
        self.client, self.me, self.senders = client, me, senders
        self.seq = self.unread = self.last_seq = 0
        self.cursors: list[chat.Cursor] = []
        self._later: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    async def connect(self, room: str) -> None:
        """Follow the room from where it was left."""
        rooms = self.cursors or [chat.Cursor(room)]
        self._subscription = self.client.subscribe(*rooms, read_state=True)
        self._task = asyncio.create_task(self._follow())

    async def disconnect(self) -> None:
        """Close the stream, and remember the place."""
        if self._task:
            self.cursors = list(self._subscription.cursors.values())
            await self._subscription.aclose()
            await self._task
            self._task = None

    @property
    def connected(self) -> bool:
        return self._task is not None

    async def agrees_with(self, truth: chat.Room) -> None:
        """Wait until it counts what the server does."""
        await until(lambda: (self.seq, self.unread) == (truth.read_seq, truth.unread))

    def sent(self, seq: int) -> None:
        """Count a message that it sent itself: its reply tells of it, and there is no echo."""
        if seq > self.last_seq:
            self.seq = self.last_seq = seq
            self.unread = 0
            self._later.clear()

    async def _follow(self) -> None:
        async for update in self._subscription.updates():
            match update:
                case chat.ReadMarker():
                    self.seq, self.unread, self.last_seq = update.seq, update.unread, update.last_seq
                    self._later = {seq for seq in self._later if seq > self.last_seq}
                    self.unread += len(self._later)
                case chat.Message() if update.sender_id == self.me:
                    self.sent(update.seq)
                case chat.Message() if update.seq > self.last_seq and not update.deleted:
                    self._later.add(update.seq)
                    self.unread += 1
                case chat.MessageDeleted() if update.seq > self.last_seq:
                    gone = update.message_seq
                    before = self.seq < gone <= self.last_seq and self.senders[gone] != self.me
                    if before or gone in self._later:
                        self._later.discard(gone)
                        self.unread -= 1


async def test_two_sessions_of_a_user_agree_with_the_server_at_every_moment(node: RunningNode) -> None:
    """After whatever is sent, deleted, read and marked as unread, also by the sessions themselves, and after
    one of them was away."""
    pick = random.Random(7)
    alice = await node.log_in("alice")
    room = (await alice.create_room("two sessions")).room_id
    await alice.add_member(room, "bob")
    senders: dict[int, str] = {}
    async with AsyncExitStack() as stack:
        bobs = [Session(await node.log_in("bob"), "bob", senders) for _ in range(2)]
        for bob in bobs:
            stack.push_async_callback(bob.disconnect)
            await bob.connect(room)
        for _ in range(120):
            bob = pick.choice(bobs)
            alive = list(senders)
            match pick.randrange(7):
                case 0 | 1:
                    senders[(await alice.send(room, "x")).seq] = "alice"
                case 2:
                    sent = await bob.client.send(room, "y")
                    bob.sent(sent.seq)
                    senders[sent.seq] = "bob"
                case 3 | 4:
                    head = (await alice.room(room)).last_seq
                    await bob.client.mark_read(room, pick.randrange(1, head + 1), back=pick.random() < 0.6)
                case 5 if alive:
                    seq = pick.choice(alive)
                    await (alice if senders[seq] == "alice" else bob.client).delete(room, seq)
                case 6:
                    if bob.connected:
                        await bob.disconnect()
                    else:
                        await bob.connect(room)
            truth = await bobs[0].client.room(room)
            for bob in bobs:
                if bob.connected:
                    await bob.agrees_with(truth)


async def test_a_stream_begins_with_the_markers_of_its_rooms_and_gets_those_that_are_joined(
    node: RunningNode,
) -> None:
    """Of the rooms that it follows, and of no others; a client that asks for none gets none."""
    alice, bob, other = await node.log_in("alice"), await node.log_in("bob"), await node.log_in("bob")
    rooms = [(await alice.create_room(f"begins {n}")).room_id for n in range(3)]
    for room in rooms[:2]:
        await alice.add_member(room, "bob")
        await alice.send(room, "unread")
    told: dict[str, chat.ReadMarker] = {}
    quiet: list[chat.Update] = []

    async def follow(subscription: chat.Subscription) -> None:
        async for update in subscription.updates():
            if isinstance(update, chat.ReadMarker):
                told[update.room_id] = update

    async def follow_quietly(subscription: chat.Subscription) -> None:
        async for update in subscription.updates():
            quiet.append(update)

    async with (
        bob.subscribe(rooms[0], read_state=True) as one,
        bob.subscribe(all_rooms=True, read_state=True) as all_,
        bob.subscribe(all_rooms=True) as none,
        asyncio.TaskGroup() as tasks,
    ):
        first = await one.next()
        while not isinstance(first, chat.ReadMarker):
            first = await one.next()
        assert (first.room_id, first.unread) == (rooms[0], 1)
        tasks.create_task(follow(all_))
        tasks.create_task(follow_quietly(none))
        await until(lambda: rooms[1] in told)
        await alice.add_member(rooms[2], "bob")
        await until(lambda: rooms[2] in told)
        assert told[rooms[2]].unread == 0
        await alice.send(rooms[2], "more")
        await other.mark_read(rooms[2], (await other.room(rooms[2])).last_seq)
        await until(lambda: told[rooms[2]].seq == told[rooms[2]].last_seq > 1)
        # The first stream does not follow the room, and the last one asked for no markers.
        await other.mark_read(rooms[0], (await other.room(rooms[0])).last_seq)
        while not isinstance(update := await one.next(), chat.ReadMarker):
            pass
        assert (update.room_id, update.unread) == (rooms[0], 0)
        await until(lambda: any(isinstance(u, chat.Message) and u.text == "more" for u in quiet))
        assert not any(isinstance(update, chat.ReadMarker) for update in quiet)
        for subscription in (one, all_, none):
            await subscription.aclose()


async def test_what_changes_while_a_response_is_written_comes_with_the_next(node: RunningNode) -> None:
    """Nothing else has to happen for it to be sent."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.create_room("written")).room_id
    await alice.add_member(room, "bob")
    system = node.node.system
    caller = await system.authenticator.authenticate(bob._link.token)
    asked = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=room)], read_state=True)
    for change in (lambda: bob.mute(room), lambda: bob.mark_read(room, 3)):
        responses: list[pb.SubscribeResponse] = []
        reads = asyncio.Event()
        reads.set()

        async def write(
            response: bytes,
            responses: list[pb.SubscribeResponse] = responses,
            reads: asyncio.Event = reads,
        ) -> None:
            responses.append(pb.SubscribeResponse.FromString(response))
            await reads.wait()

        stream = await system.opening.open(caller, asked)
        running = asyncio.create_task(stream.run(write))
        await until(lambda stream=stream: stream.waits)  # type: ignore[misc]
        reads.clear()
        before = len(responses)
        await alice.send(room, "being written")
        await until(lambda before=before, responses=responses: len(responses) > before)  # type: ignore[misc]
        await change()
        reads.set()
        await until(lambda stream=stream: stream.waits)  # type: ignore[misc]
        assert responses[-1].notifications or responses[-1].read_markers
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_marker_that_nobody_hears_of_is_stored_without_a_word(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No entry in the user's log, and none of its statements. A stream that opens at that moment is told."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.create_room("nobody hears")).room_id
    await alice.add_member(room, "bob")
    marks = node.node.system.read_markers
    real = marks._mark

    async def log() -> list[str]:
        def in_snapshot(snapshot: Snapshot) -> list[str]:
            found = snapshot.events_after(user_log("bob"), 0, limit=1000, max_bytes=1 << 20)
            return [pb.Event.FromString(event.payload).WhichOneof("kind") or "" for event in found]

        return await node.node.system.readers.run(in_snapshot)

    async def mark(text: str) -> int:
        sent = await alice.send(room, text)
        return await bob.mark_read(room, sent.seq)

    before = await log()
    noted = []
    for number in range(3):
        with statements() as given:
            await mark(f"{number}")
        noted.append(sum("user_logs" in sql for sql in given))
    assert min(noted) == 0
    assert await log() == before

    subscription = bob.subscribe(chat.Cursor(room), read_state=True)
    seen: list[int] = []

    async def follow() -> None:
        async for update in subscription.updates():
            if isinstance(update, chat.ReadMarker):
                seen.append(update.seq)

    sent = await alice.send(room, "while a stream opens")

    async def marks_late(*args: Any, tells: bool) -> list[pb.ReadMarker]:
        # The stream has begun, with the marker from before, when this one is stored.
        following.append(asyncio.create_task(follow()))
        await until(lambda: len(seen) == 1)
        return await real(*args, tells=tells)

    following: list[asyncio.Task[None]] = []
    monkeypatch.setattr(marks, "_mark", marks_late)
    await bob.mark_read(room, sent.seq)
    await until(lambda: seen == [sent.seq - 1, sent.seq])
    assert await log() == [*before, "read_markers_moved"]
    monkeypatch.undo()
    last = await alice.send(room, "to a stream")
    await bob.mark_read(room, last.seq)
    await until(lambda: seen[-1] == last.seq)
    await subscription.aclose()
    await following[0]


async def test_a_marker_whose_caller_went_away_is_told_of(node: RunningNode) -> None:
    """The call is cancelled while its write waits, and a stream has begun with the marker from before."""
    alice, bob = await node.log_in("alice"), await node.log_in("bob")
    room = (await alice.create_room("gone away")).room_id
    await alice.add_member(room, "bob")
    sent = await alice.send(room, "hello")
    system = node.node.system
    caller = await system.authenticator.authenticate(bob._link.token)
    busy, release = threading.Event(), threading.Event()

    def wait(_transaction: Transaction) -> None:
        busy.set()
        assert release.wait(20)

    holding = asyncio.create_task(system.committer.transact(SYSTEM, wait))
    await until(busy.is_set)
    marker = pb.ReadMarker(room_id=room, seq=sent.seq)
    marking = asyncio.create_task(system.read_markers.mark(caller, pb.MarkReadRequest(markers=[marker])))
    await until(lambda: system.committer.waiting == 2)
    marking.cancel()
    async with bob.subscribe(chat.Cursor(room), read_state=True) as subscription:
        updates = (update async for update in subscription.updates() if isinstance(update, chat.ReadMarker))
        assert (await anext(updates)).seq < sent.seq
        release.set()
        assert (await anext(updates)).seq == sent.seq
        await subscription.aclose()
    await holding
    assert marking.cancelled()
