"""Following rooms: everything once, in order, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from grpc_chat.errors import (
    BadCursor,
    ChatError,
    EpochChanged,
    NotAMember,
    RoomNotFound,
    Unavailable,
    Unreachable,
)
from grpc_chat.sdk import convert, retry
from grpc_chat.sdk.confirming import Confirming
from grpc_chat.sdk.extras import Extras
from grpc_chat.sdk.link import WrongLoop
from grpc_chat.sdk.models import (
    CaughtUp,
    Connected,
    Cursor,
    Disconnected,
    Gap,
    HistoryChanged,
    Message,
    Replies,
    RoomLeft,
    Update,
)
from grpc_chat.sdk.network import renewed
from grpc_chat.sdk.stream_request import MOST_POSITIONS, as_cursor, stream_request
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.sdk.finding import RoomFinder

log = logging.getLogger(__name__)

Open = Callable[[pb.SubscribeRequest], AsyncIterator[pb.SubscribeResponse]]
Acknowledge = Callable[[pb.AcknowledgeRequest], Awaitable[object]]

# How many updates are read ahead of the program; the server's own buffers hold the rest.
_READ_AHEAD = 1024
_SILENCE_BEFORE_STARTED = timedelta(seconds=12)


class Subscription:
    """A stream of messages that recovers by itself.

    Iterate over it for the messages alone, or over :meth:`updates` for everything there is to know. With a
    consumer, a message is acknowledged when the next one is asked for, so a program that dies while it deals
    with a message gets that one again. Close it with ``async with`` or :meth:`aclose`.

    Attributes:
        cursors: By room, the position after the last update returned. Give them to ``Client.subscribe`` to
            continue from there, in another process too.
    """

    def __init__(
        self,
        replies: Replies,
        *,
        open_: Open,
        acknowledge: Acknowledge,
        finder: RoomFinder,
        rooms: Iterable[str] = (),
        cursors: Iterable[Cursor] = (),
        consumer: str = "",
        from_latest: bool = False,
        max_unacknowledged: int = 0,
        include_own: bool = False,
        all_rooms: bool = False,
        extras: Extras | None = None,
        backoff: retry.Backoff | None = None,
        on_close: Callable[[Subscription], None],
    ) -> None:
        self._replies = replies
        self._on_close = on_close
        self._open = open_
        self._acknowledge = acknowledge
        self._consumer = consumer
        self._from_latest = from_latest
        self._max_unacknowledged = max_unacknowledged
        self._include_own = include_own
        self._all_rooms = all_rooms
        self._extras = extras or Extras()
        self._backoff = backoff or retry.Backoff()
        self._epoch = ""
        self._warned = False
        self._finder = finder
        # Rooms that must be looked up before they can be followed.
        self._names = [room for room in dict.fromkeys(rooms) if not finder.may_be_id(room)]
        # For rooms that the server has not accepted yet, what the program called them.
        self._unsure = {room: room for room in rooms if finder.may_be_id(room)}
        known = [Cursor(room_id) for room_id in self._unsure]
        self.cursors = {cursor.room_id: cursor for cursor in (*known, *cursors)}
        # What has been received, which may be ahead of what has been returned.
        self._received = dict(self.cursors)
        self._ahead: deque[tuple[Update | None, Cursor | None]] = deque()
        self._changed = asyncio.Event()
        self._space = asyncio.Event()
        self._space.set()
        self._error: ChatError | WrongLoop | None = None
        self._current: Cursor | None = None
        self._to_acknowledge: dict[str, Cursor] = {}
        self._confirming = None if consumer else Confirming(acknowledge)
        self._acknowledging: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        # Whether the stream ended because its connection had reached its age, and the next has not begun yet.
        self._renewing = False
        # Whether the stream must be reopened for a room that was found only now.
        self._found_more = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._settle()
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next message. May be cancelled without losing one."""
        while (update := await self.next()) is not None:
            match update:
                case Message():
                    return update
                case Gap():
                    log.warning(
                        "%s: messages %d to %d are gone", update.room_id, update.from_seq, update.to_seq
                    )
                case RoomLeft() if not self._follows(self.cursors):
                    raise RoomNotFound(
                        "you are no longer a member of this room", metadata={"roomId": update.room_id}
                    )
                case RoomLeft():
                    log.warning("%s: you may not read this room; the others go on", update.room_id)
                case HistoryChanged():
                    self._warn_once(update)
        raise StopAsyncIteration

    def _warn_once(self, change: HistoryChanged) -> None:
        """One warning for all rooms: those of the others follow right behind this one."""
        if self._warned:
            return
        self._warned = True
        others = sum(isinstance(update, HistoryChanged) for update, _ in self._ahead)
        log.warning(
            "the server was restored from a backup: messages after %d of room %s are new%s",
            change.last_seq,
            change.room_id,
            f", and some of {others} more rooms" if others else "",
        )

    async def updates(self) -> AsyncIterator[Update]:
        """Everything that happens in the rooms, and to the stream. Ends when it is closed, and when none of
        the rooms may be read.

        Raises:
            ChatError: An error that no further attempt would mend: not authorised, none of the rooms may be
                read, the consumer taken over by a newer stream, a cursor without a stamp from another epoch.
        """
        while (update := await self.next()) is not None:
            yield update

    async def next(self) -> Update | None:
        """The next update; None once the subscription is closed. May be cancelled without losing one."""
        self._settle()
        if self._reader is None and not self._closing.is_set():
            self._reader = asyncio.create_task(self._run(), name="subscription")
        while True:
            while self._ahead:
                update, cursor = self._ahead.popleft()
                if len(self._ahead) < _READ_AHEAD // 2:
                    self._space.set()
                if cursor:
                    if self._confirming:
                        self._confirming.moved(self.cursors.get(cursor.room_id), cursor, update)
                    self.cursors[cursor.room_id] = cursor
                    self._current = cursor
                elif isinstance(update, RoomLeft):
                    self.cursors.pop(update.room_id, None)
                    if self._confirming:
                        self._confirming.lost(update.room_id)
                    self._to_acknowledge.pop(update.room_id, None)
                if isinstance(update, HistoryChanged):
                    # Events that the log does not have can't be acknowledged.
                    self._to_acknowledge.pop(update.room_id, None)
                if update is not None:
                    return update
                self._settle()
            if self._error:
                raise self._error
            if self._closing.is_set() or not self._follows(self.cursors):
                return None
            self._changed.clear()
            await self._changed.wait()

    async def acknowledge(self) -> None:
        """With a consumer: acknowledge everything returned so far, and wait until the server has stored
        that."""
        self._settle()
        while self._acknowledging:
            await asyncio.shield(self._acknowledging)

    async def aclose(self) -> None:
        """End the stream; with a consumer, first acknowledge what has been dealt with."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._changed.set()
        if self._confirming:
            self._confirming.close()
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._acknowledging:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._acknowledging
        self._on_close(self)

    # Acknowledging

    def _settle(self) -> None:
        """The update returned last has been dealt with."""
        cursor, self._current = self._current, None
        if not cursor or not self._consumer:
            return
        self._to_acknowledge[cursor.room_id] = cursor
        if self._acknowledging is None:
            self._acknowledging = asyncio.create_task(self._send_acknowledgements(), name="acknowledge")

    async def _send_acknowledgements(self) -> None:
        """One call at a time; positions that gather meanwhile go together in the next."""
        backoff = retry.Backoff()
        try:
            while self._to_acknowledge:
                taken, self._to_acknowledge = self._to_acknowledge, {}
                positions = [as_cursor(cursor) for cursor in taken.values()]
                request = pb.AcknowledgeRequest(consumer=self._consumer, cursors=positions)
                try:
                    await self._acknowledge(request)
                    backoff.reset()
                except (RoomNotFound, NotAMember) as error:
                    # The caller may no longer read a room; that must not hold up the others.
                    taken.pop(error.metadata.get("roomId", ""), None)
                    if len(taken) < len(positions):
                        self._to_acknowledge = taken | self._to_acknowledge
                except EpochChanged as error:
                    if "lastCommonSeq" not in error.metadata:
                        log.warning("the server refused an acknowledgement: %s", error)
                    # Otherwise the stream reports it, or already has; the other rooms' positions count.
                except ChatError as error:
                    if not retry.worthwhile(error):
                        log.warning("the server refused an acknowledgement: %s", error)
                        continue
                    # Newer positions of the same rooms count for these too.
                    self._to_acknowledge = taken | self._to_acknowledge
                    if self._closing.is_set():
                        break
                    # Closing does not sit out the wait: it tries once more, and then gives up.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(backoff.next(error).total_seconds()):
                            await self._closing.wait()
        finally:
            self._acknowledging = None

    # Receiving

    async def _run(self) -> None:
        try:
            while self._follows(self._received) and not self._closing.is_set():
                wait, error = await self._follow_until_lost()
                if not self._follows(self._received):
                    break
                if self._found_more:
                    self._found_more = False
                    self._renewing = self._epoch != ""
                    continue
                if renewed(error) and not self._renewing:
                    # The server asks for that now and then; it is worth reporting only if it does not work.
                    self._renewing = True
                    continue
                self._renewing = False
                self._hand(Disconnected(error, wait))
                await asyncio.sleep(wait.total_seconds())
        except (ChatError, WrongLoop) as error:
            self._error = error
        except Exception as error:
            log.exception("the subscription failed")
            self._error = Unavailable(f"the subscription failed: {type(error).__name__}")
        finally:
            self._changed.set()

    async def _follow_until_lost(self) -> tuple[timedelta, ChatError | None]:
        """Open a stream and read it to its end; returns how long to wait before the next, and why it ended.

        Raises:
            ChatError: Another attempt would end the same way.
        """
        silence = _SILENCE_BEFORE_STARTED
        try:
            await self._find_names()
            async with aclosing(cast("Any", self._open(self._request()))) as responses:
                while True:
                    async with asyncio.timeout(silence.total_seconds()):
                        response = await anext(responses, None)
                    if response is None:
                        return self._backoff.next(), Unavailable("the server ended the stream")
                    if response.HasField("draining"):
                        return response.draining.reconnect_after.ToTimedelta(), None
                    if not response.HasField("started"):
                        # Not yet at `started`: a stream that fails right after it would be retried without
                        # end.
                        self._backoff.reset()
                    else:
                        # Two heartbeats may be late; after that, nobody is there.
                        heartbeat = response.started.heartbeat_interval.ToTimedelta()
                        silence = max(heartbeat * 2.5, timedelta(seconds=1))
                    await self._receive(response)
                    if self._found_more or not self._follows(self._received):
                        return timedelta(0), None
        except TimeoutError:
            error: ChatError = Unreachable("the server has gone silent", metadata={"reason": "silent"})
            return self._backoff.next(error), error
        except ChatError as error:
            lost = error.metadata.get("roomId", "")
            if isinstance(error, RoomNotFound) and lost in self._unsure and await self._find_instead(lost):
                # The stream is reopened, and nobody has to be told.
                return timedelta(0), None
            if self._epoch and self._set_back(error):
                return timedelta(0), error
            if not retry.worthwhile(error):
                raise
            return self._backoff.next(error), error

    async def _find_names(self) -> None:
        """Learn the ids of the rooms that were not given by id.

        Raises:
            RoomNotFound: One of them does not exist, or several have its name.
        """
        while self._names:
            name = self._names[0]
            room_id = await self._finder.id_of(name)
            self._names.pop(0)
            self._unsure[room_id] = name
            self._received.setdefault(room_id, Cursor(room_id))
            self.cursors.setdefault(room_id, Cursor(room_id))

    async def _find_instead(self, lost: str) -> bool:
        """Whether what was taken for an id is the name of a room, or a name now belongs to another room. That
        room is followed from then on.
        """
        name = self._unsure.pop(lost)
        self._finder.forget(lost)
        try:
            room_id = await self._finder.id_of(name)
        except RoomNotFound as error:
            if "roomIds" in error.metadata:
                raise
            return False
        if room_id == lost:
            return False
        for positions in (self._received, self.cursors):
            positions.pop(lost, None)
            positions.setdefault(room_id, Cursor(room_id))
        self._found_more = True
        return True

    def _set_back(self, error: ChatError) -> bool:
        """Begin rooms again for which the server has no better answer than an error; returns whether there
        are any. That is an older server, or a position without a stamp, which the end of a gap can leave.
        """
        room_id = error.metadata.get("roomId", "")
        known = self._received.get(room_id)
        if not isinstance(error, EpochChanged | BadCursor) or not known or not known.seq:
            return False
        rooms = [room_id]
        if isinstance(error, EpochChanged):
            # They will all be refused in the same way.
            rooms = [each.room_id for each in self._received.values() if each.seq and not each.stamp]
            rooms = rooms if room_id in rooms else list(self._received)
        for each in rooms:
            self._part(each, Cursor(each))
        return True

    def _part(self, room_id: str, last_common: Cursor) -> None:
        """Continue in a room from where its log and what was received differ."""
        self._received[room_id] = last_common
        self._hand(HistoryChanged(room_id, last_common.seq), last_common)

    def _follows(self, positions: Mapping[str, Cursor]) -> bool:
        """Whether there is anything left to follow: not if the caller was removed from all the named
        rooms."""
        return bool(positions) or bool(self._names) or bool(self._consumer) or self._all_rooms

    def _request(self) -> pb.SubscribeRequest:
        return stream_request(
            list(self._received.values()),
            consumer=self._consumer,
            all_rooms=self._all_rooms,
            from_latest=self._from_latest,
            max_unacknowledged=self._max_unacknowledged,
            include_own=self._include_own,
            extras=self._extras,
        )

    async def _receive(self, response: pb.SubscribeResponse) -> None:
        if response.HasField("started"):
            self._begin(response)
        for left in response.left:
            self._finder.forget(left.room_id)
            if left.room_id in self._unsure and await self._find_instead(left.room_id):
                continue
            # Joined again, the room begins again for its followers.
            self._received.pop(left.room_id, None)
            self._hand(convert.left(left))
        self._unsure.clear()
        for gap in response.gaps:
            known = self._received.get(gap.room_id)
            if cursor := self._moved(gap.room_id, gap.to_seq, gap.stamp):
                # To a consumer's server, what was not acknowledged yet is missing too.
                first = max(gap.from_seq, known.seq + 1) if known else gap.from_seq
                self._hand(Gap(gap.room_id, first, gap.to_seq), cursor)
        for event in response.events:
            if event.room_updated.HasField("name"):
                self._finder.forget(event.room_id)
            if cursor := self._moved(event.room_id, event.seq, convert.stamp(event.create_time)):
                self._hand(convert.event(event, self._epoch, self._replies), cursor)
        for update in self._extras.updates(response):
            self._hand(update)
        for passed in response.passed:
            if cursor := self._moved(passed.room_id, passed.seq, passed.stamp):
                self._hand(None, cursor)
        if response.HasField("caught_up"):
            self._hand(CaughtUp())
        while len(self._ahead) >= _READ_AHEAD:
            self._space.clear()
            await self._space.wait()

    def _begin(self, response: pb.SubscribeResponse) -> None:
        """Take in the first response of a stream."""
        epoch = response.started.epoch
        unnamed = bool(self._consumer) or len(self._received) > MOST_POSITIONS
        if unnamed and self._epoch not in ("", epoch):
            # Rooms that the server could not compare, and so does not mention. Numbers may begin again.
            told = {change.room_id for change in response.history_changed}
            unknown = [
                each.room_id for each in self._received.values() if each.seq and each.room_id not in told
            ]
            if unknown:
                log.warning("the server's history has begun a new epoch; some messages may come again")
                for room_id in unknown:
                    del self._received[room_id]
        self._epoch = epoch
        self._warned = False
        if not self._renewing:
            self._hand(Connected())
        self._renewing = False
        for change in response.history_changed:
            seq = change.last_common_seq
            self._part(change.room_id, Cursor(change.room_id, seq, epoch if seq else "", change.stamp))
        if not self._consumer:
            # Rooms without a cursor so far: the server's starting point in them is one.
            for begun in response.started.cursors:
                if begun.room_id not in self._received:
                    cursor = Cursor(begun.room_id, begun.seq, begun.epoch if begun.seq else "", begun.stamp)
                    self._received[begun.room_id] = cursor
                    self._hand(None, cursor)

    def _moved(self, room_id: str, seq: int, stamp: int) -> Cursor | None:
        """The room's new position; None for what was received before."""
        known = self._received.get(room_id)
        if known and seq <= known.seq:
            return None
        cursor = Cursor(room_id, seq, self._epoch, stamp)
        self._received[room_id] = cursor
        return cursor

    def _hand(self, update: Update | None, cursor: Cursor | None = None) -> None:
        self._ahead.append((update, cursor))
        self._changed.set()
