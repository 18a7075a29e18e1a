from __future__ import annotations

import asyncio

import pytest

from grpc_chat.errors import FailedPrecondition, Unavailable
from grpc_chat.oidc.cached import Cached


class Document:
    """Something to fetch: numbered, so that one sees which it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.fetched = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> int:
        self.fetched += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.fetched

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def document() -> Document:
    return Document()


@pytest.fixture
def cached(document: Document) -> Cached[int]:
    return Cached(document.fetch, clock=document.clock, sleep=document.sleep, max_age=100, pause=10)


async def test_document_is_fetched_once_until_it_is_old(cached: Cached[int], document: Document) -> None:
    assert [await cached.get(), await cached.get()] == [1, 1]
    document.now = 99
    assert await cached.get() == 1
    document.now = 100
    assert await cached.get() == 2


async def test_newer_one_is_fetched_after_a_pause_only(cached: Cached[int], document: Document) -> None:
    """However often somebody asks: they wait for it, and for the same one."""
    assert await cached.get() == 1
    document.now = 9
    assert await asyncio.gather(*[cached.newer(1) for _ in range(5)]) == [2] * 5
    assert (document.now, document.fetched) == (10, 2)
    assert await cached.newer(1) == 2
    document.now = 30
    assert await cached.newer(2) == 3
    assert document.now == 30


async def test_waiting_for_a_newer_one_keeps_nobody_else_waiting(document: Document) -> None:
    """Anyone who is content with what there is gets it at once."""
    slept = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await slept.wait()
        document.now += seconds

    cached = Cached(document.fetch, clock=document.clock, sleep=sleep, max_age=100, pause=10)
    await cached.get()
    waiting = asyncio.create_task(cached.newer(1))
    await asyncio.sleep(0)
    assert await cached.get() == 1
    slept.set()
    assert await waiting == 2


async def test_failure_is_told_to_all_until_the_pause_is_over(
    cached: Cached[int], document: Document
) -> None:
    """Without trying again, or many callers would be many questions to an issuer in trouble."""
    document.error = FailedPrecondition("broken")
    for _ in range(3):
        with pytest.raises(FailedPrecondition, match="broken"):
            await cached.get()
    assert document.fetched == 1

    document.error, document.now = None, 10
    assert await cached.get() == 2


async def test_old_document_does_not_stand_in_for_one_that_cannot_be_had(
    cached: Cached[int], document: Document
) -> None:
    """What was withdrawn since would be trusted endlessly."""
    await cached.get()
    document.error, document.now = Unavailable("away"), 100

    with pytest.raises(Unavailable):
        await cached.get()


async def test_document_stays_when_a_newer_one_cannot_be_had(cached: Cached[int], document: Document) -> None:
    await cached.get()
    document.error, document.now = Unavailable("away"), 50

    with pytest.raises(Unavailable):
        await cached.newer(1)
    assert await cached.get() == 1


async def test_many_at_once_are_one_question(cached: Cached[int], document: Document) -> None:
    document.gate.clear()
    asking = [asyncio.create_task(cached.get()) for _ in range(20)]
    await asyncio.sleep(0)
    document.gate.set()

    assert await asyncio.gather(*asking) == [1] * 20


async def test_caller_that_goes_away_leaves_the_next_to_ask(cached: Cached[int], document: Document) -> None:
    document.gate.clear()
    first, second = asyncio.create_task(cached.get()), asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    first.cancel()
    document.gate.set()

    assert await second == 2
    assert first.cancelled()
