"""Sessions that the clock has ended are kept for a while: the clock may be wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _bytewise() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "expired_sessions",
        sa.Column("session_id", _bytewise(), nullable=False),
        sa.Column("user_id", _bytewise(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("device_name", sa.Text, nullable=False),
        sa.Column("scopes", sa.SmallInteger, nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("last_used_us", sa.BigInteger, nullable=False),
        sa.Column("expire_time_us", sa.BigInteger, nullable=True),
        sa.Column("end_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_expired_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_expired_sessions_user_id", "expired_sessions", ["user_id"])
    op.create_index("ix_expired_sessions_end_time_us", "expired_sessions", ["end_time_us"])
