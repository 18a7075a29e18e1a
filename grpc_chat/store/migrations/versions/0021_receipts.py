"""Who sees what members have read, and when consumers acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("receipts", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("statuses", sa.Column("hide_receipts", sa.SmallInteger, nullable=False, server_default="0"))
    op.add_column("consumers", sa.Column("time_us", sa.BigInteger, nullable=False, server_default="0"))
