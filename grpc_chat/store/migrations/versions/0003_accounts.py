"""Accounts, sessions, bans, invites; what rooms and memberships are."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _bytewise() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, _bytewise(), nullable=False)


def upgrade() -> None:
    # All with a default: the rows that are there are not written anew. What was made before is a private room
    # of trusted ids.
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("kind", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("owner_id", _bytewise(), nullable=True),
        sa.Column("admin", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("block_time_us", sa.BigInteger, nullable=True),
        sa.Column("password_hash", sa.Text, nullable=True),
        sa.Column("look", _bytewise(), nullable=True),
    )
    for column in columns:
        op.add_column("users", column)
    op.create_index("ix_users_owner_id", "users", ["owner_id"])
    op.create_index("ix_users_look", "users", ["look"], unique=True)
    columns = (
        sa.Column("kind", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("topic", sa.Text, nullable=False, server_default=""),
        sa.Column("history", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("posting", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("archive_time_us", sa.BigInteger, nullable=True),
        sa.Column("public_name", _bytewise(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary, nullable=True),
        sa.Column("member_count", sa.BigInteger, nullable=False, server_default="0"),
    )
    for column in columns:
        op.add_column("rooms", column)
    op.create_index("ix_rooms_public_name", "rooms", ["public_name"], unique=True)
    op.execute(
        "UPDATE rooms SET member_count = (SELECT count(*) FROM members WHERE members.room_id = rooms.room_id)"
    )
    op.add_column("members", sa.Column("join_seq", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "deleted_rooms",
        _key("room_id"),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("delete_time_us", sa.BigInteger, nullable=False),
        sa.Column("purged", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", name="pk_deleted_rooms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sessions",
        _key("session_id"),
        sa.Column("user_id", _bytewise(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("device_name", sa.Text, nullable=False),
        sa.Column("scopes", sa.SmallInteger, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("last_used_us", sa.BigInteger, nullable=False),
        sa.Column("expire_time_us", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sqlite_with_rowid=False,
    )
    newest_first = ["user_id", "create_time_us", "session_id"]
    op.create_index("ix_sessions_user_id_create_time_us_session_id", "sessions", newest_first)
    op.create_index("ix_sessions_token_hash", "sessions", ["token_hash"], unique=True)
    op.create_table(
        "identities",
        _key("issuer"),
        _key("subject"),
        sa.Column("user_id", _bytewise(), nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "bans",
        _key("room_id"),
        _key("user_id"),
        sa.Column("banned_by", _bytewise(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_bans"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invites",
        _key("invite_id"),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("room_id", _bytewise(), nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("created_by", _bytewise(), nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("expire_time_us", sa.BigInteger, nullable=True),
        sa.Column("max_uses", sa.BigInteger, nullable=False),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("registers", sa.SmallInteger, nullable=False),
        sa.Column("makes_admin", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("invite_id", name="pk_invites"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_invites_code_hash", "invites", ["code_hash"], unique=True)
    newest_first = ["room_id", "create_time_us", "invite_id"]
    op.create_index("ix_invites_room_id_create_time_us_invite_id", "invites", newest_first)
