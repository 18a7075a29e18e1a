"""Following rooms: what `watch` prints, and what `chat` prints and sends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from grpc_chat.cli.absence import Absence
from grpc_chat.cli.command import Cli
from grpc_chat.cli.events import EventLines, left, restored
from grpc_chat.cli.failures import NOT_FOUND, REFUSED, UNKNOWN, Failure
from grpc_chat.cli.lines import Lines
from grpc_chat.cli.names import title
from grpc_chat.cli.prompt import Prompt
from grpc_chat.cli.terminal import visible
from grpc_chat.errors import ChatError, RoomNotFound, Unauthenticated
from grpc_chat.sdk.models import (
    CaughtUp,
    Connected,
    Cursor,
    Disconnected,
    HistoryChanged,
    Room,
    RoomLeft,
    Update,
    stamp_of,
)

NextLine = Callable[[], Awaitable[str | ValueError | None]]

_AT_ONCE = 1000
"""How many messages may be on their way before the next line is read."""
_FEW = 200
"""Members of a room that is small."""
_LAST_SENDS = 3.0
"""Seconds that leaving waits for messages that are on their way."""


def start(room: Room, behind: int | None) -> Cursor:
    """Where to begin in a room: before its newest few, or before everything."""
    if behind is None:
        return Cursor(room.room_id)
    # Not before what one may read.
    return after(room, max(room.last_seq - behind, room.first_seq - 1, 0))


def after(room: Room, seq: int, time: datetime | None = None) -> Cursor:
    """The place after a number, of the event that was stored at that time, if one knows it."""
    if time:
        return Cursor(room.room_id, seq, room.epoch, stamp_of(time))
    if seq == room.last_seq:
        return room.latest
    return Cursor(room.room_id, seq, room.epoch if seq else "")


async def until_interrupted(work: Coroutine[Any, Any, int], *, code: Callable[[], int] = lambda: 0) -> int:
    """Run until it ends, or Ctrl-C, which is the usual way to leave.

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


class Follow:
    """Prints what happens in rooms."""

    def __init__(
        self, cli: Cli, rooms: list[Room], cursors: list[Cursor], *, all_rooms: bool, with_rooms: bool
    ) -> None:
        self._cli = cli
        self._rooms = rooms
        self._cursors = cursors
        self._all_rooms = all_rooms
        self._absence = Absence(cli.target.address, self._say)
        self._changed: list[HistoryChanged] = []
        self._with_rooms = with_rooms
        self.lines = EventLines(cli.out, rooms, with_rooms=with_rooms, me=cli.me)
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext

    async def run(self) -> int:
        """Until there is nothing to follow any more; the exit code.

        Raises:
            Failure: The session has ended, or the history is another one.
        """
        cli = self._cli
        code = 0
        if cli.out.terminal and not self._all_rooms:
            await self._widen()
        subscription = cli.client.subscribe(
            *self._cursors, include_own=True, all_rooms=self._all_rooms, from_latest=True
        )
        try:
            async for update in subscription.updates():
                if isinstance(update, RoomLeft) and not self._all_rooms:
                    # No more is coming; this is why.
                    code = NOT_FOUND
                    if cli.out.as_json:
                        self.lines.show(update)
                    with self.aside():
                        self._say(left(self.lines.name(update.room_id), update))
                else:
                    await self._update(update)
        except RoomNotFound as error:
            # It was lost between looking it up and following it.
            name = self.lines.name(error.metadata.get("roomId", ""))
            raise Failure(f"you are no longer a member of {name or 'this room'}", NOT_FOUND) from error
        except ChatError as error:
            raise cli.target.failure(error) from error
        finally:
            self._absence.ends()
        return code

    async def _widen(self) -> None:
        """Have the column of names wide enough from the start, where that is easily known."""
        for room in self._rooms:
            if room.member_count <= _FEW:
                members = [member async for member in self._cli.client.members(room.room_id)]
                self.lines.make_room_for(member.user.user_id for member in members)

    async def _update(self, update: Update) -> None:
        if self._changed and not isinstance(update, HistoryChanged):
            # Once for all rooms, which come one right after the other.
            room = self.lines.name(self._changed[0].room_id) if self._with_rooms else ""
            self._say(restored(self._changed, room))
            self._changed = []
        match update:
            case Connected():
                if self._absence.ends():
                    self._say(f"connected to {self._cli.target.address} again")
            case Disconnected():
                self._absence.begins(update.error)
            case CaughtUp():
                pass
            case HistoryChanged():
                self._changed.append(update)
                if self._cli.out.as_json:
                    self.lines.show(update)
            case event:
                if not self.lines.knows(event.room_id):
                    await self._learn(event.room_id)
                with self.aside():
                    self.lines.show(event)

    async def _learn(self, room_id: str) -> None:
        """Find out what a room that was joined meanwhile is called."""
        try:
            self.lines.add(await self._cli.client.room(room_id))
        except ChatError:
            # It may be lost again already; then its id has to do.
            return

    def _say(self, words: str) -> None:
        # Also with --json: it is no result, and whoever waits for one should know.
        with self.aside():
            print(visible(words), file=sys.stderr, flush=True)


