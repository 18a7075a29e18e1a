"""The head and the recent tail of one room's log, as encoded bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grpc_chat.store.records import StoredEvent
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames

_SLICES_PER_TAIL = 4
"""The total size of a feed's remembered slices, as a multiple of its tail."""


_FEW = 256
"""Of so many events, a slice is joined before its size is known."""

_Entry = tuple[str, bytes, int]
"""One event of the tail: the session that caused it, the event as an entry of ``SubscribeResponse.events``,
and the number of the message that it is about, or 0. A tuple, because every message makes one."""


class Slice(NamedTuple):
    """Some consecutive events of a feed, for everybody at the same cursor."""

    last_seq: int
    data: bytes
    """The frames of all events up to ``last_seq``, joined."""
    events: int
    """How many events there are."""
    sessions: frozenset[str]
    """The sessions that caused any of the events. They must not get ``data`` unchanged."""
    about: int = 0
    """The number of the oldest message that any of the events is about; 0 for none. Members from whom that
    message is hidden must not get ``data`` unchanged, either."""


class Feed:
    """What a node remembers of a followed room.

    ``head`` is the newest number known to be durable. The tail is a run of events without a gap that may end
    before ``head`` (another node's events are known by number first) and may be empty; whatever is not in
    it is read from the store.

    Args:
        max_slice_bytes: The largest slice, unless a single event is larger.
    """

    __slots__ = (
        "_entries",
        "_first",
        "_max_slice_bytes",
        "_rule_seq",
        "_slices",
        "_slices_bytes",
        "head",
        "room_id",
        "since_join",
        "tail_bytes",
    )

    def __init__(self, room_id: str, head: int, *, max_slice_bytes: int) -> None:
        self.room_id = room_id
        self.head = head
        self.since_join = False
        """Whether members may read only what happened since they joined, as far as this node knows."""
        self._rule_seq = 0
        self.tail_bytes = 0
        self._max_slice_bytes = max_slice_bytes
        self._first = head + 1
        self._entries: list[_Entry] = []
        self._slices: dict[int, Slice] = {}
        self._slices_bytes = 0

    def advance(self, head: int) -> None:
        """Learn that the log reaches ``head``; an older number changes nothing."""
        self.head = max(self.head, head)

    def know_rule(self, history: int, seq: int) -> None:
        """Learn how much of the past members may read (``chat.v1.History``), according to the log up to
        ``seq``. Ignored if a later part of the log is known."""
        if seq >= self._rule_seq:
            self.since_join = history == pb.HISTORY_SINCE_JOIN
            self._rule_seq = seq

    def append(self, events: Sequence[StoredEvent]) -> None:
        """Add new durable events, consecutive and in order. Known ones are ignored."""
        end = self._first + len(self._entries)
        if events[0].seq > end or not self._entries:
            # Others wrote in between. The tail has no gaps, so it begins again.
            self.clear_tail()
            self._first = end = events[0].seq
        for (seq, session_id, payload, about), frame in zip(
            events, frames.each([event.payload for event in events]), strict=True
        ):
            if seq == end:
                if about is None:
                    about = frames.about(payload)
                self._entries.append((session_id, frame, about))
                self.tail_bytes += len(frame)
                end += 1
        self._forget_slices()
        self.advance(end - 1)

    def clear_tail(self) -> None:
        """Forget the tail; the store still has it."""
        self._first += len(self._entries)
        self._entries.clear()
        self._forget_slices()
        self.tail_bytes = 0

    def trim(self, max_bytes: int) -> None:
        """Forget the oldest events of the tail until the rest fits."""
        size, drop = self.tail_bytes, 0
        while size > max_bytes and drop < len(self._entries):
            size -= len(self._entries[drop][1])
            drop += 1
        del self._entries[:drop]
        self._first += drop
        self.tail_bytes = size
        self._forget_slices()

    def _forget_slices(self) -> None:
        self._slices.clear()
        self._slices_bytes = 0

    def after(self, seq: int, *, most: int | None = None) -> Slice | None:
        """The events after ``seq``, as many as fit into a slice; None if the store must be read.

        Args:
            most: The maximum number of events. Without it, everyone who asks shares the slice.
        """
        if most is not None:
            return self._slice(seq, most)
        if found := self._slices.get(seq):
            return found
        found = self._slice(seq, len(self._entries))
        if found:
            # With readers at many places in a quiet room, it would remember its tail many times over.
            if self._slices_bytes + len(found.data) > _SLICES_PER_TAIL * self.tail_bytes:
                self._forget_slices()
            self._slices[seq] = found
            self._slices_bytes += len(found.data)
        return found

    def _slice(self, seq: int, most: int) -> Slice | None:
        start = seq + 1 - self._first
        if start < 0 or start >= len(self._entries):
            return None
        limit = min(len(self._entries), start + most)
        entries = self._entries[start : min(limit, start + _FEW)]
        sessions, parts, abouts = zip(*entries, strict=True)
        data = b"".join(parts)
        if len(data) >= self._max_slice_bytes or start + _FEW < limit:
            size, end = 0, start
            while end < limit and (end == start or size < self._max_slice_bytes):
                size += len(self._entries[end][1])
                end += 1
            entries = self._entries[start:end]
            sessions, parts, abouts = zip(*entries, strict=True)
            data = b"".join(parts)
        return Slice(
            seq + len(entries),
            data,
            len(entries),
            frozenset(sessions),
            min(filter(None, abouts), default=0),
        )

    def stamp(self, seq: int) -> int:
        """The stamp of an event of the tail."""
        return frames.frame_stamp(self._entries[seq - self._first][1])

    def without(
        self, session_id: str, seq: int, piece: Slice, *, hidden_until: int = 0
    ) -> tuple[bytes, int, int]:
        """A slice that starts after ``seq``, less what a session caused and what is about messages up to
        ``hidden_until``: its bytes, how many events they are, and the number of the last of them (0 when none
        is left)."""
        start = seq + 1 - self._first
        kept, last = [], 0
        for at, (by, frame, about) in enumerate(self._entries[start : start + piece.events], seq + 1):
            if by != session_id and not 0 < about <= hidden_until:
                kept.append(frame)
                last = at
        return b"".join(kept), len(kept), last
