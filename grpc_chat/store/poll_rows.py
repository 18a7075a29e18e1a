"""Reads and collects, within a transaction, how polls stand and who voted in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.poll_reads import TALLY, VOTE, tally_of
from grpc_chat.store.polls import Tally, mask_of
from grpc_chat.store.slow_rows import SlowRows
from grpc_chat.store.statements import run
from grpc_chat.wire import chat_pb2 as pb

VoteKey = tuple[str, int, str]
"""A room, the number of a poll's message, and a user."""

_p, _v = schema.polls.c, schema.poll_votes.c
_AT_ONCE = 1000


class PollRows(SlowRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        self._votes: dict[VoteKey, int] = {}
        self._standing: dict[tuple[str, int], Tally | None] = {}

    @abstractmethod
    def delete(self, table: sa.Table, **key: object) -> None: ...

    def prefetch_votes(self, wanted: Iterable[VoteKey]) -> None:
        """Read which options users chose, with few statements."""
        keys = list(dict.fromkeys(wanted))
        for start in range(0, len(keys) if len(keys) > 1 else 0, _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            self._votes.update(dict.fromkeys(some, 0))
            these = sa.tuple_(_v.room_id, _v.seq, _v.user_id).in_(some)
            for room_id, seq, user_id, choices in self.conn.execute(
                sa.select(_v.room_id, _v.seq, _v.user_id, _v.choices).where(these)
            ):
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
        self._set(self._standing, (room_id, seq), tally)
        counts = ",".join(map(str, tally.counts))
        self.put(
            schema.polls,
            room_id=room_id,
            seq=seq,
            counts=counts,
            voters=tally.voters,
            close_time_us=tally.close_time_us,
        )

    def put_vote(self, key: VoteKey, mask: int, time_us: int) -> None:
        """Change which options of a poll a user chose."""
        tally, before = self.tally(*key[:2]), self.vote(*key)
        assert tally, "only polls are voted in"
        counts = [count + (mask >> at & 1) - (before >> at & 1) for at, count in enumerate(tally.counts)]
        voters = tally.voters + bool(mask) - bool(before)
        self._set(self._votes, key, mask)
        row = dict(zip(("room_id", "seq", "user_id"), key, strict=True))
        if mask:
            self.put(schema.poll_votes, **row, choices=mask, vote_time_us=time_us)
        else:
            self.delete(schema.poll_votes, **row)
        self.put_tally(*key[:2], tally._replace(counts=tuple(counts), voters=voters))

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
    kind = event.WhichOneof("kind")
    seq = event.poll_voted.seq if kind == "poll_voted" else event.poll_closed.seq
    tally = rows.tally(event.room_id, seq)
    target = rows.target(event.room_id, seq) if tally else None
    if tally is None or target is None or target.message is None:
        # In a log that is read again, the message may be deleted already.
        return event
    told = pb.Event()
    told.CopyFrom(event)
    anonymous = target.message.poll.anonymous
    if kind == "poll_voted":
        # In a log that is read again, nobody knows any longer who it was.
        if event.user_id:
            options = len(tally.counts)
            mask = mask_of(at for at in event.poll_voted.choices if 0 <= at < options)
            rows.put_vote((event.room_id, seq, event.user_id), mask, 0 if anonymous else time_us)
            tally = rows.tally(event.room_id, seq)
            assert tally
            told.poll_voted.voter_count = tally.voters
        if anonymous:
            told.user_id = ""
            told.poll_voted.ClearField("choices")
        else:
            told.poll_voted.counts[:] = tally.counts
    elif not told.poll_closed.counts:
        told.poll_closed.counts[:] = tally.counts
        told.poll_closed.voter_count = tally.voters
    return told
