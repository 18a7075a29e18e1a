"""How far members have read, and the numbers that tell what is unread.

Events that are stored already are not counted: every member has read up to the end of the room, so only what
comes later has to be told apart. Nobody finds all of the past unread.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("events", sa.Column("messages", sa.BigInteger, nullable=True))
    op.add_column("rooms", sa.Column("message_count", sa.BigInteger, nullable=False, server_default="0"))
    for name in ("read_seq", "read_count", "read_own"):
        op.add_column("members", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE members SET read_seq ="
        " (SELECT rooms.last_seq FROM rooms WHERE rooms.room_id = members.room_id)"
        " WHERE EXISTS (SELECT 1 FROM rooms WHERE rooms.room_id = members.room_id)"
    )
    bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "deleted_messages",
        sa.Column("room_id", bytewise, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("user_id", bytewise, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_deleted_messages"),
        sqlite_with_rowid=False,
    )
