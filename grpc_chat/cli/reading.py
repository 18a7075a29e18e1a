"""What a person has missed in a room, and that they have read it once it was shown."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from grpc_chat.cli.output import count
from grpc_chat.errors import ChatError
from grpc_chat.sdk.models import Event, Message, Room, Update

MOST_MISSED = 500
"""How many missed events are shown; more would bury the newest."""
_PAUSE = 0.5
"""Seconds between two calls that mark the room as read."""
_LAST_MARK = 2.0
"""Seconds that leaving waits for the last one."""


class Marks(Protocol):
    """What marks rooms as read: a client."""

    async def mark_read(self, room: str, seq: int, *, back: bool = False) -> int:
        """See :meth:`grpc_chat.Client.mark_read`."""
        ...


def behind(room: Room, before: int) -> int:
    """How many events of a room to begin with: ``before``, or those that were missed and the one before."""
    if not room.unread:
        return before
    return max(before, min(room.last_seq - room.read_seq + 1, MOST_MISSED))


class Reading:
    """Where what is new begins among the events that are shown, and how far the person has read.

    Args:
        room: As it was when the person came back.
        me: The person's user id.
    """

    def __init__(self, client: Marks, room: Room, me: str) -> None:
        self._client = client
        self._room_id = room.room_id
        self._me = me
        self._unread = room.unread
        self._before = self._marked = self._shown = room.read_seq
        self._since: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def line_before(self, event: Update, now: datetime) -> str:
        """The line to show before an event; empty for nearly all of them."""
        if not self._unread or not isinstance(event, Event):
            return ""
        if event.seq <= self._before:
            self._since = event.create_time
        if event.seq <= self._before or not self._is_new(event):
            return ""
        new, self._unread = count(self._unread, "new message"), 0
        return f"── {new}{f' since {_when(self._since, now)}' if self._since else ''} ──"

    def _is_new(self, event: Update) -> bool:
        """Whether an event is a message that counts as unread."""
        return (
            isinstance(event, Message)
            and event.sender_id != self._me
            and not event.deleted
            and not event.thread_root
        )

    def shown(self, event: Update) -> None:
        """Note that an event was shown, and soon mark the room as read up to there."""
        if isinstance(event, Event) and self._is_new(event) and event.seq > self._shown:
            self._shown = event.seq
            if self._task is None:
                self._task = asyncio.create_task(self._mark(), name="mark read")

    async def _mark(self) -> None:
        try:
            while self._marked < self._shown:
                # What is shown meanwhile is marked together.
                await asyncio.sleep(_PAUSE)
                await self._mark_now()
        except ChatError:
            # The next message has it tried again; if more is wrong, the stream reports it.
            return
        finally:
            self._task = None

    async def _mark_now(self) -> None:
        shown = self._shown
        await self._client.mark_read(self._room_id, shown)
        self._marked = shown

    async def finish(self) -> None:
        """Mark what was shown last, before the person leaves."""
        if task := self._task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._marked < self._shown:
            with suppress(ChatError, TimeoutError):
                async with asyncio.timeout(_LAST_MARK):
                    await self._mark_now()


def _when(moment: datetime, now: datetime) -> str:
    local, today = moment.astimezone(), now.astimezone()
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%A, %-d %B, %H:%M}"
