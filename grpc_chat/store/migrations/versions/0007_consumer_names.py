"""Which consumers there are, and when they were used; a room's positions by the room."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_index("ix_consumers_room_id_user_id", "consumers", ["room_id", "user_id"])
    op.create_table(
        "consumer_names",
        _key("user_id"),
        _key("consumer"),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("last_used_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "consumer", name="pk_consumer_names"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_consumer_names_last_used_us", "consumer_names", ["last_used_us"])
    # Nobody knows when they were used: their time begins now.
    fill = sa.text(
        "INSERT INTO consumer_names (user_id, consumer, create_time_us, last_used_us) "
        "SELECT DISTINCT user_id, consumer, :now, :now FROM consumers"
    )
    op.get_bind().execute(fill, {"now": int(time.time() * 1_000_000)})
