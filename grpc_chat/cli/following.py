"""Following rooms, for `watch` and `chat`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from grpc_chat.cli.absence import Absence
from grpc_chat.cli.command import Cli
from grpc_chat.cli.events import FEW, EventLines, fields_of, invited, left, restored
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.reading import Reading
from grpc_chat.cli.terminal import visible
from grpc_chat.errors import ChatError, RoomNotFound
from grpc_chat.sdk.models import (
    CaughtUp,
    Connected,
    Cursor,
    Disconnected,
    Event,
    HistoryChanged,
    Invitation,
    MembershipChange,
    Message,
    Room,
    RoomLeft,
    Update,
    stamp_of,
)
from grpc_chat.sdk.personal_changes import DraftChanged, PersonalMissed, SavedChanged, ScheduledChanged
from grpc_chat.sdk.read_state import NotificationsChanged, ReadMarker
from grpc_chat.sdk.signals import Presence, Typing
from grpc_chat.sdk.thread_records import Thread


def start(room: Room, behind: int | None) -> Cursor:
    """Where to begin in a room: before its newest few messages, or before all."""
    if behind is None:
        return Cursor(room.room_id)
    # Not before the first event that the person may read.
    return after(room, max(room.last_seq - behind, room.first_seq - 1, 0))


def after(room: Room, seq: int, time: datetime | None = None) -> Cursor:
    """The position after a number, whose event was stored at this time, if it is known."""
    if time:
        return Cursor(room.room_id, seq, room.epoch, stamp_of(time))
    if seq == room.last_seq:
        return room.latest
    return Cursor(room.room_id, seq, room.epoch if seq else "")


async def until_interrupted(work: Coroutine[Any, Any, int], *, code: Callable[[], int] = lambda: 0) -> int:
    """Run until it ends, or until Ctrl-C, the usual way to leave.

    Args:
        code: The exit code in that case.
    """
    try:
        return await work
    except asyncio.CancelledError:
        if task := asyncio.current_task():
            task.uncancel()
        if sys.stdin and sys.stdin.isatty() and sys.stderr.isatty():
            # The terminal has shown ^C.
            print(file=sys.stderr)
        return code()


class Past:
    """The newest earlier events of several rooms, by time.

    Args:
        most: How many events are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[datetime, Event]] = []
        self._last: dict[str, datetime] = {}

    def add(self, event: Event) -> None:
        """Add an event, which comes after those of its room that were added before."""
        # If the server's clock went back, the order of the room counts.
        time = max(event.create_time, self._last.get(event.room_id, event.create_time))
        self._last[event.room_id] = time
        self._kept.append((time, event))
        if len(self._kept) >= 2 * self._most + 1000:
            self._sort()

    def newest(self) -> list[Event]:
        """The kept events, oldest first."""
        self._sort()
        return [event for _, event in self._kept]

    def _sort(self) -> None:
        self._kept.sort(key=lambda entry: entry[0])
        del self._kept[: -self._most]


