"""Drafts, and saved messages."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def upgrade() -> None:
    op.create_table(
        "message_drafts",
        _text("room_id"),
        _text("user_id"),
        _number("thread_root"),
        sa.Column("text", sa.Text, nullable=False),
        _number("reply_to"),
        _number("update_time_us"),
        sa.PrimaryKeyConstraint("room_id", "user_id", "thread_root", name="pk_message_drafts"),
        sqlite_with_rowid=False,
    )
    _index("message_drafts", "user_id", "update_time_us", "room_id", "thread_root")
    op.create_table(
        "saved_messages",
        _text("room_id"),
        _text("user_id"),
        _number("seq"),
        _number("save_time_us"),
        sa.PrimaryKeyConstraint("room_id", "user_id", "seq", name="pk_saved_messages"),
        sqlite_with_rowid=False,
    )
    _index("saved_messages", "user_id", "save_time_us", "room_id", "seq")
    _index("saved_messages", "room_id", "seq")
