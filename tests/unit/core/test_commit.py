from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest

from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.commit import Committer
from grpc_chat.core.turns import share
from grpc_chat.errors import (
    ChatError,
    Internal,
    LimitExceeded,
    RateLimited,
    RoomNotFound,
    ShuttingDown,
    StoreFull,
    StoreUnavailable,
)
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import Done, Result, Transact, Write
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import StoredEvent
from grpc_chat.store.writes import Acknowledge, Append, Appended, Draft, Position
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until


def append(*texts: str) -> Append:
    drafts = [Draft(pb.Event(message=pb.Message(text=text)), "phone", lambda *_: None) for text in texts]
    return Append(drafts)


def said(write: Write) -> list[str]:
    assert isinstance(write, Append)
    return [draft.event.message.text for draft in write.drafts]


class FakeStore:
    """A store without a disk. Commits wait while :attr:`gate` is closed."""

    epoch = "e1"
    secret = bytes(32)
    check_sessions = False

    def __init__(self) -> None:
        self.failed = False
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0
        self.batches: list[list[Write]] = []
        self.log: list[str] = []
        self.refused: dict[str, ChatError] = {}
        """By the first text of a write, what the write alone is answered."""
        self.fatal: dict[str, Exception] = {}
        """By the first text of a write, what its whole transaction fails with, before anything is stored."""

    def commit(self, writes: Sequence[Write]) -> list[Result]:
        self.begun += 1
        assert self.gate.wait(20)
        self.batches.append(list(writes))
        for write in writes:
            if fatal := self.fatal.get(said(write)[0] if isinstance(write, Append) else ""):
                raise fatal
        return [self._carry_out(write) for write in writes]

    def _carry_out(self, write: Write) -> Result:
        if isinstance(write, Transact):
            # What a function is given is none of the committer's business; here it is the log.
            effects: list[object] = []
            value = write.in_transaction(cast(Any, effects.append))
            self.log.append("transaction")
            return Done(value, {"r1": [StoredEvent(len(self.log), "phone", b"")]}, effects)
        if not isinstance(write, Append):
            return None
        texts = said(write)
        if refusal := self.refused.get(texts[0]):
            return refusal
        placed, new = [], []
        for text in texts:
            self.log.append(text)
            placed.append(Position("r1", len(self.log), 0))
            new.append(StoredEvent(len(self.log), "phone", text.encode()))
        return Appended(placed, {"r1": new})

    def begin_epoch(self) -> None:
        raise NotImplementedError

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        raise NotImplementedError

    def forget_deleted(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class World:
    """A committer, and what it told whom."""

    def __init__(self, store: FakeStore, **settings: Any) -> None:
        self.store = store
        self.published: list[dict[str, list[StoredEvent]]] = []
        self.rewritten: list[object] = []
        self.applied: list[tuple[object, int, int]] = []
        """Effects, how much had been published by then, and on which thread."""
        self.failures = 0
        self.committer = Committer(
            store,
            publish=self.published.append,
            apply=self._apply,
            rewritten=self.rewritten.append,
            on_failure=self._fail,
            metrics=Metrics(),
            **settings,
        )

    def _apply(self, effect: object) -> None:
        self.applied.append((effect, len(self.published), threading.get_ident()))

    def _fail(self) -> None:
        self.failures += 1

    def start(self, write: Write) -> asyncio.Task[Result]:
        return asyncio.create_task(self.committer.commit(write))

    async def hold(self) -> asyncio.Task[Result]:
        """Have a transaction under way, which goes on when the gate is opened."""
        self.store.gate.clear()
        task = self.start(append("first"))
        await until(lambda: self.store.begun == 1)
        return task

    @property
    def numbers(self) -> list[int]:
        """The numbers published, in order."""
        return [event.seq for new in self.published for event in new["r1"]]


Make = Callable[..., World]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes committers, which are closed in the end."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(FakeStore(), **settings))
        return made[-1]

    yield make
    for world in made:
        world.store.gate.set()
        await world.committer.close()


async def test_lone_write_is_committed_at_once(make: Make) -> None:
    """Nothing waits for company; the caller gets the store's answer, and readers are told."""
    world = make()

    appended = await world.committer.append(append("a", "b"))

    assert appended.placed == [Position("r1", 1, 0), Position("r1", 2, 0)]
    assert world.numbers == [1, 2]
    assert len(world.store.batches) == 1
    assert world.committer.waiting == 0


async def test_what_gathers_during_a_commit_is_the_next_one(make: Make) -> None:
    """One transaction, in the order of the calls, and each caller gets its own answer."""
    world = make()
    first = await world.hold()
    tasks = [world.start(append(f"{number}a", f"{number}b")) for number in range(10)]
    tasks.insert(5, world.start(Acknowledge("alice", "bot", {}, lambda *_: None)))
    await until(lambda: world.committer.waiting == 22)

    world.store.gate.set()
    results = await asyncio.gather(*tasks)

    assert isinstance(await first, Appended)
    assert [len(batch) for batch in world.store.batches] == [1, 11]
    assert world.store.log == ["first", *(f"{number}{letter}" for number in range(10) for letter in "ab")]
    assert results.pop(5) is None
    assert [result.placed[0].seq for result in results if isinstance(result, Appended)] == list(
        range(2, 21, 2)
    )
    assert world.numbers == list(range(1, 22))
    assert len(world.published) == 2


async def test_transaction_holds_so_many_drafts_at_the_most(make: Make) -> None:
    """The rest is the next one; a write is never split, and one that is larger goes alone."""
    world = make(max_batch=4)
    first = await world.hold()
    sizes = [2, 2, 1, 9, 3, 2]
    tasks = [
        world.start(append(*(f"{at}.{number}" for number in range(size)))) for at, size in enumerate(sizes)
    ]
    await until(lambda: world.committer.waiting == 1 + sum(sizes))

    world.store.gate.set()
    await asyncio.gather(first, *tasks)

    batches = [[len(said(write)) for write in batch] for batch in world.store.batches]
    assert batches == [[1], [2, 2], [1], [9], [3], [2]]
    assert world.numbers == list(range(1, 21))


async def test_refused_write_spoils_no_other(make: Make) -> None:
    """Its caller alone gets the error, the others are stored and published."""
    world = make()
    error = RoomNotFound("no such room")
    world.store.refused["bad"] = error
    first = await world.hold()
    tasks = [world.start(append(text)) for text in ("a", "bad", "b")]
    await until(lambda: world.committer.waiting == 4)

    world.store.gate.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert [type(result) for result in results] == [Appended, Appended, RoomNotFound, Appended]
    assert results[2] is error
    assert world.store.log == ["first", "a", "b"]
    assert world.numbers == [1, 2, 3]
    assert len(world.store.batches) == 2


async def test_write_that_meets_a_mistake_of_ours_spoils_no_other(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of its transaction is tried alone: the others are stored, and it is answered as not known."""
    world = make()
    world.store.fatal["bad"] = ZeroDivisionError("a secret text")
    first = await world.hold()
    tasks = [world.start(append(text)) for text in ("a", "bad", "b")]
    await until(lambda: world.committer.waiting == 4)

    world.store.gate.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert [type(result) for result in results] == [Appended, Appended, Internal, Appended]
    assert "secret" not in str(results[2])
    assert world.store.log == ["first", "a", "b"]
    assert world.numbers == [1, 2, 3]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ZeroDivisionError" in caplog.text
    assert "of a batch of 3" in caplog.text


@pytest.mark.parametrize("error", [StoreUnavailable("not confirmed"), StoreFull("full")])
async def test_failed_transaction_is_the_answer_to_all_in_it(
    make: Make, error: ChatError, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it is published, and the next transaction goes on."""
    world = make()
    first = await world.hold()
    world.store.fatal["bad"] = error
    tasks = [world.start(append(text)) for text in ("bad", "a")]
    await until(lambda: world.committer.waiting == 3)

    world.store.gate.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert isinstance(results[0], Appended)
    assert results[1:] == [error, error]
    assert world.numbers == [1]
    assert world.failures == 0
    await world.committer.append(append("next"))
    assert world.numbers == [1, 2]
    # That the disk is full each sender is told; that nobody knows is for the one who runs the server.
    assert [record.levelname for record in caplog.records] == ["ERROR"] * isinstance(error, StoreUnavailable)


async def test_store_that_failed_is_reported_once(make: Make) -> None:
    """The process must end; until it does, anyone who still comes gets the error."""
    world = make()
    world.store.fatal |= dict.fromkeys(["a", "b"], StoreUnavailable("not confirmed"))
    world.store.failed = True

    for text in ("a", "b"):
        with pytest.raises(StoreUnavailable):
            await world.committer.append(append(text))
    await until(lambda: world.failures > 0)

    assert world.failures == 1


async def test_more_than_may_wait_is_refused(make: Make) -> None:
    """At once, with a time to come back after, and nothing of it is done; what waits is not disturbed."""
    world = make(max_waiting=5)
    first = await world.hold()
    waiting = world.start(append("a", "b", "c"))
    await until(lambda: world.committer.waiting == 4)

    with pytest.raises(LimitExceeded) as refused:
        await world.committer.append(append("d", "e"))
    fits = world.start(append("f"))
    await until(lambda: world.committer.waiting == 5)
    with pytest.raises(LimitExceeded):
        await world.committer.commit(Transact(lambda _: None))

    assert refused.value.definite
    assert refused.value.retry_after
    world.store.gate.set()
    await asyncio.gather(first, waiting, fits)
    assert world.store.log == ["first", "a", "b", "c", "f"]
    assert world.committer.waiting == 0


async def test_write_larger_than_all_that_may_wait_is_taken_when_nothing_does(make: Make) -> None:
    """Otherwise it never could be."""
    world = make(max_waiting=2)

    await world.committer.append(append("a", "b", "c"))

    assert world.store.log == ["a", "b", "c"]


@pytest.mark.parametrize("started", [True, False], ids=["under way", "waiting"])
async def test_cancelled_caller_does_not_take_the_commit_with_it(make: Make, started: bool) -> None:
    """What it asked for is stored and published, and its neighbours get their answers."""
    world = make()
    first = await world.hold()
    second, third = world.start(append("second")), world.start(append("third"))
    await until(lambda: world.committer.waiting == 3)

    cancelled = first if started else second
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    world.store.gate.set()
    results = await asyncio.gather(first, second, third, return_exceptions=True)

    assert world.store.log == ["first", "second", "third"]
    assert world.numbers == [1, 2, 3]
    assert [isinstance(result, Appended) for result in results] == [not started, started, True]
    assert world.committer.waiting == 0


async def test_close_finishes_what_waits_and_refuses_what_comes(make: Make) -> None:
    """Everybody who was let in gets an answer; anyone who is late is told to go elsewhere."""
    world = make(max_batch=1)
    first = await world.hold()
    waiting = [world.start(append(text)) for text in ("a", "b", "c")]
    await until(lambda: world.committer.waiting == 4)

    closing = asyncio.create_task(world.committer.close())
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown) as late:
        await world.committer.append(append("late"))
    world.store.gate.set()
    await closing

    # Answers and news are out by the time it is closed.
    assert world.numbers == [1, 2, 3, 4]
    assert all(isinstance(result, Appended) for result in await asyncio.gather(first, *waiting))
    assert world.store.log == ["first", "a", "b", "c"]
    assert late.value.retry_after


async def test_nobody_hears_of_an_event_before_it_is_durable(make: Make) -> None:
    """Neither its sender nor its readers, as long as the commit has not returned."""
    world = make()
    first = await world.hold()

    # Time for whatever is wrong to happen: everything that was scheduled runs.
    for _ in range(20):
        await asyncio.sleep(0)

    assert not first.done()
    assert world.published == []
    world.store.gate.set()
    await first
    await until(lambda: bool(world.published))


async def test_batches_are_counted(make: Make) -> None:
    """The metrics know how large they were."""
    metrics = Metrics()
    committer = Committer(
        FakeStore(),
        publish=lambda new: None,
        apply=lambda effect: None,
        rewritten=lambda events: None,
        on_failure=lambda: None,
        metrics=metrics,
    )

    await committer.append(append("a", "b", "c"))
    await committer.close()

    sample = metrics.registry.get_sample_value
    assert sample("grpc_chat_commit_batch_sum") == 3
    assert sample("grpc_chat_commit_seconds_count") == 1


async def test_text_of_a_message_is_in_no_log(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong with it."""
    caplog.set_level(logging.DEBUG)
    world = make()
    world.store.fatal["the secret words"] = StoreUnavailable("not confirmed")

    with pytest.raises(StoreUnavailable):
        await world.committer.append(append("the secret words"))
    await until(lambda: "not confirmed" in caplog.text)

    assert "secret" not in caplog.text


# Transactions


async def test_transaction_s_value_is_handed_back(make: Make) -> None:
    """And its events are published, as those of messages are."""
    world = make()

    value = await world.committer.transact(SYSTEM, lambda _transaction: "value")

    assert value == "value"
    assert world.numbers == [1]


async def test_effects_come_before_anybody_is_told(make: Make) -> None:
    """Of all transactions of a batch, in order, on the event loop: who may follow a room no longer must not
    get what came after."""
    world = make()
    here = threading.get_ident()

    def do(*names: str) -> Callable[[Any], None]:
        def carry_out(after_commit: Any) -> None:
            for name in names:
                after_commit(name)

        return carry_out

    held = await world.hold()
    tasks = [world.start(write) for write in (Transact(do("a", "b")), append("message"), Transact(do("c")))]
    await asyncio.sleep(0)
    world.store.gate.set()
    await asyncio.gather(held, *tasks)

    # Only what was held up had been published by then.
    assert world.applied == [("a", 1, here), ("b", 1, here), ("c", 1, here)]
    assert world.numbers == [1, 2, 3, 4]


async def test_transaction_that_is_refused_raises_its_error() -> None:
    """As a write does."""

    class Refusing(FakeStore):
        def commit(self, writes: Sequence[Write]) -> list[Result]:
            return [RoomNotFound("no such room")]

    refusing = World(Refusing())
    with pytest.raises(RoomNotFound):
        await refusing.committer.transact(SYSTEM, lambda _transaction: None)
    await refusing.committer.close()

    assert refusing.published == []


async def test_caller_that_goes_away_does_not_take_the_effects_with_it(make: Make) -> None:
    """What is durable is so for everybody: sessions that have ended must end also where nobody waits."""
    world = make()
    held = await world.hold()
    task = world.start(Transact(lambda after_commit: cast(Any, after_commit)("done")))
    await asyncio.sleep(0)

    task.cancel()
    world.store.gate.set()
    await held
    await until(lambda: len(world.numbers) == 2)

    assert [effect for effect, _, _ in world.applied] == ["done"]


# Turns


def start_for(world: World, user_id: str, write: Write) -> asyncio.Task[Result]:
    before = share.set(user_id)
    try:
        return world.start(write)
    finally:
        share.reset(before)


async def test_one_user_fills_their_share_of_a_transaction_and_no_more() -> None:
    """However much they have waiting, somebody else's message is in the next transaction, which is small."""
    store = FakeStore()
    world = World(store, user_share=4)
    tasks = [await world.hold()]
    tasks += [start_for(world, "a", append(f"a{at}", f"a{at}")) for at in range(5)]
    tasks += [start_for(world, "b", append("b"))]
    await until(lambda: world.committer.waiting == 12)
    store.gate.set()
    await asyncio.gather(*tasks)
    await world.committer.close()

    batches = [[said(write)[0] for write in batch] for batch in store.batches]
    assert batches == [["first"], ["a0", "a1", "b"], ["a2", "a3"], ["a4"]]
    assert world.committer.waiting == 0


async def test_a_write_larger_than_its_user_s_share_is_taken_whole() -> None:
    """As are others' beside it: a write is one transaction, all or none of it."""
    store = FakeStore()
    world = World(store, user_share=2)
    tasks = [await world.hold()]
    tasks += [start_for(world, "a", append(*"123456")), start_for(world, "b", append(*"789"))]
    await until(lambda: world.committer.waiting == 10)
    store.gate.set()
    await asyncio.gather(*tasks)
    await world.committer.close()

    assert [len(batch) for batch in store.batches] == [1, 2]


async def test_no_user_can_fill_the_queue() -> None:
    """One who has half of it waiting is refused more; the others are not."""
    store = FakeStore()
    world = World(store, max_waiting=10)
    tasks = [await world.hold()]
    tasks += [start_for(world, "a", append("a")) for _ in range(5)]
    await until(lambda: world.committer.waiting == 6)
    with pytest.raises(RateLimited) as refused:
        await start_for(world, "a", append("a"))
    assert refused.value.retry_after
    tasks.append(start_for(world, "b", append("b")))
    store.gate.set()
    await asyncio.gather(*tasks)
    await start_for(world, "a", append("a"))
    await world.committer.close()
    assert not world.committer._waiting_of_user


async def test_large_messages_count_for_more() -> None:
    """A share is what it costs, not how many there are."""
    store = FakeStore()
    world = World(store, user_share=64)
    tasks = [await world.hold()]
    tasks += [start_for(world, "a", append("x" * 65_536)) for _ in range(4)]
    await until(lambda: world.committer.waiting == 5)
    store.gate.set()
    await asyncio.gather(*tasks)
    await world.committer.close()

    assert [len(batch) for batch in store.batches] == [1, 1, 1, 1, 1]


async def test_functions_count_for_what_they_may_take() -> None:
    """Of one user's few go into a transaction, and each other user's is in the next one."""
    store = FakeStore()
    world = World(store)
    tasks = [await world.hold()]
    tasks += [start_for(world, "a", Transact(lambda _: None, "")) for _ in range(5)]
    tasks += [start_for(world, "b", Transact(lambda _: None, "")), start_for(world, "c", append("c"))]
    await until(lambda: world.committer.waiting == 8)
    store.gate.set()
    await asyncio.gather(*tasks)
    await world.committer.close()

    assert [len(batch) for batch in store.batches] == [1, 4, 2, 1]
