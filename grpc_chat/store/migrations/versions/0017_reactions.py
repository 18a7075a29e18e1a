"""Reactions to messages."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "reactions",
        _text("room_id"),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        _text("emoji"),
        _text("user_id"),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", "emoji", "user_id", name="pk_reactions"),
        sqlite_with_rowid=False,
    )
