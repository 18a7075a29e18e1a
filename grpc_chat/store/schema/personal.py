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

# Without the room in a column, so that it does not go with the room: its user is to learn that it can't be
# sent.
scheduled_messages = sa.Table(
    "scheduled_messages",
    metadata,
    key("user_id"),
    key("scheduled_id"),
    sa.Column("send_us", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sa.Column("failure", sa.LargeBinary, nullable=False),
    sa.Index(None, "user_id", "send_us", "scheduled_id"),
    sa.Index(None, "due_us", "create_us", "user_id", "scheduled_id"),
    comment="Messages to be sent later, and those that could not be. send_us: when, as its user sees it; "
    "due_us: when the server tries, NULL for never; payload: the encoded chat.v1.OutgoingMessage; failure: "
    "an encoded chat.v1.ScheduleFailure, empty where it did not fail.",
    sqlite_with_rowid=False,
)
