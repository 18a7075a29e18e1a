"""When what a person is shown is marked as read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.sdk.marks import Marks, pause
from grpc_chat.sdk.models import Message

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


class World:
    """A clock that goes only when it is told to, and a server that notes when it was called."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, str, int, int]] = []
        self.error: ChatError | None = None
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def marks(self) -> Marks:
        return Marks(self, "alice", clock=lambda: self.now, sleep=self.sleep, spread=lambda: 0.5)

    async def mark_read(self, room: str, seq: int, *, thread_root: int = 0, back: bool = False) -> int:
        assert not back
        self.calls.append((self.now - 100, room, thread_root, seq))
        if self.error:
            raise self.error
        return 0

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    async def until(self, moment: float) -> None:
        """Let the clock go on, and those who sleep wake in their turn."""
        while True:
            for _ in range(5):
                await asyncio.sleep(0)
            due = [entry for entry in self._sleepers if entry[0] <= 100 + moment]
            if not due:
                self.now = 100 + moment
                return
            first = min(due, key=lambda entry: entry[0])
            self._sleepers.remove(first)
            self.now = max(self.now, first[0])
            if not first[1].done():
                first[1].set_result(None)


@pytest.fixture
def world() -> World:
    return World()


def message(seq: int, room: str = "r1", *, root: int = 0, sender: str = "bob") -> Message:
    return Message(room, seq, sender, "text", NOW, "", thread_root=root)


def test_the_pause_grows_with_the_room() -> None:
    """So that a room of up to 1,000 makes as many calls as a small one, and none makes anybody wait long."""
    assert [pause(members) for members in (1, 30, 100, 1000, 20_000)] == [2, 2, 6, 60, 60]
    assert pause(0) == 10


async def test_a_message_in_a_quiet_room_is_marked_at_once(world: World) -> None:
    """Rooms and threads by themselves; one's own messages are marked already, older ones are covered."""
    marks = world.marks()
    for shown in (message(5), message(4), message(9, sender="alice"), message(7, "r2"), message(8, root=3)):
        marks.shown(shown)
    await world.until(0.9)
    assert world.calls == []
    await world.until(1.1)
    assert world.calls == [(1, "r1", 0, 5), (1, "r2", 0, 7), (1, "r1", 3, 8)]
    marks.shown(message(5))
    await world.until(100)
    assert len(world.calls) == 3


async def test_what_follows_is_marked_together(world: World) -> None:
    """The newest wins; between two calls lies the pause, and after it a message is marked at once again."""
    marks = world.marks()
    for seq in range(1, 6):
        marks.shown(message(seq), members=50)
        await world.until(seq * 0.5)
    await world.until(6)
    assert world.calls == [(3, "r1", 0, 5)]
    marks.shown(message(6))
    await world.until(8)
    marks.shown(message(7))
    await world.until(60)
    marks.shown(message(8))
    await world.until(70)
    assert world.calls[1:] == [(7, "r1", 0, 6), (10, "r1", 0, 7), (61, "r1", 0, 8)]


async def test_a_stream_of_messages_is_marked_now_and_then(world: World) -> None:
    """Once in each pause, although it is never quiet; the last of them a moment after it."""
    marks = world.marks()
    for seq in range(1, 201):
        marks.shown(message(seq), members=250)
        await world.until(seq * 0.25)
    await world.until(200)
    times = [at for at, *_ in world.calls]
    assert times == [15, 30, 45, 60]
    assert world.calls[-1][3] == 200


async def test_what_an_error_left_is_marked_with_the_next(world: World) -> None:
    """Nothing is raised; leaving marks what is left without waiting."""
    world.error = Unavailable("away")
    async with world.marks() as marks:
        marks.shown(message(1))
        await world.until(20)
        assert world.calls == [(1, "r1", 0, 1)]
        world.error = None
        marks.shown(message(2))
        await world.until(40)
        assert world.calls[1:] == [(21, "r1", 0, 2)]
        marks.shown(message(3))
        marks.shown(message(4, "r2"))
    assert world.calls[2:] == [(40, "r1", 0, 3), (40, "r2", 0, 4)]

    async with world.marks() as marks:
        marks.shown(message(9))
        world.error = Unavailable("away")
    assert world.calls[4:] == [(40, "r1", 0, 9)]
