"""How long messages may be edited, and what they said before where a room keeps that."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("edit_window_us", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("rooms", sa.Column("keep_edits", sa.SmallInteger, nullable=False, server_default="0"))
    op.create_table(
        "edits",
        sa.Column("room_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", "version", name="pk_edits"),
        sqlite_with_rowid=False,
    )
