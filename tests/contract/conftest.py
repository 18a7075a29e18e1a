"""Every test here is run on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.databases import Database, postgres_database, sqlite_database
from tests.postgres import Template, template


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[Template]:
    """A PostgreSQL server with a database whose tables are empty, to be copied."""
    with template() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes empty databases of one kind, each with a name of its own."""
    with ExitStack() as used:

        def make(name: str) -> Database:
            if request.param == "sqlite":
                database = sqlite_database(tmp_path / name)
            else:
                template: Template = request.getfixturevalue("postgres_template")
                database = postgres_database(used.enter_context(template.lend()))
            used.callback(database.close)
            return database

        yield make


@pytest.fixture
def database(make_database: Callable[[str], Database]) -> Database:
    """An empty database."""
    return make_database("data")
