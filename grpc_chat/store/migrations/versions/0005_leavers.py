"""Who gets a bot next, which tokens ended with their owner, and from where accounts were entered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _bytewise() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("users", sa.Column("offered_to", _bytewise(), nullable=True))
    op.create_table(
        "ended_tokens",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("user_id", _bytewise(), nullable=False),
        sa.Column("why", sa.SmallInteger, nullable=False),
        sa.Column("end_time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_ended_tokens"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ended_tokens_user_id", "ended_tokens", ["user_id"])
    op.create_table(
        "known_addresses",
        sa.Column("pair_hash", sa.LargeBinary, nullable=False),
        sa.Column("last_used_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("pair_hash", name="pk_known_addresses"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_known_addresses_last_used_us", "known_addresses", ["last_used_us"])
