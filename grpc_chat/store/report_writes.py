"""Reports of messages, with SQL."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.reports import ReportKey
from grpc_chat.store.statements import count
from grpc_chat.wire import chat_pb2 as pb

_r = schema.reports.c
_KEY = sa.tuple_(_r.room_id, _r.seq, _r.user_id)


class SqlReportReads:
    """See :class:`grpc_chat.store.reports.ReportReads`."""

    _conn: sa.Connection

    def has_report(self, key: ReportKey) -> bool:
        one = sa.and_(_r.room_id == key[0], _r.seq == key[1], _r.user_id == key[2])
        return self._conn.scalar(sa.select(sa.literal(1)).where(one)) is not None

    def has_report_from_before(self, time_us: int) -> bool:
        older = sa.select(sa.literal(1)).where(_r.create_time_us < time_us).limit(1)
        return self._conn.scalar(older) is not None

    def reports_in(self, room_id: str) -> int:
        return count(self._conn, _r.room_id == room_id)

    def reports(self, room_id: str | None, *, but_of: str, after: ReportKey, limit: int) -> list[pb.Report]:
        query = sa.select(*_r).where(sa.tuple_(*after) < _KEY, _r.sender_id != but_of)
        if room_id is not None:
            query = query.where(_r.room_id == room_id)
        found = []
        for row in self._conn.execute(query.order_by(_r.room_id, _r.seq, _r.user_id).limit(limit)):
            found.append(
                pb.Report(
                    room_id=row.room_id,
                    seq=row.seq,
                    user_id=row.user_id,
                    sender_user_id=row.sender_id,
                    reason=row.reason,
                )
            )
            found[-1].create_time.FromMicroseconds(row.create_time_us)
        return found


class SqlReportWrites(SqlReportReads):
    """See :class:`grpc_chat.store.reports.ReportWrites`."""

    now_us: int

    def insert_report(self, key: ReportKey, sender_id: str, reason: str) -> None:
        room_id, seq, user_id = key
        self._conn.execute(
            sa.insert(schema.reports),
            {
                "room_id": room_id,
                "seq": seq,
                "user_id": user_id,
                "sender_id": sender_id,
                "reason": reason,
                "create_time_us": self.now_us,
            },
        )

    def delete_reports(self, room_id: str, seq: int, *, but_of: str) -> int:
        of_message = sa.and_(_r.room_id == room_id, _r.seq == seq, _r.sender_id != but_of)
        return self._conn.execute(sa.delete(schema.reports).where(of_message)).rowcount

    def expire_reports(self, before_us: int) -> int:
        return self._conn.execute(sa.delete(schema.reports).where(_r.create_time_us < before_us)).rowcount
