"""The tables of threads: messages that belong to another one, their root."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import BYTEWISE, key, metadata

threads = sa.Table(
    "threads",
    metadata,
    key("room_id"),
    sa.Column("root_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("messages", sa.BigInteger, nullable=False),
    sa.Column("replies", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sa.Index(None, "room_id", "last_seq"),
    comment="messages: how many the thread has, deleted ones included, without its root; replies: those that "
    "are not deleted; last_seq, last_us: the newest message, deleted or not, and when it was stored.",
    sqlite_with_rowid=False,
)

thread_messages = sa.Table(
    "thread_messages",
    metadata,
    key("room_id"),
    sa.Column("root_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    # For counting a user's messages that are in no thread.
    sa.Index(None, "room_id", "user_id", "seq"),
    comment="Which messages are in which thread, deleted ones included; user_id: the sender; number: how "
    "many messages the thread has up to this one.",
    sqlite_with_rowid=False,
)

deleted_replies = sa.Table(
    "deleted_replies",
    metadata,
    key("room_id"),
    sa.Column("root_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", BYTEWISE, nullable=False),
    comment="As deleted_messages, of threads.",
    sqlite_with_rowid=False,
)

thread_followers = sa.Table(
    "thread_followers",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("root_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("mute_until_us", sa.BigInteger, nullable=True),
    sa.Column("read_seq", sa.BigInteger, nullable=False),
    sa.Column("read_count", sa.BigInteger, nullable=False),
    sa.Column("read_own", sa.BigInteger, nullable=False),
    comment="Who follows which thread; mute_until_us: 0 for muted without an end, NULL for not muted; "
    "read_seq, read_count, read_own: as those of members, of the thread's messages.",
    sqlite_with_rowid=False,
)
