"""Polls, and who voted in them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "polls",
        _text("room_id"),
        _seq(),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("voters", sa.Integer, nullable=False),
        sa.Column("close_time_us", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_polls"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_polls_close_time_us", "polls", ["close_time_us"])
    op.create_table(
        "poll_votes",
        _text("room_id"),
        _seq(),
        _text("user_id"),
        sa.Column("choices", sa.Integer, nullable=False),
        sa.Column("vote_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", "user_id", name="pk_poll_votes"),
        sqlite_with_rowid=False,
    )
