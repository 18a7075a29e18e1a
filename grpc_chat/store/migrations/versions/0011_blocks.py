"""Whom users want nothing from, and who may add them and write to them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "blocks",
        _key("user_id"),
        _key("blocked_user_id"),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "blocked_user_id", name="pk_blocks"),
        sqlite_with_rowid=False,
    )
    for name in ("adding", "direct_messages"):
        op.add_column("users", sa.Column(name, sa.SmallInteger, nullable=False, server_default="0"))
