"""Messages to be sent later."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _index(*columns: str) -> None:
    op.create_index(f"ix_scheduled_messages_{'_'.join(columns)}", "scheduled_messages", columns)


def upgrade() -> None:
    op.create_table(
        "scheduled_messages",
        _text("user_id"),
        _text("scheduled_id"),
        sa.Column("send_us", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger, nullable=True),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("create_us", sa.BigInteger, nullable=False),
        sa.Column("failure", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "scheduled_id", name="pk_scheduled_messages"),
        sqlite_with_rowid=False,
    )
    _index("user_id", "send_us", "scheduled_id")
    _index("due_us", "create_us", "user_id", "scheduled_id")
