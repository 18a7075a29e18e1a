"""Reads and collects, within a transaction, how polls stand and who voted in them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.poll_reads import TALLY, VOTE, tally_of
from grpc_chat.store.polls import Tally, mask_of
from grpc_chat.store.slow_rows import SlowRows
from grpc_chat.store.statements import at_once, execute, filled, marks, run
from grpc_chat.wire import chat_pb2 as pb

VoteKey = tuple[str, int, str]
"""A room, the number of a poll's message, and a user."""

_p, _v = schema.polls.c, schema.poll_votes.c
_VOTES = """
WITH wanted (room_id, seq, user_id) AS (VALUES {wanted})
SELECT poll_votes.room_id, poll_votes.seq, poll_votes.user_id, poll_votes.choices
FROM wanted CROSS JOIN poll_votes
WHERE poll_votes.room_id = wanted.room_id AND poll_votes.seq = wanted.seq
AND poll_votes.user_id = wanted.user_id
"""


class PollRows(SlowRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self._votes: dict[VoteKey, int] = {}
        self._standing: dict[tuple[str, int], Tally | None] = {}
        # By table and primary key, rows yet to be written: a row, or None to delete it.
        self._put: dict[sa.Table, dict[tuple[object, ...], tuple[object, ...] | None]] = {}

    def prefetch_votes(self, wanted: Iterable[VoteKey]) -> None:
        """Read which options users chose, with one statement."""
        keys = list(dict.fromkeys(wanted))
        if len(keys) < 2:
            # A single one is read when it is needed.
            return
        self._votes.update(dict.fromkeys(keys, 0))
        for some in at_once(keys):
            values = filled(some)
            sql = _votes_sql(self.conn.dialect.paramstyle, len(values) // 3)
            for room_id, seq, user_id, choices in execute(self.conn, sql, values).fetchall():
                self._votes[room_id, seq, user_id] = choices

    def vote(self, room_id: str, seq: int, user_id: str) -> int:
        """Which options of a poll a user chose: a bit for each; 0 for none."""
        key = (room_id, seq, user_id)
        if key not in self._votes:
            # What was collected was read before, so the database has what is asked for.
            row = run(self.conn, VOTE, {"room": room_id, "number": seq, "user": user_id}).first()
            self._votes[key] = row[0] if row else 0
        return self._votes[key]

    def tally(self, room_id: str, seq: int) -> Tally | None:
        """How a poll stands; None if there is no such poll."""
        key = (room_id, seq)
        if key not in self._standing:
            row: Any = run(self.conn, TALLY, {"room": room_id, "number": seq}).first()
            self._standing[key] = tally_of(*row) if row else None
        return self._standing[key]

    def put_tally(self, room_id: str, seq: int, tally: Tally) -> None:
        """Change how a poll stands."""
        key = (room_id, seq)
        self._set(self._standing, key, tally)
        counts, voters, close_time_us = tally
        row = (room_id, seq, ",".join(map(str, counts)), voters, close_time_us)
        # As :meth:`put` would, which has to look for what is known here.
        self._change(self._put.setdefault(schema.polls, {}), key, row)

    def put_vote(self, key: VoteKey, mask: int, time_us: int) -> Tally:
        """Change which options of a poll a user chose; how it stands then."""
        room_id, seq, user_id = key
        tally, before = self.tally(room_id, seq), self.vote(room_id, seq, user_id)
        assert tally, "only polls are voted in"
        counts, voters, close_time_us = tally
        counts = tuple([count + (mask >> at & 1) - (before >> at & 1) for at, count in enumerate(counts)])
        self._set(self._votes, key, mask)
        row = (room_id, seq, user_id, mask, time_us) if mask else None
        self._change(self._put.setdefault(schema.poll_votes, {}), key, row)
        now = Tally(counts, voters + bool(mask) - bool(before), close_time_us)
        self.put_tally(room_id, seq, now)
        return now

    def delete_votes(self, room_id: str, seq: int, *, poll: bool) -> None:
        """Delete who voted in a poll; with ``poll``, also how it stands."""
        self.before(changes=True)
        self._votes.clear()
        self.conn.execute(sa.delete(schema.poll_votes).where(_v.room_id == room_id, _v.seq == seq))
        if poll:
            self._standing[room_id, seq] = None
            self.conn.execute(sa.delete(schema.polls).where(_p.room_id == room_id, _p.seq == seq))

    def _forget_targets(self) -> None:
        self._targets.clear()
        self._votes.clear()
        self._standing.clear()
        self._slowly_sent.clear()


def begin_poll(rows: PollRows, event: pb.Event) -> None:
    """Have a message that has its number be a poll."""
    poll = event.message.poll
    close_us = None
    # One that is closed already is of a log that is read again.
    if poll.HasField("close_time") and not poll.HasField("result"):
        close_us = poll.close_time.ToMicroseconds()
    rows.put_tally(event.room_id, event.seq, Tally((0,) * len(poll.options), 0, close_us))


def as_told(rows: PollRows, event: pb.Event, time_us: int) -> pb.Event:
    """Carry out a vote, or the end of a poll, and return the event as everyone may know it: with the counts,
    and of an anonymous poll without who did it.

    It is called before the event is stored. ``event`` itself stays as it is: a batch may be done twice.
    """
    is_vote = event.WhichOneof("kind") == "poll_voted"
    room_id, seq = event.room_id, event.poll_voted.seq if is_vote else event.poll_closed.seq
    tally = rows.tally(room_id, seq)
    target = rows.target(room_id, seq) if tally else None
    message = target.message if target else None
    if tally is None or message is None:
        # In a log that is read again, the message may be deleted already.
        return event
    told = pb.Event()
    told.CopyFrom(event)
    if is_vote:
        anonymous, voted = message.poll.anonymous, told.poll_voted
        # In a log that is read again, nobody knows any longer who it was.
        if user_id := told.user_id:
            options = len(tally.counts)
            mask = mask_of([at for at in voted.choices if 0 <= at < options])
            tally = rows.put_vote((room_id, seq, user_id), mask, 0 if anonymous else time_us)
            voted.voter_count = tally.voters
        if anonymous:
            told.user_id = ""
            voted.ClearField("choices")
        else:
            voted.counts[:] = tally.counts
    elif not told.poll_closed.counts:
        told.poll_closed.counts[:] = tally.counts
        told.poll_closed.voter_count = tally.voters
    return told


@functools.cache
def _votes_sql(paramstyle: str, wanted: int) -> str:
    return _VOTES.format(wanted=marks(paramstyle, "TEXT", "BIGINT", "TEXT", rows=wanted))
