"""What a subscription confirms that keeps its own positions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from grpc_chat.errors import ChatError, InvalidRequest, RoomNotFound, Unavailable
from grpc_chat.sdk import confirming
from grpc_chat.sdk.confirming import Confirming
from grpc_chat.sdk.models import Cursor, Gap, HistoryChanged, Update
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until


class Server:
    """Takes what is confirmed, or refuses it once with an error."""

    def __init__(self) -> None:
        self.error: ChatError | None = None
        self.calls: list[dict[str, tuple[int, int]]] = []

    async def acknowledge(self, request: pb.AcknowledgeRequest) -> None:
        assert request.consumer == ""
        assert all(cursor.epoch == "e" and cursor.stamp == 7 for cursor in request.cursors)
        self.calls.append({cursor.room_id: (cursor.after_seq, cursor.seq) for cursor in request.cursors})
        error, self.error = self.error, None
        if error:
            raise error


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirming, "SECONDS", 0.001)


Move = Callable[..., Awaitable[None]]


class Program:
    """A program that is handed one update after the other."""

    def __init__(self) -> None:
        self.server = Server()
        self.confirming = Confirming(self.server.acknowledge)
        self.at: dict[str, Cursor] = {}

    def move(self, seq: int, update: Update | None = None, *, room: str = "r") -> None:
        cursor = Cursor(room, seq, "e", 7)
        self.confirming.moved(self.at.get(room), cursor, update)
        self.at[room] = cursor

    def message(self, seq: int, *, room: str = "r") -> None:
        # Only a gap, and a log that went back, make a difference.
        self.move(seq, HistoryLike, room=room)

    async def confirmed(self) -> list[dict[str, tuple[int, int]]]:
        await until(lambda: self.confirming._task is None)
        calls, self.server.calls = self.server.calls, []
        return calls


HistoryLike: Update = None  # type: ignore[assignment]


async def test_what_follows_a_position_is_confirmed_from_there_on() -> None:
    """In one call for all that gathered; with the place where each room began, however often."""
    program = Program()
    program.at = {"r": Cursor("r", 5, "e", 7), "new": Cursor("new")}
    for seq in (6, 7):
        program.message(seq)
    program.message(3, room="new")
    assert await program.confirmed() == [{"r": (5, 7), "new": (0, 3)}]
    assert await program.confirmed() == []
    program.message(9)
    assert await program.confirmed() == [{"r": (5, 9)}]


async def test_what_was_not_received_is_not_confirmed() -> None:
    """Where the server began in a room, a gap, and a log that went back: what comes after them is."""
    program = Program()
    program.move(4)
    assert await program.confirmed() == []
    program.message(5)
    program.move(8, Gap("r", 6, 8))
    assert await program.confirmed() == []
    program.message(9)
    assert await program.confirmed() == [{"r": (8, 9)}]
    program.move(2, HistoryChanged("r", 2))
    program.message(3)
    assert await program.confirmed() == [{"r": (2, 3)}]
    program.message(4)
    program.confirming.lost("r")
    assert await program.confirmed() in ([], [{}])


async def test_what_could_not_be_confirmed_is_said_again_where_that_helps() -> None:
    """Not to a server that does not know of it."""
    program = Program()
    program.at["r"] = Cursor("r", 1, "e", 7)
    program.server.error = Unavailable("not now")
    program.message(2)
    assert await program.confirmed() == [{"r": (1, 2)}, {"r": (1, 2)}]
    program.server.error = RoomNotFound("gone")
    program.message(3)
    assert await program.confirmed() == [{"r": (1, 3)}]
    program.server.error = InvalidRequest("consumer must be given", field="consumer")
    for seq in (4, 5):
        program.message(seq)
        assert await program.confirmed() == ([{"r": (1, 4)}] if seq == 4 else [])


async def test_nothing_is_confirmed_after_the_end() -> None:
    """What waits is dropped: another subscription says it, or nobody."""
    program = Program()
    program.at["r"] = Cursor("r", 1, "e", 7)
    program.message(2)
    program.confirming.close()
    program.message(3)
    await asyncio.sleep(0)
    assert await program.confirmed() == []


@pytest.mark.parametrize("lost", [True, False])
async def test_what_ends_during_a_call_that_fails_is_not_said_again(lost: bool) -> None:
    """A room that is lost then, or in which a gap comes; other rooms are confirmed as before."""
    program, ended = Program(), asyncio.Event()

    async def acknowledge(request: pb.AcknowledgeRequest) -> None:
        if not ended.is_set():
            ended.set()
            program.server.error = Unavailable("not now")
            if lost:
                program.confirming.lost("r")
            else:
                program.move(9, Gap("r", 3, 9))
        await program.server.acknowledge(request)

    program.confirming = Confirming(acknowledge)
    for room in ("r", "other"):
        program.move(1, room=room)
        program.message(2, room=room)
    calls = await program.confirmed()
    assert calls == [{"r": (1, 2), "other": (1, 2)}, {"other": (1, 2)}]
    program.message(3, room="other")
    assert await program.confirmed() == [{"other": (1, 3)}]
