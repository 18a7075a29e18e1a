"""The promises, under random histories.

A history is a sequence of sends, repeats, streams, slow readers, lost connections, slow and failing disks,
retention and restarts, on one node, or on two with a bus that can't be relied on. A few lists say what must
come of it, and every response of every stream is compared with them: what a subscriber gets is the log after
its cursor, less what its own session caused, in order, once. In the end everything is healed, and everybody
must have got everything.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from grpc_chat.bus.base import Bus
from grpc_chat.bus.local import LocalBus
from grpc_chat.core.bounds import Bounds
from grpc_chat.errors import (
    BadCursor,
    ChatError,
    ClientMessageIdReused,
    ConsumerTakenOver,
    EpochChanged,
    PermissionDenied,
    RoomNotFound,
    StoreUnavailable,
)
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.property.bare_node import BareNode, FrozenLoop, UnreliableBus, When
from tests.property.histories import ASKED, histories
from tests.store_writes import put_room, truncate

SESSIONS = {"ann-1": "ann", "ann-2": "ann", "ben-1": "ben", "cat-1": "cat", "dan-1": "dan"}
MEMBERS: dict[str, dict[str, pb.Role.ValueType]] = {
    "red": {
        "ann": pb.ROLE_OWNER,
        "ben": pb.ROLE_MEMBER,
        "cat": pb.ROLE_ADMIN,
        "dan": pb.ROLE_READER,
    },
    "blue": {"ann": pb.ROLE_MEMBER, "ben": pb.ROLE_MEMBER},
}
NOWHERE = "nowhere"

# So small that a few messages are too many: for the tail of a room, for all tails, for a response, for the
# window of a consumer. An event is about 90 bytes and its text; the longest is more than a whole tail.
BOUNDS = Bounds(
    tail_bytes=1200,
    all_tails_bytes=1900,
    response_bytes=250,
    window=5,
    heartbeat=timedelta(seconds=25),
    position_check=timedelta(seconds=1),
)
LENGTHS = (1, 1, 1, 1, 1, 1, 60, 400, 900)
MOST_READERS = 6
# Thousands of commits wait for no disk there, and nobody here pulls the plug.
MEMORY = Path("/dev/shm")

# They take ten seconds, but not on a machine with other things to do; and more are asked for by HISTORIES.
pytestmark = pytest.mark.timeout(0 if ASKED else 300)


class Said(NamedTuple):
    """One event as it must be."""

    user: str
    session: str
    message_id: str
    text: str


class Draft(NamedTuple):
    room: str
    message_id: str
    text: str


Places = list[tuple[str, int]]


class Model:
    """What must be true, in plain lists."""

    def __init__(self) -> None:
        self.log: dict[str, list[Said]] = {room: [] for room in MEMBERS}
        self.first = dict.fromkeys(MEMBERS, 1)
        self.sends: dict[tuple[str, str, str], tuple[int, str]] = {}
        self.positions: dict[tuple[str, str], dict[str, int]] = {}

    @property
    def heads(self) -> dict[str, int]:
        return {room: len(log) for room, log in self.log.items()}

    def rooms(self, session: str) -> list[str]:
        return [room for room, members in MEMBERS.items() if SESSIONS[session] in members]

    def send(self, session: str, drafts: Sequence[Draft]) -> Places | type[ChatError]:
        user = SESSIONS[session]
        new: dict[tuple[str, str, str], str] = {}
        for room, message_id, text in drafts:
            if user not in MEMBERS.get(room, {}):
                return RoomNotFound
            if MEMBERS[room][user] == pb.ROLE_READER:
                return PermissionDenied
            key = (room, user, message_id)
            if text != (self.sends[key][1] if key in self.sends else new.setdefault(key, text)):
                return ClientMessageIdReused
        places = []
        for room, message_id, text in drafts:
            key = (room, user, message_id)
            if key not in self.sends:
                self.log[room].append(Said(user, session, message_id, text))
                self.sends[key] = (len(self.log[room]), text)
            places.append((room, self.sends[key][0]))
        return places

    def acknowledge(self, session: str, consumer: str, seqs: dict[str, int]) -> type[ChatError] | None:
        for room, seq in seqs.items():
            if seq > self.heads[room]:
                return BadCursor
        positions = self.positions.setdefault((SESSIONS[session], consumer), {})
        for room, seq in seqs.items():
            positions[room] = max(positions.get(room, 0), seq)
        return None

    def truncate(self, room: str, first: int) -> None:
        self.first[room] = max(self.first[room], min(first, self.heads[room] + 1))
        self.sends = {
            key: value for key, value in self.sends.items() if key[0] != room or value[0] >= self.first[room]
        }


class Reader:
    """A client that reads one stream, and knows from the model what must be in it."""

    def __init__(
        self,
        model: Model,
        loop: FrozenLoop,
        node: BareNode,
        session: str,
        request: pb.SubscribeRequest,
        positions: dict[str, int],
    ) -> None:
        self.node = node
        self.session = session
        self.request = request
        self.positions = positions
        self.alive = True
        self.taken_over = False
        self.draining = False
        self.is_unanswered = False
        """Whether nobody knows what became of its last acknowledgement."""
        self._model = model
        self._loop = loop
        self._stream: Any = node.subscribe(session, request)
        self._step: asyncio.Task[bytes] | None = None
        self._started = False
        self._caught_up = False
        self._must_catch_up_with = {room: model.heads[room] for room in positions}
        self._received = {room: list[int]() for room in positions}
        self._ask()

    @property
    def consumer(self) -> str:
        return self.request.consumer

    def is_own(self, room: str, seq: int) -> bool:
        return not self.request.include_own and self._model.log[room][seq - 1].session == self.session

    @property
    def is_owed(self) -> bool:
        """Whether there is something that it must still get."""
        return not self._caught_up or any(
            not self.is_own(room, at)
            for room, seq in self.positions.items()
            for at in range(seq + 1, self._model.heads[room] + 1)
        )

    def _ask(self) -> None:
        async def pull() -> bytes:
            return await anext(self._stream, b"")

        self._step = self._loop.create_task(pull())
        self._loop.settle()

    def take(self, most: int) -> int:
        """Read up to so many responses; how many there were."""
        for count in range(most):
            if not self._take():
                return count
        return most

    def _take(self) -> bool:
        if not self.alive:
            return False
        if self._step is None:
            self._ask()
        else:
            self._loop.settle()
        assert self._step
        if not self._step.done():
            return False
        step, self._step = self._step, None
        try:
            data = step.result()
        except ConsumerTakenOver:
            assert self.taken_over, "nobody took this consumer over"
            self.alive = False
            return False
        if data:
            self._check(data)
        else:
            assert self.draining, "the stream ended"
            self.alive = False
        return self.alive

    def take_the_rest(self) -> None:
        """Of a stream whose node is about to stop: one response that was made before, and the farewell."""
        self.take(2)
        assert not self._take(), "the stream goes on"
        assert not self.alive, "a stream outlives its node"
        self.leave()

    def wait_until_started(self) -> None:
        """Where the server has to write before it can start the stream."""
        assert self._step
        self._loop.run_until_complete(asyncio.wait([self._step]))
        assert self._take()

    def leave(self) -> None:
        """Lose the connection; what was on its way is lost with it."""
        self.alive = False
        if self._step:
            self._step.cancel()
            with suppress(asyncio.CancelledError, ConsumerTakenOver):
                self._loop.run_until_complete(self._step)
        self._loop.run(self._stream.aclose())

    def _check(self, data: bytes) -> None:
        response = pb.SubscribeResponse.FromString(data)
        if not self._started:
            self._check_started(response)
            return
        assert not response.HasField("started")
        for gap in response.gaps:
            self._pass(gap.room_id, gap.from_seq - 1)
            assert gap.from_seq <= gap.to_seq < self._model.first[gap.room_id], "a gap where nothing is gone"
            self.positions[gap.room_id] = gap.to_seq
        for event in response.events:
            self._check_event(event)
        for passed in response.passed:
            assert passed.epoch == self.node.disk.epoch
            self._pass(passed.room_id, passed.seq)
        if response.HasField("caught_up"):
            assert not self._caught_up, "caught up twice"
            assert all(self.positions[room] >= seq for room, seq in self._must_catch_up_with.items())
            self._caught_up = True
        if response.HasField("draining"):
            assert self.node.draining, "draining, of a node that is not"
            self.draining = True
        # A piece of one room's log is added as long as there is room, and ends when there is none.
        sizes = [event.ByteSize() for event in response.events]
        assert sum(sizes) < 2 * BOUNDS.response_bytes + max(sizes, default=0), "a response beyond its bound"
        if self.consumer:
            self._check_window()

    def _check_started(self, response: pb.SubscribeResponse) -> None:
        assert response.HasField("started")
        assert not response.events
        assert response.started.epoch == self.node.disk.epoch
        if self.consumer:
            assert {c.room_id: c.seq for c in response.started.cursors} == self.positions
        self._started = True

    def _check_event(self, event: pb.Event) -> None:
        room, seq = event.room_id, event.seq
        assert seq <= self._model.heads[room], "told before it is stored"
        self._pass(room, seq - 1)
        assert not self.is_own(room, seq), "an echo"
        said = self._model.log[room][seq - 1]
        assert (event.user_id, event.message.client_message_id) == (said.user, said.message_id)
        assert event.message.text == said.text
        self.positions[room] = seq
        self._received[room].append(seq)

    def _pass(self, room: str, seq: int) -> None:
        """Everything up to ``seq`` counts as seen now, so what was not sent must be this session's own."""
        assert seq >= self.positions[room], "once more, or out of order"
        for at in range(self.positions[room] + 1, seq + 1):
            assert self.is_own(room, at), f"{room} {at} is missing"
        self.positions[room] = seq

    def _check_window(self) -> None:
        known = self._model.positions.get((SESSIONS[self.session], self.consumer), {})
        waiting = sum(seq > known.get(room, 0) for room, seqs in self._received.items() for seq in seqs)
        assert waiting <= min(self.request.max_unacknowledged or BOUNDS.window, BOUNDS.window)

    def assert_position_is_known(self) -> None:
        """After a heartbeat the client knows that it is at the end, also where that was its own event."""
        heads = self._model.heads
        assert self.positions == {room: heads[room] for room in self.positions}


