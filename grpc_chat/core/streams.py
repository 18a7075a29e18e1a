"""The open streams of this node, by user, session and consumer, and their ends.

Everything here happens on the event loop, so there are no locks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from grpc_chat.core.bounds import Bounds
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.meanwhile import Meanwhile
from grpc_chat.core.stream import Stream
from grpc_chat.errors import ChatError, ConsumerTakenOver, SessionEnded, ShuttingDown
from grpc_chat.metrics import Metrics
from grpc_chat.store.records import Place
from grpc_chat.wire import chat_pb2 as pb

_LAST_WRITE_SECONDS = 0.5
"""How long the current write may still take when a stream has to end."""

_LAST_WRITES_SECONDS = 1.0
"""The same when the node is about to stop, and a last response is still due."""

# The resolution of the time since a stream's last response. Each tick looks at all streams, which takes 0.1
# us for each.
_TICKS = 8
_MOST_TICK_SECONDS = 0.5

MOST_PERSONAL = 500
"""How many changes of what a user keeps wait for a stream. With one more, its client is told that everything
may have changed."""
MOST_INVITATIONS = 200
"""How many a stream is sent at once."""


class Streams:
    """The open streams.

    Args:
        clock: Seconds since 1970.
        random: A number from 0 to 1, for spreading reconnects.

    Attributes:
        draining: Whether the node is about to stop.
    """

    def __init__(
        self,
        *,
        feeds: Feeds,
        metrics: Metrics,
        meanwhile: Meanwhile,
        bounds: Bounds,
        random: Callable[[], float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._feeds = feeds
        self._metrics = metrics
        self._meanwhile = meanwhile
        self._bounds = bounds
        self._random = random
        self._clock = clock
        self._of_users: dict[str, set[Stream]] = {}
        self._of_sessions: dict[str, set[Stream]] = {}
        self._of_consumers: dict[tuple[str, str], Stream] = {}
        self._used_consumers: set[tuple[str, str]] = set()
        self._last_closed: Callable[[str], None] = lambda _: None
        self.draining = False

    def add(self, stream: Stream) -> None:
        """A stream is open; :meth:`close` it in the end. The consumer's previous stream ends."""
        self._of_users.setdefault(stream.caller.user_id, set()).add(stream)
        self._of_sessions.setdefault(stream.caller.session_id, set()).add(stream)
        self._watch_expiry(stream)
        if stream.consumer:
            consumer = (stream.caller.user_id, stream.consumer)
            older = self._of_consumers.pop(consumer, None)
            if older:
                self.end(older, taken_over())
            self._of_consumers[consumer] = stream
        self._metrics.streams.inc()

    def __len__(self) -> int:
        """How many streams are open."""
        return sum(len(streams) for streams in self._of_users.values())

    def count(self, user_id: str) -> int:
        """How many streams a user has open."""
        return len(self._of_users.get(user_id, ()))

    def of_user(self, user_id: str) -> list[Stream]:
        """A user's open streams."""
        return list(self._of_users.get(user_id, ()))

    def is_open(self, stream: Stream) -> bool:
        """Whether a stream is among the open ones."""
        return stream in self._of_users.get(stream.caller.user_id, ())

    def when_last_closes(self, do: Callable[[str], None]) -> None:
        """Call ``do`` with each user whose last stream was closed."""
        self._last_closed = do

    def deleted(self, room_id: str, user_id: str) -> None:
        """A room was deleted, by ``user_id``, or empty if that is not known."""
        self._meanwhile.note_deleted(room_id)
        for stream in self._feeds.following(room_id):
            self._feeds.lose(stream, pb.RoomLeft(room_id=room_id, user_id=user_id, deleted=True))

    def user_ids(self) -> Collection[str]:
        """The users who have a stream open."""
        return self._of_users.keys()

    def session_ids(self) -> list[str]:
        """The sessions that have a stream open."""
        return list(self._of_sessions)

    # The end of one

    def close(self, stream: Stream) -> None:
        """Forget a stream, and feeds that nobody else follows."""
        streams = self._of_users.get(stream.caller.user_id)
        if streams is None or stream not in streams:
            return
        streams.discard(stream)
        if not streams:
            del self._of_users[stream.caller.user_id]
        sessions = self._of_sessions[stream.caller.session_id]
        sessions.discard(stream)
        if not sessions:
            del self._of_sessions[stream.caller.session_id]
        if stream.expiry:
            stream.expiry.cancel()
        if stream.consumer:
            key = (stream.caller.user_id, stream.consumer)
            if self._of_consumers.get(key) is stream:
                del self._of_consumers[key]
                if stream.kept:
                    # Nothing is kept of others: there is no end to made-up names.
                    self._used_consumers.add(key)
        for room_id in stream.subscription.positions:
            self._feeds.unfollow(stream, room_id)
        self._feeds.note_tails()
        self._metrics.streams.dec()
        if not streams:
            self._last_closed(stream.caller.user_id)

    def end(self, stream: Stream, error: ChatError, *, patience: float = _LAST_WRITE_SECONDS) -> None:
        """End a stream with an error. From here on it occupies no place and follows nothing, whether or not
        its client reads.

        Args:
            patience: How many seconds the current write may still take. Without a limit, a client that does
                not read could keep its stream.
        """
        if stream.ended:
            return
        stream.ended = error
        self.close(stream)
        waits = stream.waits
        stream.wake()
        if not waits:
            asyncio.get_running_loop().call_later(patience, stream.give_up)

    def acknowledged(self, user_id: str, consumer: str, positions: Mapping[str, Place]) -> None:
        """Pass on that a consumer's positions moved."""
        self._used_consumers.add((user_id, consumer))
        stream = self._of_consumers.get((user_id, consumer))
        if stream and stream.subscription.acknowledge(positions):
            stream.wake()

    def of_consumer(self, user_id: str, consumer: str) -> bool:
        """Whether a consumer has a stream open."""
        return (user_id, consumer) in self._of_consumers

    def take_used_consumers(self) -> set[tuple[str, str]]:
        """Consumers, by user and name, that had a stream open or acknowledged something since last time."""
        used, self._used_consumers = self._used_consumers, set()
        return used.union(self._of_consumers)

    def _watch_expiry(self, stream: Stream) -> None:
        if stream.caller.expire_time is None:
            return
        left = stream.caller.expire_time.timestamp() - self._clock()
        why = SessionEnded("this session has expired; log in again")
        # Checked now and then: a timer does not notice when the clock is set.
        stream.expiry = asyncio.get_running_loop().call_later(
            min(max(left, 0.0), 60.0),
            lambda: self.end(stream, why) if left <= 60 else self._watch_expiry(stream),
        )

    # Time

    async def run(self) -> None:
        """Heartbeats, until cancelled."""
        loop = asyncio.get_running_loop()
        tick = min(self._bounds.heartbeat.total_seconds() / _TICKS, _MOST_TICK_SECONDS)
        now = loop.time()
        while True:
            await asyncio.sleep(tick)
            # The time that has really passed: a delayed loop sleeps longer.
            before, now = now, loop.time()
            # Not here: a stream that ends while this sleeps would live on in its variables.
            self._beat(now - before, tick)

    def _beat(self, passed: float, tick: float) -> None:
        for streams in self._of_users.values():
            for stream in streams:
                stream.quiet_seconds += passed
                # Rounded down to whole ticks: a little early is better than late.
                if stream.quiet_seconds + tick > stream.heartbeat.total_seconds() and stream.waits:
                    stream.write(stream.subscription.heartbeat())

    # The end of all

    def drain(self) -> None:
        """Refuse new streams, and make each open one say when to come back, and end."""
        self.draining = True
        for streams in self._of_users.values():
            for stream in streams:
                stream.draining = self._reconnect_after()
                stream.wake()
        asyncio.get_running_loop().call_later(_LAST_WRITES_SECONDS, self._end_all)

    def _end_all(self) -> None:
        """End the streams whose clients have not read to the end, and for which the node would have to
        wait."""
        for streams in list(self._of_users.values()):
            for stream in list(streams):
                self.end(stream, self.shutting_down(), patience=0)

    def shutting_down(self) -> ShuttingDown:
        """The error for new streams, once the node is about to stop."""
        return ShuttingDown("the server is about to stop", retry_after=self._reconnect_after())

    def _reconnect_after(self) -> timedelta:
        # Spread, so that they do not all come back at the same moment.
        return self._bounds.reconnect_spread * (0.25 + 0.75 * self._random())


def taken_over() -> ConsumerTakenOver:
    """The reason why a stream ends when its consumer has a newer one."""
    return ConsumerTakenOver("a newer stream uses this consumer's name")
