"""The rooms that are followed on this node: their feeds, and the streams that follow them.

Everything here happens on the event loop, so there are no locks. Publishing never waits for a reader: it adds
bytes to a tail and marks cursors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from grpc_chat.bus.base import Bus, Hints
from grpc_chat.core.access import hidden_until
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.feed import Feed
from grpc_chat.core.meanwhile import Meanwhile
from grpc_chat.core.signals import Signals
from grpc_chat.core.stream import Stream, write_to
from grpc_chat.metrics import Metrics
from grpc_chat.store.records import Membership, Place, StoredEvent
from grpc_chat.wire import chat_pb2 as pb


class Feeds:
    """The feeds of followed rooms. A feed without followers is forgotten."""

    def __init__(
        self, *, bus: Bus, signals: Signals, metrics: Metrics, meanwhile: Meanwhile, bounds: Bounds
    ) -> None:
        self._bus = bus
        self._signals = signals
        self._metrics = metrics
        self._meanwhile = meanwhile
        self._bounds = bounds
        # Rooms that were written to last are last.
        self._feeds: dict[str, Feed] = {}
        self._followers: dict[str, set[Stream]] = {}
        self._tails_bytes = 0
        # By room, for each page that is being read from the store: which events were rewritten meanwhile.
        self._reading: dict[str, list[set[int]]] = {}

    # Changes of rooms

    def publish(self, new: Mapping[str, list[StoredEvent]]) -> None:
        """Pass on events that this node has just made durable. MUST NOT block."""
        hints = {room_id: events[-1].seq for room_id, events in new.items()}
        for room_id, events in new.items():
            feed = self._feeds.pop(room_id, None)
            if feed is None:
                continue
            self._feeds[room_id] = feed
            before = feed.tail_bytes
            feed.append(events)
            if feed.tail_bytes > self._bounds.tail_bytes:
                feed.trim(self._bounds.tail_bytes)
            self._tails_bytes += feed.tail_bytes - before
            self._pass_on(feed, events[0].seq - 1)
        self._bound_tails()
        self._meanwhile.note_heads(hints)
        self._bus.publish(hints)

    def _pass_on(self, feed: Feed, after: int) -> None:
        """Wake the followers of a room, with the new events' bytes if there is nothing else to send. One loop
        over all of them here is cheaper than the same steps in each stream's task, each of which starts with
        a processor cache that the last write has filled with other things.
        """
        room_id = feed.room_id
        piece = feed.after(after)
        if piece and piece.last_seq < feed.head:
            piece = None
        together: list[Stream] = []
        for stream in self._followers[room_id]:
            if piece and stream.waits and stream.subscription.pass_on(room_id, after, piece):
                if stream.signals:
                    stream.write(piece.data)
                else:
                    together.append(stream)
            elif stream.subscription.mark(room_id):
                stream.wake()
        if piece and together:
            write_to(together, piece.data)

    def hint(self, hints: Hints) -> None:
        """Learn how far rooms' logs reach. May be late, repeated, or missing altogether."""
        self._meanwhile.note_heads(hints)
        for room_id, head in hints.items():
            feed = self._feeds.get(room_id)
            if feed is None:
                continue
            if head > feed.head:
                # Written by another node, which may have changed how much of the past is readable, or events
                # in it.
                self.forget_tail(room_id)
                feed.advance(head)
            for stream in self._followers[room_id]:
                if stream.subscription.mark(room_id):
                    stream.wake()

    def _bound_tails(self) -> None:
        for feed in self._feeds.values():
            if self._tails_bytes <= self._bounds.all_tails_bytes:
                break
            self._tails_bytes -= feed.tail_bytes
            feed.clear_tail()
        self.note_tails()

    def forget_tail(self, room_id: str) -> None:
        """Drop a room's tail, so that streams that are behind read the store. For example, members may now
        read more or less of the past, which is checked there."""
        if feed := self._feeds.get(room_id):
            self._tails_bytes -= feed.tail_bytes
            feed.clear_tail()

    def know_rule(self, room_id: str, history: int, seq: int) -> None:
        """Learn how much of the past members of a room may read; see :meth:`Feed.know_rule`."""
        if feed := self._feeds.get(room_id):
            feed.know_rule(history, seq)

    def rewritten(self, events: Mapping[str, Sequence[int]]) -> None:
        """Events, by room and number, were rewritten: send nobody their old bytes from now on."""
        for room_id, seqs in events.items():
            self.forget_tail(room_id)
            for noted in self._reading.get(room_id, ()):
                noted.update(seqs)

    def follow(self, stream: Stream, membership: Membership, place: Place, head: int) -> None:
        """Let a stream follow a room from a place, or from the first event that its user may read."""
        if membership.room_id in stream.subscription:
            return
        feed = self._feed(membership.room_id, head)
        feed.know_rule(membership.history, membership.last_seq)
        stream.subscription.follow(
            feed,
            place.seq,
            stamp=place.stamp,
            hidden_until=hidden_until(membership),
            joined=membership.join_seq,
        )
        self._followers[membership.room_id].add(stream)
        if stream.signals is not None:
            self._signals.follow(membership.room_id, stream)
        stream.wake()

    def lose(self, stream: Stream, left: pb.RoomLeft) -> None:
        """Make a stream stop following a room."""
        if not stream.ended and stream.subscription.lose(left):
            self.unfollow(stream, left.room_id)
            stream.wake()

    def unfollow(self, stream: Stream, room_id: str) -> None:
        followers = self._followers[room_id]
        followers.discard(stream)
        self._signals.unfollow(room_id, stream)
        if not followers:
            del self._followers[room_id]
            self._tails_bytes -= self._feeds.pop(room_id).tail_bytes

    def _feed(self, room_id: str, head: int) -> Feed:
        feed = self._feeds.get(room_id)
        if feed is None:
            feed = Feed(room_id, head, max_slice_bytes=self._bounds.response_bytes)
            self._feeds[room_id] = feed
            self._followers[room_id] = set()
        feed.advance(head)
        return feed

    @contextmanager
    def noting_rewritten(self, room_id: str) -> Iterator[set[int]]:
        """Collect the numbers of events that are rewritten meanwhile."""
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

    def followed(self) -> list[str]:
        """The rooms that are followed."""
        return list(self._feeds)

    def following(self, room_id: str) -> list[Stream]:
        """The streams that follow a room."""
        return list(self._followers.get(room_id, ()))

    def note_tails(self) -> None:
        """Report the size of the tails to the metrics."""
        self._metrics.tail_bytes.set(self._tails_bytes)
