"""The threads that read: whose turn it is, and what becomes of what nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from grpc_chat.core.reads import Pieces, Readers
from grpc_chat.core.turns import share
from grpc_chat.errors import RateLimited, RoomNotFound, ShuttingDown, Unavailable
from grpc_chat.store.base import Store
from grpc_chat.store.reads import Snapshot

PATIENCE = 20.0


class Held:
    """A store whose snapshots are numbers, and a clock that goes on by what each read is said to take."""

    def __init__(self) -> None:
        self.snapshots = 0
        self.now = 0.0
        self.order: list[str] = []
        self.first_is_read = threading.Event()
        self.go_on = threading.Event()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        self.snapshots += 1
        yield cast("Snapshot", self.snapshots)

    def readers(self, **options: Any) -> Readers:
        return Readers(cast("Store", self), clock=lambda: self.now, **options)

    def block(self, _snapshot: Snapshot) -> None:
        """A read that keeps the thread busy until the test lets it go on."""
        self.first_is_read.set()
        assert self.go_on.wait(PATIENCE)

    def read(self, name: str, seconds: float) -> Callable[[Snapshot], str]:
        def read(_snapshot: Snapshot) -> str:
            self.order.append(name)
            self.now += seconds
            return name

        return read

    def pieces(self, name: str, count: int, seconds: float) -> Callable[[Snapshot], Pieces[str]]:
        def read(_snapshot: Snapshot) -> Pieces[str]:
            for _ in range(count):
                self.order.append(name)
                self.now += seconds
                yield
            return name

        return read


def ask(user_id: str, work: Any) -> asyncio.Task[Any]:
    """Have a user ask for a read, in a task of its own, as calls are."""
    before = share.set(user_id)
    try:
        return asyncio.create_task(work)
    finally:
        share.reset(before)


async def busy(held: Held, readers: Readers) -> asyncio.Task[Any]:
    """Have the one thread be busy, so that what is asked for next waits."""
    first = ask("z", readers.run(held.block))
    assert await asyncio.to_thread(held.first_is_read.wait, PATIENCE)
    return first


async def test_a_read_is_next_however_many_another_user_has_waiting() -> None:
    """Of 200 that one member has waiting, the one that is under way is what a stranger waits for."""
    held = Held()
    readers = held.readers()
    tasks = [await busy(held, readers)]
    tasks += [ask("a", readers.run(held.read(f"a{at}", 0.1))) for at in range(200)]
    tasks += [ask("b", readers.run(held.read("b", 0.001)))]
    await asyncio.sleep(0)
    assert readers.waiting == 202
    held.go_on.set()
    await asyncio.gather(*tasks)

    assert held.order[:3] == ["a0", "b", "a1"]
    assert held.order[3:] == [f"a{at}" for at in range(2, 200)]
    assert readers.waiting == 0
    readers.close()


async def test_a_long_read_lets_others_have_their_turn_between_its_pieces() -> None:
    """And goes on with a new snapshot; where nobody waits, it goes on without one."""
    held = Held()
    readers = held.readers()
    tasks = [await busy(held, readers)]
    tasks.append(ask("a", readers.run_pieces(held.pieces("a", 8, 0.1))))
    tasks += [ask("b", readers.run(held.read(f"b{at}", 0.11))) for at in range(3)]
    held.go_on.set()

    assert await asyncio.gather(*tasks) == [None, "a", "b0", "b1", "b2"]
    assert held.order == ["a", "b0", "a", "b1", "a", "b2", *["a"] * 5]
    # The first read's, three of b's, and of a's three before and one after the last of b's.
    assert held.snapshots == 1 + 3 + 3 + 1
    readers.close()


async def test_short_pieces_are_not_cut_apart() -> None:
    """A new snapshot for each would cost more than they do."""
    held = Held()
    readers = held.readers()
    tasks = [await busy(held, readers)]
    tasks.append(ask("a", readers.run_pieces(held.pieces("a", 8, 0.0001))))
    tasks.append(ask("b", readers.run(held.read("b", 0.1))))
    held.go_on.set()
    await asyncio.gather(*tasks)

    assert held.order == [*["a"] * 8, "b"]
    readers.close()


async def test_what_nobody_waits_for_is_not_read() -> None:
    """Of callers that went away while they waited; a read under way in pieces stops at its next one."""
    held = Held()
    readers = held.readers()
    tasks = [await busy(held, readers)]
    gone = [ask("a", readers.run(held.read("a", 0.1))), ask("a", readers.run_pieces(held.pieces("a", 9, 1)))]
    tasks.append(ask("b", readers.run(held.read("b", 0.1))))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.sleep(0)
    held.go_on.set()
    await asyncio.gather(*tasks)

    assert held.order == ["b"]
    readers.close()


async def test_errors_reach_the_one_who_asked() -> None:
    """From a read, and from any piece of one; the thread goes on."""
    held = Held()
    readers = held.readers()

    def fail(_snapshot: Snapshot) -> None:
        raise RoomNotFound("there is no such room")

    def fail_later(_snapshot: Snapshot) -> Pieces[None]:
        yield
        raise RoomNotFound("there is no such room")

    with pytest.raises(RoomNotFound):
        await readers.run(fail)
    with pytest.raises(RoomNotFound):
        await readers.run_pieces(fail_later)
    assert await readers.run(held.read("a", 0)) == "a"
    readers.close()


async def test_waiting_reads_have_a_bound_for_each_user_and_for_all() -> None:
    """Too many of one user's are that user's problem; nobody else is refused anything."""
    held = Held()
    readers = held.readers(max_waiting_of_user=3, max_waiting=5)
    tasks = [await busy(held, readers)]
    tasks += [ask("a", readers.run(held.read("a", 0))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited) as limited:
        await ask("a", readers.run(held.read("a", 0)))
    assert limited.value.retry_after
    tasks += [ask(user_id, readers.run(held.read("b", 0))) for user_id in ("b", "c")]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await ask("d", readers.run(held.read("d", 0)))
    held.go_on.set()
    await asyncio.gather(*tasks)
    readers.close()


async def test_closing_drops_what_waits() -> None:
    """What is under way is finished first, or stops at the end of a piece."""
    held = Held()
    readers = held.readers()
    first = await busy(held, readers)
    waiting = ask("a", readers.run(held.read("a", 0)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(readers.close))
    while not readers._closing:  # noqa: ASYNC110 - a thread's doing
        await asyncio.sleep(0)
    held.go_on.set()
    await closing

    assert await first is None
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ShuttingDown):
        await readers.run(held.read("b", 0))
    assert held.order == []
