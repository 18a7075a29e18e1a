"""One subscriber: a set of cursors, and what to send next. Pure: no I/O, no clock, no waiting.

There is no queue that could overflow. A subscriber that does not read stands still. When it reads again, its
cursors say what to send, from the feeds' tails or from the store.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from grpc_chat.core.access import is_hidden
from grpc_chat.core.feed import Feed, Slice
from grpc_chat.store.records import Place, Run
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames

_NO_WINDOW = sys.maxsize
_NO_SESSION = "-"
"""No event's session: that of a scheduled message, which the server sends by itself, is empty."""
_PAGE_EVENTS = 4096
"""How many events are read from the store at once. Most pages end earlier, when a response is full."""


class Behind(NamedTuple):
    """The store must be read: this room, after this number, at most this many events.

    The result is for :meth:`Subscription.read`.
    """

    room_id: str
    after: int
    limit: int


class Page(NamedTuple):
    """Events of the store after a cursor, without a gap between them."""

    first_seq: int
    """The oldest remaining event: of the room, or after the cursor."""
    run: Run
    stamp: int = 0
    """The stamp of the event before ``first_seq``, if it is known; otherwise 0."""
    joined: int = 0
    """The event by which the reader joined the room, from the store; 0 if there is none."""


@dataclass(slots=True)
class _Room:
    feed: Feed
    seq: int
    """The cursor: everything up to here has been sent or passed over."""
    acknowledged: int
    sent: int
    """The number of the last event that was sent; events between it and ``seq`` were the session's own, or
    are gone."""
    began: Place
    """Where following began."""
    joined: int = 0
    """The event by which its reader joined; 0 if there is none."""

    @property
    def hidden_until(self) -> int:
        """The last message that is hidden from its reader, and what happens to it with it; 0 for none."""
        return max(self.joined - 1, 0) if self.feed.since_join else 0

    @property
    def unacknowledged(self) -> int:
        # Events that were skipped, or are gone, need no acknowledgement.
        return 0 if self.acknowledged >= self.sent else self.seq - self.acknowledged


