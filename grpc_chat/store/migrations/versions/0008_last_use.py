"""When an account was used last, also where none of its sessions is left."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("users", sa.Column("last_used_us", sa.BigInteger, nullable=True))
    op.execute(
        "UPDATE users SET last_used_us = (SELECT max(expired_sessions.last_used_us) FROM expired_sessions "
        "WHERE expired_sessions.user_id = users.user_id)"
    )
