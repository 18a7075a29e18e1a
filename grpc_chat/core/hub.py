"""Which subscriptions on this node follow which feeds.

Everything here happens on the event loop, so there are no locks. Publishing never waits for a reader: it adds
bytes to a tail and marks cursors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from grpc_chat.bus.base import Bus, Hints
from grpc_chat.core.access import hidden_until, require_read, visible_from
from grpc_chat.core.caller import Authenticator, Caller
from grpc_chat.core.feed import Feed
from grpc_chat.core.reads import Pieces, Readers
from grpc_chat.core.start import Start, find_start, start_in
from grpc_chat.core.subscription import Behind, Page, Subscription
from grpc_chat.errors import (
    ChatError,
    ConsumerTakenOver,
    LimitExceeded,
    NotAMember,
    RoomNotFound,
    SessionEnded,
    ShuttingDown,
    StoreUnavailable,
    Unavailable,
)
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import Place, Snapshot, StoredEvent, too_many_consumers
from grpc_chat.store.records import Standing
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_WORD_SECONDS = 0.05
"""How long a stream that may not read a room any more waits to be told why."""

_LAST_WRITE_SECONDS = 0.5
"""How long the write that is under way may take when a stream has to end."""

_LAST_WRITES_SECONDS = 1.0
"""The same where the node is about to stop, and a last response is owed besides."""

# How finely the time since a follower's last response is known. Each tick looks at all streams, which takes
# 0.1 us for each.
_TICKS = 8
_MOST_TICK_SECONDS = 0.5
_FOLLOWED_AT_ONCE = 200
"""Rooms that a stream begins to follow before others have their turn on the event loop: about 1 ms."""
_TRIES = 10
"""How often a user's rooms are read for one stream, while they are changed by others."""
_LEAST_HEARTBEAT = timedelta(seconds=1)
MOST_INVITATIONS = 200
"""How many a stream is told of at once."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What subscriptions may cost.

    Attributes:
        response_bytes: About how large one response becomes.
        tail_bytes: How much of a room's newest events is kept in memory.
        all_tails_bytes: How much of all rooms' together; the rooms that were quiet longest lose theirs first.
        window: How many events a consumer may leave unacknowledged, and the default.
        streams_per_user: How many streams a user may have open on this node.
        consumers_per_user: How many consumers a user may have.
        heartbeat: The longest silence on a stream.
        position_check: How often the store is asked for heads, in case hints were lost; None for never.
        reconnect_spread: Over how long clients are told to come back when the node stops.
    """

    response_bytes: int = 64 * 1024
    tail_bytes: int = 1024 * 1024
    all_tails_bytes: int = 64 * 1024 * 1024
    window: int = 4096
    streams_per_user: int = 32
    consumers_per_user: int = 64
    heartbeat: timedelta = timedelta(seconds=25)
    position_check: timedelta | None = timedelta(seconds=1)
    reconnect_spread: timedelta = timedelta(seconds=2)


