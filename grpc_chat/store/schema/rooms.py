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
    sa.Index(None, "public_name", unique=True),
    comment="first_seq: the oldest event kept; last_seq: the newest, 0 when there was none yet; kind, "
    "history, posting: as in chat.v1; public_name: of a public room, its name in lower case; "
    "request_hash: what was asked for when it was made with a request id; last_event_us: when the newest "
    "event was stored, 0 where that is not known; edit_window_us: how long a message may be edited, 0 for "
    "any time; keep_edits: whether what messages said before is kept; message_count: see the events' "
    "messages.",
    sqlite_with_rowid=False,
)

deleted_rooms = sa.Table(
    "deleted_rooms",
    metadata,
    key("room_id"),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("delete_time_us", sa.BigInteger, nullable=False),
    sa.Column("purged", sa.SmallInteger, nullable=False),
    comment="So that the end of a log by deletion is told from the end by loss; purged: whether the log is "
    "gone.",
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
    comment="role: chat.v1.Role; join_seq: the event by which they joined, 0 where there is none; "
    "added_by: who made them a member without their consent, empty where they came themselves; read_seq: "
    "the event up to which they have read; read_count: its messages, as the events have them; read_own: "
    "how many of their own messages come after it.",
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
    comment="Of one person each, who has yet to accept: members to be, and members who are to be owners; "
    "hidden: they never hear of it.",
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
    comment="code_hash: SHA-256 of the code; room_id: empty for an invite to the server alone; max_uses: 0 "
    "for any number.",
    sqlite_with_rowid=False,
)
