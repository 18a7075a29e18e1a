"""Threads, the messages in them, and who follows them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "threads",
        _text("room_id"),
        _number("root_seq"),
        *(_number(name) for name in ("messages", "replies", "last_seq", "last_us")),
        sa.PrimaryKeyConstraint("room_id", "root_seq", name="pk_threads"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_threads_room_id_last_seq", "threads", ["room_id", "last_seq"])
    op.create_table(
        "thread_messages",
        _text("room_id"),
        _number("root_seq"),
        _number("seq"),
        _text("user_id"),
        _number("number"),
        sa.PrimaryKeyConstraint("room_id", "root_seq", "seq", name="pk_thread_messages"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_thread_messages_room_id_user_id_seq", "thread_messages", ["room_id", "user_id", "seq"]
    )
    op.create_table(
        "deleted_replies",
        _text("room_id"),
        _number("root_seq"),
        _number("seq"),
        _text("user_id"),
        sa.PrimaryKeyConstraint("room_id", "root_seq", "seq", name="pk_deleted_replies"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "thread_followers",
        _text("room_id"),
        _text("user_id"),
        _number("root_seq"),
        sa.Column("mute_until_us", sa.BigInteger, nullable=True),
        *(_number(name) for name in ("read_seq", "read_count", "read_own")),
        sa.PrimaryKeyConstraint("room_id", "user_id", "root_seq", name="pk_thread_followers"),
        sqlite_with_rowid=False,
    )
