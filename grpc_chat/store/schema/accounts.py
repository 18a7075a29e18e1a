"""The tables of accounts, and of what they log in with."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import BYTEWISE, key, metadata

users = sa.Table(
    "users",
    metadata,
    key("user_id"),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("owner_id", BYTEWISE, nullable=True),
    sa.Column("admin", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("block_time_us", sa.BigInteger, nullable=True),
    sa.Column("password_hash", sa.Text, nullable=True),
    sa.Column("look", BYTEWISE, nullable=True),
    sa.Column("offered_to", BYTEWISE, nullable=True),
    sa.Column("last_used_us", sa.BigInteger, nullable=True),
    sa.Column("adding", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("direct_messages", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "owner_id"),
    sa.Index(None, "look", unique=True),
    comment="kind: chat.v1.UserKind; owner_id: the owner of a bot; password_hash: Argon2id in the PHC "
    "string format; look: the id with look-alike characters folded together, NULL for trusted "
    "ids; offered_to: the user who may become the bot's next owner; last_used_us: the last "
    "use by any session that has since ended; adding, direct_messages: chat.v1.Audience.",
    sqlite_with_rowid=False,
)

blocks = sa.Table(
    "blocks",
    metadata,
    key("user_id"),
    key("blocked_user_id"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    comment="Which users have blocked which others.",
    sqlite_with_rowid=False,
)

statuses = sa.Table(
    "statuses",
    metadata,
    key("user_id"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("emoji", sa.Text, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Column("appear_offline", sa.SmallInteger, nullable=False),
    sa.Column("hide_last_seen", sa.SmallInteger, nullable=False),
    sa.Column("hide_receipts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "expire_time_us"),
    comment="The presence settings and status of users who changed them. expire_time_us: when text "
    "and emoji disappear.",
    sqlite_with_rowid=False,
)

sessions = sa.Table(
    "sessions",
    metadata,
    key("session_id"),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("device_name", sa.Text, nullable=False),
    sa.Column("scopes", sa.SmallInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Column("expire_time_us", sa.BigInteger, nullable=True),
    sa.Index(None, "user_id", "create_time_us", "session_id"),
    sa.Index(None, "token_hash", unique=True),
    comment="token_hash: SHA-256 of the token; kind: chat.v1.SessionKind; scopes: one bit for each "
    "chat.v1.Scope; expire_time_us: when the session ends even if it is in use.",
    sqlite_with_rowid=False,
)

expired_sessions = sa.Table(
    "expired_sessions",
    metadata,
    sa.Column("session_id", BYTEWISE, nullable=False),
    sa.Column("user_id", BYTEWISE, nullable=False),
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
    comment="Sessions that ended by the clock, kept because the clock may have been wrong; "
    "end_time_us: when each ended. The other columns are those of sessions.",
    sqlite_with_rowid=False,
)

# The holder of a bot's token can't see its owner's account, so the server must say that the token ended with
# it.
ended_tokens = sa.Table(
    "ended_tokens",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("why", sa.SmallInteger, nullable=False),
    sa.Column("end_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id"),
    comment="Access tokens of bots that ended without an act of the token's holder, kept until the "
    "bot gets a new token; why: store.records.Ending.",
    sqlite_with_rowid=False,
)

known_addresses = sa.Table(
    "known_addresses",
    metadata,
    sa.Column("pair_hash", sa.LargeBinary, primary_key=True),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Index(None, "last_used_us"),
    comment="The network addresses from which each account has logged in; pair_hash: hash of account "
    "and address, keyed with the store's secret.",
    sqlite_with_rowid=False,
)

identities = sa.Table(
    "identities",
    metadata,
    key("issuer"),
    key("subject"),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id"),
    comment="Which account belongs to a person who logs in through an OpenID issuer.",
    sqlite_with_rowid=False,
)

consumers = sa.Table(
    "consumers",
    metadata,
    key("user_id"),
    key("consumer"),
    key("room_id"),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("stamp", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("time_us", sa.BigInteger, nullable=False, server_default="0"),
    # Moving a position does not change this index. Without it, leaving a room would scan all of a user's
    # positions.
    sa.Index(None, "room_id", "user_id"),
    comment="seq: the consumer has acknowledged everything up to this event; stamp: that event's "
    "stamp, 0 if unknown; time_us: when it was acknowledged, 0 if unknown.",
    sqlite_with_rowid=False,
)

consumer_names = sa.Table(
    "consumer_names",
    metadata,
    key("user_id"),
    key("consumer"),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Index(None, "last_used_us"),
    comment="Consumers that have a position, or once had one; last_used_us: accurate to a few minutes.",
    sqlite_with_rowid=False,
)

user_logs = sa.Table(
    "user_logs",
    metadata,
    key("user_id"),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_event_us", sa.BigInteger, nullable=False),
    comment="First and last number of each user's log that has an entry. The entries themselves are "
    "in events, under 'user:' and the user id. The columns correspond to those of rooms.",
    sqlite_with_rowid=False,
)
