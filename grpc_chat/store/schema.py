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


def _key(name: str) -> sa.Column[str]:
    # Bytewise order: the same order of ids, and so the same pages, on every database and locale.
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, text, primary_key=True)


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
    comment="first_seq: the oldest event kept; last_seq: the newest, 0 when there was none yet.",
    sqlite_with_rowid=False,
)

members = sa.Table(
    "members",
    metadata,
    _key("room_id"),
    _key("user_id"),
    sa.Column("role", sa.SmallInteger, nullable=False),
    sa.Column("join_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id", "room_id"),
    comment="role: chat.v1.Role.",
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
    comment="payload: the encoded chat.v1.Event, as it is sent; checksum: its CRC-32, NULL in old rows.",
    sqlite_with_rowid=False,
)

# Its key is what makes a message stored once: a second insert fails, whoever tries, on whatever node.
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

consumers = sa.Table(
    "consumers",
    metadata,
    _key("user_id"),
    _key("consumer"),
    _key("room_id"),
    sa.Column("seq", sa.BigInteger, nullable=False),
    comment="seq: everything up to here was acknowledged.",
    sqlite_with_rowid=False,
)
