"""One open stream: what it has yet to send, how it is woken, and the loop that writes its responses."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from grpc_chat.core.caller import Caller
from grpc_chat.core.latest import Latest
from grpc_chat.core.subscription import Behind, Page, Subscription
from grpc_chat.core.turns import FewAtATime, share
from grpc_chat.core.writing import Write, Writes, Writing
from grpc_chat.errors import ChatError
from grpc_chat.metrics import Totals
from grpc_chat.store.records import Place
from grpc_chat.wire import chat_pb2 as pb

_CURSORS_AT_ONCE = 500
"""How many cursors are encoded at once: about 1 ms."""


@dataclass(frozen=True, slots=True)
class Host:
    """What a stream needs of the node that it is open on.

    Attributes:
        epoch: The store's epoch.
        totals: Where it counts.
        writes: Begins writes.
        read: A page of a room, from the store; None if it should no longer be read.
        save: Stores a consumer's positions; with True, even if they move back.
        close: Forgets the stream.
        monotonic: Seconds, never set.
        beginning: Lets a user's streams begin one after the other: each occupies the event loop for up to
            4,000 rooms.
    """

    epoch: str
    totals: Totals
    writes: Writes
    read: Callable[[Stream, Behind], Awaitable[Page | None]]
    save: Callable[[Stream, dict[str, Place], bool], Awaitable[None]]
    close: Callable[[Stream], None]
    monotonic: Callable[[], float] = time.monotonic
    beginning: FewAtATime = field(default_factory=FewAtATime)


@dataclass(eq=False, slots=True)
class Stream:
    """One open stream on this node: its subscription, and how it is woken."""

    host: Host = field(repr=False)
    caller: Caller
    consumer: str
    subscription: Subscription
    stream_id: str = ""
    """Distinguishes it from the other streams of its consumer, on any node."""
    claimed: bool = False
    """Whether its user's log has said that it now uses its consumer's name. If no other node writes to the
    store, the log does not say so."""
    told_until: int = 0
    """The last entry of its user's log that it knows."""
    kept: bool = False
    """Whether the store had the consumer when the stream was opened."""
    start: pb.Start.ValueType | None = None
    """Where to begin in rooms that are joined meanwhile; None when they are not followed."""
    ended: ChatError | None = None
    """Why the stream must end; None while it goes on."""
    unsaved: dict[str, Place] = field(default_factory=dict)
    """A new consumer's positions, other than those where it would start again anyway."""
    put_back: dict[str, Place] = field(default_factory=dict)
    """A consumer's positions that were from another history, and where that history and the log part."""
    left: list[pb.RoomLeft] = field(default_factory=list)
    """Rooms that it should follow but may not."""
    history_changed: list[pb.HistoryChanged] = field(default_factory=list)
    """Rooms whose log is not the one that its cursors are from."""
    invitations: list[pb.Invitation] | None = None
    """Invitations that it has not sent yet; None if its client does not want any."""
    read_markers: dict[str, pb.ReadMarker] | None = None
    """By room, how far its user has read, where it has not sent that yet; None if its client does not want
    it."""
    notifications: dict[str, pb.NotificationsChanged] = field(default_factory=dict)
    """By room, what its user wants to be notified of, likewise."""
    personal: dict[tuple[str, ...], pb.PersonalChange] | None = None
    """By what they are about, changes of what its user keeps, likewise; None if its client does not want
    them."""
    threads: dict[tuple[str, int], pb.Thread] = field(default_factory=dict)
    """By room and root, threads that its user follows or has changed, likewise."""
    threads_head: int = 0
    """The last entry of its user's log of which the threads that it began with tell."""
    signals: Latest | None = None
    """Signals that it has not sent yet; None if its client does not want any."""
    draining: timedelta | None = None
    """When to reconnect, once the node is about to stop."""
    heartbeat: timedelta = timedelta(seconds=25)
    """The longest silence on it."""
    quiet_seconds: float = 0
    """How long ago it last sent something."""
    expiry: asyncio.TimerHandle | None = field(default=None, repr=False)
    task: asyncio.Task[Any] | None = field(default=None, repr=False)
    """The task that writes its responses; cancelled if the stream must end and its client does not read."""
    waits: bool = field(default=False, repr=False)
    """Whether its task is in :meth:`wait`, and no write is under way."""
    _waiter: asyncio.Future[Behind | None] | None = field(default=None, repr=False)
    _writing: Writing | None = field(default=None, repr=False)
    """Writes while the task waits."""
    _woken: bool = field(default=False, repr=False)
    """Whether there may be something to do when the write has ended."""

    def give_up(self) -> None:
        """Give up a write whose client does not read."""
        if self.task:
            self.task.cancel()

    def wake(self) -> None:
        """Make it look for something to do."""
        if self.waits:
            self._return(None)
        else:
            # When what it does now is done.
            self._woken = True

    def write(self, response: bytes) -> None:
        """Write a response, without the task. Only if it waits."""
        write_to([self], self._with_signals(response) if self.signals else response)

    def begin(self, response: bytes) -> None:
        """See :class:`grpc_chat.core.writing.Writer`."""
        writing = self._writing
        if self.ended or writing is None:
            # Meanwhile: it gets nothing more.
            self._return(None)
        elif writing.begin(response):
            if self._woken:
                self._written(None)
            else:
                self.waits = True

    def _written(self, error: BaseException | None) -> None:
        """Write what has gathered meanwhile, or let the task go on if that takes more than a write."""
        if not self._woken and not error:
            self.waits = True
        elif self._waiter is None or self._waiter.done():
            # The task was cancelled.
            return
        elif isinstance(error, asyncio.CancelledError):
            self._waiter.cancel()
        elif error:
            self._waiter.set_exception(error)
        elif self.ended or self.draining or self.signals or self._owes_more:
            self._return(None)
        else:
            response = self.subscription.take()
            if response is None:
                self.waits, self._woken = True, False
            elif isinstance(response, Behind):
                self._return(response)
            else:
                # There may be more than fits into one response, so it remains woken.
                self.write(response)

    @property
    def _owes_more(self) -> bool:
        """Whether it owes anything that is not in the logs of rooms."""
        return bool(self.put_back or self.unsaved or self._owes_user)

    @property
    def _owes_user(self) -> bool:
        """Whether it owes anything of its user's own log."""
        return bool(
            self.invitations or self.read_markers or self.notifications or self.personal or self.threads
        )

    async def wait(self) -> Behind | None:
        """Wait until there may be something to do; returns what is to be read if that is known. What
        :meth:`write` is given meanwhile is written."""
        # A bare future: an asyncio.Event with a time-out costs as much as the write that follows.
        self._waiter = asyncio.get_running_loop().create_future()
        self.waits, self._woken = True, False
        try:
            return await self._waiter
        finally:
            self.waits = False

    def _return(self, what: Behind | None) -> None:
        """Make :meth:`wait` return."""
        self.waits = False
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(what)

    async def run(self, write: Write) -> None:
        """Write everything owed, as encoded responses, until it ends; what gathers while one is written goes
        into the next.

        Raises:
            ChatError: Why it ended, if not because the node is about to stop.
        """
        self.task = asyncio.current_task()
        self._writing = writing = Writing(write, self._written)
        try:
            await self._save()
            async with self.host.beginning.turn(share.get()):
                started = await self._started()
            await write(started)
            del started
            while not (self.draining or self.ended):
                if self.put_back or self.unsaved:
                    await self._save()
                response = self._of_user() or self.subscription.take()
                if response is None:
                    # It sends signals when it would wait, and otherwise with anything that it writes.
                    response = self._beside_signals() if self.signals else await self.wait()
                if isinstance(response, Behind):
                    response = await self._read(response)
                if response is None or self.ended:
                    continue
                if response:
                    self.quiet_seconds = 0
                if self.signals and not (response := self._with_signals(response)):
                    continue
                self.host.writes.count(response)
                await write(response)
            if self.ended:
                raise self.ended
            await write(self._drained())
        except asyncio.CancelledError:
            if self.ended:
                # By the node, because the client does not read; or by the client, and nobody is told.
                raise self.ended from None
            raise
        finally:
            writing.stop()
            self._writing = None
            self.host.close(self)
            self.task = None
            # The traceback of the error refers to this frame, and the stream to the error.
            del self, writing

    async def _save(self) -> None:
        """Store where a consumer begins in rooms that are new to it."""
        if self.put_back:
            positions, self.put_back = self.put_back, {}
            await self.host.save(self, positions, True)
        if not self.unsaved:
            return
        positions, self.unsaved = self.unsaved, {}
        await self.host.save(self, positions, False)

    async def _started(self) -> bytes:
        started = pb.SubscribeStarted(epoch=self.host.epoch)
        started.heartbeat_interval.FromTimedelta(self.heartbeat)
        response = pb.SubscribeResponse(started=started, left=self.left, history_changed=self.history_changed)
        parts = [response.SerializeToString()]
        if self.start is not None:
            # Only those that the client can't know; its own cursors need not be repeated. Encoded parts of a
            # message are the message when joined, and between them others get a turn.
            async for cursors in _in_parts(self.subscription.began()):
                more = pb.SubscribeResponse(started=pb.SubscribeStarted(cursors=cursors))
                parts.append(more.SerializeToString())
        parts.append(self._of_user())
        return b"".join(parts)

    def _of_user(self) -> bytes:
        """A response with what it has not sent yet of its user's own log; empty if there is nothing."""
        if not self._owes_user:
            return b""
        response = pb.SubscribeResponse()
        if self.invitations:
            response.invitations.extend(self.invitations)
            self.invitations = []
        if markers := self.read_markers:
            for room_id in list(itertools.islice(markers, _CURSORS_AT_ONCE)):
                response.read_markers.append(markers.pop(room_id))
        if self.notifications:
            response.notifications.extend(self.notifications.values())
            self.notifications.clear()
        if self.personal:
            response.personal.extend(self.personal.values())
            self.personal.clear()
        for place in list(itertools.islice(self.threads, _CURSORS_AT_ONCE)):
            response.threads.append(self.threads.pop(place))
        return response.SerializeToString()

    def _beside_signals(self) -> bytes:
        """What accompanies signals if nothing else is owed: a heartbeat, if it is due."""
        due = self.quiet_seconds >= self.heartbeat.total_seconds()
        return self.subscription.heartbeat() if due else b""

    def _with_signals(self, response: bytes) -> bytes:
        """A response with the signals that wait: after its events, which are older and matter more."""
        assert self.signals is not None, "it wants some"
        frames = self.signals.take(self.host.monotonic())
        self.host.totals.signals += len(frames)
        return b"".join([response, *frames])

    def _drained(self) -> bytes:
        draining = pb.Draining()
        draining.reconnect_after.FromTimedelta(self.draining or timedelta(0))
        return pb.SubscribeResponse(draining=draining).SerializeToString()

    async def _read(self, behind: Behind) -> bytes | None:
        """What a subscription requested from the store; None if nothing of it is to be sent."""
        page = await self.host.read(self, behind)
        self.host.totals.store_pages += 1
        if page is None:
            return None
        return self.subscription.read(behind.room_id, page)


def write_to(streams: Sequence[Stream], response: bytes) -> None:
    """Write the same response to streams that wait, without their tasks; one at least."""
    for stream in streams:
        stream.waits = False
        stream.quiet_seconds = 0
    streams[0].host.writes.begin_soon(streams, response)


async def _in_parts(cursors: Iterable[pb.Cursor]) -> AsyncIterator[list[pb.Cursor]]:
    rest = iter(cursors)
    while some := list(itertools.islice(rest, _CURSORS_AT_ONCE)):
        yield some
        if len(some) == _CURSORS_AT_ONCE:
            await asyncio.sleep(0)
