"""Rooms, members, their logs, and consumers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _key(name: str) -> sa.Column[str]:
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "meta",
        _key("name"),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "users",
        _key("user_id"),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rooms",
        _key("room_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", name="pk_rooms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "members",
        _key("room_id"),
        _key("user_id"),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("join_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_members"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_members_user_id_room_id", "members", ["user_id", "room_id"])
    op.create_table(
        "events",
        _key("room_id"),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sends",
        _key("room_id"),
        _key("user_id"),
        sa.Column("client_message_id", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", "client_message_id", name="pk_sends"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consumers",
        _key("user_id"),
        _key("consumer"),
        _key("room_id"),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "consumer", "room_id", name="pk_consumers"),
        sqlite_with_rowid=False,
    )
