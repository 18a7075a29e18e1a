"""Reads and rewrites, within a transaction, the events that other events are about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store.records import Membership
from grpc_chat.store.row_updates import FORGET_CONTENT, REWRITE, update_rows
from grpc_chat.store.statements import events_at
from grpc_chat.store.writes import Position, Target
from grpc_chat.wire import chat_pb2 as pb

SendKey = tuple[str, str, bytes]
"""A room, a user, and the key that the user chose."""


class Rewriting(ABC):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        self.conn = conn
        self.now_us = now_us
        self.heads: dict[str, int] = {}
        self._targets: dict[tuple[str, int], Target | None] = {}
        """Events that others are about, by room and number."""
        self.sent: dict[SendKey, tuple[Position, bytes]] = {}
        """The events that were sent with the keys that this batch has read or used, and their content
        hashes."""
        self.rewritten: dict[str, dict[int, bytes]] = {}
        """The new bytes of the events that the current write has rewritten, by room and number."""
        # Yet to be written.
        self._rewrites: dict[tuple[str, int], bytes] = {}
        self._forgotten_contents: dict[SendKey, bool] = {}

    @abstractmethod
    def before(self, *, changes: bool) -> None: ...

    @abstractmethod
    def require_head(self, room_id: str) -> None: ...

    @abstractmethod
    def membership(self, room_id: str, user_id: str) -> Membership | None: ...

    @abstractmethod
    def _set(self, rows: dict[Any, Any], key: Any, value: Any) -> None: ...

    @abstractmethod
    def _change(self, rows: dict[Any, Any], key: Any, value: Any) -> None: ...

    def prefetch_targets(self, wanted: Iterable[tuple[str, int]]) -> None:
        """Read events that others are about, by room and number, with one statement."""
        places = dict.fromkeys(wanted)
        if len(places) > 1:
            self._read_targets(places)

    def target(self, room_id: str, seq: int) -> Target | None:
        """An event that another one is about; None if it does not exist or is damaged."""
        key = (room_id, seq)
        if found := self._targets.get(key):
            return found
        self.require_head(room_id)
        if not 0 < seq <= self.heads[room_id]:
            return None
        # The event may be of this batch, and not be written yet.
        self.before(changes=False)
        self._read_targets({key: None})
        return self._targets[key]

    def _read_targets(self, wanted: dict[tuple[str, int], None]) -> None:
        self._targets.update(wanted)
        for room_id, seq, _, payload, checksum in events_at(self.conn, wanted):
            if checksum is None or crc32(payload) == checksum:
                event = pb.Event.FromString(payload)
                self._targets[room_id, seq] = self._target_that_is(event)

    def _target_that_is(self, event: pb.Event) -> Target:
        # The batch's clock stands still, and its events' times may be a little ahead of it.
        return Target(event, max(0, self.now_us - _time_us(event)))

    def rewrite(self, event: pb.Event) -> None:
        """Permanently replace the event with this number. Its time MUST stay the same."""
        room_id, seq, payload = event.room_id, event.seq, event.SerializeToString()
        key = (room_id, seq)
        before = self._targets.get(key)
        self._change(self._rewrites, key, payload)
        self._set(self._targets, key, Target(event, before.age_us) if before else self._target_that_is(event))
        self.rewritten.setdefault(room_id, {})[seq] = payload

    def know_sent(self, key: SendKey, place: Position, content_hash: bytes) -> None:
        """Remember that an event was sent with a key."""
        self._set(self.sent, key, (place, content_hash))

    def forget_content(self, key: SendKey, place: Position) -> None:
        """Forget the content that was sent with a key, and keep only its place. Anything that is sent with
        the key again counts as a repetition."""
        self._change(self._forgotten_contents, key, True)
        self._set(self.sent, key, (place, b""))

    def _flush_rewritten(self) -> None:
        if self._rewrites:
            rewritten = [(*key, payload, crc32(payload)) for key, payload in self._rewrites.items()]
            update_rows(self.conn, REWRITE, rewritten)
            self._rewrites.clear()
        if self._forgotten_contents:
            update_rows(self.conn, FORGET_CONTENT, [(*key, b"") for key in self._forgotten_contents])
            self._forgotten_contents.clear()

    def _collected_rewritten(self) -> Iterator[str]:
        """The tables whose rows are yet to be changed."""
        if self._rewrites:
            yield "events"
        if self._forgotten_contents:
            yield "sends"

    def _clear_rewritten(self) -> None:
        self._rewrites.clear()
        self._forgotten_contents.clear()


def _time_us(event: pb.Event) -> int:
    return event.create_time.seconds * 1_000_000 + event.create_time.nanos // 1000
