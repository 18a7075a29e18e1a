"""The tables that find what events say about messages, so that it goes with them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import key, metadata

traces = sa.Table(
    "traces",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Events that say something about a message which must go with it: reactions and votes; seq: the "
    "number of the message.",
    sqlite_with_rowid=False,
)

deleted_traces = sa.Table(
    "deleted_traces",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Deleted messages that had more traces than one transaction may erase; the rest follow.",
    sqlite_with_rowid=False,
)
