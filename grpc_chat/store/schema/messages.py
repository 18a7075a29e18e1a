"""The tables of logs, and of what follows from their events."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import BYTEWISE, key, metadata

# The truth. Without a rowid the rows lie in the order they are read in, room by room.
events = sa.Table(
    "events",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("checksum", sa.BigInteger, nullable=True),
    sa.Column("messages", sa.BigInteger, nullable=True),
    comment="The logs of rooms and of users (see user_logs). payload: the encoded chat.v1.Event, as "
    "it is sent; checksum: CRC-32 of the payload, NULL in old rows; messages: the number of "
    "messages in the room up to this event, including deleted ones, since the database began "
    "to count; NULL in older rows and in users' logs.",
    sqlite_with_rowid=False,
)

deleted_messages = sa.Table(
    "deleted_messages",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", BYTEWISE, nullable=False),
    comment="Deleted messages, which the messages column of events still counts but which are never "
    "unread; user_id: the sender.",
    sqlite_with_rowid=False,
)

# The one table that does not follow from the log, which no longer has the earlier texts of messages.
edits = sa.Table(
    "edits",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),
    comment="Earlier texts of edited messages; version: from 0, the text first sent; time_us: when "
    "this text was written.",
    sqlite_with_rowid=False,
)

# Its key is what makes a message stored once: a second insert fails, on any node.
sends = sa.Table(
    "sends",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("client_message_id", sa.LargeBinary, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    comment="Which event each client_message_id became. A row lasts as long as its message.",
    sqlite_with_rowid=False,
)

mentions = sa.Table(
    "mentions",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sender_id", BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    # What mentions somebody in all their rooms, by time.
    sa.Index(None, "user_id", "create_time_us", "room_id"),
    comment="Whom messages mention; user_id: empty for everyone in the room; the rest is the message's.",
    sqlite_with_rowid=False,
)

pins = sa.Table(
    "pins",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("pin_seq", sa.BigInteger, nullable=False),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "room_id", "pin_seq"),
    comment="Pinned messages; pin_seq: the event that pinned it; user_id, create_time_us: who did, and when.",
    sqlite_with_rowid=False,
)

reactions = sa.Table(
    "reactions",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    key("emoji"),
    key("user_id"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    comment="Who reacted to which message with which emoji; seq: the number of the message.",
    sqlite_with_rowid=False,
)

polls = sa.Table(
    "polls",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("voters", sa.Integer, nullable=False),
    sa.Column("close_time_us", sa.BigInteger, nullable=True),
    sa.Index(None, "close_time_us"),
    comment="How polls stand; seq: the message's; counts: of each option, with commas between; "
    "close_time_us: when it is to be closed, NULL once it is closed or where that is left to people.",
    sqlite_with_rowid=False,
)

# Of anonymous polls, these do not follow from the log, which does not say who voted.
poll_votes = sa.Table(
    "poll_votes",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    key("user_id"),
    sa.Column("choices", sa.Integer, nullable=False),
    sa.Column("vote_time_us", sa.BigInteger, nullable=False),
    comment="Who voted in which poll; choices: a bit for each option; vote_time_us: 0 in anonymous polls, "
    "whose votes are deleted when they are closed.",
    sqlite_with_rowid=False,
)

# Not of the log, which all members read.
reports = sa.Table(
    "reports",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    key("user_id"),
    sa.Column("sender_id", BYTEWISE, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "create_time_us"),
    comment="Who reported which message, and why; seq, sender_id: the message's.",
    sqlite_with_rowid=False,
)
