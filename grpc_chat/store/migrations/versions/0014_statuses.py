"""What users show others of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "statuses",
        sa.Column("user_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("emoji", sa.Text, nullable=False),
        sa.Column("expire_time_us", sa.BigInteger, nullable=True),
        sa.Column("appear_offline", sa.SmallInteger, nullable=False),
        sa.Column("hide_last_seen", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_statuses"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_statuses_expire_time_us", "statuses", ["expire_time_us"])
