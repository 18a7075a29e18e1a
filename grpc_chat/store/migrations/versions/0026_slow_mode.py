"""Rooms in which members have to wait between messages."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.add_column("rooms", sa.Column("slow_mode_us", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "slow_senders",
        _text("room_id"),
        _text("user_id"),
        sa.Column("sent_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_slow_senders"),
        sqlite_with_rowid=False,
    )
