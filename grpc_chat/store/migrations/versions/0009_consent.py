"""Who was made a member by others, and who is invited."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _bytewise() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    # Those who are members already count as having come themselves: nobody noted who added them.
    op.add_column("members", sa.Column("added_by", _bytewise(), nullable=False, server_default=""))
    # With it in the index, those who came themselves are counted without their rows.
    op.drop_index("ix_members_user_id_room_id", "members")
    op.create_index("ix_members_user_id_room_id_added_by", "members", ["user_id", "room_id", "added_by"])
    op.create_table(
        "invitations",
        sa.Column("room_id", _bytewise(), nullable=False),
        sa.Column("user_id", _bytewise(), nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("invited_by", _bytewise(), nullable=False),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("hidden", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_invitations"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_invitations_user_id_create_time_us_room_id",
        "invitations",
        ["user_id", "create_time_us", "room_id"],
    )
