"""The tables of what users keep for themselves."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import key, metadata

message_drafts = sa.Table(
    "message_drafts",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("thread_root", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("reply_to", sa.BigInteger, nullable=False),
    sa.Column("update_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id", "update_time_us", "room_id", "thread_root"),
    comment="What members have begun to write; thread_root: the message whose thread it is for, 0 for none; "
    "reply_to: likewise, the message that it replies to.",
    sqlite_with_rowid=False,
)

saved_messages = sa.Table(
    "saved_messages",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("save_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id", "save_time_us", "room_id", "seq"),
    sa.Index(None, "room_id", "seq"),
    comment="Which messages members want to find again; seq: the message's.",
    sqlite_with_rowid=False,
)
