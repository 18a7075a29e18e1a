"""Files of messages that are to be sent later."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "scheduled_files",
        _text("user_id"),
        _text("scheduled_id"),
        _text("file_id"),
        sa.PrimaryKeyConstraint("user_id", "scheduled_id", "file_id", name="pk_scheduled_files"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_scheduled_files_file_id", "scheduled_files", ["file_id"])
