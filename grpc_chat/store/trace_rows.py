"""Finds and erases, within a transaction, what events say about messages that are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.absent_rows import AbsentRows
from grpc_chat.store.reaction_rows import Message
from grpc_chat.store.statements import change, events_at, run
from grpc_chat.wire import chat_pb2 as pb

ERASED_AT_ONCE = 256
"""How many events a transaction may erase. A message may have any number: emoji are taken back and added
again. With 256, everybody else waits some milliseconds longer."""

_t = schema.traces.c
_OF_MESSAGE = (_t.room_id == sa.bindparam("room"), _t.seq == sa.bindparam("number"))
_TRACES = sa.select(_t.event_seq).where(*_OF_MESSAGE).order_by(_t.event_seq).limit(sa.bindparam("most"))
_DELETE = sa.delete(schema.traces).where(*_OF_MESSAGE, _t.event_seq <= sa.bindparam("last"))


class TraceRows(AbsentRows):
    """A part of :class:`grpc_chat.store.rows.Rows`."""

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # By message, the last event that was erased.
        self._erased: dict[Message, int] = {}
        self._erased_count = 0

    def leave_trace(self, event: pb.Event, seq: int) -> None:
        """Remember an event that says something about a message."""
        if self._any:
            self.forget_absent()
        row = (event.room_id, seq, event.seq)
        self._change(self._put.setdefault(schema.traces, {}), row, row)

    def erase_traces(self, room_id: str, seq: int) -> bool:
        """Rewrite the events that say something about a message which is deleted, so that they say nothing.

        At most :data:`ERASED_AT_ONCE` in a transaction. The rest are left to
        :meth:`grpc_chat.store.base.Transaction.erase_traces`, which a restart does not keep from them.

        Returns:
            Whether there are more of them.
        """
        if not self.has_any(schema.traces, room_id):
            return False
        if self._put.get(schema.traces) or self._erased:
            self.before(changes=False)
        most = max(ERASED_AT_ONCE - self._erased_count, 0)
        values = {"room": room_id, "number": seq, "most": most + 1}
        found: list[int] = [row[0] for row in run(self.conn, _TRACES, values)]
        more = len(found) > most
        if erasing := found[:most]:
            self._erased_count += len(erasing)
            self._change(self._erased, (room_id, seq), erasing[-1])
            places = [(room_id, number) for number in erasing]
            for _, _, _, payload, checksum in list(events_at(self.conn, places)):
                if checksum is None or crc32(payload) == checksum:
                    self.rewrite(_erased(pb.Event.FromString(payload)))
        if more:
            self.put(schema.deleted_traces, room_id=room_id, seq=seq)
        return more

    def _flush_erased(self) -> None:
        """Delete the traces that were erased. MUST come after those that were put."""
        if self._erased:
            rows = [{"room": at, "number": seq, "last": last} for (at, seq), last in self._erased.items()]
            change(self.conn, _DELETE, *rows)
            self._erased.clear()

    def _collected_traces(self) -> Iterator[str]:
        """The tables whose rows are yet to be deleted."""
        if self._erased:
            yield "traces"


def _erased(event: pb.Event) -> pb.Event:
    """An event that says no longer what it said about a message, only that there was something."""
    erase = _ERASE.get(event.WhichOneof("kind") or "")
    assert erase, "only these leave traces"
    erase(event)
    return event


def _erase_reaction(event: pb.Event) -> None:
    event.reaction_changed.ClearField("emoji")


def _erase_vote(event: pb.Event) -> None:
    for name in ("choices", "counts", "voter_count"):
        event.poll_voted.ClearField(name)


def _erase_result(event: pb.Event) -> None:
    for name in ("counts", "voter_count"):
        event.poll_closed.ClearField(name)


_ERASE: dict[str, Callable[[pb.Event], None]] = {
    "reaction_changed": _erase_reaction,
    "poll_voted": _erase_vote,
    "poll_closed": _erase_result,
}
