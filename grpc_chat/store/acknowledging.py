"""Moves consumers forward, within a transaction."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from grpc_chat.store import row_statements
from grpc_chat.store.base import Write
from grpc_chat.store.records import Place
from grpc_chat.store.rows import Rows
from grpc_chat.store.statements import MARKS, at_once, execute, filled, insert_rows, stamps_at
from grpc_chat.store.writes import Acknowledge, Append, ahead_of_log, too_many_consumers

_Key = tuple[str, str, str]
"""A user, a consumer and a room."""

# What has no row is unusual: the user is not in the room, or the consumer is new. The cross joins make SQLite
# start with what is wanted.
_STANDINGS = """
WITH wanted (at, user_id, consumer, room_id) AS (VALUES {wanted})
SELECT wanted.at, rooms.last_seq, rooms.last_event_us, COALESCE(consumers.seq, -1)
FROM wanted CROSS JOIN rooms CROSS JOIN members CROSS JOIN consumer_names
LEFT OUTER JOIN consumers ON consumers.user_id = wanted.user_id
AND consumers.consumer = wanted.consumer AND consumers.room_id = wanted.room_id
WHERE rooms.room_id = wanted.room_id
AND members.room_id = wanted.room_id AND members.user_id = wanted.user_id AND members.role > 0
AND consumer_names.user_id = wanted.user_id AND consumer_names.consumer = wanted.consumer
"""


_Placed = tuple[int, Acknowledge]
"""An acknowledgement, and its place among the writes."""


def together(writes: Sequence[Write], acknowledgements: Sequence[_Placed]) -> dict[int, list[_Placed]]:
    """Which acknowledgements :func:`acknowledge_together` may carry out at once, in the place of the first of
    them: nothing between them changes whether they are refused, or how far they move a consumer. (Of two at
    the same event, either's stamp may be kept.)

    Args:
        acknowledgements: Those among the writes.

    Returns:
        By the place of the first of several, all of them.
    """
    found: dict[int, list[_Placed]] = {}
    run: list[_Placed] = []
    before = -1
    for placed in acknowledgements:
        at, write = placed
        if write.back or write.skip_lost:
            run = []
            continue
        if not run or (at > before + 1 and not _only_messages(writes[before + 1 : at])):
            run = found[at] = []
        run.append(placed)
        before = at
    return {first: run for first, run in found.items() if len(run) > 1}


def _only_messages(writes: Sequence[Write]) -> bool:
    """Whether these store messages and nothing else."""
    return all(isinstance(write, Append) and all(draft.plain for draft in write.drafts) for write in writes)


def acknowledge_together(rows: Rows, acknowledgements: Iterable[_Placed]) -> set[int]:
    """Carry out many acknowledgements with two or three statements: those with nothing unusual about them.

    Of the others nothing is carried out. What :func:`acknowledge` needs for them is read with a few
    statements more.

    Returns:
        The places of those that are left.
    """
    rows.flush_others()
    wanted: list[_Key] = []
    offered: list[tuple[int, Place]] = []
    for at, write in acknowledgements:
        user_id, consumer = write.user_id, write.consumer
        for room_id, place in write.positions.items():
            wanted.append((user_id, consumer, room_id))
            offered.append((at, place))
    befores, unusual = _positions_before(rows, wanted, offered)
    moves: dict[_Key, tuple[str, str, str, int, int, int]] = {}
    now_us = rows.now_us
    for key, (at, place), before in zip(wanted, offered, befores, strict=True):
        # Of one consumer in one room, the furthest position counts.
        if place.seq > before and (not unusual or at not in unusual):
            row = moves.get(key)
            if row is None or place.seq > row[3]:
                moves[key] = (*key, *place, now_us)
    insert_rows(
        rows.conn, row_statements.move_position(rows.conn.dialect.name, back=False), [*moves.values()]
    )
    if unusual:
        left = [key for key, (at, _) in zip(wanted, offered, strict=True) if at in unusual]
        rows.prefetch([(room_id, user_id) for user_id, _, room_id in left])
        rows.prefetch_consumers([key[:2] for key in left])
    return unusual


def _positions_before(
    rows: Rows, wanted: Sequence[_Key], offered: Sequence[tuple[int, Place]]
) -> tuple[list[int], set[int]]:
    """Where consumers are now, with -1 for nowhere; and which acknowledgements are unusual."""
    standings = _standings(rows.conn, wanted)
    heads, times = rows.heads, rows.times
    befores: list[int] = []
    unusual: set[int] = set()
    behind: list[tuple[int, tuple[str, int], int]] = []
    for (_, _, room_id), (at, (seq, stamp)), standing in zip(wanted, offered, standings, strict=True):
        if standing is None:
            befores.append(-1)
            unusual.add(at)
            continue
        _, head, head_stamp, before = standing
        befores.append(before)
        if room_id in heads:
            # With the messages that are yet to be written.
            head, head_stamp = heads[room_id], times[room_id]
        if seq < head:
            if stamp and seq:
                behind.append((at, (room_id, seq), stamp))
        elif seq > head or (stamp and head_stamp and stamp != head_stamp):
            unusual.add(at)
    if behind:
        rows.flush()
        found = stamps_at(rows.conn, dict.fromkeys([event for _, event, _ in behind]))
        unusual.update([at for at, event, stamp in behind if found.get(event, stamp) != stamp])
    return befores, unusual


_Standing = tuple[int, int, int, int]
"""The place among those asked for, the number and stamp of the room's newest event, and the consumer's
position there, or -1."""


def _standings(conn: sa.Connection, wanted: Sequence[_Key]) -> list[_Standing | None]:
    """How things are with each; None if it is unusual. Runs one statement for every 4,096 of them."""
    found: list[_Standing | None] = []
    for some in at_once(wanted):
        values = filled(some)
        each: list[_Standing | None] = [None] * (len(values) // 3)
        cursor = execute(conn, _standings_sql(conn.dialect.paramstyle, len(each)), values)
        for standing in cursor.fetchall():
            each[standing[0]] = standing
        # What fills the statement up comes after them.
        found += each[: len(some)]
    return found


@functools.cache
def _standings_sql(paramstyle: str, wanted: int) -> str:
    mark = MARKS[paramstyle]
    key = ", ".join([f"CAST({mark} AS TEXT)"] * 3)
    return _STANDINGS.format(wanted=", ".join([f"({at}, {key})" for at in range(wanted)]))


def acknowledge(rows: Rows, write: Acknowledge) -> list[str] | None:
    """Carry out one acknowledgement, whatever it is about. Returns what :class:`Acknowledge` promises.

    Raises:
        ChatError: It is refused, and nothing was moved.
    """
    user_id = write.user_id
    to_find: dict[str, int] = {}
    other: set[str] = set()
    rows.prefetch([(room_id, user_id) for room_id in write.positions])
    for at, (room_id, (seq, stamp)) in enumerate(write.positions.items()):
        if error := write.authorize(room_id, rows.membership(room_id, user_id)):
            if write.skip_lost:
                other.add(room_id)
                continue
            raise error
        head, head_stamp = rows.heads[room_id], rows.times[room_id]
        if seq > head and not stamp:
            raise ahead_of_log(at, room_id, seq, head)
        if seq > head or (seq == head and stamp and head_stamp and stamp != head_stamp):
            other.add(room_id)
        elif stamp and 0 < seq < head:
            to_find[room_id] = seq
    if to_find:
        rows.flush()
        for (room_id, _), found in stamps_at(rows.conn, to_find.items()).items():
            if found != write.positions[room_id].stamp:
                other.add(room_id)
    moved = [(room_id, place) for room_id, place in write.positions.items() if room_id not in other]
    if moved:
        _require_consumer(rows, write)
        for room_id, place in moved:
            rows.move_position(user_id, write.consumer, room_id, place, back=write.back)
    return sorted(other) or None


def _require_consumer(rows: Rows, write: Acknowledge) -> None:
    """Add a consumer that does not exist yet, if the user may have one more."""
    user_id, most = write.user_id, write.max_consumers
    if not rows.has_consumer(user_id, write.consumer):
        if most and rows.consumers_of(user_id) >= most:
            raise too_many_consumers(most)
        rows.add_consumer(user_id, write.consumer, rows.now_us)
