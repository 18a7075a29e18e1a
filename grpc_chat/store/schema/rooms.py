"""The tables of rooms, and of who belongs to them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import BYTEWISE, key, metadata

rooms = sa.Table(
    "rooms",
    metadata,
    key("room_id"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("topic", sa.Text, nullable=False, server_default=""),
    sa.Column("history", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("posting", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("archive_time_us", sa.BigInteger, nullable=True),
    sa.Column("public_name", BYTEWISE, nullable=True),
    sa.Column("request_hash", sa.LargeBinary, nullable=True),
    sa.Column("member_count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("last_event_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("edit_window_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("keep_edits", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("message_count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("receipts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("slow_mode_us", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index(None, "public_name", unique=True),
    comment="first_seq: the number of the oldest event kept; last_seq: of the newest, 0 before the "
    "first; kind, history, posting: as in chat.v1; public_name: the lower-case name of a "
    "public room; request_hash: hash of the request that made the room, if it had a request "
    "id; last_event_us: when the newest event was stored, 0 if unknown; edit_window_us: how "
    "long messages may be edited, 0 for no limit; keep_edits: whether earlier texts are kept; "
    "message_count: the messages column of the newest event.",
    sqlite_with_rowid=False,
)

deleted_rooms = sa.Table(
    "deleted_rooms",
    metadata,
    key("room_id"),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("delete_time_us", sa.BigInteger, nullable=False),
    sa.Column("purged", sa.SmallInteger, nullable=False),
    comment="Deleted rooms, so that a deleted log is not mistaken for a lost one; purged: whether the "
    "log is gone.",
    sqlite_with_rowid=False,
)

members = sa.Table(
    "members",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("join_time_us", sa.BigInteger, nullable=False),
    sa.Column("join_seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("added_by", BYTEWISE, nullable=False, server_default=""),
    sa.Column("read_seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("read_count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("read_own", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index(None, "user_id", "room_id", "added_by"),
    comment="role: chat.v1.Role; join_seq: the event by which the member joined, 0 if there is none; "
    "added_by: who added the member without asking, empty for members who came by themselves; "
    "read_seq: the event up to which the member has read; read_count: the messages column of "
    "that event; read_own: how many of the member's own messages come after it.",
    sqlite_with_rowid=False,
)

invitations = sa.Table(
    "invitations",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("invited_by", BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("hidden", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Index(None, "user_id", "create_time_us", "room_id"),
    comment="Invitations that wait for one person's answer, to join a room or to become its owner; "
    "hidden: the person never hears of the invitation.",
    sqlite_with_rowid=False,
)

bans = sa.Table(
    "bans",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("banned_by", BYTEWISE, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

invites = sa.Table(
    "invites",
    metadata,
    key("invite_id"),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("room_id", BYTEWISE, nullable=False),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("created_by", BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Column("max_uses", sa.BigInteger, nullable=False),
    sa.Column("uses", sa.BigInteger, nullable=False),
    sa.Column("registers", sa.SmallInteger, nullable=False),
    sa.Column("makes_admin", sa.SmallInteger, nullable=False),
    sa.Index(None, "code_hash", unique=True),
    sa.Index(None, "room_id", "create_time_us", "invite_id"),
    comment="code_hash: SHA-256 of the code; room_id: empty for an invite to the server alone; "
    "max_uses: 0 for no limit.",
    sqlite_with_rowid=False,
)

# Not of the log: it says only who has to wait.
slow_senders = sa.Table(
    "slow_senders",
    metadata,
    key("room_id"),
    key("user_id"),
    sa.Column("sent_us", sa.BigInteger, nullable=False),
    comment="When members last sent a message to a room in which they have to wait between messages; deleted "
    "when that ends.",
    sqlite_with_rowid=False,
)
