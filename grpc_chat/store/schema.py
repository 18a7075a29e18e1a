"""The tables, once, for every database.

Types are the ones all databases agree on: times are whole microseconds since 1970 UTC, ids are text, payloads
are bytes. Numbers of the log are given by the store, never by the database: a sequence leaves gaps when a
transaction is rolled back.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


# Bytewise order: the same order of ids, and so the same pages, on every database and locale.
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, _BYTEWISE, primary_key=True)


meta = sa.Table(
    "meta",
    metadata,
    _key("name"),
    sa.Column("value", sa.Text, nullable=False),
    comment="One row for each fact about the database itself: epoch, secret.",
)

users = sa.Table(
    "users",
    metadata,
    _key("user_id"),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("owner_id", _BYTEWISE, nullable=True),
    sa.Column("admin", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("block_time_us", sa.BigInteger, nullable=True),
    sa.Column("password_hash", sa.Text, nullable=True),
    sa.Column("look", _BYTEWISE, nullable=True),
    sa.Column("offered_to", _BYTEWISE, nullable=True),
    sa.Column("last_used_us", sa.BigInteger, nullable=True),
    sa.Column("adding", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("direct_messages", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "owner_id"),
    sa.Index(None, "look", unique=True),
    comment="kind: chat.v1.UserKind; owner_id: of a bot; password_hash: Argon2id, as the PHC string format; "
    "look: the id with characters that look alike made one, NULL for trusted ids; offered_to: who may become "
    "the bot's next owner; last_used_us: when a session that has ended since was used last; adding, "
    "direct_messages: chat.v1.Audience.",
    sqlite_with_rowid=False,
)

blocks = sa.Table(
    "blocks",
    metadata,
    _key("user_id"),
    _key("blocked_user_id"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    comment="Whom users want nothing from.",
    sqlite_with_rowid=False,
)

statuses = sa.Table(
    "statuses",
    metadata,
    _key("user_id"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("emoji", sa.Text, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Column("appear_offline", sa.SmallInteger, nullable=False),
    sa.Column("hide_last_seen", sa.SmallInteger, nullable=False),
    sa.Index(None, "expire_time_us"),
    comment="What users show others of themselves; no row where that is nothing special. expire_time_us: "
    "when text and emoji go.",
    sqlite_with_rowid=False,
)

sessions = sa.Table(
    "sessions",
    metadata,
    _key("session_id"),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("device_name", sa.Text, nullable=False),
    sa.Column("scopes", sa.SmallInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Index(None, "user_id", "create_time_us", "session_id"),
    sa.Index(None, "token_hash", unique=True),
    comment="token_hash: SHA-256 of the token; kind: chat.v1.SessionKind; scopes: a bit for each "
    "chat.v1.Scope; expire_time_us: at the latest, whether used or not.",
    sqlite_with_rowid=False,
)

expired_sessions = sa.Table(
    "expired_sessions",
    metadata,
    sa.Column("session_id", _BYTEWISE, nullable=False),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("device_name", sa.Text, nullable=False),
    sa.Column("scopes", sa.SmallInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Column("end_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id"),
    sa.Index(None, "end_time_us"),
    comment="As sessions: those that the clock has ended, which may have been wrong; end_time_us: when.",
    sqlite_with_rowid=False,
)

# The holder of a bot's token can't see its owner's account, so the server must say that the token ended with
# it.
ended_tokens = sa.Table(
    "ended_tokens",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("why", sa.SmallInteger, nullable=False),
    sa.Column("end_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id"),
    comment="Access tokens of bots that their users did not end, until the bot has a new one; why: "
    "store.records.Ending.",
    sqlite_with_rowid=False,
)

known_addresses = sa.Table(
    "known_addresses",
    metadata,
    sa.Column("pair_hash", sa.LargeBinary, primary_key=True),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Index(None, "last_used_us"),
    comment="From where accounts were entered; pair_hash: of the account and the address, with the store's "
    "secret.",
    sqlite_with_rowid=False,
)

identities = sa.Table(
    "identities",
    metadata,
    _key("issuer"),
    _key("subject"),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id"),
    comment="Which account somebody is who logs in through an OpenID issuer.",
    sqlite_with_rowid=False,
)

rooms = sa.Table(
    "rooms",
    metadata,
    _key("room_id"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("topic", sa.Text, nullable=False, server_default=""),
    sa.Column("history", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("posting", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("archive_time_us", sa.BigInteger, nullable=True),
    sa.Column("public_name", _BYTEWISE, nullable=True),
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
    _key("room_id"),
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
    _key("room_id"),
    _key("user_id"),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("join_time_us", sa.BigInteger, nullable=False),
    sa.Column("join_seq", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("added_by", _BYTEWISE, nullable=False, server_default=""),
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
    _key("room_id"),
    _key("user_id"),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("invited_by", _BYTEWISE, nullable=False),
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
    _key("room_id"),
    _key("user_id"),
    sa.Column("banned_by", _BYTEWISE, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

invites = sa.Table(
    "invites",
    metadata,
    _key("invite_id"),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    sa.Column("room_id", _BYTEWISE, nullable=False),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("created_by", _BYTEWISE, nullable=False),
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

# The truth. Without a rowid the rows lie in the order they are read in, room by room.
events = sa.Table(
    "events",
    metadata,
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("checksum", sa.BigInteger, nullable=True),
    sa.Column("messages", sa.BigInteger, nullable=True),
    comment="Of rooms, and of users (see user_logs). payload: the encoded chat.v1.Event, as it is sent; "
    "checksum: its CRC-32, NULL in old rows; messages: how many messages the room has up to this event, "
    "deleted ones included, counted from when the database began to count; NULL in older rows and for users.",
    sqlite_with_rowid=False,
)

deleted_messages = sa.Table(
    "deleted_messages",
    metadata,
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    comment="What is not counted as unread, though the events' messages count it; user_id: the sender.",
    sqlite_with_rowid=False,
)

user_logs = sa.Table(
    "user_logs",
    metadata,
    _key("user_id"),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_event_us", sa.BigInteger, nullable=False),
    comment="How far the log of each user reaches that has an entry; its entries are among the events, under "
    "'user:' and the id. The columns are as those of rooms.",
    sqlite_with_rowid=False,
)

# The one table that does not follow from the log, which no longer has the earlier texts of messages.
edits = sa.Table(
    "edits",
    metadata,
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("time_us", sa.BigInteger, nullable=False),
    comment="What messages said before; version: from 0, the first; time_us: since when they said it.",
    sqlite_with_rowid=False,
)

# Its key is what makes a message stored once: a second insert fails, on any node.
sends = sa.Table(
    "sends",
    metadata,
    _key("room_id"),
    _key("user_id"),
    sa.Column("client_message_id", sa.LargeBinary, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    comment="Which client_message_id became which event, for as long as the message exists.",
    sqlite_with_rowid=False,
)

reactions = sa.Table(
    "reactions",
    metadata,
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _key("emoji"),
    _key("user_id"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    comment="Who reacted to which message with what; seq: the message's.",
    sqlite_with_rowid=False,
)

consumers = sa.Table(
    "consumers",
    metadata,
    _key("user_id"),
    _key("consumer"),
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("stamp", sa.BigInteger, nullable=False, server_default="0"),
    # Moving a position does not change this index. Without it, leaving a room would scan all of a user's
    # positions.
    sa.Index(None, "room_id", "user_id"),
    comment="seq: everything up to here was acknowledged; stamp: that event's, 0 where it is not known.",
    sqlite_with_rowid=False,
)

consumer_names = sa.Table(
    "consumer_names",
    metadata,
    _key("user_id"),
    _key("consumer"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Index(None, "last_used_us"),
    comment="Those that have a position, or had one; last_used_us: give or take some minutes.",
    sqlite_with_rowid=False,
)

# The size of an upload's file in the spool says how much has arrived.
uploads = sa.Table(
    "uploads",
    metadata,
    _key("upload_id"),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("charged_to", _BYTEWISE, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("keep_metadata", sa.SmallInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id", "create_time_us", "upload_id"),
    sa.Index(None, "create_time_us"),
    comment="Files that have yet to arrive; charged_to: the user, or a bot's owner, whose quota they use up; "
    "sha256: as announced, empty where it was not.",
    sqlite_with_rowid=False,
)

files = sa.Table(
    "files",
    metadata,
    _key("file_id"),
    sa.Column("user_id", _BYTEWISE, nullable=False),
    sa.Column("charged_to", _BYTEWISE, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("digest", _BYTEWISE, nullable=False),
    sa.Column("width", sa.BigInteger, nullable=False),
    sa.Column("height", sa.BigInteger, nullable=False),
    sa.Column("metadata_removed", sa.SmallInteger, nullable=False),
    sa.Column("preview_digest", _BYTEWISE, nullable=False),
    sa.Column("preview_size", sa.BigInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "digest"),
    sa.Index(None, "preview_digest"),
    sa.Index(None, "sent", "create_time_us"),
    comment="digest: the SHA-256 of the content, by which it is kept, in hexadecimal; preview_digest: the "
    "preview's, empty for none; sent: whether a message ever carried it, so that it goes with the last one.",
    sqlite_with_rowid=False,
)

message_files = sa.Table(
    "message_files",
    metadata,
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("file_id", _BYTEWISE, nullable=False),
    sa.Index(None, "file_id", "room_id", "seq"),
    comment="Which messages carry which files; at: in which place, from 0.",
    sqlite_with_rowid=False,
)

file_usage = sa.Table(
    "file_usage",
    metadata,
    _key("user_id"),
    sa.Column("uploads", sa.BigInteger, nullable=False),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    comment="How many unfinished uploads and files are charged to a user, and their bytes, those that an "
    "upload announced included; of the whole server for an empty id.",
    sqlite_with_rowid=False,
)

unneeded_contents = sa.Table(
    "unneeded_contents",
    metadata,
    _key("digest"),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Index(None, "due_us"),
    comment="Contents that are there, or may be, and that no file may need; due_us: when it is time to look, "
    "and to delete them if none does.",
    sqlite_with_rowid=False,
)
