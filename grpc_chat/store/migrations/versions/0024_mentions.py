"""Mentions of people in messages."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "mentions",
        _text("room_id"),
        _text("user_id"),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        _text("sender_id"),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", "seq", name="pk_mentions"),
        sqlite_with_rowid=False,
    )
    by_time = ["user_id", "create_time_us", "room_id"]
    op.create_index("ix_mentions_user_id_create_time_us_room_id", "mentions", by_time)
