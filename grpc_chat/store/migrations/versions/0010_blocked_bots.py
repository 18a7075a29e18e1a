"""Bots are blocked by their own block alone; that of their owner covers them without being copied."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # A block of somebody set the same time for them and for those of their bots that had none.
    op.execute(
        "UPDATE users SET block_time_us = NULL WHERE owner_id IS NOT NULL AND block_time_us = "
        "(SELECT owner.block_time_us FROM users AS owner WHERE owner.user_id = users.owner_id)"
    )
