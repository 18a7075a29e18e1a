"""Writes that go on without a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from grpc_chat.core.system import ChatSystem
from grpc_chat.core.writing import Writes, Writing
from grpc_chat.errors import SessionEnded
from grpc_chat.metrics import Metrics
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until
from tests.worlds import World, caller, settle


class Client:
    """What a stream writes to. It takes each response when it is told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.taken: asyncio.Future[None] | None = None
        self.cancelled = 0

    async def write(self, response: bytes) -> None:
        assert self.taken is None, "two writes at once"
        self.written.append(response)
        self.taken = asyncio.get_running_loop().create_future()
        try:
            await self.taken
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.taken = None

    def take(self, error: Exception | None = None) -> None:
        assert self.taken
        if error:
            self.taken.set_exception(error)
        else:
            self.taken.set_result(None)

    @property
    def seqs(self) -> list[int]:
        return [event.seq for data in self.written for event in pb.SubscribeResponse.FromString(data).events]


async def test_write_goes_on_by_itself_and_says_how_it_ended() -> None:
    """With nothing, with an error, or cancelled by the transport."""
    client, errors = Client(), list[BaseException | None]()
    writing = Writing(client.write, errors.append)
    failed = ValueError("the transport's")
    for error in (None, failed, asyncio.CancelledError()):
        writing.begin(b"x")
        assert client.taken
        if isinstance(error, asyncio.CancelledError):
            client.taken.cancel()
        else:
            client.take(error)
        await settle()

    assert errors[:2] == [None, failed]
    assert isinstance(errors[2], asyncio.CancelledError)


async def test_write_that_only_lets_others_have_a_turn_goes_on() -> None:
    """As in a task."""
    ended = asyncio.Event()

    async def write(_response: bytes) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    Writing(write, lambda _error: ended.set()).begin(b"x")

    async with asyncio.timeout(5):
        await ended.wait()


async def test_write_that_is_stopped_is_cancelled_at_once() -> None:
    """And nobody is told that it ended, then or later; what it waited for is not left without anyone."""
    client, errors = Client(), list[BaseException | None]()
    writing = Writing(client.write, errors.append)
    writing.begin(b"x")
    waited_for = client.taken
    assert waited_for

    writing.stop()

    assert client.cancelled == 1
    await settle()
    assert waited_for.cancelled()
    assert errors == []


class PushedTo:
    """A transport that takes responses without a coroutine, while there is room."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[bytes] = []
        self.then: Callable[[], None] | None = None
        self.given_up = 0

    async def __call__(self, response: bytes) -> None:
        raise AssertionError("a coroutine, where none is needed")

    def push(self, response: bytes, then: Callable[[], None]) -> bool:
        self.taken.append(response)
        self.room -= 1
        if self.room < 0:
            self.then = then
        return self.room >= 0

    def give_up(self) -> None:
        self.given_up += 1


async def test_pushed_write_ends_at_once_or_when_there_is_room() -> None:
    """Each write ends once; one that is stopped does not, and its transport is told."""
    transport, ended = PushedTo(), list[BaseException | None]()
    writing = Writing(transport, ended.append)
    transport.room = 2
    assert writing.begin(b"1")
    assert writing.begin(b"2")

    assert not writing.begin(b"3")
    assert ended == []
    assert transport.then
    transport.then()
    transport.then()
    assert ended == [None]
    writing.stop()
    assert transport.given_up == 0

    assert not writing.begin(b"4")
    writing.stop()
    transport.then()
    assert transport.given_up == 1
    assert ended == [None]
    assert transport.taken == [b"1", b"2", b"3", b"4"]


async def test_writes_begin_after_what_is_on_the_loop_already() -> None:
    """Senders are answered first. Each write is counted."""
    metrics = Metrics()
    writes = Writes(metrics.totals)
    order: list[tuple[str, bytes]] = []

    class To:
        def __init__(self, name: str) -> None:
            self.name = name

        def begin(self, response: bytes) -> None:
            order.append((self.name, response))

    asyncio.get_running_loop().call_soon(order.append, ("a sender", b"an answer"))
    writes.begin_soon([To("ann")], b"1")
    writes.begin_soon([To("ann"), To("ben")], b"22")
    assert order == []

    await settle()

    assert order == [("a sender", b"an answer"), ("ann", b"1"), ("ann", b"22"), ("ben", b"22")]
    assert (metrics.totals.responses, metrics.totals.response_bytes) == (3, 5)


@asynccontextmanager
async def waiting(world: World, client: Client) -> AsyncIterator[tuple[ChatSystem, asyncio.Task[None]]]:
    """A stream of ann's that waits, in a room of two."""
    system = await world.node()
    await world.put_room(system, "r1", "ann", "ben")
    asked = pb.SubscribeRequest(cursors=[pb.Cursor(room_id="r1")])
    stream = await system.opening.open(caller("ann1"), asked)
    task = asyncio.create_task(stream.run(client.write))
    while not stream.waits:
        await settle()
        if client.taken:
            client.take()
        await asyncio.sleep(0.001)
    client.written.clear()
    try:
        yield system, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = open_store(tmp_path)
    world = World(store)
    yield world
    await world.aclose()
    store.close()


async def test_what_gathers_during_a_write_is_written_next(world: World) -> None:
    """In one response, and once, whatever the size of the first; the task sleeps through all of it."""
    client = Client()
    async with waiting(world, client) as (system, task):
        first = await world.say(system, "ben1")
        await until(lambda: len(client.written) == 1)
        more = [await world.say(system, "ben1") for _ in range(3)]
        await settle()
        assert client.seqs == [first]

        client.take()
        await until(lambda: len(client.written) == 2)
        client.take()
        await settle()

        assert client.seqs == [first, *more]
        assert client.taken is None
        assert not task.done()


async def test_stream_that_ends_before_its_write_begins_writes_nothing(world: World) -> None:
    """For example, its session ends at the moment of a message. It ends without waiting for patience."""
    client = Client()
    async with waiting(world, client) as (system, task):
        [stream] = system.streams.of_user("ann")
        stream.write(b"an event")
        system.streams.end(stream, SessionEnded("it ended"))
        with pytest.raises(SessionEnded):
            async with asyncio.timeout(5):
                await task

        assert client.written == []


async def test_stream_ends_in_the_middle_of_a_write(world: World) -> None:
    """When the write has ended; if its client does not read, after a while, and the write is cancelled."""
    for reads in (True, False):
        client = Client()
        async with waiting(world, client) as (system, task):
            await world.say(system, "ben1")
            await until(lambda client=client: client.taken is not None)  # type: ignore[misc]
            [stream] = system.streams.of_user("ann")
            system.streams.end(stream, SessionEnded("it ended"), patience=60 if reads else 0)
            if reads:
                client.take()
            with pytest.raises(SessionEnded):
                async with asyncio.timeout(5):
                    await task
        assert client.cancelled == (not reads)
        await world.aclose()


async def test_stream_ends_with_the_error_of_a_write_without_its_task(world: World) -> None:
    """As if its task had written; when the client went away, it is cancelled."""
    for cancelled in (False, True):
        client = Client()
        async with waiting(world, client) as (system, task):
            await world.say(system, "ben1")
            await until(lambda client=client: client.taken is not None)  # type: ignore[misc]
            assert client.taken
            if cancelled:
                client.taken.cancel()
            else:
                client.take(ValueError("the transport's"))
            done, _ = await asyncio.wait((task,), timeout=5)
            assert done
            assert task.cancelled() if cancelled else isinstance(task.exception(), ValueError)
        assert len(system.streams) == 0
        await world.aclose()
