"""Polls, as a snapshot reads them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.polls import Tally, choices_of
from grpc_chat.wire import chat_pb2 as pb

_p, _v = schema.polls.c, schema.poll_votes.c
TALLY = sa.select(_p.counts, _p.voters, _p.close_time_us).where(
    _p.room_id == sa.bindparam("room"), _p.seq == sa.bindparam("number")
)
VOTE = sa.select(_v.choices).where(
    _v.room_id == sa.bindparam("room"), _v.seq == sa.bindparam("number"), _v.user_id == sa.bindparam("user")
)
_VOTES = (
    sa.select(_v.user_id, _v.choices, _v.vote_time_us)
    .where(
        _v.room_id == sa.bindparam("room"),
        _v.seq == sa.bindparam("number"),
        _v.user_id > sa.bindparam("after"),
    )
    .order_by(_v.user_id)
    .limit(sa.bindparam("most"))
)
_NEXT = sa.select(sa.func.min(_p.close_time_us))
_DUE = (
    sa.select(_p.room_id, _p.seq)
    .where(_p.close_time_us <= sa.bindparam("now"))
    .order_by(_p.close_time_us)
    .limit(sa.bindparam("most"))
)


def tally_of(counts: str, voters: int, close_time_us: int | None) -> Tally:
    """A row of :data:`TALLY`."""
    return Tally(tuple(map(int, counts.split(","))), voters, close_time_us)


class SqlPollReads:
    """See :class:`grpc_chat.store.polls.PollReads`."""

    _conn: sa.Connection

    def poll_tally(self, room_id: str, seq: int) -> Tally | None:
        row = self._conn.execute(TALLY, {"room": room_id, "number": seq}).first()
        return tally_of(*row) if row else None

    def poll_vote(self, room_id: str, seq: int, user_id: str) -> int:
        return self._conn.scalar(VOTE, {"room": room_id, "number": seq, "user": user_id}) or 0

    def poll_votes(self, room_id: str, seq: int, *, after: str, limit: int) -> list[pb.PollVote]:
        values = {"room": room_id, "number": seq, "after": after, "most": limit}
        found = []
        for user_id, choices, time_us in self._conn.execute(_VOTES, values):
            found.append(pb.PollVote(user_id=user_id, choices=choices_of(choices)))
            found[-1].vote_time.FromMicroseconds(time_us)
        return found

    def next_poll_close_us(self) -> int | None:
        found: int | None = self._conn.scalar(_NEXT)
        return found

    def due_polls(self, now_us: int, *, limit: int) -> list[tuple[str, int]]:
        return [(row[0], row[1]) for row in self._conn.execute(_DUE, {"now": now_us, "most": limit})]
