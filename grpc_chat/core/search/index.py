"""The index: which messages may be what a search looks for.

The newest messages are in memory, as they are looked at (the *tail*); when there are many, a *segment* is
made of them, which never changes. So nothing is written for a message by itself, and a deleted one is nowhere
but in the segment that it is in, which is made again from the log. Until it is, what has changed is in
memory, too, and the segment's word for it is not taken.

An index follows the logs. It names what *may* be found. Whether a message is still there, and who may see it,
each search asks the logs.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from heapq import heappop, heappush

from grpc_chat.core.reads import Pieces
from grpc_chat.core.search import postings, segments
from grpc_chat.core.search.query import Entry, Query, entry, entry_of
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.search import Contents, Segment, SegmentStore
from grpc_chat.wire import chat_pb2 as pb

_EVENTS_AT_ONCE = 64
_BYTES_AT_ONCE = 256 * 1024
_ENTRIES_AT_ONCE = 32
_PLACES_KEPT = 8
"""Segments whose numbers and stamps are kept in memory: half a megabyte each."""
_END_OF_TIME = 2**63 - 1

Hint = tuple[int, str, int]
"""A message that may be found: its stamp, its room and its number."""


@dataclass(slots=True)
class _Room:
    covered: int = 0
    """Up to here its log is in segments."""
    followed: int = 0
    """Up to here it is in these or in the tail."""
    tail: list[Entry] = field(default_factory=list)


class Index:
    """See the module's text. Its methods may be called by several threads.

    Args:
        segment_messages: How many messages make a segment.
        tail_bytes: Or so many bytes of text, whichever is reached first.
    """

    def __init__(
        self, store: SegmentStore, *, segment_messages: int = 32_768, tail_bytes: int = 32 * 1024 * 1024
    ) -> None:
        self._store = store
        self._segment_messages = min(segment_messages, postings.MOST)
        self._tail_bytes = tail_bytes
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Begin with nothing."""
        with self._lock:
            self._rooms: dict[str, _Room] = {}
            self._segments: dict[int, Segment] = {}
            self._by_room: dict[int, dict[str, int]] = {}
            self._last_number = 0
            self._messages = self._bytes = 0
            # By room and number, messages that are not as their segment has them; None for a deleted one.
            self._changed: dict[str, dict[int, Entry | None]] = {}
            self._gone: set[str] = set()
            self._late: set[tuple[str, int]] = set()
            self._places: OrderedDict[int, tuple[array[int], array[int]]] = OrderedDict()

    # Following

    def load(self, epoch: str) -> list[tuple[str, int]]:
        """Take what is kept; returns messages for :meth:`look_again`, without which it is not complete."""
        kept = self._store.load(epoch)
        with self._lock:
            self.reset()
            replaced = {segment.replaces for segment in kept.segments}
            for segment in kept.segments:
                self._last_number = max(self._last_number, segment.number)
                if segment.number in replaced:
                    # The process ended before it was removed.
                    self._store.delete(segment.number)
                    continue
                self._take(segment)
                for part in segment.parts:
                    room = self._rooms.setdefault(part.room_id, _Room())
                    room.covered = room.followed = max(room.covered, part.to_seq)
        return kept.changed

    def forget(self, room_id: str) -> None:
        """Have nothing left of a room that was deleted. Segments that have of it are made again."""
        with self._lock:
            if room := self._rooms.pop(room_id, None):
                self._messages -= len(room.tail)
                self._bytes -= sum(200 + 2 * len(made.form) for made in room.tail)
            self._changed.pop(room_id, None)
            self._gone.add(room_id)

    def forget_all_but(self, room_ids: Set[str]) -> None:
        """As :meth:`forget`, for the rooms that are not among these."""
        with self._lock:
            for room_id in self._rooms.keys() - room_ids:
                self.forget(room_id)

    def followed(self, room_id: str) -> int:
        """Up to which number a room's log is in the index."""
        room = self._rooms.get(room_id)
        return room.followed if room else 0

    def follow(self, snapshot: Snapshot, room_id: str, head: int) -> Pieces[Snapshot]:
        """Take a room's log up to ``head`` in; returns the snapshot to go on with."""
        while self.followed(room_id) < head:
            self._follow_some(snapshot, room_id, head)
            snapshot = yield
        return snapshot

    def _follow_some(self, snapshot: Snapshot, room_id: str, head: int) -> None:
        with self._lock:
            room = self._rooms.setdefault(room_id, _Room())
            found = snapshot.events_after(
                room_id, room.followed, limit=_EVENTS_AT_ONCE, max_bytes=_BYTES_AT_ONCE
            )
            changed: list[int] = []
            for stored in found:
                event = pb.Event.FromString(stored.payload)
                kind = event.WhichOneof("kind")
                if kind == "message_edited":
                    changed.append(event.message_edited.seq)
                elif kind == "message_deleted":
                    changed.append(event.message_deleted.seq)
                elif kind == "message" and (made := entry_of(event)):
                    room.tail.append(made)
                    self._messages += 1
                    self._bytes += 200 + 2 * len(made.form)
            room.followed = found[-1].seq if found else head
            self.look_again(snapshot, [(room_id, seq) for seq in changed])

    def look_again(self, snapshot: Snapshot, places: list[tuple[str, int]]) -> None:
        """Have messages be as they are now."""
        if not places:
            return
        payloads = snapshot.payloads_at(places)
        with self._lock:
            for room_id, seq in places:
                payload = payloads.get((room_id, seq))
                made = entry(payload) if payload else None
                room = self._rooms.setdefault(room_id, _Room())
                if seq <= room.covered:
                    self._changed.setdefault(room_id, {})[seq] = made
                    self._late.add((room_id, seq))
                    continue
                at = bisect_left(room.tail, seq, key=_seq_of)
                if at < len(room.tail) and room.tail[at].seq == seq:
                    gone = Entry(seq, room.tail[at].stamp, "", "", has_file=False)
                    room.tail[at] = made or gone
                    # It may be in the segment that is being made.
                    self._late.add((room_id, seq))

    # Making segments

    @property
    def wants_segment(self) -> bool:
        """Whether there is enough in the tail for a segment."""
        return self._messages >= self._segment_messages or self._bytes >= self._tail_bytes

    def stale(self) -> int:
        """The number of a segment of which messages have changed; 0 where there is none."""
        with self._lock:
            for number, by_room in self._by_room.items():
                if self._gone and not self._gone.isdisjoint(by_room):
                    return number
            self._gone.clear()
            for room_id, changed in self._changed.items():
                for number, segment in self._segments.items():
                    at = self._by_room[number].get(room_id)
                    if at is None:
                        continue
                    part = segment.parts[at]
                    if any(part.after_seq < seq <= part.to_seq for seq in changed):
                        return number
        return 0

    def make(self) -> Pieces[tuple[Segment, Contents]]:
        """A segment of what is in the tail, for :meth:`put`. One at a time, or :meth:`remake`."""
        with self._lock:
            builder = segments.Builder(self._next_number())
            rooms = [
                (room_id, room.covered, room.followed, room.tail)
                for room_id, room in self._rooms.items()
                if room.followed > room.covered
            ]
        left = postings.MOST
        for room_id, covered, followed, tail in rooms:
            count = bisect_left(tail, followed + 1, key=_seq_of)
            if count > left:
                count, followed = left, tail[left - 1].seq if left else covered
            for at in range(count):
                if tail[at].sender:
                    builder.add(tail[at])
                if at % _ENTRIES_AT_ONCE == 0:
                    yield
            left -= count
            if followed > covered:
                builder.end_part(room_id, covered, followed)
        return (yield from builder.finish())

    def remake(self, snapshot: Snapshot, number: int) -> Pieces[tuple[Segment, Contents]]:
        """A segment again, from the log as it is now, for :meth:`put`."""
        with self._lock:
            segment = self._segments[number]
            builder = segments.Builder(self._next_number(), replaces=number)
        for part in segment.parts:
            if part.room_id in self._gone:
                continue
            at = part.after_seq
            while at < part.to_seq:
                found = snapshot.events_after(
                    part.room_id, at, limit=min(_ENTRIES_AT_ONCE, part.to_seq - at), max_bytes=_BYTES_AT_ONCE
                )
                for stored in found:
                    if stored.seq <= part.to_seq and (made := entry(stored.payload)):
                        builder.add(made)
                at = found[-1].seq if found else part.to_seq
                snapshot = yield
            builder.end_part(part.room_id, part.after_seq, part.to_seq)
        return (yield from builder.finish())

    def _next_number(self) -> int:
        self._late.clear()
        self._last_number += 1
        return self._last_number

    def put(self, segment: Segment, contents: Contents) -> None:
        """Keep a segment that was made, and look there from now on."""
        with self._lock:
            changed = {
                (room_id, seq)
                for room_id, of_room in self._changed.items()
                for seq in of_room
                if not segment.replaces or not self._is_new(segment, room_id, seq)
            }
        self._store.put(segment, contents, changed)
        with self._lock:
            self._take(segment)
            if segment.replaces:
                del self._segments[segment.replaces], self._by_room[segment.replaces]
            for part in segment.parts:
                room = self._rooms.get(part.room_id)
                if room is None:
                    # It was deleted meanwhile.
                    self._gone.add(part.room_id)
                    continue
                of_room = self._changed.get(part.room_id, {})
                for seq in [seq for seq in of_room if self._is_new(segment, part.room_id, seq)]:
                    del of_room[seq]
                if segment.replaces:
                    continue
                count = bisect_left(room.tail, part.to_seq + 1, key=_seq_of)
                for old in room.tail[:count]:
                    self._messages -= 1
                    self._bytes -= 200 + 2 * len(old.form)
                    if (part.room_id, old.seq) in self._late:
                        self._changed.setdefault(part.room_id, {})[old.seq] = old if old.sender else None
                # Another list: a search may be going through this one.
                room.tail = room.tail[count:]
                room.covered = part.to_seq
            self._changed = {room_id: of_room for room_id, of_room in self._changed.items() if of_room}
        if segment.replaces:
            self._store.delete(segment.replaces)

    def _is_new(self, segment: Segment, room_id: str, seq: int) -> bool:
        """Whether a message is in a segment that was made after it changed last."""
        if (room_id, seq) in self._late:
            return False
        return any(part.room_id == room_id and part.after_seq < seq <= part.to_seq for part in segment.parts)

    def _take(self, segment: Segment) -> None:
        self._segments[segment.number] = segment
        self._by_room[segment.number] = {part.room_id: at for at, part in enumerate(segment.parts)}

    # Finding

    def hints(self, query: Query, rooms: Mapping[str, int], *, end_us: int = 0) -> Iterator[Hint | None]:
        """Messages that may be found, newest first; those of the same time in the order of the rooms' ids.

        None now and then, so that others have their turn. It is good for as long as :meth:`is_good` says so.

        Args:
            rooms: Where to look, by id, and from which number on.
            end_us: Only what has an earlier stamp.
        """
        end_us = min(end_us or _END_OF_TIME, query.before_us or _END_OF_TIME)
        needed = segments.sought(query)
        # What is to be looked at and what was found, by the latest stamp that it may have. Of the same stamp,
        # what is to be looked at comes first.
        heap: list[tuple[int, int, str, int, int, Iterator[Hint] | Segment]] = []
        count = 0

        def add(source: Iterator[Hint]) -> None:
            nonlocal count
            hint = next(source, None)
            if hint and hint[0] >= query.from_us:
                count += 1
                heappush(heap, (-hint[0], 1, hint[1], count, hint[2], source))

        with self._lock:
            changed = {
                room_id: dict(of_room) for room_id, of_room in self._changed.items() if room_id in rooms
            }
            for room_id, first_seq in rooms.items():
                room = self._rooms.get(room_id)
                if room and room.tail:
                    add(_in_tail(query, room_id, room.tail, first_seq, end_us))
                if of_room := changed.get(room_id):
                    entries = [made for _, made in sorted(of_room.items()) if made]
                    add(_in_tail(query, room_id, entries, first_seq, end_us))
            for number, segment in self._segments.items():
                newest = max((part.newest for part in segment.parts), default=0)
                if newest >= query.from_us:
                    heappush(heap, (-min(newest, end_us), 0, "", number, 0, segment))
        yield None
        while heap:
            stamp, _, room_id, _, seq, source = heappop(heap)
            if isinstance(source, Segment):
                with self._lock:
                    found = segments.find(self._store, source, needed)
                    if found:
                        seqs, stamps = self._places_of(source.number)
                        by_room = self._by_room.get(source.number, {})
                        for each in rooms.keys() & by_room.keys():
                            part = source.parts[by_room[each]]
                            add(
                                segments.downwards(
                                    found, part, seqs, stamps, first_seq=rooms[each], end_us=end_us
                                )
                            )
                yield None
                continue
            if seq not in changed.get(room_id, ()) or not _from_segment(source):
                yield -stamp, room_id, seq
            add(source)

    def state(self) -> tuple[int, ...]:
        """Which segments there are. Hints are good for as long as it is the same."""
        with self._lock:
            return tuple(self._segments)

    def _places_of(self, number: int) -> tuple[array[int], array[int]]:
        kept = self._places.get(number)
        if kept is None:
            kept = (array("q"), array("q"))
            for numbers, data in zip(kept, self._store.places(number), strict=True):
                numbers.frombytes(data)
            self._places[number] = kept
            if len(self._places) > _PLACES_KEPT:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end(number)
        return kept


class _InTail:
    """The entries of a room in memory that are what is looked for, newest first."""

    def __init__(self, hints: Iterator[Hint]) -> None:
        self._hints = hints

    def __iter__(self) -> Iterator[Hint]:
        return self

    def __next__(self) -> Hint:
        return next(self._hints)


def _in_tail(query: Query, room_id: str, entries: list[Entry], first_seq: int, end_us: int) -> Iterator[Hint]:
    return _InTail(
        (made.stamp, room_id, made.seq)
        for at in range(len(entries) - 1, -1, -1)
        if (made := entries[at]).seq >= first_seq and made.stamp < end_us and query.matches(made)
    )


def _from_segment(source: Iterator[Hint]) -> bool:
    return not isinstance(source, _InTail)


def _seq_of(made: Entry) -> int:
    return made.seq