class Subscription:
    """Cursors into feeds.

    Args:
        session_id: The session whose own events are left out; empty to leave out none (``include_own``).
        epoch: The epoch of all positions.
        window: For a consumer, how many events may be unacknowledged before it has to wait; 0 for others.
        max_bytes: The approximate size of the largest response.
    """

    def __init__(self, *, session_id: str, epoch: str, window: int, max_bytes: int) -> None:
        self._session_id = session_id or _NO_SESSION
        self._epoch = epoch
        self._window = window or _NO_WINDOW
        self._max_bytes = max_bytes
        self._rooms: dict[str, _Room] = {}
        # Rooms that may have something, in the order of their turns (which a dict keeps).
        self._dirty: dict[str, None] = {}
        # Rooms that have not yet reached the end of what existed at the start, and where that is.
        self._targets: dict[str, int] = {}
        self._say_caught_up = True
        self._unacknowledged = 0
        # Whether only what is new is to be sent, to a reader who need not acknowledge it: known when `take`
        # has found nothing, and until something changes.
        self._owes_nothing = False
        self._left: list[pb.RoomLeft] = []
        self._gaps: list[pb.Gap] = []
        # Rooms whose position moved without an event, and the stamp of the event that it is at.
        self._passed: dict[str, int] = {}
        # The room for which the store is being read.
        self._asked: _Room | None = None

    def follow(self, feed: Feed, seq: int, *, stamp: int = 0, hidden_until: int = 0, joined: int = 0) -> None:
        """Add a room, from a cursor. What its feed has now counts as existing from the start.

        Args:
            stamp: The cursor's, if it has one.
            hidden_until: The last event that may not be read; a cursor before it is moved there, with a gap.
            joined: The event by which the reader joined.
        """
        room_id = feed.room_id
        self._owes_nothing = False
        if seq < hidden_until:
            self._gaps.append(pb.Gap(room_id=room_id, from_seq=seq + 1, to_seq=hidden_until))
            seq, stamp = hidden_until, 0
        self._rooms[room_id] = _Room(
            feed=feed,
            seq=seq,
            acknowledged=seq,
            sent=seq,
            began=Place(seq, stamp),
            joined=joined,
        )
        if seq < feed.head:
            self._dirty[room_id] = None
            if self._say_caught_up:
                self._targets[room_id] = feed.head

    def lose(self, left: pb.RoomLeft) -> bool:
        """Stop following a room, and say so on the stream; returns whether it was followed."""
        room = self._rooms.get(left.room_id)
        if room is None:
            return False
        self._owes_nothing = False
        self._unacknowledged -= room.unacknowledged if self._window is not _NO_WINDOW else 0
        del self._rooms[left.room_id]
        self._dirty.pop(left.room_id, None)
        self._targets.pop(left.room_id, None)
        self._passed.pop(left.room_id, None)
        self._gaps = [gap for gap in self._gaps if gap.room_id != left.room_id]
        self._left.append(left)
        return True

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms

    @property
    def positions(self) -> dict[str, int]:
        """The followed rooms, and the position in each."""
        return {room_id: room.seq for room_id, room in self._rooms.items()}

    def began(self) -> Iterator[pb.Cursor]:
        """Where it began in each of the rooms that it follows now; made one by one, as they are asked for."""
        for room_id, room in list(self._rooms.items()):
            yield pb.Cursor(room_id=room_id, seq=room.began.seq, epoch=self._epoch, stamp=room.began.stamp)

    def mark(self, room_id: str) -> bool:
        """Note that a room's feed moved; False if it makes no difference."""
        room = self._rooms.get(room_id)
        if room is None or room.seq >= room.feed.head:
            return False
        self._dirty[room_id] = None
        self._owes_nothing = False
        return not self._blocked

    def pass_on(self, room_id: str, after: int, piece: Slice) -> bool:
        """Whether events that were just added to a room are all that is to be sent; the cursor is moved then.
        Nearly all messages reach nearly all readers this way: everybody waits, and gets the same bytes.

        Returns:
            False when :meth:`take` has to look closer, after :meth:`mark`.
        """
        if not self._owes_nothing:
            return False
        room = self._rooms[room_id]
        about = piece.about
        if room.seq != after or self._session_id in piece.sessions or (about and about <= room.hidden_until):
            return False
        room.seq = room.sent = piece.last_seq
        return True

    def acknowledge(self, positions: Mapping[str, Place]) -> bool:
        """Note what a consumer has dealt with; False if it makes no difference."""
        blocked = self._blocked
        for room_id, (seq, _) in positions.items():
            room = self._rooms.get(room_id)
            if room and seq > room.acknowledged:
                self._unacknowledged -= room.unacknowledged
                room.acknowledged = seq
                self._unacknowledged += room.unacknowledged
        return blocked and not self._blocked

    @property
    def _blocked(self) -> bool:
        return self._unacknowledged >= self._window

    def take(self) -> bytes | Behind | None:
        """What to send next: the bytes of a response, a page to read first, or None if there is nothing
        yet."""
        if not self._dirty and not self._say_caught_up and not self._left and not self._gaps:
            self._owes_nothing = not self._passed and self._window is _NO_WINDOW
            return None
        self._owes_nothing = False
        parts: list[bytes] = []
        size = 0
        behind: Behind | None = None
        while self._dirty and size < self._max_bytes and not self._blocked:
            room_id = next(iter(self._dirty))
            room = self._rooms[room_id]
            del self._dirty[room_id]
            if room.seq >= room.feed.head:
                continue
            allowed = self._window - self._unacknowledged
            piece = room.feed.after(room.seq)
            if piece and piece.events > allowed:
                piece = room.feed.after(room.seq, most=allowed)
            # In any case, a room that is not done goes behind the others.
            if piece is None:
                self._dirty[room_id] = None
                self._asked = room
                behind = Behind(room_id, room.seq, min(allowed, _PAGE_EVENTS))
                break
            data, count, last = piece.data, piece.events, piece.last_seq
            hidden = room.hidden_until if piece.about else 0
            if self._session_id in piece.sessions or 0 < piece.about <= hidden:
                data, count, last = room.feed.without(self._session_id, room.seq, piece, hidden_until=hidden)
            self._move(room_id, room, piece.last_seq, sent=last)
            if room_id in self._passed:
                self._passed[room_id] = room.feed.stamp(piece.last_seq)
            if count:
                parts.append(data)
                size += len(data)
            if room.seq < room.feed.head:
                self._dirty[room_id] = None
        if behind and not parts:
            return behind
        return self._response(parts)

    def awaits(self, room_id: str) -> bool:
        """Whether the page that :meth:`take` asked for is still wanted.

        It is not if the room was lost meanwhile, or has begun again.
        """
        return room_id in self._rooms and self._rooms[room_id] is self._asked

    def read(self, room_id: str, page: Page) -> bytes | None:
        """What to send of a page that :meth:`take` asked for."""
        if not self.awaits(room_id):
            return None
        room, run = self._rooms[room_id], page.run
        if page.first_seq > room.seq + 1:
            to_seq = page.first_seq - 1
            gap = pb.Gap(room_id=room_id, from_seq=room.seq + 1, to_seq=to_seq, stamp=page.stamp)
            self._gaps.append(gap)
            self._move(room_id, room, to_seq, sent=0)
            # The gap says the position itself.
            self._passed.pop(room_id, None)
        elif not run.seqs and room.feed.after(room.seq, most=1) is None:
            # The store has nothing, whatever a hint said, and nothing was published while it was read.
            self._dirty.pop(room_id, None)
            self._targets.pop(room_id, None)
        room.joined = max(room.joined, page.joined)
        parts = []
        if run.seqs:
            own, hidden = self._session_id, room.hidden_until
            shown = run
            if hidden or own in run.sessions:
                kept = (event for event in run.events() if event[1] != own and not is_hidden(event, hidden))
                shown = Run.of(kept)
            parts = [frames.frames(shown.payloads)]
            self._move(room_id, room, run.seqs[-1], sent=shown.seqs[-1] if shown.seqs else 0)
            if room_id in self._passed:
                self._passed[room_id] = frames.stamp(run.payloads[-1])
        return self._response(parts)

    def heartbeat(self) -> bytes:
        """A response for when there was nothing to send for a while; it also says what was skipped."""
        response = pb.SubscribeResponse(heartbeat=pb.Heartbeat(), passed=self._take_passed())
        return response.SerializeToString()

    def _move(self, room_id: str, room: _Room, seq: int, *, sent: int) -> None:
        """Move a room's cursor to ``seq``; ``sent`` is the last event that was sent, 0 for none."""
        if self._window is not _NO_WINDOW:
            self._unacknowledged -= room.unacknowledged
            if room.acknowledged >= room.sent:
                # Events skipped since then do not count towards the window.
                room.acknowledged = max(room.acknowledged, room.seq)
        room.seq = seq
        room.sent = sent or room.sent
        if self._window is not _NO_WINDOW:
            self._unacknowledged += room.unacknowledged
        if room.sent < seq:
            self._passed[room_id] = 0
        else:
            self._passed.pop(room_id, None)
        if room_id in self._targets and seq >= self._targets[room_id]:
            del self._targets[room_id]

    def _response(self, parts: list[bytes]) -> bytes | None:
        caught_up = self._say_caught_up and not self._targets
        if not parts and not self._gaps and not self._left and not caught_up:
            # Only its own events went by. They are reported with the next response.
            return None
        if self._gaps or self._left or self._passed or caught_up:
            rest = pb.SubscribeResponse(gaps=self._gaps, passed=self._take_passed(), left=self._left)
            if caught_up:
                rest.caught_up.SetInParent()
                self._say_caught_up = False
            self._gaps, self._left = [], []
            parts.append(rest.SerializeToString())
        # The encoded parts of a message are the whole message when joined.
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_passed(self) -> list[pb.Cursor]:
        passed, self._passed = self._passed, {}
        return [
            pb.Cursor(room_id=room_id, seq=self._rooms[room_id].seq, epoch=self._epoch, stamp=stamp)
            for room_id, stamp in passed.items()
        ]