@dataclass(eq=False, slots=True)
class Follower:
    """One open stream on this node: its subscription, and how it is woken."""

    caller: Caller
    consumer: str
    subscription: Subscription
    kept: bool = False
    """Whether the store knew the consumer when the stream was opened."""
    start: pb.Start.ValueType | None = None
    """Where to begin in rooms that are joined meanwhile; None when they are not followed."""
    ended: ChatError | None = None
    """Why the stream must end; None while it goes on."""
    unsaved: dict[str, Place] = field(default_factory=dict)
    """A new consumer's positions that are not where a new consumer would start again."""
    put_back: dict[str, Place] = field(default_factory=dict)
    """A consumer's positions that were from another history, and where that one and the log part."""
    left: list[pb.RoomLeft] = field(default_factory=list)
    """Rooms that it was to follow and may not."""
    history_changed: list[pb.HistoryChanged] = field(default_factory=list)
    """Rooms whose log is another than the one its cursors are from."""
    invitations: list[pb.Invitation] | None = None
    """Those that it has not been told of yet; None where it does not want to be told."""
    draining: timedelta | None = None
    """When to reconnect, once the node is about to stop."""
    heartbeat: timedelta = timedelta(seconds=25)
    """The longest silence on it."""
    quiet_seconds: float = 0
    """How long ago it was last sent something."""
    expiry: asyncio.TimerHandle | None = field(default=None, repr=False)
    task: asyncio.Task[Any] | None = field(default=None, repr=False)
    """What writes its responses; cancelled where the stream must end and its client does not read."""
    _waiter: asyncio.Future[bytes | None] | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        """Whether it is in :meth:`wait`, and will stay there until :meth:`wake`."""
        return self._waiter is not None and not self._waiter.done()

    def give_up(self) -> None:
        """Give up a write whose client does not read."""
        if self.task:
            self.task.cancel()

    def wake(self, response: bytes | None = None) -> None:
        """Have :meth:`wait` return ``response``, if it waits."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(response)

    async def wait(self) -> bytes | None:
        """Until there may be something to do; returns a response when that is all there is to send."""
        # A bare future: an asyncio.Event with a time-out costs as much as the write that follows.
        self._waiter = asyncio.get_running_loop().create_future()
        return await self._waiter


class Hub:
    """The feeds that are followed on this node, and who follows them.

    Args:
        epoch: The store's.
        random: A number from 0 to 1, for spreading reconnects.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        bus: Bus,
        epoch: str,
        metrics: Metrics,
        random: Callable[[], float],
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self.epoch = epoch
        self._readers = readers
        self._bus = bus
        self._metrics = metrics
        self._random = random
        # Rooms that were written to last are last.
        self._feeds: dict[str, Feed] = {}
        self._followers: dict[str, set[Follower]] = {}
        self._streams: dict[str, set[Follower]] = {}
        self._sessions: dict[str, set[Follower]] = {}
        self._consumers: dict[tuple[str, str], Follower] = {}
        self._used_consumers: set[tuple[str, str]] = set()
        self._tails_bytes = 0
        self._opening = 0
        # By user, the consumers of the streams that are being opened; empty names for those without one.
        self._places: dict[str, list[str]] = {}
        # By room, for each page that is being read from the store: which events were rewritten meanwhile.
        self._reading: dict[str, list[set[int]]] = {}
        # What happened while subscriptions were being opened, which may have read the store before it.
        self._heads_while_opening: dict[str, int] = {}
        self._changes_while_opening: dict[str, int] = {}
        # Only those who were in them read theirs again: anyone could keep all others from following theirs.
        self._deleted_while_opening: set[str] = set()
        self._ended_while_opening: dict[str, ChatError] = {}
        self._draining = False
        bus.listen(self.hint)

    # What happens to rooms

    def publish(self, new: Mapping[str, list[StoredEvent]]) -> None:
        """Pass on events that this node just made durable. MUST NOT block."""
        hints = {room_id: events[-1].seq for room_id, events in new.items()}
        for room_id, events in new.items():
            feed = self._feeds.pop(room_id, None)
            if feed is None:
                continue
            self._feeds[room_id] = feed
            before = feed.tail_bytes
            feed.append(events)
            if feed.tail_bytes > self.bounds.tail_bytes:
                feed.trim(self.bounds.tail_bytes)
            self._tails_bytes += feed.tail_bytes - before
            self._pass_on(feed, events[0].seq - 1)
        self._bound_tails()
        self._note_heads(hints)
        self._bus.publish(hints)

    def _pass_on(self, feed: Feed, after: int) -> None:
        """Wake who follows a room, with the new events' bytes where those are all there is to send.

        One loop over all of them here is cheaper than the same steps in each stream's task, where each starts
        on a processor cache that the last write has filled with other things.
        """
        room_id = feed.room_id
        piece = feed.after(after)
        if piece and piece.last_seq < feed.head:
            piece = None
        for follower in self._followers[room_id]:
            if piece and follower.waits:
                response = follower.subscription.pass_on(room_id, after, piece)
                if response is not None:
                    follower.wake(response)
                    continue
            if follower.subscription.mark(room_id):
                follower.wake()

    def hint(self, hints: Hints) -> None:
        """Learn how far rooms' logs reach. May be late, repeated, or missing altogether."""
        self._note_heads(hints)
        for room_id, head in hints.items():
            feed = self._feeds.get(room_id)
            if feed is None:
                continue
            feed.advance(head)
            for follower in self._followers[room_id]:
                if follower.subscription.mark(room_id):
                    follower.wake()

    def _note_heads(self, hints: Hints) -> None:
        if self._opening:
            for room_id, head in hints.items():
                known = self._heads_while_opening.get(room_id, 0)
                self._heads_while_opening[room_id] = max(known, head)

    def _bound_tails(self) -> None:
        for feed in self._feeds.values():
            if self._tails_bytes <= self.bounds.all_tails_bytes:
                break
            self._tails_bytes -= feed.tail_bytes
            feed.clear_tail()
        self._metrics.tail_bytes.set(self._tails_bytes)

    # What happens to members, rooms and sessions. All of it is durable when it is told here, and before the
    # events of the same commit are published.

    def joined(self, user_id: str, standing: Standing) -> None:
        """Somebody became a member, by the event ``standing.join_seq``."""
        self._note_change(user_id)
        for follower in self._streams.get(user_id, ()):
            if follower.start is None:
                continue
            if follower.start == pb.START_LATEST:
                place = Place(standing.join_seq - 1)
                if follower.consumer:
                    follower.unsaved[standing.room_id] = place
            else:
                place = start_in(standing, follower.start)
            self._follow(follower, standing, place, standing.last_seq)

    def left(self, user_id: str, left: pb.RoomLeft, seq: int) -> None:
        """Somebody is no longer a member, by the event ``seq``."""
        self._note_change(user_id)
        for follower in list(self._streams.get(user_id, ())):
            self._lose(follower, left, seq)

    def invited(self, user_id: str, invitation: pb.Invitation) -> None:
        """Somebody is asked to be a member of a room, or an owner."""
        self._note_change(user_id)
        for follower in self._streams.get(user_id, ()):
            # It is a hint: who does not read for so long asks for the list.
            if follower.invitations is not None and len(follower.invitations) < MOST_INVITATIONS:
                follower.invitations.append(invitation)
                follower.wake()

    def deleted(self, room_id: str, user_id: str) -> None:
        """A room is no more."""
        if self._opening:
            self._deleted_while_opening.add(room_id)
        for follower in list(self._followers.get(room_id, ())):
            self._lose(follower, pb.RoomLeft(room_id=room_id, user_id=user_id, deleted=True))

    def forget_tail(self, room_id: str) -> None:
        """Have everybody who is behind in a room read the store, as where how much of the past they may read
        is different now, which is asked there."""
        if feed := self._feeds.get(room_id):
            self._tails_bytes -= feed.tail_bytes
            feed.clear_tail()

    def rewritten(self, events: Mapping[str, Sequence[int]]) -> None:
        """Events, by room and number, say something else: send their old bytes to nobody from now on."""
        for room_id, seqs in events.items():
            self.forget_tail(room_id)
            for noted in self._reading.get(room_id, ()):
                noted.update(seqs)

    def end_session(self, session_id: str, why: ChatError) -> None:
        """A session is no more: end its streams."""
        if self._opening:
            self._ended_while_opening[session_id] = why
        for follower in list(self._sessions.get(session_id, ())):
            self.end(follower, why)

    def session_ids(self) -> list[str]:
        """The sessions that have a stream open."""
        return list(self._sessions)

    def _note_change(self, user_id: str) -> None:
        """Note that a user's rooms have changed."""
        if self._opening:
            self._changes_while_opening[user_id] = self._changes(user_id) + 1

    def _changes(self, user_id: str) -> int:
        return self._changes_while_opening.get(user_id, 0)

    def _follow(self, follower: Follower, standing: Standing, place: Place, head: int) -> None:
        """Have a stream follow a room from a place, or from where its user may read at the earliest."""
        if standing.room_id in follower.subscription:
            return
        feed = self._feed(standing.room_id, head)
        follower.subscription.follow(feed, place.seq, stamp=place.stamp, hidden_until=hidden_until(standing))
        self._followers[standing.room_id].add(follower)
        follower.wake()

    def _lose(self, follower: Follower, left: pb.RoomLeft, seq: int | None = None) -> None:
        """Have a stream follow a room no longer.

        Args:
            seq: The event by which; where the stream began to follow the room later, it is nothing new to it.
        """
        if not follower.ended and follower.subscription.lose(left, seq):
            self._unfollow(follower, left.room_id)
            follower.wake()

    def _unfollow(self, follower: Follower, room_id: str) -> None:
        followers = self._followers[room_id]
        followers.discard(follower)
        if not followers:
            del self._followers[room_id]
            self._tails_bytes -= self._feeds.pop(room_id).tail_bytes

    # Streams

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Have what happens noted, between reading the store and following."""
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1
            if not self._opening:
                self._heads_while_opening.clear()
                self._changes_while_opening.clear()
                self._deleted_while_opening.clear()
                self._ended_while_opening.clear()

    async def open(
        self, caller: Caller, request: pb.SubscribeRequest, authenticator: Authenticator
    ) -> Follower:
        """Start a stream; :meth:`close` it in the end.

        Raises:
            RoomNotFound, NotAMember: The caller may read none of the rooms that the cursors name, and asks
                for nothing else.
            SessionEnded: The caller's session is no more.
            EpochChanged, BadCursor: A cursor without a stamp is not from this log.
            LimitExceeded: The user has too many streams open, or too many consumers for a new one.
            ShuttingDown: The node is about to stop.
            Unavailable: The caller's rooms change faster than they can be read.
        """
        if self._draining:
            raise self._shutting_down()
        consumer = (caller.user_id, request.consumer)

        def read(snapshot: Snapshot) -> Pieces[tuple[Start, bool, list[pb.Invitation] | None]]:
            authenticator.require_session(snapshot, caller)
            kept = bool(request.consumer) and self._is_kept(snapshot, *consumer)
            invitations = None
            if request.invitations:
                invitations = snapshot.invitations_of(caller.user_id, after=None, limit=MOST_INVITATIONS)
            start = yield from find_start(snapshot, caller.user_id, request, self.epoch)
            return start, kept, invitations

        tries = _TRIES
        with self._place(*consumer), self._watching():
            while True:
                changes = self._changes(caller.user_id)
                start, kept, invitations = await self._readers.run_pieces(read)
                follower = self._follower(caller, request, start, invitations, kept=kept)
                if await self._follow_all(follower, start, changes):
                    break
                tries -= 1
                if not tries:
                    raise Unavailable(
                        "your rooms change while they are looked up; try again",
                        retry_after=timedelta(seconds=1),
                    )
            # From the last check to here without an await: nobody can publish in between.
        self._streams.setdefault(caller.user_id, set()).add(follower)
        self._sessions.setdefault(caller.session_id, set()).add(follower)
        self._watch_expiry(follower)
        if request.consumer:
            older = self._consumers.pop(consumer, None)
            if older:
                self.end(older, ConsumerTakenOver("a newer stream uses this consumer's name"))
            self._consumers[consumer] = follower
        self._metrics.streams.inc()
        return follower

    def _follower(
        self,
        caller: Caller,
        request: pb.SubscribeRequest,
        start: Start,
        invitations: list[pb.Invitation] | None,
        *,
        kept: bool,
    ) -> Follower:
        window = min(request.max_unacknowledged or self.bounds.window, self.bounds.window)
        return Follower(
            caller=caller,
            consumer=request.consumer,
            subscription=Subscription(
                session_id="" if request.include_own else caller.session_id,
                epoch=self.epoch,
                window=window if request.consumer else 0,
                max_bytes=self.bounds.response_bytes,
            ),
            kept=kept,
            start=request.start if request.consumer or request.all_rooms else None,
            unsaved=start.unsaved,
            put_back=start.put_back,
            left=start.left,
            history_changed=start.history_changed,
            invitations=invitations,
            heartbeat=self._heartbeat_of(request),
        )

    async def _follow_all(self, follower: Follower, start: Start, changes: int) -> bool:
        """Have a new stream follow its rooms, a few at a time: 4,000 of them take 20 ms.

        Args:
            changes: How often its user's rooms had changed when they were read.

        Returns:
            Whether they are still those that its user may read; otherwise it follows none.
        """
        followed = False
        try:
            for at in range(0, max(len(start.places), 1), _FOLLOWED_AT_ONCE):
                if at:
                    await asyncio.sleep(0)
                if why := self._ended_while_opening.get(follower.caller.session_id):
                    raise why
                if self._draining:
                    raise self._shutting_down()
                if changes != self._changes(follower.caller.user_id):
                    return False
                for room, place in start.places[at : at + _FOLLOWED_AT_ONCE]:
                    if room.room_id in self._deleted_while_opening:
                        return False
                    newer = self._heads_while_opening.get(room.room_id, 0)
                    self._follow(follower, room, place, max(room.last_seq, newer))
            followed = True
        finally:
            if not followed:
                for room_id in follower.subscription.positions:
                    self._unfollow(follower, room_id)
        return True

    def _watch_expiry(self, follower: Follower) -> None:
        if follower.caller.expire_time is None:
            return
        left = (follower.caller.expire_time - datetime.now(UTC)).total_seconds()
        why = SessionEnded("this session has expired; log in again")
        # Looked at again now and then: a timer does not know when the clock is set.
        follower.expiry = asyncio.get_running_loop().call_later(
            min(max(left, 0.0), 60.0),
            lambda: self.end(follower, why) if left <= 60 else self._watch_expiry(follower),
        )

    @contextmanager
    def _place(self, user_id: str, consumer: str) -> Iterator[None]:
        """Hold one of the user's places for a stream while it is being opened.

        Counted from the start, so that many at once can't all find the last place free. A stream whose
        consumer is about to be taken over leaves its place to the newer one.

        Raises:
            LimitExceeded: There is none.
        """
        opening = [*self._places.get(user_id, ()), consumer]
        replaced = sum((user_id, name) in self._consumers for name in set(opening))
        most = self.bounds.streams_per_user
        if len(self._streams.get(user_id, ())) + len(opening) - replaced > most:
            raise LimitExceeded(
                f"you have {most} streams open, which is the most; close one first",
                metadata={"limit": str(most)},
            )
        self._places.setdefault(user_id, []).append(consumer)
        try:
            yield
        finally:
            self._places[user_id].remove(consumer)
            if not self._places[user_id]:
                del self._places[user_id]

    def _is_kept(self, snapshot: Snapshot, user_id: str, consumer: str) -> bool:
        """Whether the store knows a consumer. One too many is refused here: at its first ack is too late."""
        if snapshot.has_consumer(user_id, consumer):
            return True
        most = self.bounds.consumers_per_user
        if snapshot.consumers_of(user_id) >= most:
            raise too_many_consumers(most)
        return False

    def _feed(self, room_id: str, head: int) -> Feed:
        feed = self._feeds.get(room_id)
        if feed is None:
            feed = Feed(room_id, head, max_slice_bytes=self.bounds.response_bytes)
            self._feeds[room_id] = feed
            self._followers[room_id] = set()
        feed.advance(head)
        return feed

    async def read(self, follower: Follower, behind: Behind) -> Page | None:
        """What a subscription asked for, from the store; None where its user is no longer a member."""
        room_id, after, limit = behind

        def read_page(snapshot: Snapshot) -> Page:
            room = require_read(snapshot, room_id, follower.caller.user_id)
            first = visible_from(room)
            max_bytes = self.bounds.response_bytes
            begin = max(after, first - 1)
            events = snapshot.events_after(room_id, begin, limit=limit, max_bytes=max_bytes)
            if not events and first > room.last_seq:
                # All of it was removed; when the last one was stored is still known.
                return Page(first, events, room.last_event_us)
            return _first_run(first, events)

        try:
            with self._noting_rewritten(room_id) as rewritten:
                while True:
                    page = await self._readers.run(read_page)
                    if not any(event.seq in rewritten for event in page.events):
                        return page
                    # It was read before that. Each event is rewritten a few times at the most, if ever.
                    rewritten.clear()
        except (RoomNotFound, NotAMember):
            # Another node's doing, or this one's a moment ago: then word of who did it and why is on its way.
            await asyncio.sleep(_WORD_SECONDS)
            # Whoever was let in again since begins anew.
            if follower.subscription.awaits(room_id):
                self._lose(follower, pb.RoomLeft(room_id=room_id))
            return None

    @contextmanager
    def _noting_rewritten(self, room_id: str) -> Iterator[set[int]]:
        """Have the numbers of the events noted that are rewritten meanwhile."""
        noted: set[int] = set()
        reading = self._reading.setdefault(room_id, [])
        reading.append(noted)
        try:
            yield noted
        finally:
            # By identity: sets are equal by what is in them.
            reading[:] = [other for other in reading if other is not noted]
            if not reading:
                del self._reading[room_id]

    def close(self, follower: Follower) -> None:
        """Forget a stream; feeds that nobody follows any more go with it."""
        streams = self._streams.get(follower.caller.user_id)
        if streams is None or follower not in streams:
            return
        streams.discard(follower)
        if not streams:
            del self._streams[follower.caller.user_id]
        sessions = self._sessions[follower.caller.session_id]
        sessions.discard(follower)
        if not sessions:
            del self._sessions[follower.caller.session_id]
        if follower.expiry:
            follower.expiry.cancel()
        if follower.consumer:
            key = (follower.caller.user_id, follower.consumer)
            if self._consumers.get(key) is follower:
                del self._consumers[key]
                if follower.kept:
                    # Of others nothing is kept, and of names that are made up there is no end.
                    self._used_consumers.add(key)
        for room_id in follower.subscription.positions:
            self._unfollow(follower, room_id)
        self._metrics.tail_bytes.set(self._tails_bytes)
        self._metrics.streams.dec()

    def end(self, follower: Follower, error: ChatError, *, patience: float = _LAST_WRITE_SECONDS) -> None:
        """Have a stream end with an error.

        From here on it has no place and follows nothing, whether or not its client reads.

        Args:
            patience: How many seconds a write that is under way may still take. Without an end to that, a
                client that does not read could keep its stream.
        """
        if follower.ended:
            return
        follower.ended = error
        self.close(follower)
        if follower.waits:
            follower.wake()
        else:
            asyncio.get_running_loop().call_later(patience, follower.give_up)

    def acknowledged(self, user_id: str, consumer: str, positions: Mapping[str, Place]) -> None:
        """Pass on that a consumer's positions moved."""
        self._used_consumers.add((user_id, consumer))
        follower = self._consumers.get((user_id, consumer))
        if follower and follower.subscription.acknowledge(positions):
            follower.wake()

    def streams_of_consumer(self, user_id: str, consumer: str) -> bool:
        """Whether a consumer has a stream open."""
        return (user_id, consumer) in self._consumers

    def take_used_consumers(self) -> set[tuple[str, str]]:
        """Consumers, by user and name, that had a stream open or acknowledged something since last time."""
        used, self._used_consumers = self._used_consumers, set()
        return used.union(self._consumers)

    # Time

    async def run(self) -> None:
        """Heartbeats and position checks, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            if self.bounds.position_check:
                group.create_task(self._check_positions(self.bounds.position_check))

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        tick = min(self.bounds.heartbeat.total_seconds() / _TICKS, _MOST_TICK_SECONDS)
        now = loop.time()
        while True:
            await asyncio.sleep(tick)
            # What has really passed: a loop that was held up sleeps longer.
            before, now = now, loop.time()
            for streams in self._streams.values():
                for follower in streams:
                    follower.quiet_seconds += now - before
                    # Rounded down to whole ticks: rather a little early than late.
                    if follower.quiet_seconds + tick > follower.heartbeat.total_seconds() and follower.waits:
                        follower.wake(follower.subscription.heartbeat())

    def _heartbeat_of(self, request: pb.SubscribeRequest) -> timedelta:
        if not request.HasField("heartbeat_interval"):
            return self.bounds.heartbeat
        wanted = max(request.heartbeat_interval.ToTimedelta(), _LEAST_HEARTBEAT)
        return min(wanted, self.bounds.heartbeat)

    async def _check_positions(self, interval: timedelta) -> None:
        while True:
            await asyncio.sleep(interval.total_seconds())
            if not self._feeds:
                continue
            room_ids = list(self._feeds)

            def heads(snapshot: Snapshot, room_ids: list[str] = room_ids) -> dict[str, int]:
                return snapshot.heads(room_ids)

            try:
                self.hint(await self._readers.run(heads))
            except StoreUnavailable as error:
                log.warning("the rooms' positions could not be checked", exc_info=error)

    # The end

    def drain(self) -> None:
        """Open no stream any more, and have each open one say when to come back, and end."""
        self._draining = True
        for streams in self._streams.values():
            for follower in streams:
                follower.draining = self._reconnect_after()
                follower.wake()
        asyncio.get_running_loop().call_later(_LAST_WRITES_SECONDS, self._end_all)

    def _end_all(self) -> None:
        """End the streams whose clients have not read to the end, for which the node would have to wait."""
        for streams in list(self._streams.values()):
            for follower in list(streams):
                self.end(follower, self._shutting_down(), patience=0)

    def _shutting_down(self) -> ShuttingDown:
        return ShuttingDown("the server is about to stop", retry_after=self._reconnect_after())

    def _reconnect_after(self) -> timedelta:
        # Spread, so that they do not all come back in the same moment.
        return self.bounds.reconnect_spread * (0.25 + 0.75 * self._random())

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(len(streams) for streams in self._streams.values())


def _first_run(first_seq: int, events: Sequence[StoredEvent]) -> Page:
    """The events up to where the log has a hole, which damage on the disk leaves; it is told of as a gap."""
    if not events:
        return Page(first_seq, events)
    start = events[0].seq
    if events[-1].seq - start != len(events) - 1:
        events = [event for at, event in enumerate(events) if event.seq == start + at]
    return Page(max(first_seq, start), events)
