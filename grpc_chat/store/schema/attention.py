"""What users want to be told of."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import key, metadata

notifications = sa.Table(
    "notifications",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("level", sa.SmallInteger, nullable=False),
    sa.Column("muted_until_us", sa.BigInteger, nullable=False),
    sa.Column("join_seq", sa.BigInteger, nullable=False),
    comment="Members who do not want to be notified of everything in a room; level: "
    "chat.v1.NotificationLevel, 0 for all; muted_until_us: until when they have muted it, 2^63 - 1 for no "
    "end, 0 where it is not muted; join_seq: the membership's, so that the row means nothing once that ends.",
    sqlite_with_rowid=False,
)
