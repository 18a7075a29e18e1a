"""Files that messages carry, and the uploads that become files."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)


def _number(name: str, kind: type[sa.Integer] = sa.BigInteger, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def upgrade() -> None:
    op.create_table(
        "uploads",
        _text("upload_id"),
        _text("user_id"),
        _text("charged_to"),
        sa.Column("name", sa.Text, nullable=False),
        _number("size"),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        _number("keep_metadata", sa.SmallInteger),
        _number("create_time_us"),
        sa.PrimaryKeyConstraint("upload_id", name="pk_uploads"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "files",
        _text("file_id"),
        _text("user_id"),
        _text("charged_to"),
        sa.Column("name", sa.Text, nullable=False),
        _number("size"),
        sa.Column("content_type", sa.Text, nullable=False),
        _text("digest"),
        _number("width"),
        _number("height"),
        _number("metadata_removed", sa.SmallInteger),
        _text("preview_digest"),
        _number("preview_size"),
        _number("create_time_us"),
        _number("sent", sa.SmallInteger, "0"),
        sa.PrimaryKeyConstraint("file_id", name="pk_files"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message_files",
        _text("room_id"),
        _number("seq"),
        _number("at", sa.SmallInteger),
        _text("file_id"),
        sa.PrimaryKeyConstraint("room_id", "seq", "at", name="pk_message_files"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "file_usage",
        _text("user_id"),
        _number("uploads"),
        _number("files"),
        _number("bytes"),
        sa.PrimaryKeyConstraint("user_id", name="pk_file_usage"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unneeded_contents",
        _text("digest"),
        _number("due_us"),
        sa.PrimaryKeyConstraint("digest", name="pk_unneeded_contents"),
        sqlite_with_rowid=False,
    )
    for table, *columns in (
        ("uploads", "user_id", "create_time_us", "upload_id"),
        ("uploads", "create_time_us"),
        ("files", "digest"),
        ("files", "preview_digest"),
        ("files", "sent", "create_time_us"),
        ("message_files", "file_id", "room_id", "seq"),
        ("unneeded_contents", "due_us"),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
