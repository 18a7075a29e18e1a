"""The tables of files, and of uploads."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store.schema.base import BYTEWISE, key, metadata

# The size of an upload's file in the spool says how much has arrived.
uploads = sa.Table(
    "uploads",
    metadata,
    key("upload_id"),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("charged_to", BYTEWISE, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("keep_metadata", sa.SmallInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Index(None, "user_id", "create_time_us", "upload_id"),
    sa.Index(None, "create_time_us"),
    comment="Uploads in progress; charged_to: the user whose quota pays (a bot's owner, for a bot); "
    "sha256: as announced, empty if it was not.",
    sqlite_with_rowid=False,
)

files = sa.Table(
    "files",
    metadata,
    key("file_id"),
    sa.Column("user_id", BYTEWISE, nullable=False),
    sa.Column("charged_to", BYTEWISE, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("digest", BYTEWISE, nullable=False),
    sa.Column("width", sa.BigInteger, nullable=False),
    sa.Column("height", sa.BigInteger, nullable=False),
    sa.Column("metadata_removed", sa.SmallInteger, nullable=False),
    sa.Column("preview_digest", BYTEWISE, nullable=False),
    sa.Column("preview_size", sa.BigInteger, nullable=False),
    sa.Column("create_time_us", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "digest"),
    sa.Index(None, "preview_digest"),
    sa.Index(None, "sent", "create_time_us"),
    comment="digest: SHA-256 of the content in hexadecimal, under which the content is stored; "
    "preview_digest: the same for the preview, empty for none; sent: whether a message "
    "carries the file. It is deleted with the last such message, unless one is to carry it later.",
    sqlite_with_rowid=False,
)

message_files = sa.Table(
    "message_files",
    metadata,
    key("room_id"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("file_id", BYTEWISE, nullable=False),
    sa.Index(None, "file_id", "room_id", "seq"),
    comment="Which messages carry which files; at: the file's place in the message, from 0.",
    sqlite_with_rowid=False,
)

scheduled_files = sa.Table(
    "scheduled_files",
    metadata,
    key("user_id"),
    key("scheduled_id"),
    key("file_id"),
    sa.Index(None, "file_id"),
    comment="Files that messages carry which are to be sent later, of those that their user uploaded; "
    "user_id, scheduled_id: the message's in scheduled_messages.",
    sqlite_with_rowid=False,
)

file_usage = sa.Table(
    "file_usage",
    metadata,
    key("user_id"),
    sa.Column("uploads", sa.BigInteger, nullable=False),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    comment="How many unfinished uploads and files count towards each user's quota, and their bytes, "
    "including bytes that uploads have announced. The row with an empty id is the whole "
    "server's.",
    sqlite_with_rowid=False,
)

unneeded_contents = sa.Table(
    "unneeded_contents",
    metadata,
    key("digest"),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Index(None, "due_us"),
    comment="Stored contents, or contents that may be stored, that perhaps no file needs; due_us: "
    "when to check, and to delete those that no file needs.",
    sqlite_with_rowid=False,
)
