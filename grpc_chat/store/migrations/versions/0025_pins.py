"""Pinned messages."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "pins",
        _text("room_id"),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("pin_seq", sa.BigInteger, nullable=False),
        _text("user_id"),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_pins"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_pins_room_id_pin_seq", "pins", ["room_id", "pin_seq"])
