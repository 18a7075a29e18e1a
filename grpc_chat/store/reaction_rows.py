"""Reads and collects, within a transaction, the reactions to messages."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import sqlalchemy as sa

from grpc_chat.store import row_statements, schema
from grpc_chat.store.consumer_rows import ConsumerRows
from grpc_chat.store.row_updates import delete_rows
from grpc_chat.store.statements import at_once, execute, filled, marks
from grpc_chat.store.writes import ReactionsSeen

Message = tuple[str, int]
"""The place of a message: a room and a number."""

_UNKNOWN = -1
"""In the place of a time that would have to be read."""
_NO_REACTIONS = ReactionsSeen({}, {})

_TALLIES = """
WITH wanted (room_id, seq) AS (SELECT DISTINCT * FROM (VALUES {wanted}) AS places)
SELECT reactions.room_id, reactions.seq, reactions.emoji, COUNT(*), MIN(reactions.create_time_us)
FROM wanted CROSS JOIN reactions
WHERE reactions.room_id = wanted.room_id AND reactions.seq = wanted.seq
GROUP BY reactions.room_id, reactions.seq, reactions.emoji
"""
_CHOICES = """
WITH wanted (room_id, seq, emoji, user_id) AS (VALUES {wanted})
SELECT reactions.room_id, reactions.seq, reactions.user_id, reactions.emoji, reactions.create_time_us
FROM wanted CROSS JOIN reactions
WHERE reactions.room_id = wanted.room_id AND reactions.seq = wanted.seq
AND reactions.emoji = wanted.emoji AND reactions.user_id = wanted.user_id
"""


class ReactionRows(ConsumerRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # By message, how many users chose each emoji, and when the first of them did. None if the message's
        # have to be read again.
        self._tallies: dict[Message, dict[str, tuple[int, int]] | None] = {}
        # By message and user, when the user chose which emoji.
        self._choices: dict[tuple[str, int, str], dict[str, int]] = {}
        # Messages whose reactions are yet to be deleted.
        self._unreacted: dict[Message, bool] = {}

    def prefetch_reactions(self, wanted: Iterable[tuple[str, int, str]]) -> None:
        """Read the reactions to messages, and which of these are of a user, with two statements."""
        if len(keys := list(dict.fromkeys(wanted))) > 1:
            self._read_reactions(keys)

    def reactions(self, room_id: str, seq: int, user_id: str) -> ReactionsSeen:
        """The reactions to a message, with what is yet to be written."""
        place, key = (room_id, seq), (room_id, seq, user_id)
        known = self._tallies.get(place)
        if known and len(known) > 1 and any(first_us == _UNKNOWN for _, first_us in known.values()):
            # Their order matters.
            known = self._tallies[place] = None
        if known is None or (known and key not in self._choices):
            self._read_reactions([key])
            known = self._tallies[place]
        return ReactionsSeen(known, self._choices[key]) if known else _NO_REACTIONS

    def _read_reactions(self, keys: list[tuple[str, int, str]]) -> None:
        if self._put.get(schema.reactions) or self._unreacted:
            self.before(changes=False)
        conn, tallies = self.conn, self._tallies
        unknown = {(room_id, seq) for room_id, seq, _ in keys if tallies.get((room_id, seq)) is None}
        for place in unknown:
            tallies[place] = {}
        for some in at_once(list(unknown)):
            values = filled(some)
            sql = _sql(_TALLIES, conn.dialect.paramstyle, ("TEXT", "BIGINT"), len(values) // 2)
            for room_id, seq, emoji, count, first_us in execute(conn, sql, values).fetchall():
                tally = tallies[room_id, seq]
                assert tally is not None, "it was just made"
                tally[emoji] = count, first_us
        for key in keys:
            self._choices[key] = {}
        possible = [
            (room_id, seq, emoji, user_id)
            for room_id, seq, user_id in keys
            for emoji in tallies[room_id, seq] or ()
        ]
        for rows in at_once(possible):
            values = filled(rows)
            sql = _sql(
                _CHOICES, conn.dialect.paramstyle, ("TEXT", "BIGINT", "TEXT", "TEXT"), len(values) // 4
            )
            for room_id, seq, user_id, emoji, time_us in execute(conn, sql, values).fetchall():
                self._choices[room_id, seq, user_id][emoji] = time_us

    def react(self, room_id: str, seq: int, emoji: str, user_id: str, time_us: int | None) -> None:
        """Have a user's reaction to a message be of this time; None if it is taken back."""
        # As :meth:`put` would, which has to look for what is known here.
        row = None if time_us is None else (room_id, seq, emoji, user_id, time_us)
        self._change(self._put.setdefault(schema.reactions, {}), (room_id, seq, emoji, user_id), row)
        place, key = (room_id, seq), (room_id, seq, user_id)
        tally = self._tallies.get(place)
        own = self._choices.get(key) if tally or tally is None else {}
        if tally is not None:
            self._set(self._tallies, place, None if own is None else _counted(tally, own, emoji, time_us))
        if own is not None:
            mine = {each: at for each, at in own.items() if each != emoji}
            self._set(self._choices, key, mine if time_us is None else {**mine, emoji: time_us})

    def delete_reactions(self, room_id: str, seq: int) -> None:
        """Delete all reactions to a message, all reports of it, and have nobody save it.

        There MUST NOT be any of it later.
        """
        self._change(self._unreacted, (room_id, seq), True)
        self._set(self._tallies, (room_id, seq), {})

    def _flush_reactions(self) -> None:
        """Delete the reactions to deleted messages. MUST come after those that were put."""
        if self._unreacted:
            places = list(self._unreacted)
            for table in row_statements.OF_MESSAGE:
                delete_rows(self.conn, table, ("room_id", "seq"), places)
            self._unreacted.clear()

    def _forget_reactions(self) -> None:
        self._tallies.clear()
        self._choices.clear()


def _counted(
    tally: dict[str, tuple[int, int]], own: dict[str, int], emoji: str, time_us: int | None
) -> dict[str, tuple[int, int]]:
    """A tally with one user's reaction changed."""
    count, first_us = tally.get(emoji, (0, time_us or 0))
    before = own.get(emoji)
    if time_us is not None and before is None:
        return {**tally, emoji: (count + 1, first_us)}
    if before is None:
        return tally
    if time_us is None and count == 1:
        return {each: known for each, known in tally.items() if each != emoji}
    if before == first_us:
        # Nothing here says who is the first then.
        first_us = _UNKNOWN
    return {**tally, emoji: (count if time_us else count - 1, first_us)}


@functools.cache
def _sql(statement: str, paramstyle: str, types: tuple[str, ...], rows: int) -> str:
    return statement.format(wanted=marks(paramstyle, *types, rows=rows))
