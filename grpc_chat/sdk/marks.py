"""Marking as read what a person is shown, with few calls."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from grpc_chat.errors import ChatError
from grpc_chat.sdk.models import Message

QUIET = 1.0
"""Seconds without another message after which what was shown is marked."""
_LAST = 2.0
"""Seconds that leaving waits for the last calls."""
_SECONDS_A_MEMBER = 0.06
_LEAST_PAUSE, _MOST_PAUSE = 2.0, 60.0
_USUAL_PAUSE = 10.0


def pause(members: int) -> float:
    """How many seconds lie between two calls that mark a room as read.

    Where all members read along, each of them marks the room. With a pause that grows with their number, a
    room of up to 1,000 members makes some 17 calls a second at most, however fast they write.

    Args:
        members: How many members the room has; 0 if that is not known.
    """
    return min(max(members * _SECONDS_A_MEMBER, _LEAST_PAUSE), _MOST_PAUSE) if members else _USUAL_PAUSE


class Marker(Protocol):
    """What marks as read: a client."""

    async def mark_read(self, room: str, seq: int, *, thread_root: int = 0, back: bool = False) -> int:
        """See :meth:`grpc_chat.Client.mark_read`."""
        ...


@dataclass(slots=True)
class _Place:
    """A room or a thread whose messages are shown."""

    room_id: str
    thread_root: int
    members: int
    shown: int = 0
    marked: int = 0
    first_at: float | None = None
    """When the first message that is not marked was shown."""
    shown_at: float = 0.0
    marked_at: float = float("-inf")
    task: asyncio.Task[None] | None = None


class Marks:
    """Marks as read what a person is shown: the newest message of each room and thread, some time after it.

    It waits until no further message is shown for a second, and until enough time has passed since the last
    call for the room: the more members it has, the longer (:func:`pause`). So a message in a quiet room is
    marked at once, and a stream of messages now and then. An error is not raised: the next message has it
    tried again. Leaving the ``async with`` block marks what is left.

    Args:
        client: Whose rooms they are.
        me: Your user id. Your own messages need no mark: sending them was one.
    """

    def __init__(
        self,
        client: Marker,
        me: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._me = me
        self._clock = clock
        self._sleep = sleep
        self._spread = spread
        self._places: dict[tuple[str, int], _Place] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.finish()

    def shown(self, message: Message, *, members: int = 0) -> None:
        """A message is shown: soon its room, or its thread if you follow that, is read up to it.

        Args:
            members: How many members the room has; 0 if you do not know.
        """
        if message.sender_id == self._me:
            return
        key = (message.room_id, message.thread_root)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = _Place(*key, members)
        place.members = members or place.members
        if message.seq <= place.shown:
            return
        place.shown, place.shown_at = message.seq, self._clock()
        if place.first_at is None:
            place.first_at = place.shown_at
        if place.task is None:
            place.task = asyncio.create_task(self._mark(place), name="mark read")

    async def _mark(self, place: _Place) -> None:
        # Those who are shown the same at the same moment do not all mark it at once.
        quiet = QUIET * (0.5 + self._spread())
        try:
            while place.marked < place.shown:
                while (left := _due(place, quiet) - self._clock()) > 0:
                    await self._sleep(left)
                await self._mark_now(place)
        except ChatError:
            return
        finally:
            place.task = None

    async def _mark_now(self, place: _Place) -> None:
        shown, place.first_at, place.marked_at = place.shown, None, self._clock()
        await self._client.mark_read(place.room_id, shown, thread_root=place.thread_root)
        place.marked = shown

    async def finish(self) -> None:
        """Mark what was shown last, in a moment at most."""
        if tasks := [place.task for place in self._places.values() if place.task]:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        left = [place for place in self._places.values() if place.marked < place.shown]
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                for place in left:
                    with suppress(ChatError):
                        await self._mark_now(place)


def _due(place: _Place, quiet: float) -> float:
    """When a place is to be marked."""
    between = pause(place.members)
    first_at = place.shown_at if place.first_at is None else place.first_at
    # While messages stream in, there is no quiet moment.
    latest = max(first_at, place.marked_at) + between
    return min(max(place.shown_at + quiet, place.marked_at + between), latest)
