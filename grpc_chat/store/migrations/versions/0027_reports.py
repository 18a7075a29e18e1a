"""Reports of messages."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "reports",
        _text("room_id"),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        _text("user_id"),
        _text("sender_id"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", "user_id", name="pk_reports"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reports_create_time_us", "reports", ["create_time_us"])
