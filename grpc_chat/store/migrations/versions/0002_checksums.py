"""A checksum beside each event. Events from before have none, and are believed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Without a value for the rows that are there: their table is not written anew, however long it is.
    op.add_column("events", sa.Column("checksum", sa.BigInteger, nullable=True))
