"""What members have received, as a transaction changes it."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import ReceivedRange
from grpc_chat.store.statements import insert_into

_r, _m = schema.received.c, schema.members.c


class SqlReceiptWrites:
    """A part of :class:`grpc_chat.store.base.Transaction`."""

    _conn: sa.Connection
    now_us: int

    def note_received(self, ranges: Iterable[ReceivedRange]) -> None:
        insert = insert_into(schema.received, self._conn.dialect.name)
        values: list[sa.BindParameter[object]] = [
            sa.bindparam(name) for name in ("room", "user", "after", "upto", "now")
        ]
        member = sa.exists().where(_m.room_id == sa.bindparam("of"), _m.user_id == sa.bindparam("member"))
        new = insert.from_select(
            [column.name for column in schema.received.c], sa.select(*values).where(member)
        )
        told = new.excluded
        # What continues what is known extends it; of two ranges with a gap between them, the later one stays.
        continues = sa.case((told.after_seq < _r.after_seq, told.after_seq), else_=_r.after_seq)
        merged = new.on_conflict_do_update(
            index_elements=[_r.room_id, _r.user_id],
            set_={
                "after_seq": sa.case((told.after_seq <= _r.seq, continues), else_=told.after_seq),
                "seq": told.seq,
                "time_us": told.time_us,
            },
            where=told.seq > _r.seq,
        )
        for room_id, user_id, after_seq, seq in ranges:
            place = {"room": room_id, "user": user_id, "of": room_id, "member": user_id}
            self._conn.execute(merged, place | {"after": after_seq, "upto": seq, "now": self.now_us})
