"""What every table is made of, and the table of the database itself."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


# Bytewise order: the same order of ids, and so the same pages, on every database and locale.
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def key(name: str) -> sa.Column[str]:
    """A column of text that is part of the primary key."""
    return sa.Column(name, BYTEWISE, primary_key=True)


meta = sa.Table(
    "meta",
    metadata,
    key("name"),
    sa.Column("value", sa.Text, nullable=False),
    comment="Facts about the database itself, one in each row: its epoch and its secret.",
)
