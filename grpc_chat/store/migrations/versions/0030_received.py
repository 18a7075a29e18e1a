"""What members have received with clients that keep their own positions."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "received",
        _text("room_id"),
        _text("user_id"),
        sa.Column("after_seq", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_received"),
        sqlite_with_rowid=False,
    )