class Chat:
    """Follows a room, and sends what is typed.

    Args:
        before: How much of what was said before to begin with.
    """

    def __init__(self, cli: Cli, room: Room, before: int) -> None:
        self._cli = cli
        self._room = room
        self._follow = Follow(cli, [room], [start(room, before)], all_rooms=False, with_rooms=False)
        self._prompt: Prompt | None = None
        self._sends: set[asyncio.Task[None]] = set()
        self._code = 0

    async def run(self) -> int:
        """Until one leaves or is put out; the exit code."""
        return await until_interrupted(self._run(), code=lambda: self._code)

    async def _run(self) -> int:
        if not (self._cli.out.terminal and sys.stdin and sys.stdin.isatty()):
            return await self._talk(Lines().next)
        self._cli.out.line(self._cli.out.style(f"{self._header()} · Ctrl-C leaves", dim=True))
        with Prompt() as prompt:
            self._prompt, self._follow.aside = prompt, prompt.aside
            try:
                return await self._talk(prompt.next)
            finally:
                self._prompt, self._follow.aside = None, nullcontext

    def _header(self) -> str:
        room = self._room
        about = [title(room)]
        if room.topic:
            about.append(room.topic)
        if room.kind != "direct":
            about.append(f"{room.member_count} member{'' if room.member_count == 1 else 's'}")
        return " · ".join(visible(part) for part in about)

    async def _talk(self, next_line: NextLine) -> int:
        following = asyncio.create_task(self._follow.run())
        typing = asyncio.create_task(self._type(next_line))
        try:
            await asyncio.wait([following, typing], return_when=asyncio.FIRST_COMPLETED)
            if not following.done() and not self._prompt:
                # The pipe has ended; what others say goes on.
                await asyncio.wait([following])
        finally:
            typing.cancel()
            await self._finish_sends()
            following.cancel()
            await asyncio.gather(following, typing, return_exceptions=True)
        return self._code if following.cancelled() else following.result() or self._code

    async def _type(self, next_line: NextLine) -> None:
        """Send each line; the client keeps them in order."""
        while (line := await next_line()) is not None:
            if isinstance(line, ValueError):
                self._not_sent(str(line))
            elif line.strip():
                task = asyncio.create_task(self._send(line))
                self._sends.add(task)
                task.add_done_callback(self._sent)
                self._mark()
                while len(self._sends) >= _AT_ONCE:
                    await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)

    async def _send(self, text: str) -> None:
        try:
            await self._cli.client.send(self._room.room_id, text, timeout=None)
        except (Unauthenticated, RoomNotFound):
            # The stream is told the same, once for all messages.
            self._code = REFUSED
        except ChatError as error:
            self._not_sent(self._cli.target.failure(error).message)
        except ValueError:
            self._not_sent("the message is not UTF-8")

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._mark()

    def _mark(self) -> None:
        if self._prompt:
            self._prompt.set_mark(f"({len(self._sends)} not sent yet) > " if self._sends else "> ")

    def _not_sent(self, why: str) -> None:
        self._code = REFUSED
        with self._follow.aside():
            Failure(f"not sent: {why}").show()

    async def _finish_sends(self) -> None:
        if not self._sends:
            return
        _, unfinished = await asyncio.wait(set(self._sends), timeout=_LAST_SENDS)
        for task in unfinished:
            task.cancel()
        if unfinished:
            self._code = UNKNOWN
            messages = "1 message" if len(unfinished) == 1 else f"{len(unfinished)} messages"
            with self._follow.aside():
                Failure(f"{messages} may not have been sent").show()
