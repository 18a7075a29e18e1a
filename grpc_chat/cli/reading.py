"""What a person has missed in a room, and that they have read it once it was shown."""

from __future__ import annotations

from datetime import datetime

from grpc_chat.cli.output import count
from grpc_chat.sdk.marks import Marker, Marks
from grpc_chat.sdk.models import Event, Message, Room, Update

MOST_MISSED = 500
"""How many missed events are shown; more would bury the newest."""


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

    def __init__(self, client: Marker, room: Room, me: str) -> None:
        self._marks = Marks(client, me)
        self._me = me
        self._members = room.member_count
        self._unread = room.unread
        self._before = room.read_seq
        self._since: datetime | None = None

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
        """Note that an event was shown, and have the room be read up to there."""
        if isinstance(event, Message) and self._is_new(event) and event.seq > self._before:
            self._marks.shown(event, members=self._members)

    async def finish(self) -> None:
        """Mark what was shown last, before the person leaves."""
        await self._marks.finish()


def _when(moment: datetime, now: datetime) -> str:
    local, today = moment.astimezone(), now.astimezone()
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%A, %-d %B, %H:%M}"
