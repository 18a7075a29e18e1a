"""A node without a network, all of whose waits are in the hands of the test.

Everything is real but what a history must be able to stretch: the clock stands still, a commit and a read
take as long as the test says, and the bus carries what the test lets it carry. So what happens in which order
is decided by the history alone, and a history that fails does so every time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Self, TypeVar, cast

from google.protobuf.message import Message

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.api.services import services
from grpc_chat.bus.base import Bus, Hints
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import Caller
from grpc_chat.core.options import Batches, Hashing, Options
from grpc_chat.core.rates import Rate
from grpc_chat.core.reads import Pieces, Readers, at_once
from grpc_chat.core.system import ChatSystem
from grpc_chat.errors import StoreUnavailable, Unauthenticated
from grpc_chat.store.base import Result, Store, Transact, Write
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb
from tests.support import PulledResponses

T = TypeVar("T")
Response = TypeVar("Response", bound=Message)
When = Literal["before", "after"]

PATIENCE = 20.0  # seconds until a thread that should have done something counts as stuck


class FrozenLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock only goes on when it is told to."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Let everything happen that can happen without a thread or the clock."""
        self.run_until_complete(self._until_idle())

    async def _until_idle(self) -> None:
        ready = cast("Any", self)._ready
        await asyncio.sleep(0)
        while ready:  # noqa: ASYNC110 - it is the event loop itself that is waited for
            await asyncio.sleep(0)

    def elapse(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.settle()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out something that does not wait for the clock."""
        return self.run_until_complete(work)


class Disk:
    """One node's way to the store, on which a commit may be held up, fail, or lose its answer.

    Attributes:
        lose: What becomes of the next commit: it fails "before" it is done, or "after", unheard of.
        dead: Whether nothing reaches the store.
        failed: See :attr:`grpc_chat.store.base.Store.failed`.
        stored: All writes that reached the store, in the order in which it did them.
    """

    def __init__(self, store: Store, lock: threading.Lock) -> None:
        self._store = store
        self._lock = lock
        self.epoch, self.secret = store.epoch, store.secret
        self.check_sessions = store.check_sessions
        self.lose: When | None = None
        self.dead = False
        self.failed = False
        self.stored: list[Write] = []
        self._held: When | None = None
        self._reached = threading.Event()
        self._go_on = threading.Event()

    @property
    def held(self) -> When | None:
        """Where the commit under way is held up."""
        return self._held

    def hold(self, when: When) -> None:
        """Hold the next commit up, before or after it is done."""
        self._reached.clear()
        self._go_on.clear()
        self._held = when

    def wait_until_reached(self) -> None:
        """Until a commit has come to where it is held up."""
        assert self._reached.wait(PATIENCE), "no commit came"

    def release(self) -> None:
        """Let it go on, and hold no other up."""
        self._held = None
        self._go_on.set()

    def _stop(self, when: When) -> None:
        if self._held == when:
            self._reached.set()
            assert self._go_on.wait(PATIENCE), "the commit was held up without end"

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        lose = None
        if any(not isinstance(write, Transact) or write.session_id for write in writes):
            # What the node does by itself (it claims consumers) is not what the test has in its hands.
            lose, self.lose = self.lose, None
        self._stop("before")
        if self.dead or lose == "before":
            raise StoreUnavailable("the database can't be reached")
        # What row locks do in a database that several nodes write to.
        with self._lock:
            results = self._store.commit(writes)
        self.stored += writes
        self._stop("after")
        if lose == "after":
            raise StoreUnavailable("the connection to the database was lost")
        return results

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self._store.snapshot()

    def begin_epoch(self) -> None:
        raise AssertionError("the store belongs to the test")

    def forget_deleted(self) -> bool:
        return self._store.forget_deleted()

    def close(self) -> None:
        raise AssertionError("the store belongs to the test")


class SteppedReaders(Readers):
    """Reads at once, and hands over what was read when the test says so."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self._disk = disk
        self._held = False
        self._late: list[asyncio.Future[None]] = []

    async def run(self, read: Callable[[Snapshot], T]) -> T:
        with self._disk.snapshot() as snapshot:
            result = read(snapshot)
        return await self._hand_over(result)

    async def run_pieces(self, read: Callable[[Snapshot], Pieces[T]]) -> T:
        with self._disk.snapshot() as snapshot:
            result = at_once(read(snapshot), snapshot)
        return await self._hand_over(result)

    async def _hand_over(self, result: T) -> T:
        if self._held:
            late = asyncio.get_running_loop().create_future()
            self._late.append(late)
            await late
        return result

    @property
    def held(self) -> bool:
        return self._held

    def hold(self) -> None:
        """From now on, what is read stays on its way."""
        self._held = True

    def release(self) -> None:
        """Let everything arrive."""
        self._held = False
        for late in self._late:
            if not late.done():
                late.set_result(None)
        self._late.clear()


class UnreliableBus:
    """A bus that delivers what the test says, when it says so, and as often."""

    def __init__(self) -> None:
        self.receivers: dict[str, Callable[[Hints], None]] = {}
        self.on_their_way: list[tuple[str, Hints]] = []

    def port(self, node: str) -> Bus:
        return _Port(self, node)

    def deliver(self, at: int, *, again: bool = False) -> None:
        """Deliver one of the hints, whichever was sent first; with ``again``, it may come once more."""
        to, hints = self.on_their_way[at] if again else self.on_their_way.pop(at)
        if receive := self.receivers.get(to):
            receive(hints)


class _Port:
    def __init__(self, bus: UnreliableBus, node: str) -> None:
        self._bus = bus
        self._node = node

    def publish(self, hints: Hints) -> None:
        others = [name for name in self._bus.receivers if name != self._node]
        self._bus.on_their_way.extend((name, dict(hints)) for name in others)
        del self._bus.on_their_way[:-40]  # lost

    def listen(self, receive: Callable[[Hints], None]) -> None:
        self._bus.receivers[self._node] = receive

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whom it calls is up to the test."""

    def signal(self, topic: str, data: bytes) -> None:
        """Signals are lost."""

    def listen_to_signals(self, receive: Callable[[str, bytes], None]) -> None:
        """None come."""

    def follow(self, topic: str) -> None:
        """None come."""

    def unfollow(self, topic: str) -> None:
        """None came."""


class Tokens:
    """Knows each session by its own name."""

    def __init__(self, sessions: Mapping[str, str]) -> None:
        self._callers = {session: Caller(user, session) for session, user in sessions.items()}

    def recognise(self, token: str) -> Caller | None:
        return self._callers.get(token)

    async def authenticate(self, token: str) -> Caller:
        if caller := self._callers.get(token):
            return caller
        raise Unauthenticated("nobody")

    def require_session(self, snapshot: Snapshot, caller: Caller) -> None:
        """A session by its own name is always there."""


class BareNode:
    """A chat system and its API over a store that the test opened.

    Args:
        sessions: Which user each session is of; None where sessions and their tokens are those of the store.
    """

    def __init__(
        self,
        name: str,
        loop: FrozenLoop,
        store: Store,
        lock: threading.Lock,
        *,
        bus: Bus,
        bounds: Bounds,
        sessions: Mapping[str, str] | None,
    ) -> None:
        self.name = name
        self._loop = loop
        self._draining = False
        self.disk = Disk(store, lock)
        self.readers = SteppedReaders(self.disk)
        self.system = loop.run(self._start(bus, bounds, Tokens(sessions) if sessions else None))
        self.committer, self.metrics = self.system.committer, self.system.metrics
        self._note_writes()
        pipeline = Pipeline(
            services(self.system),
            authenticator=self.system.authenticator,
            checker=RequestChecker(Limits()),
            rate=Rate(per_second=0, burst=1),
            metrics=self.metrics,
        )
        self._pipeline = pipeline
        self._methods = {method.path.rpartition("/")[2]: method for method in pipeline.methods}
        loop.settle()

    async def _start(self, bus: Bus, bounds: Bounds, tokens: Tokens | None) -> ChatSystem:
        def fail() -> None:
            raise AssertionError("the store has not failed")

        system = ChatSystem(
            self.disk,
            bus,
            # As with trusted ids nobody is asked before they are added; there are no accounts to log in to.
            Options(
                trusting=True,
                streams=bounds,
                batches=Batches(max_batch=6),
                hashing=Hashing(memory_kib=8, passes=1),
            ),
            authenticator=tokens,
            readers=self.readers,
            on_failure=fail,
            # What it did by itself would be in none of the histories.
            housekeeping=False,
            monotonic=self._loop.time,
            random=lambda: 0.5,
        )
        return await system.__aenter__()

    def _note_writes(self) -> None:
        """Note which task asks for which write. All are kept, so that none looks like another."""
        self._asked: dict[asyncio.Task[Any] | None, list[Write]] = {}
        commit = self.committer.commit

        async def noting(write: Write) -> Result:
            self._asked.setdefault(asyncio.current_task(), []).append(write)
            return await commit(write)

        self.committer.commit = noting  # type: ignore[method-assign]

    def order_stored(self, tasks: Iterable[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
        """Tasks in the order in which what they wrote was stored; before them those that wrote nothing."""
        places = {id(write): at for at, write in enumerate(self.disk.stored)}

        def place(task: asyncio.Task[Any]) -> int:
            return min((places.get(id(write), -1) for write in self._asked.get(task, ())), default=-1)

        return sorted(tasks, key=place)

    async def call(self, session: str, method: str, request: Message, response: type[Response]) -> Response:
        """A unary call of the API."""
        data = await self._pipeline.call(
            self._methods[method], _authorization(session), request.SerializeToString()
        )
        return response.FromString(data)

    def subscribe(self, session: str, request: pb.SubscribeRequest) -> PulledResponses:
        """A stream; each response is made when it is asked for, as grpc asks when the last was written."""
        method, data = self._methods["Subscribe"], request.SerializeToString()
        return PulledResponses(
            lambda write: self._pipeline.stream(method, _authorization(session), data, write)
        )

    @property
    def draining(self) -> bool:
        """Whether it was asked to stop."""
        return self._draining

    def drain(self) -> None:
        """Have the streams end."""
        self._draining = True
        self._loop.run(self._drain())
        self._loop.settle()

    async def _drain(self) -> None:
        self.system.drain()

    @property
    def tail_bytes(self) -> float:
        [family] = self.metrics.tail_bytes.collect()
        return family.samples[0].value

    def stop(self) -> None:
        """End it; nothing may still be held up."""
        self._loop.run(self.system.__aexit__(None, None, None))


def _authorization(session: str) -> list[tuple[str, str | bytes]]:
    return [("authorization", f"Bearer {session}")]