@dataclass
class Waiting:
    """A write that a node has not answered yet."""

    outcome: asyncio.Task[Any]
    expect: Callable[[], object]
    """Has the model do the same, and says what the answer must be."""
    expected: object = None
    is_done: bool = False
    """Whether the model has done it."""

    def do(self) -> None:
        if not self.is_done:
            self.expected, self.is_done = self.expect(), True


ANY = st.integers(0, 1000)
DRAFTS = st.lists(
    st.tuples(st.sampled_from(["red", "red", "blue"]), st.sampled_from(LENGTHS)), min_size=1, max_size=4
)


class Promises(RuleBasedStateMachine):
    """What both kinds of histories have in common."""

    nodes_count = 1
    bounds = BOUNDS

    def __init__(self) -> None:
        super().__init__()
        self.loop = FrozenLoop()
        asyncio.set_event_loop(self.loop)
        self.folder = Path(tempfile.mkdtemp(prefix="grpc-chat-", dir=MEMORY if MEMORY.is_dir() else None))
        self.lock = threading.Lock()
        self.store = open_store(self.folder, readers=1)
        self.store.commit([put_room(room, room, members) for room, members in MEMBERS.items()])
        self.epoch = self.store.epoch
        self.model = Model()
        self.readers: list[Reader] = []
        self.calls: list[tuple[str, list[Draft]]] = []
        self.waiting: dict[str, list[Waiting]] = {}
        self.unreliable = UnreliableBus()
        self.nodes: list[BareNode] = []
        self.said = 0
        self.said_before_restart = 0

    @initialize(followers=st.lists(st.tuples(ANY, st.sampled_from(sorted(SESSIONS))), max_size=3))
    def start(self, followers: list[tuple[int, str]]) -> None:
        self.nodes = [self._start_node(str(number)) for number in range(self.nodes_count)]
        for node, session in followers:
            self.follow(node, session, one_room=False, part=0.0, include_own=False)

    def _start_node(self, name: str) -> BareNode:
        self.waiting[name] = []
        return BareNode(
            name, self.loop, self.store, self.lock, bus=self._bus(name), bounds=self.bounds, sessions=SESSIONS
        )

    def _bus(self, name: str) -> Bus:
        return LocalBus().port()

    def _node(self, number: int) -> BareNode:
        return self.nodes[number % len(self.nodes)]

    # Writing

    def _write(
        self,
        node: BareNode,
        work: Coroutine[Any, Any, object],
        expect: Callable[[], object],
        *,
        hold: When | None = None,
    ) -> None:
        async def outcome() -> object:
            try:
                return await work
            except ChatError as error:
                return type(error)

        lose = node.disk.lose
        if hold:
            node.disk.hold(hold)
        waiting = Waiting(self.loop.create_task(outcome()), expect)
        if hold:
            self.loop.settle()
            node.disk.wait_until_reached()
        self.loop.settle()
        if node.disk.held is None:
            self.loop.run_until_complete(waiting.outcome)
        else:
            assert not waiting.outcome.done(), "answered before it was stored"
        if lose == "before":
            waiting.expected, waiting.is_done = StoreUnavailable, True
        elif lose == "after":
            waiting.do()
            waiting.expected = StoreUnavailable
        elif hold == "after" or node.disk.held is None:
            waiting.do()
        if node.disk.held is None:
            self._assert_outcome(waiting)
        else:
            self.waiting[node.name].append(waiting)
        self._assert_memory_is_bounded()

    def _assert_outcome(self, waiting: Waiting) -> None:
        waiting.do()
        assert waiting.outcome.result() == waiting.expected

    def _send(self, node: BareNode, session: str, drafts: list[Draft], hold: When | None = None) -> None:
        request = pb.SendMessagesRequest(
            messages=[pb.OutgoingMessage(room_id=r, client_message_id=i, text=t) for r, i, t in drafts]
        )

        async def call() -> Places:
            response = await node.call(session, "SendMessages", request, pb.SendMessagesResponse)
            assert {sent.epoch for sent in response.messages} == {self.epoch}
            return [(sent.room_id, sent.seq) for sent in response.messages]

        same_id = [Draft(r, i.lower(), t) for r, i, t in drafts]
        self._write(node, call(), lambda: self.model.send(session, same_id), hold=hold)

    def _drafts(self, shapes: Sequence[tuple[str, int]]) -> list[Draft]:
        drafts = []
        for room, length in shapes:
            self.said += 1
            message_id = str(UUID(int=self.said << 64 | 0xA7 << 120))
            drafts.append(Draft(room, message_id, f"{self.said}{'é' * (length // 2)}"))
        return drafts

    @rule(node=ANY, session=st.sampled_from(sorted(SESSIONS)), shapes=DRAFTS)
    def send(self, node: int, session: str, shapes: list[tuple[str, int]]) -> None:
        drafts = self._drafts(shapes)
        self.calls.append((session, drafts))
        self._send(self._node(node), session, drafts)

    @rule(
        turns=st.lists(
            st.tuples(
                ANY,
                st.sampled_from(["ann-1", "ann-2", "ben-1"]),
                st.sampled_from(["red", "red", "blue"]),
                st.none() | ANY,
            ),
            min_size=2,
            max_size=8,
        )
    )
    def talk(self, turns: list[tuple[int, str, str, int | None]]) -> None:
        """One short message after another, and now and then somebody who reads what is new."""
        for node, session, room, reader in turns:
            self.send(node, session, [(room, 1)])
            if reader is not None and self.readers:
                self.read(reader, 2)

    @rule(node=ANY, session=st.sampled_from(["ann-1", "ben-1"]), room=st.sampled_from(sorted(MEMBERS)))
    def send_a_lot(self, node: int, session: str, room: str) -> None:
        drafts = self._drafts([(room, 1)] * 25)
        self.calls.append((session, drafts))
        self._send(self._node(node), session, drafts)

    @precondition(lambda self: self.calls)
    @rule(node=ANY, call=ANY, other_session=st.booleans())
    def send_again(self, node: int, call: int, other_session: bool) -> None:
        """From any session of the user, on any node, in another spelling of the ids."""
        session, drafts = self.calls[call % len(self.calls)]
        if other_session and session == "ann-1":
            session = "ann-2"
        self._send(self._node(node), session, [Draft(r, i.upper(), t) for r, i, t in drafts])

    @precondition(lambda self: self.calls)
    @rule(
        node=ANY,
        call=ANY,
        session=st.sampled_from(sorted(SESSIONS)),
        room=st.sampled_from(sorted(MEMBERS)),
        same_text=st.booleans(),
    )
    def use_an_id_again(self, node: int, call: int, session: str, room: str, same_text: bool) -> None:
        """By the same sender or another, in the same room or another, with good company."""
        _, drafts = self.calls[call % len(self.calls)]
        before = drafts[0]
        again = Draft(room, before.message_id, before.text if same_text else before.text + "?")
        good, twice = self._drafts([(room, 1), (room, 1)])
        self.calls.append((session, [good, again, twice, twice]))
        self._send(self._node(node), session, self.calls[-1][1])

    @rule(
        node=ANY,
        session=st.sampled_from(["ann-1", "ben-1", "cat-1"]),
        shapes=DRAFTS,
        when=st.sampled_from(["before", "after"]),
    )
    def send_while_the_disk_is_slow(
        self, node: int, session: str, shapes: list[tuple[str, int]], when: When
    ) -> None:
        """It stops before it has stored this, or when it has and nobody knows; everything else waits."""
        at = self._node(node)
        if at.disk.held is None and at.disk.lose is None:
            drafts = self._drafts(shapes)
            self.calls.append((session, drafts))
            self._send(at, session, drafts, hold=when)

    @precondition(lambda self: any(node.disk.held for node in self.nodes))
    @rule(all_read=st.booleans())
    def disk_is_fast_again(self, all_read: bool) -> None:
        for node in self.nodes:
            self._finish_writes(node)
        if all_read:
            self._everybody_gets_everything()

    def _finish_writes(self, node: BareNode) -> None:
        if node.disk.held is None:
            return
        waiting, self.waiting[node.name] = self.waiting[node.name], []
        node.disk.release()
        self.loop.run_until_complete(asyncio.wait([each.outcome for each in waiting]))
        # Users take turns, so what waited is not stored in the order in which it came.
        by_task = {each.outcome: each for each in waiting}
        for task in node.order_stored(by_task):
            self._assert_outcome(by_task[task])

    @rule(node=ANY, room=st.sampled_from(sorted(MEMBERS)), keep=st.integers(0, 12))
    def remove_old_events(self, node: int, room: str, keep: int) -> None:
        at = self._node(node)
        first = max(1, self.model.heads[room] + 1 - keep)
        write = truncate(room, first)

        async def remove() -> None:
            await at.committer.commit(write)

        self._write(at, remove(), lambda: self.model.truncate(room, first))

    # Reading

    @rule(
        node=ANY,
        session=st.sampled_from(sorted(SESSIONS)),
        one_room=st.booleans(),
        part=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
        include_own=st.booleans(),
    )
    def follow(self, node: int, session: str, one_room: bool, part: float, include_own: bool) -> None:
        """From the beginning, the middle or the end."""
        rooms = self.model.rooms(session)[: 1 if one_room else None]
        positions = {room: int(self.model.heads[room] * part) for room in rooms}
        self._follow(self._node(node), session, positions, include_own)

    @rule(
        node=ANY,
        session=st.sampled_from(sorted(SESSIONS)),
        shapes=DRAFTS,
        alone=st.booleans(),
        all_read=st.booleans(),
    )
    def follow_while_others_talk(
        self, node: int, session: str, shapes: list[tuple[str, int]], alone: bool, all_read: bool
    ) -> None:
        """What is stored after a stream was asked for, and before it is open, belongs to it too."""
        at = self._node(node)
        if alone:
            for reader in self.readers:
                if reader.node is at:
                    reader.leave()
        at.readers.hold()
        self.follow(node, session, one_room=False, part=1.0, include_own=False)
        self.send(node, "ben-1", shapes)
        at.readers.release()
        if all_read:
            self._everybody_gets_everything()

    @precondition(lambda self: any(not reader.alive for reader in self.readers))
    @rule(node=ANY, gone=ANY)
    def come_back(self, node: int, gone: int) -> None:
        """Go on from where one was, on any node."""
        left = [reader for reader in self.readers if not reader.alive]
        reader = left[gone % len(left)]
        self.readers.remove(reader)
        if reader.consumer:
            self._consume(reader.session, reader.consumer, reader.request.max_unacknowledged, False)
        else:
            self._follow(self._node(node), reader.session, reader.positions, reader.request.include_own)

    def _follow(self, node: BareNode, session: str, positions: dict[str, int], include_own: bool) -> None:
        cursors = [
            pb.Cursor(room_id=room, seq=seq, epoch=self.epoch if seq else "")
            for room, seq in positions.items()
        ]
        request = pb.SubscribeRequest(cursors=cursors, include_own=include_own)
        self._open(node, session, request, positions)

    @rule(
        session=st.sampled_from(sorted(SESSIONS)),
        name=st.sampled_from(["phone", "bot"]),
        window=st.sampled_from([0, 1, 3]),
        from_latest=st.booleans(),
    )
    def consume(self, session: str, name: str, window: int, from_latest: bool) -> None:
        self._consume(session, name, window, from_latest)

    def _consume(self, session: str, name: str, window: int, from_latest: bool) -> None:
        # A consumer has one node: that another takes it over is not yet known to the first.
        node = self._node(len(name))
        busy = node.readers.held or node.disk.held or node.disk.lose
        from_latest = from_latest and not busy
        model = self.model
        known = model.positions.get((SESSIONS[session], name), {})
        start = {
            room: known.get(room, model.heads[room] if from_latest else 0) for room in model.rooms(session)
        }
        request = pb.SubscribeRequest(
            consumer=name,
            max_unacknowledged=window,
            start=pb.START_LATEST if from_latest else pb.START_UNSPECIFIED,
        )
        older = [
            reader
            for reader in self.readers
            if reader.consumer == name and SESSIONS[reader.session] == SESSIONS[session]
        ]
        if not self._open(node, session, request, start):
            return
        for reader in older:
            reader.taken_over = True
        if from_latest:
            # Where it starts is where it stands from now on, even if it never acknowledges anything.
            new = {room: seq for room, seq in start.items() if room not in known}
            self.model.acknowledge(session, name, new)
            self.readers[-1].wait_until_started()

    def _open(
        self, node: BareNode, session: str, request: pb.SubscribeRequest, positions: dict[str, int]
    ) -> bool:
        if sum(reader.alive for reader in self.readers) >= MOST_READERS:
            return False
        self.readers.append(Reader(self.model, self.loop, node, session, request, dict(positions)))
        return True

    @precondition(lambda self: self.readers)
    @rule(reader=ANY, most=st.sampled_from([1, 2, 4, 30]))
    def read(self, reader: int, most: int) -> None:
        """A reader that is not chosen reads nothing, however much there is."""
        self.readers[reader % len(self.readers)].take(most)

    @precondition(lambda self: any(reader.alive for reader in self.readers))
    @rule(reader=ANY)
    def leave(self, reader: int) -> None:
        alive = [reader for reader in self.readers if reader.alive]
        alive[reader % len(alive)].leave()

    @precondition(lambda self: any(reader.consumer for reader in self.readers))
    @rule(reader=ANY, part=st.sampled_from([0.0, 0.5, 1.0, 1.0]), too_far=st.booleans())
    def acknowledge(self, reader: int, part: float, too_far: bool) -> None:
        """Some, or all; now and then less than before; or, in one of the rooms, what has never been."""
        consumers = [reader for reader in self.readers if reader.consumer]
        chosen = consumers[reader % len(consumers)]
        seqs = {room: int(seq * part) for room, seq in chosen.positions.items()}
        if too_far:
            room = max(seqs)
            seqs[room] = self.model.heads[room] + 1000
        self._acknowledge(chosen, seqs)

    def _acknowledge(self, reader: Reader, seqs: dict[str, int]) -> None:
        cursors = [
            pb.Cursor(room_id=room, seq=seq, epoch=self.epoch if seq else "") for room, seq in seqs.items()
        ]
        request = pb.AcknowledgeRequest(consumer=reader.consumer, cursors=cursors)
        node = self._node(len(reader.consumer))

        async def call() -> None:
            await node.call(reader.session, "Acknowledge", request, pb.AcknowledgeResponse)

        reader.is_unanswered = node.disk.lose is not None
        self._write(node, call(), lambda: self.model.acknowledge(reader.session, reader.consumer, seqs))
        if not self.waiting[node.name]:
            with self.store.snapshot() as snapshot:
                stored = snapshot.positions(SESSIONS[reader.session], reader.consumer)
            assert {room_id: place.seq for room_id, place in stored.items()} == self.model.positions.get(
                (SESSIONS[reader.session], reader.consumer), {}
            )

    @rule(node=ANY)
    def reads_take_long(self, node: int) -> None:
        self._node(node).readers.hold()

    @precondition(lambda self: any(node.readers.held for node in self.nodes))
    @rule()
    def reads_are_fast_again(self) -> None:
        for node in self.nodes:
            node.readers.release()

    def _assert_refusals(self, node: BareNode) -> None:
        """Cursors from the future of the log, or from another log."""
        ahead = pb.Cursor(room_id="red", seq=self.model.heads["red"] + 1, epoch=self.epoch)
        other = pb.Cursor(room_id="red", seq=1, epoch="another")
        for cursor, error in ((ahead, BadCursor), (other, EpochChanged)):
            subscribe = pb.SubscribeRequest(cursors=[cursor])
            acknowledge = pb.AcknowledgeRequest(consumer="x", cursors=[cursor])
            assert isinstance(self._refusal(node, "ann-1", "Subscribe", subscribe), error)
            assert isinstance(self._refusal(node, "ann-1", "Acknowledge", acknowledge), error)

    def _assert_outsiders_learn_nothing(self, node: BareNode) -> None:
        """A room that is not one's own, and one that is not there, look the same, whatever is asked."""
        for (method, about), (_, absent) in zip(_about("blue"), _about(NOWHERE), strict=True):
            there = self._refusal(node, "cat-1", method, about)
            missing = self._refusal(node, "cat-1", method, absent)
            assert isinstance(there, RoomNotFound)
            assert _as_seen(there, "blue") == _as_seen(missing, NOWHERE)

    def _refusal(self, node: BareNode, session: str, method: str, request: Message) -> ChatError:
        async def call() -> object:
            if isinstance(request, pb.SubscribeRequest):
                return [data async for data in node.subscribe(session, request)]
            return await node.call(session, method, request, pb.GetMeResponse)

        try:
            answer = self.loop.run(call())
        except ChatError as error:
            return error
        raise AssertionError(f"{method} was answered: {answer!r}")

    # Time and accidents

    @property
    def is_time_for_an_accident(self) -> bool:
        """Not all the time: there would be nothing to lose."""
        return self.said - self.said_before_restart >= 10

    @rule(seconds=st.sampled_from([0.4, 1.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.elapse(seconds)

    @precondition(lambda self: self.is_time_for_an_accident)
    @rule(node=ANY, is_told=st.booleans())
    def restart(self, node: int, is_told: bool) -> None:
        """Told to stop, it tells its streams, and what waits is stored; killed, it does neither."""
        at = self._node(node)
        if not is_told:
            self._kill(at)
            return
        self._release(at)
        at.drain()
        for reader in self.readers:
            if reader.node is at and reader.alive:
                reader.take_the_rest()
        self._replace(at)

    def _kill(self, node: BareNode) -> None:
        for reader in self.readers:
            if reader.node is node:
                reader.leave()
        node.disk.dead = True
        node.readers.release()
        node.disk.release()
        waiting = [each.outcome for each in self.waiting[node.name]]
        if waiting:
            self.loop.run_until_complete(asyncio.wait(waiting))
        self._replace(node)

    def _replace(self, node: BareNode) -> None:
        self.said_before_restart = self.said
        node.stop()
        if len(self.nodes) == 1:
            self.store.close()
            self.store = open_store(self.folder, readers=1)
            assert self.store.epoch == self.epoch
        self.nodes[self.nodes.index(node)] = self._start_node(node.name)

    def _release(self, node: BareNode) -> None:
        node.readers.release()
        self._finish_writes(node)
        self.loop.settle()

    # What always holds, and what holds in the end

    def _assert_memory_is_bounded(self) -> None:
        for node in self.nodes:
            readers = [reader for reader in self.readers if reader.alive and reader.node is node]
            followed = {room for reader in readers for room in reader.positions}
            most = min(self.bounds.all_tails_bytes, self.bounds.tail_bytes * len(followed))
            assert 0 <= node.tail_bytes <= most

    def _everybody_gets_everything(self) -> None:
        """Once nothing stands in the way."""
        for node in self.nodes:
            self._release(node)
        for _ in range(300):
            self.loop.elapse(1.0)
            got = [self._read_all(reader) for reader in self.readers if reader.alive]
            if not any(got):
                break
        for reader in self.readers:
            assert not reader.alive or not reader.is_owed, "somebody is stuck"

    def _read_all(self, reader: Reader) -> bool:
        """Read all there is, and deal with it; whether there was anything."""
        got = reader.take(20) > 0
        if reader.consumer and reader.alive:
            known = self.model.positions.get((SESSIONS[reader.session], reader.consumer), {})
            news = any(seq > known.get(room, 0) for room, seq in reader.positions.items())
            # One whose outcome is not known is repeated: its stream may wait for it.
            if news or reader.is_unanswered:
                self._acknowledge(reader, dict(reader.positions))
                return True
        return got

    def teardown(self) -> None:
        try:
            if self.nodes and sys.exception() is None:
                self._heal()
        finally:
            self._clean_up()

    def _heal(self) -> None:
        for node in self.nodes:
            node.disk.lose = None
        self._everybody_gets_everything()
        for _ in range(9):
            self.loop.elapse(self.bounds.heartbeat.total_seconds() / 8)
        for reader in self.readers:
            if reader.alive:
                reader.take(3)
                assert not reader.taken_over, "a consumer has two streams"
                reader.assert_position_is_known()
        for node in self.nodes:
            self._assert_history(node)
        self._assert_refusals(self.nodes[-1])
        self._assert_outsiders_learn_nothing(self.nodes[-1])
        for session, drafts in self.calls:
            self._send(self.nodes[-1], session, drafts)
        for reader in self.readers:
            reader.leave()
        self.readers = []
        for session in ("ann-1", "cat-1"):
            self._follow(self.nodes[0], session, dict.fromkeys(self.model.rooms(session), 0), True)
        self._everybody_gets_everything()

    def _assert_history(self, node: BareNode) -> None:
        """What is stored is 1, 2, 3, …, each what it was when it was acknowledged."""
        for room, log in self.model.log.items():
            events: list[pb.Event] = []
            request = pb.ListMessagesRequest(room_id=room, page_size=40, after_seq=0)
            while True:
                call = node.call("ann-1", "ListMessages", request, pb.ListMessagesResponse)
                page = self.loop.run(call)
                events += page.events
                if not page.next_page_token:
                    break
                request = pb.ListMessagesRequest(room_id=room, page_size=40, page_token=page.next_page_token)
            first = self.model.first[room]
            assert [event.seq for event in events] == list(range(first, len(log) + 1))
            assert [
                (event.user_id, event.message.client_message_id, event.message.text) for event in events
            ] == [(said.user, said.message_id, said.text) for said in log[first - 1 :]]

    def _clean_up(self) -> None:
        for node in self.nodes:
            node.readers.release()
            node.disk.release()
        for reader in self.readers:
            reader.leave()
        for node in self.nodes:
            node.stop()
        self.store.close()
        shutil.rmtree(self.folder)
        asyncio.set_event_loop(None)
        self.loop.close()


def _about(room: str) -> list[tuple[str, Message]]:
    cursors = [pb.Cursor(room_id=room)]
    message = pb.OutgoingMessage(room_id=room, client_message_id=str(UUID(int=7 << 64)), text="hello?")
    return [
        ("GetRoom", pb.GetRoomRequest(room_id=room)),
        ("ListMembers", pb.ListMembersRequest(room_id=room)),
        ("ListMessages", pb.ListMessagesRequest(room_id=room)),
        ("SendMessages", pb.SendMessagesRequest(messages=[message])),
        ("Subscribe", pb.SubscribeRequest(cursors=cursors)),
        ("Acknowledge", pb.AcknowledgeRequest(consumer="x", cursors=cursors)),
    ]


def _as_seen(error: ChatError, room: str) -> tuple[object, ...]:
    metadata = {key: value.replace(room, "ROOM") for key, value in error.metadata.items()}
    return type(error), error.message.replace(room, "ROOM"), error.field, metadata, error.retry_after


class OnOneNode(Promises):
    """As in production, nothing but its own writer tells a lone node what is new."""

    bounds = BOUNDS.__class__(
        **{name: getattr(BOUNDS, name) for name in BOUNDS.__slots__} | {"position_check": None}
    )

    @precondition(lambda self: self.is_time_for_an_accident)
    @rule(session=st.sampled_from(["ann-1", "ben-1"]), shapes=DRAFTS)
    def fail_for_good(self, session: str, shapes: list[tuple[str, int]]) -> None:
        """The disk does not say whether it stored this, so the node ends; that it did shows afterwards."""
        node = self.nodes[0]
        self._release(node)
        node.disk.lose = "after"
        drafts = self._drafts(shapes)
        self.calls.append((session, drafts))
        self._send(node, session, drafts)
        self._kill(node)


class OnTwoNodes(Promises):
    """Between them hints are lost, late, repeated and overtaken; only the position check can be relied on."""

    nodes_count = 2

    def _bus(self, name: str) -> Bus:
        return self.unreliable.port(name)

    @precondition(lambda self: self.unreliable.on_their_way)
    @rule(hints=st.lists(st.tuples(ANY, st.booleans()), min_size=1, max_size=6))
    def hints_arrive(self, hints: list[tuple[int, bool]]) -> None:
        """In any order, some more than once, some never."""
        for at, again in hints:
            if self.unreliable.on_their_way:
                self.unreliable.deliver(at % len(self.unreliable.on_their_way), again=again)
        self.loop.settle()

    @rule(node=ANY, what=st.sampled_from(["before", "after"]))
    def next_commit_is_lost(self, node: int, what: When) -> None:
        """Before it is done, or after: then it is there, and nobody heard of it."""
        at = self._node(node)
        if at.disk.held is None:
            at.disk.lose = what


TestOneNode = OnOneNode.TestCase
TestOneNode.settings = histories(18, steps=50)
TestTwoNodes = OnTwoNodes.TestCase
TestTwoNodes.settings = histories(18, steps=50)


def test_users_whose_messages_wait_take_turns() -> None:
    """The history by which it was noticed, at a time when the model knew of no turns, that users take them.

    It was the 24th, and 18 were tried.
    """
    history = OnOneNode()
    try:
        history.start(followers=[(0, "dan-1")])
        history.send_while_the_disk_is_slow(node=0, session="cat-1", shapes=[("red", 1)], when="before")
        for session in ("ann-1", "ann-2", "ben-1"):
            history.send(node=0, session=session, shapes=[("blue", 1), ("blue", 1)])
        history.disk_is_fast_again(all_read=True)
    finally:
        history.teardown()
