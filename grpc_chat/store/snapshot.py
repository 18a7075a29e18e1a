"""Reads a store with SQL."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.account_reads import AccountReads
from grpc_chat.store.block_reads import BlockReads
from grpc_chat.store.consumer_reads import ConsumerReads
from grpc_chat.store.file_reads import SqlFileReads
from grpc_chat.store.inbox_reads import InboxReads
from grpc_chat.store.invitation_reads import InvitationReads
from grpc_chat.store.marker_reads import MarkerReads
from grpc_chat.store.mention_reads import MentionReads
from grpc_chat.store.people_reads import PeopleReads
from grpc_chat.store.personal_reads import SqlPersonalReads
from grpc_chat.store.pin_reads import PinReads
from grpc_chat.store.poll_reads import SqlPollReads
from grpc_chat.store.presence_reads import PresenceReads
from grpc_chat.store.reaction_reads import SqlReactionReads
from grpc_chat.store.receipt_reads import ReceiptReads
from grpc_chat.store.records import NO_EVENTS, USER_LOG, Place, Run, StoredEvent
from grpc_chat.store.report_writes import SqlReportReads
from grpc_chat.store.room_lists import RoomListReads
from grpc_chat.store.room_reads import RoomReads
from grpc_chat.store.search_reads import SearchReads
from grpc_chat.store.statements import run, sent_before, stamps
from grpc_chat.store.thread_reads import SqlThreadReads
from grpc_chat.store.traces import SqlTraceReads
from grpc_chat.store.user_logs import log_heads

_EVENT_COLUMNS = (
    schema.events.c.seq,
    schema.events.c.session_id,
    schema.events.c.payload,
    schema.events.c.checksum,
)
_EVENTS_AFTER = (
    sa.select(*_EVENT_COLUMNS)
    .where(schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq > sa.bindparam("at"))
    .order_by(schema.events.c.seq)
    .limit(sa.bindparam("most"))
)
_EVENTS_BEFORE = (
    sa.select(*_EVENT_COLUMNS)
    .where(schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq < sa.bindparam("at"))
    .order_by(schema.events.c.seq.desc())
    .limit(sa.bindparam("most"))
)

_MOST_AT_ONCE = 512
"""The most rows of one statement. Without it, small events followed by large ones would read far too much."""


class SqlSnapshot(
    SqlTraceReads,
    RoomReads,
    MarkerReads,
    MentionReads,
    InboxReads,
    RoomListReads,
    InvitationReads,
    AccountReads,
    ConsumerReads,
    BlockReads,
    PinReads,
    PresenceReads,
    SqlFileReads,
    SqlPersonalReads,
    SqlReactionReads,
    SqlPollReads,
    PeopleReads,
    SqlReportReads,
    ReceiptReads,
    SearchReads,
    SqlThreadReads,
):
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    def __init__(self, conn: sa.Connection, epoch: str, tell_of_damage: Callable[[str, int], None]) -> None:
        self._conn = conn
        self._epoch = epoch
        self._tell_of_damage = tell_of_damage

    def heads(self, room_ids: Iterable[str]) -> dict[str, int]:
        rooms, ids = schema.rooms, list(room_ids)
        found: dict[str, int] = {}
        if logs := [log for log in ids if log.startswith(USER_LOG)]:
            found = log_heads(self._conn, logs)
            ids = [room_id for room_id in ids if not room_id.startswith(USER_LOG)]
        # SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
        for start in range(0, len(ids), 10_000):
            some = rooms.c.room_id.in_(ids[start : start + 10_000])
            rows = self._conn.execute(sa.select(rooms.c.room_id, rooms.c.last_seq).where(some))
            found.update((room_id, last_seq) for room_id, last_seq in rows)
        return found

    def sent(self, room_id: str, user_id: str, key: bytes) -> tuple[Place, bytes] | None:
        for *_, seq, content_hash, create_time_us in sent_before(self._conn, [(room_id, user_id, key)]):
            return Place(seq, create_time_us), content_hash
        return None

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        return self._events(_EVENTS_AFTER, {"room": room_id, "at": seq, "most": limit}, max_bytes)

    def run_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> Run:
        return self._run(_EVENTS_AFTER, {"room": room_id, "at": seq, "most": limit}, max_bytes)

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        found = self._events(_EVENTS_BEFORE, {"room": room_id, "at": seq, "most": limit}, max_bytes)
        found.reverse()
        return found

    def _events(
        self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int
    ) -> list[StoredEvent]:
        return list(self._run(query, values, max_bytes).events())

    def _run(self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int) -> Run:
        last: int | None = values["at"]
        found = NO_EVENTS
        # If all rows that were read are damaged, go on: an empty page would look like the end of the log.
        while not found.seqs and last is not None:
            found, last = self._some_events(query, values | {"at": last}, max_bytes)
        return found

    def _some_events(
        self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int
    ) -> tuple[Run, int | None]:
        """The undamaged events among those asked for, and the number of the last event that was read."""
        # Fetches many of the driver's rows at once: SQLAlchemy's rows, one by one, take two thirds of the
        # time of catching up.
        result = run(self._conn, query, values)
        seqs: list[int] = []
        sessions: list[str] = []
        payloads: list[bytes] = []
        last: int | None = None
        size, most = 0, 8
        while size < max_bytes and (rows := result.cursor.fetchmany(most)):
            last = rows[-1][0]
            columns: tuple[Sequence[Any], ...] = tuple(zip(*rows, strict=True))
            if tuple(map(crc32, columns[2])) != columns[3]:
                columns = self._intact(values["room"], rows)
            sizes = list(itertools.accumulate(map(len, columns[2]), initial=size))
            # Up to the first row with which ``max_bytes`` are reached.
            count = min(bisect.bisect_left(sizes, max_bytes), len(columns[2]))
            seqs += columns[0][:count]
            sessions += columns[1][:count]
            payloads += columns[2][:count]
            size = sizes[count]
            # As many rows as should fit, by the average so far. Rows that do not fit would be read in vain.
            most = min(_MOST_AT_ONCE, 1 + (max_bytes - size) * len(seqs) // max(size, 1))
        result.close()
        return Run(seqs, sessions, payloads), last

    def _intact(
        self, room_id: str, rows: Iterable[tuple[int, str, bytes, int | None]]
    ) -> tuple[list[int], list[str], list[bytes]]:
        """The columns of the rows that match their checksums, or have none."""
        seqs: list[int] = []
        sessions: list[str] = []
        payloads: list[bytes] = []
        for seq, session_id, payload, checksum in rows:
            if checksum is None or crc32(payload) == checksum:
                seqs.append(seq)
                sessions.append(session_id)
                payloads.append(payload)
            else:
                self._tell_of_damage(room_id, seq)
        return seqs, sessions, payloads

    def stamps(self, places: Mapping[str, int]) -> dict[str, int]:
        return stamps(self._conn, places)
