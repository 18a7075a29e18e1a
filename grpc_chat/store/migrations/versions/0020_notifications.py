"""Which rooms users have muted, and what they want to be notified of."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "notifications",
        _text("room_id"),
        _text("user_id"),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("muted_until_us", sa.BigInteger, nullable=False),
        sa.Column("join_seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_notifications"),
        sqlite_with_rowid=False,
    )
