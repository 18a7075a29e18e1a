"""Logs that go back, at any moment, under clients of all kinds: nothing skipped, nothing twice, told once.

The store and the client are the real ones, and so is what decides where a stream begins; between them lies no
network and no hub. The server's data is copied and put back as a whole folder, with or without a new epoch,
and its clock stands still or goes on.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from grpc_chat import Client, Connected, Cursor, HistoryChanged, Message, Subscription, Unavailable
from grpc_chat.core.access import to_read
from grpc_chat.core.histories import another_history, parted
from grpc_chat.core.reads import at_once
from grpc_chat.core.start import find_start, require_epoch
from grpc_chat.sdk.finding import RoomFinder
from grpc_chat.sdk.retry import Backoff
from grpc_chat.store.records import Place
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Acknowledge, Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames
from tests.property.histories import ASKED, histories
from tests.store_writes import put_room

# As of the other histories: a busy machine is no reason to fail.
pytestmark = pytest.mark.timeout(0 if ASKED else 300)

T = TypeVar("T")
ROOMS = ("r1", "r2")
KINDS = ("cursors", "all rooms", "consumer")
PATIENCE = 20.0
COUNTS = st.tuples(st.integers(0, 12), st.integers(0, 12))


class Server:
    """A store, and streams of it that end when they have sent what is there and the server stops."""

    def __init__(self, folder: Path) -> None:
        self.data, self._folder = folder / "data", folder
        self._numbers = itertools.count()
        self.now = 1_000_000
        self.starts = 0
        self.copies: list[Path] = []
        self.stopped = asyncio.Event()
        self._start()
        self.store.commit([put_room(room, room, {"bob": pb.ROLE_MEMBER}) for room in ROOMS])

    def _start(self) -> None:
        self.starts += 1
        self.store: SqlStore = open_store(self.data)
        self.store._clock = lambda: self.now
        self.changed = asyncio.Event()

    def say(self, room: str, count: int) -> None:
        drafts = [
            Draft(
                pb.Event(room_id=room, user_id="bob", message=pb.Message(text=f"{next(self._numbers)}")),
                "phone",
                lambda *_: None,
                Once(uuid4().bytes, b""),
            )
            for _ in range(count)
        ]
        self.store.commit([Append(drafts)])
        self.changed.set()

    def log(self, room: str) -> list[str]:
        with self.store.snapshot() as snapshot:
            found = snapshot.events_after(room, 0, limit=1000, max_bytes=1_000_000)
        return [pb.Event.FromString(event.payload).message.text for event in found]

    def restart(self, meanwhile: Callable[[], None]) -> None:
        """Stop, do something with the folder, and start again."""
        self.stopped.set()
        self.changed.set()
        self.store.close()
        meanwhile()
        self.stopped = asyncio.Event()
        self._start()

    def copy(self) -> None:
        self.copies.append(self._folder / f"copy {self.starts}")
        self.restart(lambda: cast("None", shutil.copytree(self.data, self.copies[-1])))

    def put_back(self, which: Path, *, begin_epoch: bool) -> None:
        def put() -> None:
            shutil.rmtree(self.data)
            shutil.copytree(which, self.data)

        self.restart(put)
        if begin_epoch:
            self.store.begin_epoch()

    async def subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        stopped = self.stopped
        with self.store.snapshot() as snapshot:
            start = at_once(find_start(snapshot, "bob", request, self.store.epoch), snapshot)
        if start.put_back:
            self.store.commit([Acknowledge("bob", request.consumer, start.put_back, to_read, back=True)])
        started = pb.SubscribeStarted(epoch=self.store.epoch)
        started.heartbeat_interval.FromSeconds(60)
        first = pb.SubscribeResponse(started=started, history_changed=start.history_changed)
        yield first
        places = {room.room_id: place.seq for room, place in start.places}
        while True:
            self.changed.clear()
            for room_id, seq in places.items():
                if stopped.is_set():
                    break
                with self.store.snapshot() as snapshot:
                    events = snapshot.events_after(room_id, seq, limit=3, max_bytes=1000)
                if events:
                    places[room_id] = events[-1].seq
                    self.changed.set()
                    found = frames.frames([event.payload for event in events])
                    yield pb.SubscribeResponse.FromString(found)
            if stopped.is_set():
                raise Unavailable("the server has stopped")
            await self.changed.wait()

    async def acknowledge(self, request: pb.AcknowledgeRequest) -> None:
        for cursor in request.cursors:
            if not cursor.stamp:
                require_epoch(cursor, "epoch", self.store.epoch)
        places = {cursor.room_id: Place(cursor.seq, cursor.stamp) for cursor in request.cursors}
        [refused] = self.store.commit([Acknowledge("bob", request.consumer, places, to_read)])
        if isinstance(refused, list):
            with self.store.snapshot() as snapshot:
                room = snapshot.membership(refused[0], "bob")
                assert room
                common = at_once(parted(snapshot, {refused[0]: (room, places[refused[0]])}), snapshot)
            raise another_history("cursors", refused[0], self.store.epoch, common[refused[0]])
        assert refused is None


class Reader:
    """One client's subscription, and what its user may expect of it."""

    def __init__(self, server: Server, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        self._server = server
        self.seen: dict[str, list[str]] = {room: [] for room in ROOMS}
        """What it was handed out and would still call the log: what it was told is lost is cut off."""
        self.subscription: Subscription
        self.open()

    def open(self, cursors: tuple[Cursor, ...] = ()) -> None:
        how: dict[str, Any] = {"cursors": cursors or [Cursor(room) for room in ROOMS]}
        if self.kind != "cursors":
            how = {"consumer": self.name} if self.kind == "consumer" else {"all_rooms": True}
        backoff = Backoff()
        backoff.next = lambda *_: type(backoff).next(backoff) * 0  # type: ignore[method-assign]
        client = _NobodysClient()
        self.subscription = Subscription(
            client,
            open_=self._subscribe,
            acknowledge=self._server.acknowledge,
            finder=RoomFinder(client, takes_ids=lambda: True, closed=lambda: False),
            backoff=backoff,
            on_close=lambda _: None,
            **how,
        )

    async def _subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        self._followed = self._server.starts
        async with aclosing(cast("Any", self._server.subscribe(request))) as responses:
            async for response in responses:
                yield response

    @property
    def _is_news(self) -> bool:
        """Whether what is handed out now is of the server as it is, and not of one before."""
        ahead = [update for update, _ in self.subscription._ahead]
        return self._followed == self._server.starts and not any(
            isinstance(each, Connected) for each in ahead
        )

    async def read(self) -> None:
        """Everything there is."""
        changed: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while {room: self._server.log(room) for room in ROOMS} != self.seen:
                update = await self.subscription.next()
                match update:
                    case Connected():
                        changed.clear()
                    case HistoryChanged():
                        assert update.room_id not in changed, "told twice of one room"
                        changed.add(update.room_id)
                        kept = self.seen[update.room_id][: update.last_seq]
                        assert len(kept) == update.last_seq
                        if self._is_news:
                            # All that both agree on, and no less.
                            now = self._server.log(update.room_id)
                            assert update.last_seq == alike(self.seen[update.room_id], now)
                        self.seen[update.room_id] = kept
                    case Message():
                        seen = self.seen[update.room_id]
                        assert update.seq == len(seen) + 1, "skipped, or handed out twice"
                        seen.append(update.text)


def alike(one: list[str], other: list[str]) -> int:
    """How many entries two lists begin alike with."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )


class _NobodysClient(Client):
    def __init__(self) -> None:
        """A client that is connected to nothing."""

    def _forget(self, subscription: Subscription) -> None:
        """Nor knows of any subscription."""


class Restores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="grpc-chat-"))
        self.server = self._run(self._server())
        self.readers = self._run(self._open())

    async def _server(self) -> Server:
        return Server(self.folder)

    async def _open(self) -> list[Reader]:
        return [Reader(self.server, kind, kind) for kind in KINDS]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def _call(self, what: Callable[[], object]) -> None:
        async def call() -> None:
            what()

        self._run(call())

    @rule(room=st.sampled_from(ROOMS), count=st.integers(1, 9), passes=st.sampled_from([0, 1, 5_000]))
    def say(self, room: str, count: int, passes: int) -> None:
        self.server.now += passes
        self.say_there(room, count)

    def say_there(self, room: str, count: int) -> None:
        if count:
            self._call(lambda: self.server.say(room, count))

    @precondition(lambda self: len(self.server.copies) < 3)
    @rule()
    def copy(self) -> None:
        self._call(self.server.copy)

    @precondition(lambda self: self.server.copies)
    @rule(which=st.integers(0, 2), begin_epoch=st.booleans(), passes=st.integers(100, 9_000), more=COUNTS)
    def put_back(self, which: int, begin_epoch: bool, passes: int, more: tuple[int, int]) -> None:
        # All that is assumed: what is written after the log went back is younger than what was lost. So the
        # clock goes on, and a copy that was made of what is lost is not put back later.
        self.server.now += passes
        copies = self.server.copies
        del copies[which % len(copies) + 1 :]
        self._call(lambda: self.server.put_back(copies[-1], begin_epoch=begin_epoch))
        for room, count in zip(ROOMS, more, strict=True):
            self.say_there(room, count)

    @rule(which=st.sampled_from(KINDS))
    def read(self, which: str) -> None:
        [reader] = [reader for reader in self.readers if reader.kind == which]
        self._run(reader.read())

    @rule()
    def all_read(self) -> None:
        for reader in self.readers:
            self._run(reader.read())

    @rule()
    def acknowledge(self) -> None:
        [reader] = [reader for reader in self.readers if reader.kind == "consumer"]
        self._run(reader.subscription.acknowledge())

    @rule()
    def come_back_with_cursors(self) -> None:
        """The process with the cursors ends, and another one goes on with them."""
        [reader] = [reader for reader in self.readers if reader.kind == "cursors"]

        async def come_back() -> None:
            await reader.subscription.aclose()
            reader.open(tuple(reader.subscription.cursors.values()))

        self._run(come_back())

    def teardown(self) -> None:
        async def finish() -> None:
            for reader in self.readers:
                await reader.read()
                await reader.subscription.aclose()

        try:
            self._run(finish())
        finally:
            self.runner.close()
            self.server.store.close()
            shutil.rmtree(self.folder)


Restores.TestCase.settings = histories(14, steps=30)
TestRestores = Restores.TestCase