class Follow:
    """Prints the events of rooms.

    Args:
        newest: How many earlier events to begin with, of all rooms together and by time; 0 for all after the
            cursors, room by room.
        in_chat: Whether the person types commands such as ``/accept``.

    Attributes:
        people: The members, as far as they are known.
        aside: Makes room for printed lines.
        reading: Notes what is shown, and says where what is new begins; set it before :meth:`run`.
        typing: Called with what happens live, if who is typing is to be shown; set it before :meth:`run`.
    """

    def __init__(
        self,
        cli: Cli,
        rooms: list[Room],
        cursors: list[Cursor],
        *,
        all_rooms: bool,
        with_rooms: bool,
        newest: int = 0,
        in_chat: bool = False,
    ) -> None:
        self._cli = cli
        self._rooms = rooms
        self._cursors = cursors
        self._all_rooms = all_rooms
        self._in_chat = in_chat
        self._absence = Absence(cli.target.address, self._say)
        self._changed: list[HistoryChanged] = []
        self._with_rooms = with_rooms
        self._past = Past(newest) if newest else None
        self.lines = EventLines(cli.out, rooms, with_rooms=with_rooms, me=cli.me, numbers=cli.out.terminal)
        self.people: set[str] = set()
        self._small = {room.room_id for room in rooms if room.member_count <= FEW}
        self._asked: set[str] = set()
        self._caught_up = False
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext
        self.typing: Callable[[Update], None] | None = None
        self.reading: Reading | None = None

    async def run(self) -> int:
        """Follow until there is nothing left to follow; returns the exit code.

        Raises:
            Failure: The session has ended, or the history has changed.
        """
        cli = self._cli
        code = 0
        if cli.out.terminal and not self._all_rooms:
            await self._widen()
        subscription = cli.client.subscribe(
            *self._cursors,
            include_own=True,
            all_rooms=self._all_rooms,
            from_latest=True,
            invitations=True,
            signals=self.typing is not None,
        )
        try:
            async for update in subscription.updates():
                if isinstance(update, RoomLeft) and not self._all_rooms:
                    # Nothing more is coming, for this reason.
                    code = NOT_FOUND
                    if cli.out.as_json:
                        self.lines.show(update)
                    with self.aside():
                        self._say(left(self.lines.name(update.room_id), update))
                else:
                    await self._update(update)
        except RoomNotFound as error:
            # The room was lost between looking it up and following it.
            name = self.lines.name(error.metadata.get("roomId", ""))
            raise Failure(f"you are no longer a member of {name or 'this room'}", NOT_FOUND) from error
        except ChatError as error:
            raise cli.target.failure(error) from error
        finally:
            self._show_past()
            self._absence.ends()
        return code

    async def _widen(self) -> None:
        """Make the column of names wide enough from the start, if that is easily known."""
        for room in self._rooms:
            await self._ask_who(room.room_id)

    async def _ask_who(self, room_id: str) -> None:
        """Fetch a room's members, if they are not known and few."""
        if room_id in self._asked or room_id not in self._small:
            return
        self._asked.add(room_id)
        try:
            members = [member async for member in self._cli.client.members(room_id)]
        except ChatError:
            # Its events can be shown without; if more is wrong, the stream reports it.
            return
        self.people.update(member.user.user_id for member in members)
        self.lines.meet(members)

    async def _update(self, update: Update) -> None:
        if self._changed and not isinstance(update, HistoryChanged):
            # Once for all rooms, which come one right after the other.
            room = self.lines.name(self._changed[0].room_id) if self._with_rooms else ""
            self._say(restored(self._changed, room))
            self._changed = []
        if self.typing:
            self.typing(update)
        match update:
            case Typing() | Presence() | ReadMarker() | NotificationsChanged() | Thread():
                return
            case DraftChanged() | SavedChanged() | ScheduledChanged() | PersonalMissed():
                return
            case Connected():
                if self._absence.ends():
                    self._say(f"connected to {self._cli.target.address} again")
            case Disconnected():
                self._absence.begins(update.error)
            case CaughtUp():
                self._caught_up = True
                self._show_past()
            case HistoryChanged():
                self._changed.append(update)
                if self._cli.out.as_json:
                    self.lines.show(update)
            case Invitation():
                if self._cli.out.as_json:
                    self._cli.out.json({"type": "invitation"}, **fields_of(update))
                else:
                    self._say(invited(update, in_chat=self._in_chat))
            case event:
                if not self.lines.knows(event.room_id):
                    await self._learn(event.room_id)
                self._meet(event)
                if self._cli.out.terminal:
                    await self._ask_who(event.room_id)
                if isinstance(event, Message) and event.poll and not self._cli.out.as_json:
                    await self._learn_poll(event)
                if self._past and isinstance(event, Event):
                    self._past.add(event)
                    return
                with self.aside():
                    if self.reading and (line := self.reading.line_before(event, datetime.now(UTC))):
                        self._cli.out.line(self._cli.out.style(line, bold=True))
                    self.lines.show(event)
                if self.reading:
                    self.reading.shown(event)

    def _show_past(self) -> None:
        past, self._past = self._past, None
        if past:
            with self.aside():
                self.lines.show_all(past.newest())

    def _meet(self, event: Update) -> None:
        if isinstance(event, Message):
            self.people.add(event.sender_id)
        elif isinstance(event, MembershipChange) and event.role:
            self.people.add(event.user_id)
            if self._caught_up:
                # Their display name is not known; for earlier events, asking once is enough.
                self._asked.discard(event.room_id)
        elif isinstance(event, MembershipChange):
            self.people.discard(event.user_id)

    async def _learn(self, room_id: str) -> None:
        """Fetch the title of a room that was joined meanwhile."""
        try:
            room = await self._cli.client.room(room_id)
            self.lines.add(room)
            if room.member_count <= FEW:
                self._small.add(room_id)
        except ChatError:
            # It may be lost again already; then its id must do.
            return

    async def _learn_poll(self, message: Message) -> None:
        """Ask how a poll stands."""
        try:
            states = await self._cli.client.polls(message.room_id, message.seq)
        except ChatError:
            # It can be shown without.
            return
        for state in states.values():
            self.lines.polls[message.room_id, message.seq] = state

    def _say(self, words: str) -> None:
        # Also with --json: it is not a result, and anyone who waits for one should know.
        with self.aside():
            print(visible(words), file=sys.stderr, flush=True)
