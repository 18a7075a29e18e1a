"""The schema's history, and how a database is brought up to date.

Revisions are numbered 0001, 0002, …; a database goes forward through them, never back.
"""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from grpc_chat.errors import StoreUnavailable
from grpc_chat.store import schema

LATEST = max(path.name[:4] for path in Path(__file__).parent.glob("versions/[0-9]*.py"))
"""The newest revision in ``versions/``."""

# As Alembic makes the table.
_version = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# Alembic keeps the current database in a module, so two migrations at a time would mix up their steps.
_one_at_a_time = threading.Lock()


def upgrade(connection: sa.Connection) -> None:
    """Bring a database to the latest revision, in one transaction.

    Raises:
        StoreUnavailable: A newer version of the program made the database.
    """
    with connection.begin():
        current = revision(connection)
        if current == LATEST:
            return
        if current is not None and current > LATEST:
            raise StoreUnavailable(
                f"the database has revision {current}, and this program knows revisions up to {LATEST}: "
                "it was made by a newer version, which is needed to open it"
            )
        if not sa.inspect(connection).get_table_names():
            # A new database: the tables as they are now, which a test compares with what the revisions make.
            for statement in _creation(connection.dialect.name):
                connection.exec_driver_sql(statement)
            _version.create(connection)
            connection.execute(sa.insert(_version).values(version_num=LATEST))
            return
        # Slow to import (a third of the program's start), and only needed right after an upgrade.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
        config.attributes["connection"] = connection
        with _one_at_a_time:
            command.upgrade(config, LATEST)


@functools.cache
def _creation(dialect: str) -> list[str]:
    """The statements that make a new database. Generating them takes longer than running them."""
    statements: list[str] = []

    def note(ddl: Any, *_args: object, **_options: object) -> None:
        statements.append(str(ddl.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine(f"{dialect}://", note)
    schema.metadata.create_all(engine, checkfirst=False)
    return statements


def revision(connection: sa.Connection) -> str | None:
    """The database's revision; None when it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found
