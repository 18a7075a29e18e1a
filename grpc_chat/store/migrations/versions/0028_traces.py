"""What events say about messages, so that it can be deleted with them."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def _room_id() -> sa.Column[str]:
    return sa.Column("room_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "traces",
        _room_id(),
        _number("seq"),
        _number("event_seq"),
        sa.PrimaryKeyConstraint("room_id", "seq", "event_seq", name="pk_traces"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deleted_traces",
        _room_id(),
        _number("seq"),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_deleted_traces"),
        sqlite_with_rowid=False,
    )
