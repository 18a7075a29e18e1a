"""The table of what members have received."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import key, metadata

received = sa.Table(
    "received",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("after_seq", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),
    comment="What members have received with clients that keep their own positions: every event after "
    "after_seq up to seq; time_us: when the server knew.",
    sqlite_with_rowid=False,
)
